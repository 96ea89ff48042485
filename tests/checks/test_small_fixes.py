"""What the smaller rules tell people to write has to be true of the code that they judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.checks import admin, drf, orm, template
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
"""


def told(
    root: Path, rule: Callable[[Stack], Iterator[Verdict]], more: dict[str, str] | None = None, **modules: str
) -> list[tuple[str, str]]:
    """The causes and fixes of what a rule finds in the modules of an app, with other files of the project beside."""
    files = {f"shop/{name}.py": text for name, text in {"__init__": "", "models": MODELS, **modules}.items()}
    stack = stack_of(root, {**files, **(more or {})})
    return [(item.cause, item.fix) for item in rule(stack) if isinstance(item, Fail)]


def test_a_count_of_the_rows_of_one(tmp_path: Path) -> None:
    views = """\
from .models import Author, Book

def views(author: Author):
    if author.book_set.count() > 0:
        show(author.book_set.all())
    if Book.objects.filter(author=author).count() == 0:
        show()
    if Book.objects.exclude(title__in=["The first of all titles", "The last of all titles"]).count() == 0:
        show()
    return not Book.objects.count() or Book.objects.filter(title="Emma").count() > 0
"""
    assert told(tmp_path, orm.count_as_existence, views=views) == [
        (
            "few",
            "Load them once: `rows = author.book_set.all()` before the test, `if rows:` in its place, and `rows` where"
            " line 5 asks for them again.",
        ),
        ("few", "Write `not Book.objects.filter(author=author).exists()` instead."),
        ("small", "Ask by `.exists()`, with `not` before it, instead of counting and comparing."),
        ("small", "Write `Book.objects.exists()` instead."),
        ("filtered", 'Write `Book.objects.filter(title="Emma").exists()` instead.'),
    ]


def test_rows_that_are_loaded_for_a_number_or_an_answer(tmp_path: Path) -> None:
    views = """\
from .models import Author, Book

def numbers(author: Author, book: Book):
    named = Book.objects.only("title")
    print(len(named), list(Book.objects.filter(title="a"))[0])
    if book not in Book.objects.filter(title="Emma"):
        return Book.objects.filter(title__in=["The first of all titles", "The last of all titles"]) or None
    if Book.objects.filter(title__in=["The first of all titles", "The last of all titles"]):
        return None
    return len(Book.objects.filter(author=author))
"""
    assert told(tmp_path, orm.loads_rows_to_count, views=views) == [
        ("", "Write `named.count()`."),
        ("through", 'Write `Book.objects.filter(title="a")[0]` without the list: that asks for one row.'),
        ("member", 'Write `not Book.objects.filter(title="Emma").filter(pk=book.pk).exists()`.'),
        ("truth", "Ask the queryset by `.exists()` in the test."),
        ("few", "Write `Book.objects.filter(author=author).count()`."),
    ]


def test_a_query_that_is_asked_again(tmp_path: Path) -> None:
    views = """\
from .models import Author, Book

def twice():
    books = Book.objects.filter(title="a")
    print(books.count())
    if books.first() is None:
        print(books.first())
        raise ValueError(books.count())
    for book in Book.objects.all():
        print(book)
    for book in Book.objects.all():
        print(book, books.count())
"""
    assert told(tmp_path, orm.repeated_evaluation, views=views) == [
        ("", "Give what line 9 asks for a name, `rows = Book.objects.all()`, and use it there and here."),
    ]


def test_a_query_that_is_asked_again_before_and_after(tmp_path: Path) -> None:
    views = """\
from .models import Book

def tested_first(book):
    books = Book.objects.filter(title="a").order_by("title")
    short = (
        books.first().author_id == book.author_id
        if books.first()
        else True
    )
    if short:
        return books.first().pk
    return books.first()

def thrice():
    books = Book.objects.filter(title="a")
    print(books.count())
    print(books.count())
    return books.count()
"""
    assert told(tmp_path, orm.repeated_evaluation, views=views) == [
        (
            "",
            "Write `answer = books.first()` before the statement of line 5 and use `answer` on lines 7, 11, 12 and "
            "here.",
        ),
        (
            "",
            "Give what line 16 asks for a name, `books_count = books.count()`, and use it there, on line 18 and here.",
        ),
    ]


def test_rows_that_are_loaded_by_await_are_a_list_afterwards(tmp_path: Path) -> None:
    views = """\
from .models import Book

async def shown():
    books = Book.objects.filter(title="a")
    if not await books.aexists():
        return
    async for book in books:
        print(book)

async def numbered():
    books = Book.objects.filter(title="a")
    number = await books.acount()
    return number, [book async for book in books]
"""
    load = "Load the rows once, `rows = [row async for row in books]`, and ask that list before and after: "
    assert told(tmp_path, orm.exists_then_evaluate, views=views) == [
        ("", f"{load}`if not rows:` and `for book in rows:` (no `async for`: it is a list)."),
        ("count", f"{load}`len(rows)` and `for book in rows` (no `async for`: it is a list)."),
    ]


def test_indexes(tmp_path: Path) -> None:
    models = """\
from django.db import models

class Author(models.Model):
    name = models.SlugField(unique=False)
    slug = models.CharField(max_length=9, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["name", "slug"]), models.Index(fields=["slug", "name"])]
        index_together = [("name",), ("slug", "name")]
"""
    assert told(tmp_path, orm.duplicate_index, models=models) == [
        ("", "Take (name) out of `index_together` of Author and make a migration."),
        ("", "Take (slug, name) out of `index_together` of Author and make a migration."),
    ]


def test_an_index_of_a_column_that_others_inherit_too(tmp_path: Path) -> None:
    models = """\
from django.db import models

class Numbered(models.Model):
    number = models.IntegerField(db_index=True)

    class Meta:
        abstract = True

class Author(Numbered):
    name = models.CharField(max_length=9)

    class Meta:
        indexes = [models.Index(fields=["number", "name"])]
"""
    assert told(tmp_path, orm.duplicate_index, models=models) == [
        (
            "field",
            "Declare `number` in Author once more, with `db_index=False`, and make a migration: other models take the "
            "field from Numbered, too, and may need its index. Here the one on (number, name) serves.",
        ),
    ]


def test_an_index_of_a_base_that_declares_the_other_one_too(tmp_path: Path) -> None:
    models = """\
from django.db import models

class Numbered(models.Model):
    number = models.IntegerField(db_index=True)
    name = models.CharField(max_length=9)

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["number", "name"])]

class Author(Numbered):
    pass
"""
    assert told(tmp_path, orm.duplicate_index, models=models) == [
        (
            "field",
            "Write `db_index=False` on `number` of Numbered and make migrations: the one on (number, name) stands "
            "there, too, for every model that keeps its Meta.",
        ),
    ]


def test_the_index_of_a_foreign_key_goes_without_its_constraint_being_checked_again(tmp_path: Path) -> None:
    models = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    editor = models.ForeignKey(Author, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    path = models.CharField(max_length=80)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        unique_together = [("author", "path"), ("editor", "path")]

def add(author):
    Book.objects.create(author=author, editor=author)
"""
    engine = 'import os\nDATABASES = {"default": {"ENGINE": %s}}\n'
    sqlite, postgres = ('"django.db.backends.sqlite3"', '"django.db.backends.postgresql"')
    chosen = f'os.environ.get("DB_ENGINE", {sqlite})'
    choices = f"CHOICES = {{'server': {postgres}}}\n"
    locks = {}
    cases: dict[str, dict[str, str]] = {
        "unknown": {},
        "postgres": {"settings": engine % postgres, "wsgi": WSGI},
        "sqlite": {"settings": engine % sqlite, "wsgi": WSGI},
        "by default": {"settings": engine % chosen, "wsgi": WSGI},
        "named elsewhere": {"settings": engine % sqlite, "wsgi": WSGI, "databases": choices},
    }
    for name, modules in cases.items():
        author, editor = told(tmp_path / name, orm.duplicate_index, {}, models=models, **modules)
        kept = "of Book and make a migration; the unique one on (%s, path) has to stay then."
        assert editor == ("foreign-key", f"Write `db_index=False` on `editor` {kept % 'editor'}")
        fix = author[1].removeprefix(f"Write `db_index=False` on `author` {kept % 'author'}")
        assert fix in ("", (
            " On PostgreSQL Django's AlterField also drops the foreign key constraint and adds it again, which checks "
            "every row while both tables are locked: on a large table put it into `SeparateDatabaseAndState` with "
            "`DROP INDEX CONCURRENTLY` in a migration with `atomic = False`."
        ))  # fmt: skip
        locks[name] = bool(fix)
    assert locks == {"unknown": True, "postgres": True, "sqlite": False, "by default": True, "named elsewhere": True}


WSGI = """\
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
"""


def test_loaders_are_wrapped_as_they_stand(tmp_path: Path) -> None:
    start = 'TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": ['
    files, apps = "django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"
    found = []
    for number, names in enumerate(([files, apps], [files], [files, "own.Loader"])):
        settings = f"{start}{', '.join(map(repr, names))}]}}}}]\n"
        found += told(tmp_path / str(number), template.cached_loader_missing, wsgi=WSGI, settings=settings)
    wrapped = 'Wrap the whole list: `"loaders": [("django.template.loaders.cached.Loader", ['
    same = ": Django makes the same list then, and caches it."
    assert [fix for _, fix in found] == [
        f'{wrapped}"{files}", "{apps}"])]`. Or take `loaders` out of OPTIONS and write `"APP_DIRS": True` beside '
        f"BACKEND{same}",
        f'{wrapped}"{files}"])]`. Or take `loaders` out of OPTIONS{same}',
        f'{wrapped}"{files}", "own.Loader"])]`.',
    ]


def test_context_processors_ask_late(tmp_path: Path) -> None:
    settings = """\
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {"context_processors": ["shop.context.first", "shop.context.named"]},
}]
"""
    context = """\
from .models import Book

def first(request):
    return {"first": Book.objects.first().title}

def named(request):
    book = Book.objects.get(pk=1)
    return {"title": book.title}
"""
    found = told(tmp_path, template.context_processor_query, wsgi=WSGI, settings=settings, context=context)
    assert [fix for _, fix in found] == [
        'Ask when a page shows it: `"first": SimpleLazyObject(lambda: Book.objects.first().title)`.',
        'Keep what `Book.objects.get(pk=1)` gives: `cache.get_or_set("named", …, 300)`, and delete the key where it is '
        "saved. Or write `book = SimpleLazyObject(lambda: Book.objects.get(pk=1))` and "
        '`"title": SimpleLazyObject(lambda: book.title)`, which ask when a page shows it.',
    ]


def test_the_cache_of_throttles_is_one_that_the_release_has(tmp_path: Path) -> None:
    settings = """\
REST_FRAMEWORK = {
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"anon": "100/day"},
}
"""
    found = {}
    for release in ("3.2.25", "5.2"):
        more = {"requirements.txt": f"Django=={release}\n", "Procfile": "web: gunicorn shop.wsgi --workers 4\n"}
        fixes = told(tmp_path / release, drf.throttle_local_cache, more, wsgi=WSGI, settings=settings)
        found[release] = [fix.partition("`")[2].partition("`")[0] for _, fix in fixes]
    assert found == {
        "3.2.25": ["django_redis.cache.RedisCache"],
        "5.2": ["django.core.cache.backends.redis.RedisCache"],
    }


SHELVES = """\
from django.contrib.auth.models import User
from django.db import models

class Shelf(models.Model):
    made = models.DateTimeField(auto_now_add=True)
    owner = models.ForeignKey(User, on_delete=models.CASCADE)

    def __str__(self):
        return self.owner.email

class Loan(models.Model):
    reader = models.ForeignKey(User, on_delete=models.CASCADE, related_name="loans")
    clerk = models.ForeignKey(User, on_delete=models.CASCADE, related_name="given")
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)
"""


def test_options_of_an_admin_are_extended(tmp_path: Path) -> None:
    classes = """\
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from .models import Loan, Shelf

admin.site.register(User, UserAdmin)
admin.site.register(Shelf, raw_id_fields=["owner"])

@admin.register(Loan)
class LoanAdmin(admin.ModelAdmin):
    autocomplete_fields = ["reader"]
"""
    plain = "from django.contrib import admin\nfrom .models import Loan\nadmin.site.register(Loan, list_per_page=9)\n"
    found = [
        told(tmp_path / name, admin.related_select_unbounded, models=SHELVES, admin=text)
        for name, text in (("classes", classes), ("plain", plain))
    ]
    readonly = "What nobody changes belongs into `readonly_fields`."
    searched = f"For `autocomplete_fields` there `search_fields` has to be in an admin of Shelf. {readonly}"
    assert found == [
        [
            (
                "",
                'Set `autocomplete_fields = ["reader", "clerk"]` and `raw_id_fields = ["shelf"]` in LoanAdmin. '
                f"{searched}",
            )
        ],
        [
            (
                "",
                'Set `autocomplete_fields = ["reader", "clerk"]` and `raw_id_fields = ["shelf"]` among the options '
                f"that `register(Loan, …)` is given. {searched}",
            )
        ],
    ]


def test_the_select_of_a_text_that_asks(tmp_path: Path) -> None:
    text = "from django.contrib import admin\nfrom .models import Loan\nadmin.site.register(Loan)\n"
    assert told(tmp_path, orm.str_follows_relation, models=SHELVES, admin=text) == [
        (
            "",
            "Let the text use columns of Shelf alone; or load what it reads where the select is made, in "
            "formfield_for_foreignkey() of the ModelAdmin of Loan: "
            '`kwargs["queryset"] = Shelf.objects.select_related("owner")` for `shelf`.',
        )
    ]
    gift = "\n\nclass Gift(models.Model):\n    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)\n"
    both = text.replace("import Loan", "import Gift, Loan") + "admin.site.register(Gift)\n"
    ((_, fix),) = told(tmp_path, orm.str_follows_relation, models=SHELVES + gift, admin=both)
    assert fix == (
        "Let the text use columns of Shelf alone; or let the default manager of Shelf load what it reads, by "
        '`super().get_queryset().select_related("owner")` in its get_queryset(): 2 selects show it (those of the '
        "ModelAdmin of Loan and the ModelAdmin of Gift)."
    )
    single = SHELVES.replace("shelf = models.ForeignKey", "shelf = models.OneToOneField")
    ((_, fix),) = told(tmp_path / "single", orm.str_follows_relation, models=single, admin=text)
    assert "in formfield_for_foreignkey() of the ModelAdmin of Loan" in fix


def test_what_a_changelist_joins_is_extended(tmp_path: Path) -> None:
    text = """\
from django.contrib import admin
from .models import Loan, Shelf
admin.site.register(Shelf, list_display=["made"])

@admin.register(Loan)
class LoanAdmin(admin.ModelAdmin):
    list_display = ["shelf", "clerk"]
    list_select_related = ["reader"]
"""
    assert told(tmp_path, admin.list_display_n_plus_one, models=SHELVES, admin=text) == [
        ("text", 'Among the options that `register(Shelf, …)` is given set `list_select_related = ["owner"]`.'),
        ("", 'In LoanAdmin set `list_select_related = ["reader", "shelf__owner", "clerk"]`.'),
    ]


def test_widgets_that_ask_again(tmp_path: Path) -> None:
    text = """\
from django.contrib import admin
from .models import Loan, Shelf

class LoanInline(admin.TabularInline):
    model = Loan
    raw_id_fields = ["reader", "shelf"]

@admin.register(Shelf)
class ShelfAdmin(admin.ModelAdmin):
    list_display = ["made"]
    inlines = [LoanInline]
"""
    models = f"{SHELVES}\n    def __str__(self):\n        return self.reader.email\n"
    assert told(tmp_path, admin.list_display_n_plus_one, models=models, admin=text)[-1] == (
        "inline",
        'Return `super().get_queryset(request).select_related("reader")` from get_queryset() of LoanInline. The widget '
        "of `raw_id_fields` still asks once for each row, to show `reader`. A field in `readonly_fields` does not.",
    )


def test_lists_without_an_end(tmp_path: Path) -> None:
    api = """\
from rest_framework import pagination, viewsets
from .models import Author, Book

class Pages(pagination.PageNumberPagination):
    page_size = 50

class Paged(viewsets.ModelViewSet):
    queryset = Book.objects.all()
    pagination_class = Pages

class Authors(viewsets.ModelViewSet):
    queryset = Author.objects.all()

class Books(viewsets.ModelViewSet):
    queryset = Book.objects.all()

class Own(viewsets.ModelViewSet):
    def get_queryset(self):
        return Book.objects.filter(owner=self.request.user)

class Off(viewsets.ModelViewSet):
    queryset = Book.objects.all()
    pagination_class = None
"""
    found = told(tmp_path, drf.no_pagination, wsgi=WSGI, settings="SECRET_KEY = ''\n", api=api)
    assert [cause for cause, _ in found] == ["lookup", "", "own", "chosen"]
    names = ("Authors", "Books", "Own", "Off")
    assert {fix.replace(name, "…") for (_, fix), name in zip(found, names, strict=True)} == {
        "Set `pagination_class = Pages` on …. Clients get an object then, with the rows under `results` in place of a "
        "list: they have to change with it."
    }


def test_a_form_makes_its_querysets_before_it_sees_what_is_posted(tmp_path: Path) -> None:
    forms = """\
from django import forms
from .models import Author

class Pick(forms.Form):
    title = forms.CharField()
    readers = forms.ModelMultipleChoiceField(Author.objects.order_by("name"))

    def __init__(self, *args, shelf, **kwargs):
        super().__init__(*args, **kwargs)
        self.shelf = shelf
        self.fields["authors"] = forms.ModelMultipleChoiceField(queryset=Author.objects.all())

        self.fields["editors"] = forms.ModelMultipleChoiceField(queryset=Author.objects.order_by("pk"))

    def clean(self):
        title = self.cleaned_data["title"]
        for author in self.cleaned_data["authors"]:
            if author.book_set.filter(title=title).exists():
                self.add_error("title", "taken")
        for reader in self.cleaned_data["readers"]:
            if reader.book_set.filter(title=self.shelf).exists():
                self.add_error("readers", "had")
        for editor in self.cleaned_data["editors"]:
            if editor.book_set.filter(title=self.shelf).exists():
                self.add_error("editors", "had")
"""
    filtered = (
        "In `shop.forms.Pick.clean` look for one in `%s.book_set.all()` in Python (where each row has few of them): "
        "`filter()` asks the database even where `book_set` is prefetched."
    )
    assert [fix for _, fix in told(tmp_path, orm.n_plus_one_reverse, forms=forms)] == [
        'Append `.prefetch_related("book_set")` to `Author.objects.order_by("name")` in shop.forms.Pick. '
        + filtered % "reader",
        'Append `.prefetch_related("book_set")` to `Author.objects.all()` in shop.forms.Pick.__init__. '
        + filtered % "author",
        'Append `.annotate(…=Exists(Book.objects.filter(author=OuterRef("pk"), …)))` to '
        '`Author.objects.order_by("pk")` in shop.forms.Pick.__init__ and let `shop.forms.Pick.clean` use that where '
        "the row has it.",
    ]


def test_histories_of_rows_of_several_models(tmp_path: Path) -> None:
    models = """\
from django.db import models
from simple_history.models import HistoricalRecords

class Book(models.Model):
    title = models.CharField(max_length=80)

class Chapter(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="chapters")
    history = HistoricalRecords()

class Picture(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="pictures")
    history = HistoricalRecords()
"""
    views = """\
from .models import Book

def writers(book: Book):
    for row in [*book.chapters.all(), *book.pictures.all()]:
        print(row.history.last())
"""
    kept = "with one query for each class before (`….history.filter(id__in=…)` of the class, not of a row)"
    assert told(tmp_path, orm.query_in_loop, models=models, views=views) == [
        (
            "tree-each",
            f"The rows are of Chapter and Picture: fetch the HistoricalChapter and HistoricalPicture rows {kept}, and "
            "sort them into dictionaries of lists by `id`.",
        )
    ]


def test_rows_that_each_turn_narrows(tmp_path: Path) -> None:
    views = """\
from .models import Book

def by_all(authors, title):
    books = Book.objects.exclude(title=title)
    for author in authors:
        books = books.filter(author=author)
    if not books:
        return None

def by_title(titles, title):
    books = Book.objects.exclude(title=title)
    for title in titles:
        books = books.exclude(title=title)
    if not books:
        return None
"""
    assert told(tmp_path, orm.loads_rows_to_count, views=views) == [
        ("few", "Write `books.exists()`."),
        ("truth", "Write `books.exists()`."),
    ]


def test_a_count_of_rows_that_were_loaded_before(tmp_path: Path) -> None:
    views = """\
from .models import Author

def is_sold(author: Author):
    all_sold = all([book.title for book in author.book_set.all()])
    return author.book_set.all().count() > 0 and all_sold

def is_empty(author: Author):
    for book in author.book_set.all():
        print(book.title)
    if author.book_set.all().count() == 0:
        print("none")

def after_a_write(author: Author):
    for book in author.book_set.all():
        book.delete()
    return author.book_set.all().count() > 0

def where_a_condition_holds(author: Author):
    if author.name:
        print([book.title for book in author.book_set.all()])
    return author.book_set.all().count() > 0

def of_another(author: Author):
    print([book.title for book in author.book_set.all()])
    author = Author.objects.get(name=author.name)
    return author.book_set.all().count() > 0
"""
    exists = ("few", "Write `author.book_set.all().exists()` instead.")
    assert told(tmp_path, orm.count_as_existence, views=views) == [
        (
            "few",
            "Its rows are loaded on line 4 already: make `rows = list(author.book_set.all())` before that, go over "
            "`rows` there, and write `bool(rows)` for `author.book_set.all().count() > 0`.",
        ),
        (
            "few",
            "Its rows are loaded on line 8 already: make `rows = list(author.book_set.all())` before that, go over "
            "`rows` there, and write `not rows` for `author.book_set.all().count() == 0`.",
        ),
        exists,
        exists,
        exists,
    ]


def test_the_queryset_of_an_index_that_takes_that_of_the_library(tmp_path: Path) -> None:
    """Haystack calls `index_queryset(using=using)`: what takes no `using` is a TypeError."""
    index = """\
from haystack import indexes

from .models import Book

class BookIndex(indexes.SearchIndex, indexes.Indexable):
    text = indexes.CharField(document=True)
    author = indexes.CharField(model_attr="author__name")

    def get_model(self):
        return Book
"""
    assert [fix for _, fix in told(tmp_path, orm.n_plus_one_forward, search_indexes=index)] == [
        'Let `index_queryset(self, using=None)` of BookIndex return `Book.objects.select_related("author")`.'
    ]
