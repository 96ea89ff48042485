"""Loops whose turns ask for a row and then ask that row for more: one query brings both, as real Django measures."""

from __future__ import annotations

import pytest

from tests.checks.applied import applied, findings, function
from tests.link.queries import oracle

KEYS = """

def keys():
    return [note.pk for note in Note.objects.order_by("pk")]


def authors():
    return [author.pk for author in Author.objects.order_by("pk")]


def titles():
    return [book.title for book in Book.objects.order_by("pk")]
"""
TYPES = ' Look up values of the column\'s type: a dictionary does not find "1" under 1.'
CASES = {
    "generic": (
        """

def note_of(author, key):
    try:
        note = Note.objects.select_related("content_type").get(id=key)
    except Note.DoesNotExist:
        return None
    if not note.about or note.about.author_id == author:
        return None
    return note


def finds():
    return [note.text for note in (note_of(0, key) for key in keys()) if note]
""",
        "Ask once before the loop by the same query, as `filter()`, with `id__in=…` in place of `id=…`, and with "
        '`prefetch_related("about")`. Put the rows into a dictionary by `pk` and hand those of each turn to '
        "`note_of()`. Keys without a row take the way of `except Note.DoesNotExist`." + TYPES,
        """

def note_of(author, note):
    if note is None or not note.about or note.about.author_id == author:
        return None
    return note


def finds():
    rows = Note.objects.select_related("content_type").filter(id__in=keys()).prefetch_related("about")
    found = {row.pk: row for row in rows}
    return [note.text for note in (note_of(0, found.get(key)) for key in keys()) if note]
""",
        2,
    ),
    "of_one_and_of_many": (
        """

def finds():
    found = []
    for key in authors():
        author = Author.objects.get(pk=key)
        found += [author.country.name, author.mentor_id, author.country.name]
        found += [book.title for book in author.books.all()]
    return found
""",
        'Collect the keys, ask once with `Author.objects.select_related("country").prefetch_related("books")'
        ".in_bulk(keys)` and look the rows up in the loop." + TYPES,
        """

def finds():
    found = []
    rows = Author.objects.select_related("country").prefetch_related("books").in_bulk(authors())
    for key in authors():
        author = rows[key]
        found += [author.country.name, author.mentor_id, author.country.name]
        found += [book.title for book in author.books.all()]
    return found
""",
        3,
    ),
    "a_way_of_two_keys": (
        """

def book_of(title):
    return Book.objects.filter(title=title).first()


def finds():
    return [book_of(title).author.country.name for title in titles()]
""",
        'Ask once before the loop with `Book.objects.filter(title__in=…).select_related("author__country")`. Leave out '
        "`first()` and go through the rows in the same order: `found.setdefault(row.title, row)` keeps the first row "
        "of each key; hand those of each turn to `book_of()`.",
        """

def finds():
    found = {}
    for row in Book.objects.filter(title__in=titles()).select_related("author__country"):
        found.setdefault(row.title, row)
    return [found[title].author.country.name for title in titles()]
""",
        3,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_row_is_asked(name: str) -> None:
    before, fix, after, asked = CASES[name]
    program, changed = oracle.HEAD + KEYS + before, oracle.HEAD + KEYS + after
    assert applied(program).fixes["finds"] == [fix]
    (told,) = [item for item in findings(program) if function(item) == "finds"]
    assert told.cost is not None
    assert told.cost.queries == asked * 100 + 1
    one, other = (oracle.ask(text, "finds", oracle.SIZES[1]) for text in (program, changed))
    assert one["value"] == other["value"]
    assert oracle.grows(program, "finds")
    assert not oracle.grows(changed, "finds")


NOTHING_TO_BRING = {
    "a_key": ("author = Author.objects.get(pk=key)\n        found.append(author.country.pk)", 0),
    "a_filter": ("author = Author.objects.get(pk=key)\n        found += author.books.filter(price=1)", 1),
    "columns_left_out": ('author = Author.objects.only("name").get(pk=key)\n        found.append(author.country)', 1),
    "it_is_there": ('author = Author.objects.select_related("country").get(pk=key)\n        print(author.country)', 0),
}


@pytest.mark.parametrize("name", NOTHING_TO_BRING)
def test_what_the_query_need_not_or_cannot_bring(name: str) -> None:
    body, more = NOTHING_TO_BRING[name]
    program = f"{oracle.HEAD}{KEYS}\n\ndef finds():\n    found = []\n    for key in authors():\n        {body}\n"
    told = next(item for item in findings(program) if function(item) == "finds" and item.values.get("method") == "get")
    assert "_related" not in told.fix
    assert len(told.related) == 1 + more


def test_rows_of_an_outer_turn_are_asked_once() -> None:
    body = """

def finds():
    found = []
    for key in authors():
        author = Author.objects.get(pk=key)
        for title in titles():
            found.append((title, author.country.name))
    return found
"""
    told = next(item for item in findings(oracle.HEAD + KEYS + body) if function(item) == "finds")
    assert 'Author.objects.select_related("country").in_bulk(keys)' in told.fix
    assert told.cost is not None
    assert told.cost.queries == 201
