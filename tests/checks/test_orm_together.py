"""Several querysets whose rows one place asks: each needs what the finding proposes, and real Django agrees."""

from __future__ import annotations

import pytest

from stackaudit.checks.orm.causes import together
from stackaudit.model.source import Place, Region
from stackaudit.model.verdict import Fail, Site
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


def test_a_queryset_that_another_one_names_already_is_told_once() -> None:
    site = Site(Place("shop/views.py", Region(1, 1, 1, 9)), "shop.views.shown: book.author")
    call = 'Append `.select_related("author")` to'
    fails = [
        Fail(site, fix=f"{call} `Book.objects.all()` and `Book.objects.live()` in shop.views.either."),
        Fail(site, fix=f"{call} `Book.objects.live()`."),
        Fail(site, fix=f"{call} `Book.objects.dear()`. Mind the key."),
        Fail(site, cause="few", fix=f"{call} `Book.objects.live()`."),
    ]
    told = [verdict.fix for verdict in together(fails) if isinstance(verdict, Fail)]
    assert told == [f"{fails[0].fix} {fails[2].fix}", fails[3].fix]
