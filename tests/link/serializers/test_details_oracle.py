"""Single objects and custom fields against real Django REST framework: the verdict is right where the count agrees.

Every case is asked on SQLite with 4 and with 8 rows below its object (or in its list) in a child process; "grows" means
that more rows took more queries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.drf import method_field_query, n_plus_one
from stackaudit.model.verdict import Fail
from tests.link.serializers.cases import FIELDS, LISTED
from tests.stacks import stack_of

MODELS = """\
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)

    @property
    def newest(self):
        return self.reviews.all()[:3]

    def signed(self):
        return [review.author.name for review in self.reviews.all()]


class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)
"""

API = """\
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from rest_framework import generics, serializers, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.generics import get_object_or_404 as found_or_404
from rest_framework.response import Response
from rest_framework.views import APIView
from .models import Author, Book, Review, Tag


class Plain(serializers.ModelSerializer):
    class Meta:
        model = Review
        fields = ["id", "author"]


class Signed(serializers.ModelSerializer):
    author = serializers.CharField(source="author.name")

    class Meta:
        model = Review
        fields = ["author"]


class Tagged(serializers.ModelSerializer):
    class Meta:
        model = Review
        fields = ["tags"]


class Counted(serializers.ModelSerializer):
    count = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields = ["count"]

    def get_count(self, review):
        return review.tags.count()


class Titled(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title")

    class Meta:
        model = Review
        fields = ["title"]


class Full(serializers.ModelSerializer):
    reviews = Signed(many=True)

    class Meta:
        model = Book
        fields = ["title", "reviews"]


class Brief(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["title"]
"""

FULL = "Signed(many=True)"
# name: (what the book's `reviews` is written out by, the queryset, whether it grows)
RETRIEVED = {
    "Nested": ("Signed(many=True)", "Book.objects.all()", True),
    "NestedHalf": ("Signed(many=True)", "Book.objects.prefetch_related('reviews')", True),
    "NestedLoaded": ("Signed(many=True)", "Book.objects.prefetch_related('reviews__author')", False),
    "NestedPrefetch": (
        "Signed(many=True)",
        "Book.objects.prefetch_related(Prefetch('reviews', Review.objects.select_related('author')))",
        False,
    ),
    "Plain": ("Plain(many=True)", "Book.objects.all()", False),
    "Keys": ("serializers.PrimaryKeyRelatedField(many=True, read_only=True)", "Book.objects.all()", False),
    "Tagged": ("Tagged(many=True)", "Book.objects.all()", True),
    "TaggedLoaded": ("Tagged(many=True)", "Book.objects.prefetch_related('reviews__tags')", False),
    "Counted": ("Counted(many=True)", "Book.objects.all()", True),
    "CountedLoaded": ("Counted(many=True)", "Book.objects.prefetch_related('reviews__tags')", False),
    "Titled": ("Titled(many=True)", "Book.objects.all()", False),
    "Few": ("Signed(many=True, source='newest')", "Book.objects.all()", False),
    "Once": ("serializers.CharField(source='author.name')", "Book.objects.all()", False),
    "WriteOnly": ("Signed(many=True, write_only=True)", "Book.objects.all()", False),
    "Method": ("serializers.ReadOnlyField(source='signed')", "Book.objects.all()", True),
    "MethodLoaded": (
        "serializers.ReadOnlyField(source='signed')", "Book.objects.prefetch_related('reviews__author')", False
    ),
    "ByHand": (
        "serializers.SerializerMethodField()\n"
        "    def get_reviews(self, book):\n        return Signed(book.reviews.all(), many=True).data",
        "Book.objects.all()",
        True,
    ),
    "ByHandLoaded": (
        "serializers.SerializerMethodField()\n"
        "    def get_reviews(self, book):\n        return Signed(book.reviews.all(), many=True).data",
        "Book.objects.prefetch_related('reviews__author')",
        False,
    ),
    "WholeElsewhere": (
        "serializers.SerializerMethodField()\n    def get_reviews(self, book):\n"
        "        if self.context.get('whole'):\n            return Full(book).data",
        "Book.objects.all()",
        False,
    ),
    "Whole": (
        "serializers.SerializerMethodField()\n    def get_reviews(self, book):\n        return Full(book).data",
        "Book.objects.all()",
        True,
    ),
}  # fmt: skip

# name: (the view, whether it grows)
VIEWS = {
    "Action": (
        "viewsets.GenericViewSet",
        "queryset = Book.objects.all()\n    serializer_class = Brief\n"
        "    @action(detail=True)\n    def full(self, request, pk):\n"
        "        return Response(Full(self.get_object()).data)",
        True,
    ),
    "ForRetrieve": (
        "viewsets.ReadOnlyModelViewSet",
        "serializer_class = Full\n    def get_queryset(self):\n"
        "        if self.action in ('list', 'retrieve'):\n"
        "            return Book.objects.prefetch_related('reviews__author')\n        return Book.objects.all()",
        False,
    ),
    "ForList": (
        "viewsets.ReadOnlyModelViewSet",
        "serializer_class = Full\n    def get_queryset(self):\n"
        "        if self.action == 'list':\n"
        "            return Book.objects.prefetch_related('reviews__author')\n        return Book.objects.all()",
        True,
    ),
    "ForDetail": (
        "viewsets.ReadOnlyModelViewSet",
        "def get_queryset(self):\n"
        "        if self.detail:\n"
        "            return Book.objects.prefetch_related('reviews__author')\n        return Book.objects.all()\n"
        "    def get_serializer_class(self):\n        return Full if self.detail else Brief",
        False,
    ),
    "BriefList": (
        "viewsets.ReadOnlyModelViewSet",
        "queryset = Book.objects.all()\n    def get_serializer_class(self):\n"
        "        return Brief if self.action == 'list' else Full",
        True,
    ),
    "Object": (
        "generics.RetrieveAPIView",
        "serializer_class = Full\n    def get_object(self):\n"
        "        return get_object_or_404(Book, pk=self.kwargs['pk'])",
        True,
    ),
    "ObjectLoaded": (
        "generics.RetrieveAPIView",
        "serializer_class = Full\n    queryset = Book.objects.all()\n    def get_object(self):\n"
        "        return found_or_404(self.get_queryset().prefetch_related('reviews__author'), pk=self.kwargs['pk'])",
        False,
    ),
    "Field": (
        "generics.RetrieveUpdateAPIView",
        "serializer_class = Full\n    queryset = Book.objects.order_by('pk')\n    lookup_field = 'pk'",
        True,
    ),
    "OwnRetrieve": (
        "viewsets.ReadOnlyModelViewSet",
        "serializer_class = Full\n    queryset = Book.objects.order_by('title')\n"
        "    def list(self, request):\n        return Response([])\n"
        "    def retrieve(self, request, *args, **kwargs):\n"
        "        serializer = self.get_serializer(self.get_object())\n        return Response(serializer.data)",
        True,
    ),
    "OwnGet": (
        "generics.RetrieveAPIView",
        "serializer_class = Full\n    queryset = Book.objects.order_by('-pk')\n"
        "    def get(self, request, *args, **kwargs):\n        return self.retrieve(request, *args, **kwargs)",
        True,
    ),
    "Hand": (
        "APIView", "def get(self, request, pk):\n        return Response(Full(Book.objects.get(pk=pk)).data)", True
    ),
    "HandLoaded": (
        "APIView",
        "def get(self, request, pk):\n        books = Book.objects.prefetch_related('reviews__author')\n"
        "        return Response(Full(found_or_404(books, pk=pk), context={'request': request}).data)",
        False,
    ),
    "HandAttached": (
        "APIView",
        "def get(self, request, pk):\n        from django.db.models import prefetch_related_objects\n"
        "        book = Book.objects.get(pk=pk)\n        prefetch_related_objects([book], 'reviews__author')\n"
        "        return Response(Full(book).data)",
        False,
    ),
}  # fmt: skip

_GIVEN = {
    "CharField": "source='author.name'",
    "PrimaryKeyRelatedField": "source='author', read_only=True",
    "HyperlinkedRelatedField": "source='author', read_only=True, view_name='author'",
    "HyperlinkedIdentityField": "view_name='book'",
}

RUN = """
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
author = models.Author.objects.create(name="a")
book = models.Book.objects.create(title="t", author=author)

def add(count):
    for number in range(count):
        author = models.Author.objects.create(name="a")
        review = models.Review.objects.create(book=book, author=author)
        review.tags.set([models.Tag.objects.create(name="x")])
        models.Review.objects.create(book=models.Book.objects.create(title="t", author=author), author=author)

def ask(name, how):
    if how is None:
        view, keywords = getattr(api, name + "View").as_view(), {}
    elif how == "function":
        view, keywords = getattr(api, name), {"pk": book.pk}
    elif how:
        detail = {"detail": True} if hasattr(getattr(api, name + "View"), "get_extra_actions") else {}
        view, keywords = getattr(api, name + "View").as_view({"get": how}, **detail), {"pk": book.pk}
    else:
        view, keywords = getattr(api, name + "View").as_view(), {"pk": book.pk}
    response = view(APIRequestFactory().get("/"), **keywords).render()
    assert response.status_code == 200, (name, response.data)

def counts(asked):
    found = {}
    for name, how in asked.items():
        with CaptureQueriesContext(connection) as captured:
            ask(name, how)
        found[name] = len(captured)
    return found

asked = json.loads(sys.argv[1])
add(4)
before = counts(asked)
add(4)
after = counts(asked)
json.dump({name: after[name] > before[name] for name in before}, sys.stdout)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("details")
    shop = root / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text("")
    (shop / "models.py").write_text(MODELS)
    api = [API]
    for name, (field, queryset, _) in RETRIEVED.items():
        api.append(
            f"class {name}Serializer(serializers.ModelSerializer):\n    reviews = {field}\n"
            "    class Meta:\n        model = Book\n        fields = ['title', 'author', 'reviews', 'tags']\n\n"
            f"class {name}View(generics.RetrieveAPIView):\n    queryset = {queryset}\n"
            f"    serializer_class = {name}Serializer"
        )
    api += [f"class {name}View({base}):\n    {body}" for name, (base, body, _) in VIEWS.items()]
    api.append("@api_view(['GET'])\ndef single(request, pk):\n    return Response(Full(Book.objects.get(pk=pk)).data)")
    for name, (base, finds, shows, loads, _) in FIELDS.items():
        body = "".join(f"    def {method}\n" for method in (finds, shows) if method)
        body += "    name = serializers.CharField()\n" if base == "Serializer" else ""
        api.append(
            f"class {name}Field(serializers.{base}):\n{body}\n"
            f"class {name}Serializer(serializers.ModelSerializer):\n    made = {name}Field({_GIVEN.get(base, '')})\n"
            "    class Meta:\n        model = Book\n        fields = ['made']\n\n"
            f"class {name}View(generics.ListAPIView):\n    queryset = Book.objects.all(){loads}\n"
            f"    serializer_class = {name}Serializer"
        )
    for name, (made, queryset, more, _) in LISTED.items():
        api.append(
            f"{made.format(name)}\n\nclass {name}View(generics.ListAPIView):\n    queryset = {queryset}\n"
            f"    serializer_class = {name}\n{more}"
        )
    (shop / "api.py").write_text("\n\n\n".join(api) + "\n")
    (root / "run.py").write_text(RUN)
    return root


def measured(root: Path) -> dict[str, bool]:
    asked: dict[str, str | None] = {**dict.fromkeys(RETRIEVED, ""), "single": "function"}
    for name, (base, _, _) in VIEWS.items():
        asked[name] = "" if "ViewSet" not in base else "full" if name == "Action" else "retrieve"
    asked |= dict.fromkeys((*FIELDS, *LISTED))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "run.py", json.dumps(asked)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, bool] = json.loads(run.stdout)
    return found


def findings(root: Path) -> list[Fail]:
    stack = stack_of(root)
    return [item for rule in (n_plus_one, method_field_query) for item in rule(stack) if isinstance(item, Fail)]


def judged(root: Path) -> dict[str, list[Fail]]:
    """The findings of each case: those whose way leads through its view."""
    lines = (root / "shop" / "api.py").read_text().splitlines()
    found: dict[str, list[Fail]] = {}
    for verdict in findings(root):
        cases = set()
        for place in [verdict.site.place, *(step.place for step in (*verdict.related, *verdict.flow))]:
            if place.path == "shop/api.py":
                heads = (line for line in reversed(lines[: place.region.line]) if line.startswith(("class ", "def ")))
                name = next(heads).split()[1].partition("(")[0]
                cases |= {name.removesuffix("View")} if name.endswith("View") or name == "single" else set()
        for case in cases:
            found.setdefault(case, []).append(verdict)
    return found


def test_verdicts_agree_with_measured_queries(project: Path) -> None:
    expected = {name: case[-1] for cases in (RETRIEVED, VIEWS, FIELDS, LISTED) for name, case in cases.items()}
    expected["single"] = True
    assert measured(project) == expected
    failed = judged(project)
    assert {name: name in failed for name in expected} == expected


def test_a_single_object_is_one_finding_of_its_queryset(project: Path) -> None:
    (nested,) = judged(project)["Nested"]
    assert (nested.cause, nested.cost.queries if nested.cost else 0, nested.fix) == (
        "detail",
        10,
        'Add `.prefetch_related("reviews__author")` to `Book.objects.all()` in shop.api.NestedView.',
    )
