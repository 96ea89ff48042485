"""Several querysets whose rows one place asks: each needs what the finding proposes, and real Django agrees."""

from __future__ import annotations

import pytest

from tests.checks.applied import findings, function
from tests.link.queries import oracle

SHOWN = """
def shown(books):
    return [book.author.name for book in books]


def cheap():
    return shown(Book.objects.filter(price__gte=0){0})


def dear():
    return shown(Book.objects.exclude(price=99){1})


def named():
    return shown(Book.objects.order_by("title").prefetch_related("tags"){2})
"""
TAGGED = """
def tagged(books):
    return [[tag.name for tag in book.tags.all()] for book in books]


def cheap():
    return tagged(Book.objects.filter(price__gte=0){0})


def dear():
    return tagged(Book.objects.exclude(price=99){1})


def named():
    return tagged(Book.objects.order_by("title").select_related("author"){2})
"""
CASES = {
    "shown": (
        SHOWN,
        '.select_related("author")',
        'Append `.select_related("author")` to `Book.objects.filter(price__gte=0)` in shop.views.cheap. Do the same '
        "for `Book.objects.exclude(price=99)` in shop.views.dear and "
        '`Book.objects.order_by("title").prefetch_related("tags")` in shop.views.named.',
    ),
    "tagged": (
        TAGGED,
        '.prefetch_related("tags")',
        'Append `.prefetch_related("tags")` to `Book.objects.filter(price__gte=0)` in shop.views.cheap. Do the same '
        "for `Book.objects.exclude(price=99)` in shop.views.dear and "
        '`Book.objects.order_by("title").select_related("author")` in shop.views.named.',
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_one_place_that_asks_rows_of_several_querysets(name: str) -> None:
    text, call, told = CASES[name]
    program = oracle.HEAD + text.format("", "", "")
    fixes = [item.fix for item in findings(program) if function(item) == name]
    assert fixes == [told]
    mended = oracle.HEAD + text.format(call, call, call)
    assert [oracle.grows(program, way) for way in ("cheap", "dear", "named")] == [True] * 3
    assert [oracle.grows(mended, way) for way in ("cheap", "dear", "named")] == [False] * 3
    assert findings(mended) == []
