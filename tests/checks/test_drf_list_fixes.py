"""What findings on lists of an API tell people to write: real Django REST framework gives the same and asks less."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.checks.test_drf_fixes import fixes

MODELS = """\
from django.contrib.auth.models import User
from django.db import models

class Shop(models.Model):
    name = models.CharField(max_length=80)

class Membership(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)

class Book(models.Model):
    readers = models.ManyToManyField(User)

def fill():
    for name in ("a", "b", "c"):
        user = User.objects.create(username=name)
        for number in range(2):
            Membership.objects.create(user=user, shop=Shop.objects.create(name=f"{number}"))
    for _ in range(10):
        Book.objects.create().readers.set(User.objects.all())
"""
API = """\
from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import serializers, viewsets
from .models import Book, Membership

class InShop(serializers.ListSerializer):
    def to_representation(self, data):
{body}
        return super().to_representation(data)

class ReaderSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "username"]
        list_serializer_class = InShop

class BookSerializer(serializers.ModelSerializer):
    readers = ReaderSerializer(many=True)

    class Meta:
        model = Book
        fields = ["id", "readers"]

class BookViewSet(viewsets.ModelViewSet):
    queryset = {queryset}
    serializer_class = BookSerializer
"""
LOOKS = """\
        rows = data.all()
        if isinstance(rows, QuerySet) and getattr(rows, "_result_cache", None) is not None:
            data = [user for user in rows for row in {rows} if row.shop.name == "1"]
        else:
            data = data.filter(membership__shop__name="1")
"""
ALWAYS = "        data = data.filter({})\n"
SCRIPT = """\
import json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "shop"],
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIRequestFactory
from shop import api, models
call_command("migrate", run_syncdb=True, verbosity=0)
models.fill()
found = {}
for name in sys.argv[1:]:
    view = getattr(api, name).as_view({"get": "list"})
    with CaptureQueriesContext(connection) as captured:
        response = view(APIRequestFactory().get("/")).render()
    found[name] = [len(captured), json.loads(response.content)]
print(json.dumps(found))
"""


def asked(root: Path, models: str, api: str, *views: str) -> list[tuple[int, object]]:
    """How many queries the lists of views run, and what they give."""
    for name, text in {"__init__": "", "models": models, "api": api}.items():
        path = root / "shop" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *views], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    return [(found[name][0], found[name][1]) for name in views]


def of_readers(root: Path, body: str, queryset: str) -> tuple[int, object]:
    """The same for the books of a list of readers that is written out as `body` says."""
    api = API.replace("{body}", body).replace("{queryset}", queryset)
    return asked(root, MODELS, api, "BookViewSet")[0]


def told(root: Path, body: str) -> list[str]:
    """The fixes for a list of readers that nobody loads."""
    return fixes(root, API.replace("{body}", body).replace("{queryset}", "Book.objects.all()"), MODELS, whole=True)


def test_what_a_list_reads_of_loaded_rows_is_loaded_with_them(tmp_path: Path) -> None:
    body = LOOKS.replace("{rows}", "user.membership_set.all()")
    assert told(tmp_path / "told", body) == [
        'Add `.prefetch_related("readers__membership_set__shop")` to `Book.objects.all()` in shop.api.BookViewSet.'
    ]
    before, shown = of_readers(tmp_path / "before", body, "Book.objects.all()")
    alone, same = of_readers(tmp_path / "alone", body, 'Book.objects.prefetch_related("readers")')
    after, again = of_readers(
        tmp_path / "after", body, 'Book.objects.prefetch_related("readers__membership_set__shop")'
    )
    assert shown == same == again
    assert after < before < alone


def test_a_list_that_asks_more_of_loaded_rows_is_left_alone(tmp_path: Path) -> None:
    body = LOOKS.replace("{rows}", "Membership.objects.filter(user=user)")
    assert told(tmp_path / "told", body) == [
        "Do not prefetch `readers` alone: `shop.api.InShop.to_representation` then asks the database for each of those "
        "rows."
    ]
    before, shown = of_readers(tmp_path / "before", body, "Book.objects.all()")
    after, again = of_readers(tmp_path / "after", body, 'Book.objects.prefetch_related("readers")')
    assert shown == again
    assert before < after


def test_a_list_that_narrows_whatever_is_loaded_has_to_do_it_in_python(tmp_path: Path) -> None:
    body = ALWAYS.format('is_active=True, username="a"')
    assert told(tmp_path / "told", body) == [
        'Add `.prefetch_related("readers")` to `Book.objects.all()` in shop.api.BookViewSet. In '
        "`shop.api.InShop.to_representation` filter the rows of `readers.all()` in Python (where each row has few of "
        "them): `filter()` asks the database even where `readers` is prefetched."
    ]
    written = '        data = [row for row in data.all() if row.is_active and row.username == "a"]\n'
    before, shown = of_readers(tmp_path / "before", body, "Book.objects.all()")
    after, again = of_readers(tmp_path / "after", written, 'Book.objects.prefetch_related("readers")')
    assert shown == again
    assert (before, after) == (11, 2)


EDITIONS = """\
from django.db import models

class Publisher(models.Model):
    kind = models.CharField(max_length=9)

class Edition(models.Model):
    publisher = models.ForeignKey(Publisher, models.CASCADE)
    number = models.IntegerField()
    scan = models.TextField()

class Book(models.Model):
    title = models.CharField(max_length=9)
    publisher = models.ForeignKey(Publisher, models.CASCADE, null=True)
    edition = models.ForeignKey(Edition, models.CASCADE, null=True)

class EBook(Book):
    pass

class Tape(Book):
    pass

def fill():
    for number in range(5):
        publisher = Publisher.objects.create(kind="a")
        edition = Edition.objects.create(publisher=publisher, number=number, scan="x")
        for model in (EBook, Tape):
            model.objects.create(title="t", edition=edition, publisher=publisher)
"""
SHARED = """\
from rest_framework import serializers, viewsets
from .models import Book, EBook, Tape

class EditionField(serializers.RelatedField):
    def to_representation(self, value):
        return f"{value.publisher.kind}/{value.number}"

class BookSerializer(serializers.ModelSerializer):
    edition = EditionField(read_only=True)
    is_fixed = serializers.SerializerMethodField()

    class Meta:
        model = Book
        fields = ["title", "edition", "is_fixed"]

    def get_is_fixed(self, obj):
        return bool(obj.edition)

class TapeSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tape
        fields = ["title"]

class BookViewSet(viewsets.ModelViewSet):
    queryset = Book.objects.order_by("pk")
    serializer_class = BookSerializer

    def get_queryset(self):
        found = super().get_queryset()
        if getattr(self, "action", "") == "list":
            found = found.select_related("publisher").only("title", "edition", "publisher__kind")
        return found

class EBookViewSet(BookViewSet):
    queryset = EBook.objects.order_by("pk")

class TapeViewSet(BookViewSet):
    queryset = Tape.objects.order_by("pk")
    serializer_class = TapeSerializer

urls = [BookViewSet, EBookViewSet, TapeViewSet]
"""
BASE = 'found.select_related("publisher").only("title", "edition", "publisher__kind")'


def test_what_a_base_class_loads_for_lists_is_completed_there_once(tmp_path: Path) -> None:
    told = f"`{BASE}` in shop.api.BookViewSet.get_queryset."
    named = "Name what is read of those rows in its `only()`, too, as it does for others: all columns come otherwise."
    assert fixes(tmp_path / "told", SHARED, EDITIONS, whole=True) == [
        f'Add `.select_related("edition__publisher")` to {told} {named}'
    ]
    literal = SHARED.replace(BASE, f'{BASE}.select_related("edition__publisher")')
    whole = SHARED.replace(
        BASE,
        'found.select_related("publisher", "edition__publisher")'
        '.only("title", "edition", "publisher__kind", "edition__number", "edition__publisher__kind")',
    )
    views = ("BookViewSet", "EBookViewSet", "TapeViewSet")
    before = asked(tmp_path / "before", EDITIONS, SHARED, *views)
    for name, api in (("literal", literal), ("whole", whole)):
        after = asked(tmp_path / name, EDITIONS, api, *views)
        assert [shown for _, shown in after] == [shown for _, shown in before]
        assert [queries for queries, _ in after] == [1, 1, 1]
    assert [queries for queries, _ in before] == [21, 11, 1]


def test_models_that_share_no_ancestor_load_for_themselves(tmp_path: Path) -> None:
    apart = EDITIONS.replace(
        "class EBook(Book):\n    pass\n",
        "class EBook(models.Model):\n    title = models.CharField(max_length=9)\n"
        "    edition = models.ForeignKey(Edition, models.CASCADE, null=True)\n",
    )
    api = SHARED.replace('"publisher__kind"', '"pk"').replace('.select_related("publisher")', "")
    told = fixes(tmp_path, api.replace("urls = [BookViewSet, EBookViewSet", "urls = [EBookViewSet"), apart, whole=True)
    assert told and not any("BookViewSet.get_queryset. Name" in fix for fix in told)
    assert any("EBook.objects" in fix for fix in told)
