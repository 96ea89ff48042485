"""How related rows are to be read: what findings say, and that real Django runs no query for each row after it."""

from __future__ import annotations

from functools import cache

import pytest

from stackaudit.link.queries.advice import of_many, of_prefetched, outermost
from stackaudit.link.queries.events import Event
from tests.link.queries import oracle

ASKED = "asks the database even where"
CASES = {
    "filtered": (
        """
    for author in Author.objects.all():
        print([book.title for book in author.books.filter(price__gt=0)])
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.filtered` filter '
        f"`author.books.all()` in Python (where each row has few of them): `filter()` {ASKED} `books` is prefetched.",
        """
    for author in Author.objects.all().prefetch_related("books"):
        print([book.title for book in author.books.all() if book.price > 0])
""",
    ),
    "filtered_by_their_relation": (
        """
    for author in Author.objects.all():
        print([book.title for book in author.books.filter(tags__name="red", publisher__name="")])
""",
        'Append `.prefetch_related("books__tags", "books__publisher")` to `Author.objects.all()`. In '
        "`shop.views.filtered_by_their_relation` filter `author.books.all()` in Python (where each row has few of "
        f"them): `filter()` {ASKED} `books` is prefetched.",
        """
    for author in Author.objects.all().prefetch_related("books__tags", "books__publisher"):
        books = [book for book in author.books.all() if book.publisher.name == ""]
        print([book.title for book in books if any(tag.name == "red" for tag in book.tags.all())])
""",
    ),
    "values": (
        """
    for author in Author.objects.all():
        print(list(author.books.values_list("title", flat=True)))
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.values` write '
        '`[row.title for row in author.books.all()]` in place of `author.books.values_list("title", flat=True)`: '
        f"`values_list()` {ASKED} `books` is prefetched.",
        """
    for author in Author.objects.all().prefetch_related("books"):
        print([row.title for row in author.books.all()])
""",
    ),
    "shared": (
        """
    for book in Book.objects.all():
        print(labels_of(book))
""",
        'Append `.prefetch_related("tags")` to `Book.objects.all()`. In `shop.views.labels_of` write '
        '`[row.name for row in book.tags.all()]` in place of `book.tags.values_list("name", flat=True)`: '
        f"`values_list()` {ASKED} `tags` is prefetched.",
        """
    for book in Book.objects.all().prefetch_related("tags"):
        print([row.name for row in book.tags.all()])
""",
    ),
    "counted": (
        """
    for author in Author.objects.all():
        print(author.books.filter(price__gt=0).count())
""",
        'Append `.annotate(…=Count("books", distinct=True, filter=Q(…)))` to `Author.objects.all()` and use that in '
        "place of `author.books.filter(price__gt=0).count()`.",
        """
    for author in Author.objects.all().annotate(number=Count("books", distinct=True, filter=Q(books__price__gt=0))):
        print(author.number)
""",
    ),
    "counted_by_default_name": (
        """
    for book in Book.objects.all():
        print(book.chapter_set.count(), book.chapter_set.exists())
""",
        'Append `.annotate(…=Count("chapter", distinct=True), …=Exists(Chapter.objects.filter(book=OuterRef("pk"))))` '
        "to `Book.objects.all()` and use that in place of `book.chapter_set.count()` and `book.chapter_set.exists()`.",
        """
    for book in Book.objects.all().annotate(
        number=Count("chapter", distinct=True), any=Exists(Chapter.objects.filter(book=OuterRef("pk")))
    ):
        print(book.number, book.any)
""",
    ),
    "counted_beside_a_number": (
        """
    for book in Book.objects.annotate(labels=Count("tags")):
        print(book.labels, book.chapter_set.count())
""",
        'Append `.annotate(…=Coalesce(Subquery(Chapter.objects.filter(book=OuterRef("pk")).values("book").annotate(n='
        'Count("pk")).values("n")), 0))` to `Book.objects.annotate(labels=Count("tags"))` and use that in place of '
        "`book.chapter_set.count()`.",
        """
    count = Chapter.objects.filter(book=OuterRef("pk")).values("book").annotate(n=Count("pk")).values("n")
    for book in Book.objects.annotate(labels=Count("tags")).annotate(number=Coalesce(Subquery(count), 0)):
        print(book.labels, book.number)
""",
    ),
    "counted_and_shown": (
        """
    for author in Author.objects.all():
        print(author.books.filter(price__gt=0).count(), [book.title for book in author.books.all()])
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.counted_and_shown` count over '
        f"`author.books.all()` in Python: `filter()` {ASKED} `books` is prefetched.",
        """
    for author in Author.objects.all().prefetch_related("books"):
        print(sum(book.price > 0 for book in author.books.all()), [book.title for book in author.books.all()])
""",
    ),
    "united": (
        """
    for book in Book.objects.filter(price=0).union(Book.objects.filter(price__gt=0)).order_by("title"):
        print([tag.name for tag in book.tags.all()])
""",
        'Append `.prefetch_related("tags")` to `Book.objects.filter(price=0)` in shop.views.united, before `union()`: '
        "what the first queryset prefetches it prefetches for all rows.",
        """
    free = Book.objects.filter(price=0).prefetch_related("tags")
    for book in free.union(Book.objects.filter(price__gt=0)).order_by("title"):
        print([tag.name for tag in book.tags.all()])
""",
    ),
    "without": (
        """
    books = Book.objects.filter(price__gte=0)
    for book in books.difference(Book.objects.filter(price=0)):
        print([tag.name for tag in book.tags.all()])
""",
        'Append `.prefetch_related("tags")` to `Book.objects.filter(price__gte=0)` in shop.views.without, before '
        "`difference()`: what the first queryset prefetches it prefetches for all rows.",
        """
    books = Book.objects.filter(price__gte=0).prefetch_related("tags")
    for book in books.difference(Book.objects.filter(price=0)):
        print([tag.name for tag in book.tags.all()])
""",
    ),
    "united_with_those_of_one_row": (
        """
    author = Author.objects.get(pk=1)
    for book in author.books.union(Book.objects.filter(price__gt=0)).order_by("title"):
        print([tag.name for tag in book.tags.all()])
""",
        'Make a list of `author.books.union(Book.objects.filter(price__gt=0)).order_by("title")` and hand it to '
        '`prefetch_related_objects(rows, "tags")`: after union(), intersection() or difference() a queryset takes no '
        "calls that load more.",
        """
    author = Author.objects.get(pk=1)
    books = list(author.books.union(Book.objects.filter(price__gt=0)).order_by("title"))
    prefetch_related_objects(books, "tags")
    for book in books:
        print([tag.name for tag in book.tags.all()])
""",
    ),
    "of_sql": (
        """
    for book in Book.objects.raw("SELECT id FROM shop_book"):
        print([tag.name for tag in book.tags.all()])
""",
        'Fetch the rows by the keys that the SQL gives, `found = Book.objects.prefetch_related("tags").in_bulk(keys)` '
        "with `keys = [row.pk for row in …]`, and go through `[found[key] for key in keys]`, which keeps the order: a "
        "raw queryset joins and annotates nothing.",
        """
    keys = [row.pk for row in Book.objects.raw("SELECT id FROM shop_book")]
    found = Book.objects.prefetch_related("tags").in_bulk(keys)
    for book in [found[key] for key in keys]:
        print([tag.name for tag in book.tags.all()])
""",
    ),
    "streamed": (
        """
    for book in Book.objects.order_by("pk").iterator():
        print([tag.name for tag in book.tags.all()])
""",
        'Append `.prefetch_related("tags")` to `Book.objects.order_by("pk")`. Give its `iterator()` a chunk size, '
        "`.iterator(chunk_size=2000)`: without one it prefetches nothing (ValueError since Django 5.0).",
        """
    for book in Book.objects.order_by("pk").prefetch_related("tags").iterator(chunk_size=2000):
        print([tag.name for tag in book.tags.all()])
""",
    ),
    "streamed_in_chunks": (
        """
    for book in Book.objects.iterator(chunk_size=100):
        print(book.author.name, [tag.name for tag in book.tags.all()])
""",
        'Append `.prefetch_related("tags")` to `Book.objects`.',
        """
    for book in Book.objects.select_related("author").prefetch_related("tags").iterator(chunk_size=100):
        print(book.author.name, [tag.name for tag in book.tags.all()])
""",
    ),
    "bypassed": (
        """
    for book in Book.objects.prefetch_related("tags"):
        print(book.tags.order_by("name").first())
""",
        "In `shop.views.bypassed` pick from `book.tags.all()` in Python, or let the rows bring it by "
        f"`annotate(…=Subquery(…))` where each has many: `order_by()` {ASKED} `tags` is prefetched.",
        """
    for book in Book.objects.prefetch_related("tags"):
        print(min(book.tags.all(), key=lambda tag: tag.name, default=None))
""",
    ),
}
NAMES = """from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce


def labels_of(book):
    return list(book.tags.values_list("name", flat=True))
"""


def program(index: int) -> str:
    return oracle.HEAD + NAMES + "\n".join(f"\ndef {name}():{case[index]}" for name, case in CASES.items())


@cache
def told() -> dict[str, str]:
    """What is said of each function of the program as it was."""
    found: dict[str, list[Event]] = {}
    for event in oracle.walked(program(0)).events:
        if event.kind in ("reverse", "bypassed") and event.outcome == "fail":
            found.setdefault(event.where.rpartition(".")[2], []).append(outermost(event))
    advice = {}
    for name, events in found.items():
        origin = events[0].origin
        of = of_prefetched if events[0].kind == "bypassed" else of_many
        assert origin is not None
        advice[name] = of(origin, origin.text, events)
    return advice


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_helps(name: str) -> None:
    assert told()[name] == CASES[name][1]
    assert (oracle.grows(program(0), name), oracle.grows(program(2), name)) == (True, False)


@pytest.mark.parametrize(
    ("django", "method", "said"),
    [
        ((3, 2), "iterator()", "Take the `iterator()` off: before Django 4.1 it prefetches nothing."),
        ((3, 2), "iterator(100)", "Take the `iterator()` off: before Django 4.1 it prefetches nothing."),
        ((4, 1), "iterator(100)", ""),
        ((4, 2), "aiterator()", "Take the `aiterator()` off: before Django 5.0 it prefetches nothing."),
        ((5, 0), "aiterator()", ""),
    ],
)
def test_what_streams_does_not_always_prefetch(django: tuple[int, int], method: str, said: str) -> None:
    keyword = "async " if method.startswith("a") else ""
    loop = f"{keyword}for book in Book.objects.all().{method}:\n        print([tag for tag in book.tags.all()])"
    found = oracle.walked(f"{oracle.HEAD}\n{keyword}def shelf():\n    {loop}\n", django).events
    told = [of_many(event.origin, event.origin.text, [event]) for event in found if event.origin is not None]
    assert told == [f'Append `.prefetch_related("tags")` to `Book.objects.all()`. {said}'.rstrip()]
