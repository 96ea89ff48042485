"""Filters and orders that a fix repeats in a query of its own: what is told of them, and that it helps on Django."""

from __future__ import annotations

import pytest

from tests.checks.applied import applied
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """from django.db.models import OuterRef, Subquery
from django.utils import timezone


def latest(author):
    return author.books.filter(price__gt=0).order_by("price", "-pk").last()


def first(book):
    return book.tags.exclude(name="b").first()


def by_title(author, title):
    return author.books.filter(title=title).first()


def later(author):
    year = timezone.now().year
    return author.books.filter(price__lt=year)


def titled(author, title):
    return author.books.filter(title=title)


def others(title):
    author = Author.objects.get(pk=1)
    print(latest(author), first(Book.objects.get(pk=1)), by_title(author, title), later(author), titled(author, title))
"""
)
KEY = 'Append `.annotate(…=Subquery(Book.objects.filter(author=OuterRef("pk")%s.values("pk")[:1]))` to '
LIST = 'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.%s, to_attr="…"))` to '
PICKED = """
    authors = list(Author.objects.annotate(key=Subquery(%s)))
    found = Book.objects.in_bulk([author.key for author in authors])
    for author in authors:
        print(found[author.key].title)
"""
LISTED = """
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=%s, to_attr="kept")):
        print([book.title for book in author.kept])
"""
OWN = 'Book.objects.filter(author=OuterRef("pk"), price__gt=0).order_by("-price", "pk").values("pk")[:1]'
CASES = {
    "the_last_one": (
        """
    for author in Author.objects.all():
        print(latest(author).title)
""",
        KEY % ', price__gt=0).order_by("-price", "pk")',
        PICKED % OWN,
    ),
    "no_order": (
        """
    for book in Book.objects.all():
        print(first(book).name)
""",
        'Append `.annotate(…=Subquery(Tag.objects.filter(book=OuterRef("pk")).exclude(name="b").order_by("pk")'
        '.values("pk")[:1]))` to ',
        """
    keys = Tag.objects.filter(book=OuterRef("pk")).exclude(name="b").order_by("pk").values("pk")[:1]
    books = list(Book.objects.annotate(key=Subquery(keys)))
    found = Tag.objects.in_bulk([book.key for book in books])
    for book in books:
        print(found[book.key].name)
""",
    ),
    "a_parameter_of_the_other_function": (
        """
    for author in Author.objects.all():
        print(by_title(author, "a"))
""",
        KEY % ", …).order_by(…)",
        """
    keys = Book.objects.filter(author=OuterRef("pk"), title="a").order_by("pk").values("pk")[:1]
    found = Book.objects.in_bulk([author.key for author in Author.objects.annotate(key=Subquery(keys))])
    print(found)
""",
    ),
    "a_variable_of_the_other_function": (
        """
    for author in Author.objects.all():
        print([book.title for book in later(author)])
""",
        LIST % "filter(price__lt=timezone.now().year)",
        LISTED % "Book.objects.filter(price__lt=timezone.now().year)",
    ),
    "a_parameter_for_the_list": (
        """
    for author in Author.objects.all():
        print([book.title for book in titled(author, "a")])
""",
        LIST % "filter(…)",
        LISTED % 'Book.objects.filter(title="a")',
    ),
    "bound_before": (
        """
    tags = Tag.objects.filter(name="a")
    for author in Author.objects.all():
        print([book.title for book in author.books.filter(tags__in=tags)])
""",
        LIST % "filter(tags__in=tags)",
        """
    tags = Tag.objects.filter(name="a")"""
        + LISTED % "Book.objects.filter(tags__in=tags)",
    ),
    "bound_again": (
        """
    tags = Tag.objects.filter(name="a")
    authors = Author.objects.all()
    tags = Tag.objects.filter(name="b") | tags
    for author in authors:
        print([book.title for book in author.books.filter(tags__in=tags)])
""",
        LIST % "filter(…)",
        """
    tags = Tag.objects.filter(name="b") | Tag.objects.filter(name="a")"""
        + LISTED % "Book.objects.filter(tags__in=tags)",
    ),
    "one_of_two": (
        """
    dear = Author.objects.count() > 3
    for author in Author.objects.all():
        books = author.books.filter(tags__in=Tag.objects.all())
        if dear:
            books = author.books.filter(tags__in=Tag.objects.filter(name="a"))
        print([book.title for book in books])
""",
        LIST % "filter(…)",
        LISTED % "Book.objects.filter(tags__in=Tag.objects.all())",
    ),
}


def program(index: int) -> str:
    return HEAD + "".join(f"\n\ndef {name}():{case[index]}" for name, case in CASES.items())


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    return applied(program(0)).fixes


@pytest.mark.parametrize("name", CASES)
def test_what_a_query_of_its_own_repeats(name: str, told: dict[str, list[str]]) -> None:
    (fix,) = told[name]
    assert fix.startswith(CASES[name][1])
    assert (oracle.grows(program(0), name), oracle.grows(program(2), name)) == (True, False)
