"""What takes the place of a `select_related()` that names no relation brings what that brought."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import orm
from tests.checks.applied import REPLACED, applied
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
"""
NAMED = {
    "deep": '.select_related("author__country", "publisher", "editor")` to `Book.objects.select_related()`',
    "of_one": '.select_related("publisher", "editor__country")` to `author.books.select_related()`',
    "one_of_its_keys": (
        '.select_related("book__author__country", "book__publisher", "book__editor")` to '
        "`Chapter.objects.select_related()`"
    ),
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
    assert mended.fixes == {name: [f"Append `{text}. {REPLACED}"] for name, text in NAMED.items()}
    for name in NAMED:
        few, many = (oracle.ask(program, name, size)["count"] for size in oracle.SIZES)
        assert many > few
        assert oracle.counts(mended.program, name) == ({"of_one": 2}.get(name, 1),) * 2


def test_what_cannot_be_named_stays_beside_a_prefetch(tmp_path: Path) -> None:
    for name in ("Plain", "Many", "Turning", "Brought", "Leading"):
        views = f"""\
from .models import {name}

def shown():
    return [row.series and row.series.name for row in {name}.objects.select_related()]
"""
        ((_, fix),) = told(tmp_path / name, orm.n_plus_one_forward, models=LIBRARY, views=views)
        call = "select" if name == "Plain" else "prefetch"
        replaced = f" {REPLACED}" if name == "Plain" else ""
        assert fix == f'Append `.{call}_related("series")` to `{name}.objects.select_related()`.{replaced}'
