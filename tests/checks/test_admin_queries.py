"""What is told of changelists and forms of the admin, beside the queries that Django runs for them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.checks.admin import list_display_n_plus_one, related_select_unbounded
from stackaudit.checks.orm import str_follows_relation
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

FIRST = "from django.contrib import admin\nfrom .models import *\n\n"
RUN = """
import json, sys
import django
from django.conf import settings

sys.path.insert(0, sys.argv[1])
apps = ["admin", "auth", "contenttypes", "sessions", "messages"]
settings.configure(
    INSTALLED_APPS=[*(f"django.contrib.{name}" for name in apps), "shop"], ALLOWED_HOSTS=["*"], SECRET_KEY="x",
    ROOT_URLCONF="shop.urls", DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=[f"django.contrib.{name}" for name in (
        "sessions.middleware.SessionMiddleware", "auth.middleware.AuthenticationMiddleware",
        "messages.middleware.MessageMiddleware")],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": [f"django.{name}" for name in (
            "template.context_processors.request", "contrib.auth.context_processors.auth",
            "contrib.messages.context_processors.messages")]}}],
)
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from shop import models

call_command("migrate", run_syncdb=True, verbosity=0)
client = Client()
client.force_login(User.objects.create_superuser("a", "a@example.org", "a"))
asked = {}
for rows in (3, 9):
    while User.objects.count() < rows:
        models.fill()
    for model in admin.site._registry:
        if model.__module__ == "shop.models":
            name = model.__name__.lower()
            last = model.objects.order_by("-pk").values_list("pk", flat=True).first()
            for page in ("", f"{last}/change/"):
                with CaptureQueriesContext(connection) as queries:
                    assert client.get(f"/admin/shop/{name}/{page}").status_code == 200
                kind = "form" if page else "list"
                asked.setdefault(f"{model.__name__} {kind}", []).append(len(queries))
print(json.dumps(sorted(page for page, (few, many) in asked.items() if many > few)))
"""


def growing(root: Path, models: str, **modules: str) -> list[str]:
    """The changelists and forms that ask more often where there are more rows, on real Django."""
    shop = root / "shop"
    shop.mkdir(parents=True)
    urls = "from django.contrib import admin\nfrom django.urls import path\n\n"
    urls += 'urlpatterns = [path("admin/", admin.site.urls)]\n'
    for name, text in {"__init__": "", "models": models, "urls": urls, **modules}.items():
        (shop / f"{name}.py").write_text(text)
    done = subprocess.run([sys.executable, "-c", RUN, str(root)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def failures(root: Path, rule: Callable[[Stack], Iterator[Verdict]], models: str, **modules: str) -> list[Fail]:
    """What a rule finds in the app."""
    files = {f"shop/{name}.py": text for name, text in {"__init__": "", "models": models, **modules}.items()}
    return [item for item in rule(stack_of(root, files)) if isinstance(item, Fail)]


STAMPED = """\
from django.contrib.auth.models import User
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Note(models.Model):
    text = models.CharField(max_length=80)

    def __str__(self):
        return self.text

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

    def __str__(self):
        return self.author.name

class Shelf(models.Model):
    books = models.ManyToManyField(Book)

    def __str__(self):
        return ", ".join(str(book.pk) for book in self.books.all())

class Loan(models.Model):
    reader = models.ForeignKey(User, on_delete=models.CASCADE)

def fill():
    user = User.objects.create(username=f"u{User.objects.count()}")
    book = Book.objects.create(author=Author.objects.create(name="a"))
    Note.objects.create(text="t")
    Shelf.objects.create().books.add(book)
    Loan.objects.create(reader=user)
"""
STAMPS = """\
from django.contrib import admin

class StampedAdmin(admin.ModelAdmin):
    readonly_fields = ["pk"]
"""
SHARED = """\
from .stamps import StampedAdmin

admin.site.register(Note, StampedAdmin)
admin.site.register(Book, StampedAdmin)
"""


def test_a_class_of_several_models_is_left_as_it_is(tmp_path: Path) -> None:
    (found,) = failures(tmp_path / "told", list_display_n_plus_one, STAMPED, admin=FIRST + SHARED, stamps=STAMPS)
    assert found.values["model"] == "Book"
    assert found.site.place.path == "shop/admin.py"
    assert found.fix == (
        "Register Book with a ModelAdmin of its own: a subclass of StampedAdmin with "
        '`list_select_related = ["author"]`.'
    )
    mended = SHARED.replace("register(Book, StampedAdmin)", "register(Book, BookAdmin)").replace(
        "admin.site", 'class BookAdmin(StampedAdmin):\n    list_select_related = ["author"]\n\nadmin.site', 1
    )
    assert growing(tmp_path / "before", STAMPED, admin=FIRST + SHARED, stamps=STAMPS) == ["Book list"]
    assert growing(tmp_path / "after", STAMPED, admin=FIRST + mended, stamps=STAMPS) == []


def test_a_queryset_of_several_models_is_left_as_it_is(tmp_path: Path) -> None:
    stamps = (
        f"{STAMPS}    def get_queryset(self, request):\n        return super().get_queryset(request).order_by('pk')\n"
    )
    shared = SHARED.replace("(Book", "(Shelf")
    (found,) = failures(tmp_path / "told", list_display_n_plus_one, STAMPED, admin=FIRST + shared, stamps=stamps)
    call = 'super().get_queryset(request).prefetch_related("books")'
    assert found.fix == (
        "Register Shelf with a ModelAdmin of its own: a subclass of StampedAdmin with a get_queryset() that returns "
        f"`{call}`."
    )
    mended = shared.replace("register(Shelf, StampedAdmin)", "register(Shelf, ShelfAdmin)").replace(
        "admin.site",
        f"class ShelfAdmin(StampedAdmin):\n    def get_queryset(self, request):\n        return {call}\n\nadmin.site",
        1,
    )
    before = growing(tmp_path / "before", STAMPED, admin=FIRST + shared, stamps=stamps)
    assert before == ["Shelf form", "Shelf list"]  # the select of the books on a form is another matter
    assert growing(tmp_path / "after", STAMPED, admin=FIRST + mended, stamps=stamps) == ["Shelf form"]


def test_options_of_a_class_of_several_models(tmp_path: Path) -> None:
    text = FIRST + SHARED.replace("(Book", "(Loan")
    (found,) = failures(tmp_path, related_select_unbounded, STAMPED, admin=text, stamps=STAMPS)
    assert found.values["admin"] == "StampedAdmin for Loan"
    assert found.fix.startswith(
        'Set `autocomplete_fields = ["reader"]` in a subclass of StampedAdmin that Loan is registered with.'
    )


RELEASES = """\
from django.contrib.auth.models import User
from django.db import models

class Release(models.Model):
    version = models.CharField(max_length=16)

    def __str__(self):
        return self.version

class FeatureManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset()%s

class Feature(models.Model):
    release = models.OneToOneField(Release, null=True, on_delete=models.SET_NULL)
    objects = FeatureManager()

    def __str__(self):
        return f"the features of {self.release}"

class Preview(models.Model):
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE)

    def __str__(self):
        return str(self.pk)

class Note(models.Model):
    preview = models.ForeignKey(Preview, on_delete=models.CASCADE)

def fill():
    User.objects.create(username=f"u{User.objects.count()}")
    release = Release.objects.create(version=str(Release.objects.count()))
    Note.objects.create(preview=Preview.objects.create(feature=Feature.objects.create(release=release)))
"""
PREVIEWS = """
@admin.register(Preview)
class PreviewAdmin(admin.ModelAdmin):
    %s
"""
NOTES = """
@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    list_filter = ["preview__feature"]
"""
LOADED = '.select_related("release")'
MANAGED = (
    "Let the text use columns of Feature alone; or let the default manager of Feature load what it reads, by "
    f"`super().get_queryset(){LOADED}` in its get_queryset(): "
)


def test_a_filter_of_the_changelist_shows_every_text_too(tmp_path: Path) -> None:
    light, filtered = 'raw_id_fields = ["feature"]', 'list_filter = ["feature"]'
    in_use = 'list_filter = [("feature", admin.RelatedOnlyFieldListFilter)]'
    programs = {
        PREVIEWS % filtered: (
            "both",
            ["Preview form", "Preview list"],
            "the select of the form and the filter of the changelist (`list_filter`) of PreviewAdmin show it.",
        ),
        PREVIEWS % f"{light}\n    {filtered}": (
            "filter",
            ["Preview list"],
            "the filter of the changelist (`list_filter`) of PreviewAdmin shows it.",
        ),
        PREVIEWS % "pass" + NOTES: (
            "both",
            ["Note list", "Preview form"],
            "the select of the form of PreviewAdmin and the filter of the changelist (`list_filter`) of NoteAdmin "
            "show it.",
        ),
        PREVIEWS % f"{in_use}\n    {light}" + NOTES: (
            "filter",
            ["Note list", "Preview list"],
            "2 filters of changelists (`list_filter`: those of PreviewAdmin and NoteAdmin) show it.",
        ),
    }
    for index, (program, (cause, before, where)) in enumerate(programs.items()):
        text = FIRST + program
        (found,) = failures(tmp_path / f"told{index}", str_follows_relation, RELEASES % "", admin=text)
        assert (found.cause, found.fix) == (cause, MANAGED + where)
        assert growing(tmp_path / f"before{index}", RELEASES % "", admin=text) == before
        assert growing(tmp_path / f"after{index}", RELEASES % LOADED, admin=text) == []
        assert not failures(tmp_path / f"mended{index}", str_follows_relation, RELEASES % LOADED, admin=text)


def test_a_filter_that_lists_something_else(tmp_path: Path) -> None:
    filters = """list_filter = ["feature__release", "feature__release__version", ("feature", Newest)]
    raw_id_fields = ["feature"]
"""
    newest = """
class Newest(admin.RelatedFieldListFilter):
    def field_choices(self, field, request, model_admin):
        return [(1, "the first"), (2, "the second")]
"""
    text = FIRST + newest + PREVIEWS % filters
    assert growing(tmp_path / "run", RELEASES % "", admin=text) == []
    assert not failures(tmp_path / "told", str_follows_relation, RELEASES % "", admin=text)


LINES = """\
from django.contrib.auth.models import User
from django.db import models

class Genre(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name

class Offer(models.Model):
    genre = models.ForeignKey(Genre, on_delete=models.CASCADE)

    def __str__(self):
        return f"an offer of {self.genre}"

class Order(models.Model):
    is_open = models.BooleanField(default=False)

class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    offer = models.ForeignKey(Offer, on_delete=models.CASCADE)
    genre = models.ForeignKey(Genre, on_delete=models.CASCADE)
    name = models.CharField(max_length=50)

    def __str__(self):
        return f"{self.genre} > {self.name}"

def fill():
    User.objects.create(username=f"u{User.objects.count()}")
    order, _ = Order.objects.get_or_create(pk=1)
    genre = Genre.objects.create(name="g")
    Line.objects.create(order=order, offer=Offer.objects.create(genre=genre), genre=genre, name="a")
"""
LOCKED = """\
class LineInline(admin.TabularInline):
    model = Line
    fields = ["offer"]
    extra = 0

    def get_readonly_fields(self, request, obj=None):
        if obj and not obj.is_open:
            return ["offer"]
        return []

    def get_queryset(self, request):
        return super().get_queryset(request).filter(name="a")

@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    def get_inlines(self, request, obj):
        return [LineInline] if obj else []
"""


def test_fields_that_are_only_read_at_times(tmp_path: Path) -> None:
    (found,) = failures(tmp_path / "told", list_display_n_plus_one, LINES, admin=FIRST + LOCKED)
    call = '.select_related("genre", "offer__genre")'
    assert found.fix == f"Add `{call}` to what get_queryset() of LineInline returns."
    assert found.values["relation"] == "genre (and, where a condition holds, offer.genre)"
    mended = LOCKED.replace('.filter(name="a")', f'.filter(name="a"){call}')
    half = mended.replace(', "offer__genre"', "")
    assert growing(tmp_path / "before", LINES, admin=FIRST + LOCKED) == ["Order form"]
    assert growing(tmp_path / "half", LINES, admin=FIRST + half) == ["Order form"]
    assert growing(tmp_path / "after", LINES, admin=FIRST + mended) == []


def test_an_inline_that_asks_at_times_alone(tmp_path: Path) -> None:
    models = LINES.replace('f"{self.genre} > {self.name}"', "self.name")
    (found,) = failures(tmp_path / "told", list_display_n_plus_one, models, admin=FIRST + LOCKED)
    assert found.cause == "inline-guarded"
    assert growing(tmp_path / "before", models, admin=FIRST + LOCKED) == ["Order form"]
    call = '.select_related("offer__genre")'
    assert found.fix == f"Add `{call}` to what get_queryset() of LineInline returns."
    mended = LOCKED.replace('.filter(name="a")', f'.filter(name="a"){call}')
    assert growing(tmp_path / "after", models, admin=FIRST + mended) == []
