"""Rows that a loop asks for with calls that join: what is told of them, and what it costs on real Django."""

from __future__ import annotations

import pytest

from tests.checks.applied import applied
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """

def publishers(author):
    return [book.publisher.name for book in author.books.select_related("publisher")]


def others():
    print(publishers(Author.objects.get(pk=1)))
"""
)
ASKS = "`select_related()` asks the database even where `books` is prefetched."
CASES = {
    "bare": (
        """
    for author in Author.objects.all():
        for book in author.books.select_related():
            print(book.publisher.name, book.editor.name if book.editor else "")
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher", "editor")))` to '
        f"`Author.objects.all()`. In `shop.views.bare` read `author.books.all()`: {ASKS}",
        """
    books = Prefetch("books", queryset=Book.objects.select_related("publisher", "editor"))
    for author in Author.objects.prefetch_related(books):
        for book in author.books.all():
            print(book.publisher.name, book.editor.name if book.editor else "")
""",
    ),
    "bare_and_kept": (
        """
    found = []
    for author in Author.objects.all():
        for book in author.books.select_related():
            found.append(book)
    print([book.publisher.name for book in found])
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher")))` to '
        f"`Author.objects.all()`. In `shop.views.bare_and_kept` read `author.books.all()`: {ASKS}",
        """
    found = []
    books = Prefetch("books", queryset=Book.objects.select_related("publisher"))
    for author in Author.objects.prefetch_related(books):
        for book in author.books.all():
            found.append(book)
    print([book.publisher.name for book in found])
""",
    ),
    "named": (
        """
    for author in Author.objects.all():
        for book in author.books.select_related("publisher"):
            print(book.publisher.name, [tag.name for tag in book.tags.all()])
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher").'
        f'prefetch_related("tags")))` to `Author.objects.all()`. In `shop.views.named` read `author.books.all()`: '
        f"{ASKS}",
        """
    books = Prefetch("books", queryset=Book.objects.select_related("publisher").prefetch_related("tags"))
    for author in Author.objects.prefetch_related(books):
        for book in author.books.all():
            print(book.publisher.name, [tag.name for tag in book.tags.all()])
""",
    ),
    "by_a_name": (
        """
    for author in Author.objects.all():
        books = author.books.select_related("publisher")
        for book in books.all():
            print(book.publisher.name)
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher")))` to '
        f"`Author.objects.all()`. In `shop.views.by_a_name` read `author.books.all()` itself (what `all()` makes of "
        f"it asks again): {ASKS}",
        """
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher"))):
        books = author.books.all()
        for book in books:
            print(book.publisher.name)
""",
    ),
    "shared": (
        """
    for author in Author.objects.all():
        print(publishers(author))
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher")))` to '
        "`Author.objects.all()`. In `shop.views.publishers` read `author.books.all()` and prefetch the same for its "
        f"other callers (shop/views.py:%d): {ASKS}",
        """
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("publisher"))):
        print([book.publisher.name for book in author.books.all()])
""",
    ),
}


def program(index: int) -> str:
    return HEAD + "".join(f"\n\ndef {name}():{case[index]}" for name, case in CASES.items())


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    return applied(program(0)).fixes


@pytest.mark.parametrize("name", CASES)
def test_rows_that_a_loop_joins_anew_come_with_what_they_bring(name: str, told: dict[str, list[str]]) -> None:
    line = program(0).splitlines().index("    print(publishers(Author.objects.get(pk=1)))") + 1
    assert told[name] == [CASES[name][1].replace("%d", str(line))]
    assert (oracle.grows(program(0), name), oracle.grows(program(2), name)) == (True, False)
