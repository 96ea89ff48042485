"""Every row of the table of methods, on real Django."""

from __future__ import annotations

import django
import pytest

from stackaudit.link.queries.table import METHODS, Method
from tests.link.queries import oracle

HEAD = """
from django.db.models import Count
from shop.models import Book, Tag

TAG = Tag.objects.first()
BOOK = Book.objects.first()
"""
ARGUMENTS = {
    "filter": "pk__gt=0", "exclude": "pk=0", "complex_filter": "{'pk__gt': 0}", "order_by": "'pk'",
    "extra": "select={'one': '1'}", "using": "'default'", "annotate": "number=Count('pk')",
    "alias": "number=Count('pk')", "prefetch_related": "'book_set'", "only": "'pk'", "defer": "'name'",
    "union": "Tag.objects.all()", "intersection": "Tag.objects.all()", "difference": "Tag.objects.filter(pk=0)",
    "values": "'pk'", "values_list": "'pk'", "dates": "'made', 'year'", "datetimes": "'made', 'year'",
    "raw": "'SELECT * FROM shop_tag'", "get": "name='tag 0'", "latest": "'pk'", "earliest": "'pk'",
    "contains": "TAG", "aggregate": "number=Count('pk')", "create": "name='x'", "get_or_create": "name='x'",
    "update_or_create": "name='x'", "bulk_create": "[Tag(name='x')]", "bulk_update": "[TAG], ['name']",
    "update": "name='y'", "add": "Tag(pk=99)", "remove": "TAG", "set": "[TAG]",
}  # fmt: skip
RELATED = ("add", "remove", "clear", "set")
KNOWN = {name: row for name, row in METHODS.items() if row.since <= django.VERSION[:2]}


def queries(body: str) -> int:
    answer = oracle.ask(f"{HEAD}\n\ndef program():\n    {body}\n", "program", 4)
    assert "error" not in answer, answer
    count: int = answer["count"]
    return count


def called(name: str) -> str:
    return f"{name}({ARGUMENTS.get(name, '')})"


@pytest.mark.parametrize(("name", "row"), KNOWN.items(), ids=KNOWN)
def test_what_runs_a_query(name: str, row: Method) -> None:
    if name in RELATED:
        body = f"BOOK.tags.{called(name)}" if name != "add" else "BOOK.tags.add(Tag.objects.create(name='z'))"
    elif name in ("get_queryset", "raw"):
        body = f"Tag.objects.{called(name)}"
    elif name == "iterator":
        body = f"list(Tag.objects.order_by('pk').{called(name)})"
    else:
        body = f"Tag.objects.order_by('pk').{called(name)}"
    assert (queries(body) > 0) == (row.runs != "never")


READS = {name: row for name, row in KNOWN.items() if row.on_prefetched != "-"}


@pytest.mark.parametrize(("name", "row"), READS.items(), ids=READS)
def test_what_uses_prefetched_rows(name: str, row: Method) -> None:
    asked = f"book.tags.{'all().' if name == 'reverse' else ''}{called(name)}"
    body = f"[list({asked})" if row.returns in ("rows", "values", "iterator") else f"[{asked}"
    free = queries(f"{body} for book in Book.objects.prefetch_related('tags')]") == 2
    assert free == (row.on_prefetched == "cache")
    if row.on_prefetched == "ordered":
        chapters = f"[book.chapter_set.{called(name)} for book in Book.objects.prefetch_related('chapter_set')]"
        assert queries(chapters) == 2


@pytest.mark.parametrize("asked", ["len({})", "bool({})", "{}[0]", "list({}[:2])", "TAG in {}", "list(reversed({}))"])
def test_going_through_prefetched_rows_is_free(asked: str) -> None:
    each = asked.format("book.tags.all()")
    assert queries(f"[{each} for book in Book.objects.prefetch_related('tags')]") == 2


def test_all_of_all_asks_again() -> None:
    assert queries("[list(book.tags.all().all()) for book in Book.objects.prefetch_related('tags')]") > 2
