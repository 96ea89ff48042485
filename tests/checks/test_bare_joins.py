"""What takes the place of a `select_related()` that names no relation brings what that brought."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import orm
from tests.checks.applied import applied
from tests.checks.test_small_fixes import told
from tests.link.queries import oracle

PROGRAM = """
def deep():
    for book in Book.objects.select_related():
        print(book.author.country.name, book.publisher.name)
        print(book.editor.name if book.editor else "")


def of_one():
    author = Author.objects.first()
    for book in author.books.select_related():
        print(book.author.name, book.publisher.name)
        print(book.editor.country.name if book.editor else "")


def one_of_its_keys():
    for chapter in Chapter.objects.select_related():
        print(chapter.book.author.country.name)
        print(chapter.book.editor.name if chapter.book.editor else "")

def of_rows_that_leave():
    shown = []
    for book in Book.objects.select_related():
        print(book.editor.name if book.editor else "")
        shown.append(book)
    print([book.publisher.name for book in shown])


def of_a_row_that_leaves():
    shown = []
    for book in Book.objects.select_related():
        print(book.editor.name if book.editor else "")
        shown.append(book.author)
    print([author.country.name for author in shown])
"""
NAMED = {
    "deep": 'Book.objects.select_related("author__country", "publisher", "editor")',
    "of_one": 'author.books.select_related("publisher", "editor__country")',
    "one_of_its_keys": 'Chapter.objects.select_related("book__author__country", "book__editor")',
    "of_rows_that_leave": 'Book.objects.select_related("author__country", "publisher", "editor")',
    "of_a_row_that_leaves": 'Book.objects.select_related("author__country", "publisher", "editor")',
}
LIBRARY = """\
from django.db import models
from elsewhere.models import Owned, Owner

class Country(models.Model):
    name = models.CharField(max_length=80)

class Series(models.Model):
    name = models.CharField(max_length=80)

class Plain(models.Model):
    series = models.ForeignKey(Series, null=True, on_delete=models.CASCADE)

class Many(models.Model):
    series = models.ForeignKey(Series, null=True, on_delete=models.CASCADE)
    one = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")
    two = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")
    three = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")
    four = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")
    five = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")
    six = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")
    seven = models.ForeignKey(Country, on_delete=models.CASCADE, related_name="+")

class Turning(models.Model):
    series = models.ForeignKey(Series, null=True, on_delete=models.CASCADE)
    other = models.ForeignKey("self", on_delete=models.CASCADE)

class Brought(Owned):
    series = models.ForeignKey(Series, null=True, on_delete=models.CASCADE)

class Leading(models.Model):
    series = models.ForeignKey(Series, null=True, on_delete=models.CASCADE)
    owner = models.ForeignKey(Owner, on_delete=models.CASCADE)
"""


def test_what_was_joined_is_named_and_stays() -> None:
    program = oracle.HEAD + PROGRAM
    mended = applied(program)
    bare = {name: f"{text.partition('(')[0]}()" for name, text in NAMED.items()}
    assert mended.fixes == {name: [f"Write `{text}` in place of `{bare[name]}`."] for name, text in NAMED.items()}
    for name in NAMED:
        few, many = (oracle.ask(program, name, size)["count"] for size in oracle.SIZES)
        assert many > few
        assert oracle.counts(mended.program, name) == ({"of_one": 2}.get(name, 1),) * 2


def test_what_cannot_be_named_stays_beside_a_prefetch(tmp_path: Path) -> None:
    for name in ("Plain", "Many", "Turning", "Brought", "Leading"):
        views = f"""\
from .models import {name}

def shown():
    rows = []
    for row in {name}.objects.select_related():
        print(row.series and row.series.name)
        rows.append(row)
    return rows
"""
        ((_, fix),) = told(tmp_path / name, orm.n_plus_one_forward, models=LIBRARY, views=views)
        shown = f"`{name}.objects.select_related()`"
        if name == "Plain":
            assert fix == f'Write `Plain.objects.select_related("series")` in place of {shown}.'
        else:
            assert fix == f'Append `.prefetch_related("series")` to {shown}.'
