"""Several methods of one row that ask the same queryset method: the fix names each, and is worth what it says."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks.orm import n_plus_one_reverse
from stackaudit.model.verdict import Fail
from tests.checks.applied import applied
from tests.link.queries import oracle
from tests.stacks import stack_of

BEFORE = """

def number(author):
    return len(author.books.shown())


def titles(author):
    return [book.title for book in author.books.shown()]


def both():
    return str([(number(author), titles(author)) for author in Author.objects.order_by("pk")])
"""


def test_every_method_that_asks_is_named() -> None:
    (fix,) = applied(oracle.HEAD + BEFORE).fixes["both"]
    assert 'Append `.prefetch_related("books")` to `Author.objects.order_by("pk")`.' in fix
    assert "In `shop.views.number` and `shop.views.titles` filter `author.books.all()` in Python" in fix
    shown = 'author.books.all() if book.title != "hidden"]'
    after = BEFORE.replace("author.books.shown())\n", f"[book for book in {shown})\n", 1)
    after = after.replace("author.books.shown()]", shown).replace("objects.", 'objects.prefetch_related("books").')
    assert oracle.grows(oracle.HEAD + BEFORE, "both")
    assert not oracle.grows(oracle.HEAD + after, "both")
    size = oracle.SIZES[1]
    values = [oracle.ask(oracle.HEAD + program, "both", size)["value"] for program in (BEFORE, after)]
    assert values[0] == values[1]


TABLE = """\
import django_tables2 as tables
from django.views.generic import TemplateView
from .models import Author

class AuthorTable(tables.Table):
    books = tables.Column(accessor="pk")

    def render_books(self, record):
        return ", ".join(book.title for book in record.book_set.all())

class Authors(TemplateView):
    def get_context_data(self, **kwargs):
        limit = 10
        return {"table": AuthorTable(data=Author.objects.order_by("name")[:limit])}
"""
MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
"""


def test_a_table_of_a_slice_shows_no_more_rows(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": TABLE})
    (found,) = [item for item in n_plus_one_reverse(stack) if isinstance(item, Fail)]
    assert found.cost is not None
    assert (found.cost.rows, found.cost.queries) == (10, 11)
