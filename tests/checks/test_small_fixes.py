"""What the smaller rules tell people to write has to be true of the code that they judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.checks import orm
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.verdict import Fail, Verdict

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
"""


def told(root: Path, rule: Callable[[Stack], Iterator[Verdict]], **files: str) -> list[tuple[str, str]]:
    """The causes and fixes of what a rule finds in the modules of an app."""
    for name, text in {"__init__": "", "models": MODELS, **files}.items():
        path = root / "shop" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inputs = discover(root)
    stack = Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), Config())
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
    return not Book.objects.count()
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
"""
    assert told(tmp_path, orm.loads_rows_to_count, views=views) == [
        ("", "Write `named.count()`."),
        ("through", 'Write `Book.objects.filter(title="a")[0]` without the list: that asks for one row.'),
        ("member", 'Write `not Book.objects.filter(title="Emma").filter(pk=book.pk).exists()`.'),
        ("truth", "Ask the queryset by `.exists()` in the test."),
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
