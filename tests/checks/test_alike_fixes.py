"""Loops whose turns ask in the same way at several places: each is told, and real Django gives the same answers."""

from __future__ import annotations

import pytest

from tests.checks.applied import applied, findings, function
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Lower


def names():
    Book.objects.filter(pk=1).update(title="ÄPFEL.pdf")
    Tag.objects.filter(pk=1).update(name="plum")
    keys = [str(author.pk) for author in Author.objects.all()]
    return ["ÄPFEL.pdf", "ÄPFEL.PDF", "BOOK 1.0", "plum", "PLUM", *keys]
"""
)
CASES = {
    "two_of_a_condition": (
        """

def finds():
    found = []
    for name in names():
        if not Book.objects.filter(title__iexact=name).exists() and not Tag.objects.filter(name=name).exists():
            found.append(name)
    return found
""",
        'Ask once before the loop with `Book.objects.annotate(lower=Lower("title")).filter(lower__in=[Lower('
        'Value(value)) for value in …])`. Keep `{value.lower() for value in ….values_list("title", flat=True)}` of it '
        "and look it up in the loop. Look up `name.lower()`: the database may fold other letters than Python. Do the "
        'same for `Tag` on line 19, with `Tag.objects.filter(name__in=…)`. Keep `set(….values_list("name", flat=True))`'
        " of it and look it up in the loop.",
        """

def finds():
    asked = names()
    lower = [Lower(Value(name)) for name in asked]
    books = Book.objects.annotate(lower=Lower("title")).filter(lower__in=lower)
    titles = {value.lower() for value in books.values_list("title", flat=True)}
    tags = set(Tag.objects.filter(name__in=asked).values_list("name", flat=True))
    return [name for name in asked if name.lower() not in titles and name not in tags]
""",
    ),
    "the_last_of_two": (
        """

def latest(author):
    found = [Book.objects.filter(author=author).order_by("title").last()]
    found.append(Profile.objects.filter(author=author).order_by("-text", "pk").last())
    return [item and item.pk for item in found]


def finds():
    return [latest(author) for author in Author.objects.order_by("pk")]
""",
        "Annotate what is needed of the row in the queryset of the loop and hand it to `latest()`: `Subquery(…)` of "
        'the same query with `author=OuterRef("pk")`, and with `.order_by("-title").values(…)[:1]` in place of '
        "`last()`. Do the same for `Profile` on line 18: `Subquery(…)` of the same query with "
        '`author=OuterRef("pk")`, and with `.order_by("text", "-pk").values(…)[:1]` in place of `last()`.',
        """

def finds():
    books = Book.objects.filter(author=OuterRef("pk")).order_by("-title").values("pk")[:1]
    profiles = Profile.objects.filter(author=OuterRef("pk")).order_by("text", "-pk").values("pk")[:1]
    rows = Author.objects.order_by("pk").annotate(book=Subquery(books), text=Subquery(profiles))
    return [[author.book, author.text] for author in rows]
""",
    ),
    "the_latest": (
        """

def finds():
    authors = Author.objects.order_by("pk")
    return [Book.objects.filter(author=author).latest("title").pk for author in authors]
""",
        "Annotate what is needed of the row in the queryset of the loop: `Subquery(…)` of the same query with "
        '`author=OuterRef("pk")`, and with `.order_by("-title").values(…)[:1]` in place of `latest()`.',
        """

def finds():
    books = Book.objects.filter(author=OuterRef("pk")).order_by("-title").values("pk")[:1]
    return [author.book for author in Author.objects.order_by("pk").annotate(book=Subquery(books))]
""",
    ),
    "several_of_one_model": (
        """

def finds():
    found = []
    for name in names():
        cheap = Book.objects.filter(price__lt=5, title=name).first()
        edited = Book.objects.filter(editor__isnull=False, title=name).first()
        dear = Book.objects.filter(price__gt=0, title=name).last()
        found += [cheap and cheap.author.name, edited and edited.pk, dear and dear.pk]
    return found
""",
        "Ask once before the loop by the same query with `title__in=…` in place of `title=…`, and with "
        '`select_related("author")`. Leave out `first()` and go through the rows in the same order: '
        "`found.setdefault(row.title, row)` keeps the first row of each key; look them up in the loop. Do the same for "
        "the query on line 20, by the same query with `title__in=…` in place of `title=…`. Do the same for the query "
        "on line 21, by the same query with `title__in=…` in place of `title=…`. Leave out `last()` and go through the "
        "rows in the same order: `found[row.title] = row` leaves the last row of each key; look them up in the loop.",
        """

def finds():
    asked, found = names(), []
    tables = [{}, {}, {}]
    cheap = Book.objects.filter(price__lt=5, title__in=asked).select_related("author")
    edited = Book.objects.filter(editor__isnull=False, title__in=asked)
    dear = Book.objects.filter(price__gt=0, title__in=asked)
    for rows, table in zip((cheap, edited), tables):
        for row in rows.order_by("pk"):
            table.setdefault(row.title, row)
    for row in dear.order_by("pk"):
        tables[2][row.title] = row
    for name in asked:
        cheap, edited, dear = (table.get(name) for table in tables)
        found += [cheap and cheap.author.name, edited and edited.pk, dear and dear.pk]
    return found
""",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_is_told(name: str) -> None:
    before, fix, after = CASES[name]
    program, changed = HEAD + before, HEAD + after
    (told,) = [item for item in findings(program) if function(item) == "finds"]
    assert told.fix == fix
    one, other = (oracle.ask(text, "finds", oracle.SIZES[1]) for text in (program, changed))
    assert one["value"] == other["value"]
    assert oracle.grows(program, "finds")
    assert not oracle.grows(changed, "finds")


def test_lines_of_one_kind_are_told_together() -> None:
    program = """

def finds():
    for name in names():
        print(Book.objects.filter(price=1, title=name).exists())
        print(Book.objects.filter(price=2, title=name).exists())
        print(Book.objects.filter(price=3, title=name).exists())
"""
    (fix,) = applied(HEAD + program).fixes["finds"]
    assert fix.endswith("look it up in the loop. Do the same for the queries on lines 19 and 20.")


def test_what_another_query_gives_or_the_turns_write_is_no_such_query() -> None:
    program = """

def finds():
    for name in names():
        tag = Tag.objects.get(name=name)
        print(Book.objects.get(title=tag.name))


def writes():
    for name in names():
        if not Book.objects.filter(title=name).exists() and not Tag.objects.filter(name=name).exists():
            tag = Tag(name=name)
            tag.save()
"""
    fixes = applied(HEAD + program).fixes
    assert "Do the same" not in fixes["finds"][0]
    assert fixes["writes"][0].endswith("look it up in the loop. Add what the turns write to it.")
