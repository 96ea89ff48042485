"""Numbers that rows behind keys bring: what is told, and that real Django runs no query for each row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.applied import applied
from tests.checks.test_template_fixes import MODELS, VIEWS, fixes
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """from django.db.models import OuterRef, Q, Subquery


def cheapest(author):
    return author.books.order_by("price").first()
"""
)
ASKS = """

def dear(author, price):
    return author.books.filter(price__gt=price).count()
"""
TAKES = """

def dear(author, price):
    return author.number if hasattr(author, "number") else author.books.filter(price__gt=price).count()
"""
OTHERS = """

def others():
    author = Author.objects.get(pk=1)
    print(dear(author, 3), cheapest(author))
"""
COUNT = 'annotate(…=Count("books", distinct=True, filter=Q(…)))'
LET = "let `shop.views.dear` use"
CASES = {
    "behind_a_key": (
        """
    for book in Book.objects.all():
        print(book.title, dear(book.author, 3))
""",
        [
            f'Append `.prefetch_related(Prefetch("author", queryset=Author.objects.{COUNT}))` to `Book.objects.all()` '
            f"and {LET} what is annotated where the row has it."
        ],
        """
    authors = Author.objects.annotate(number=Count("books", distinct=True, filter=Q(books__price__gt=3)))
    for book in Book.objects.prefetch_related(Prefetch("author", queryset=authors)):
        print(book.title, dear(book.author, 3))
""",
    ),
    "behind_a_key_that_leads_on": (
        """
    for book in Book.objects.all():
        print(book.author.country.name, book.publisher.name, dear(book.author, 3))
""",
        [
            'Append `.select_related("publisher")` to `Book.objects.all()`.',
            'Append `.prefetch_related(Prefetch("author", queryset=Author.objects.select_related("country").'
            f"{COUNT}))` to `Book.objects.all()` and {LET} what is annotated where the row has it.",
        ],
        """
    authors = Author.objects.select_related("country")
    authors = authors.annotate(number=Count("books", distinct=True, filter=Q(books__price__gt=3)))
    books = Book.objects.select_related("publisher").prefetch_related(Prefetch("author", queryset=authors))
    for book in books:
        print(book.author.country.name, book.publisher.name, dear(book.author, 3))
""",
    ),
    "beside_a_pick": (
        """
    for book in Book.objects.all():
        print(cheapest(book.author).title, dear(book.author, 3))
""",
        [
            f'Append `.prefetch_related(Prefetch("author", queryset=Author.objects.{COUNT})).annotate(…=Subquery('
            'Book.objects.filter(author=OuterRef("author")).order_by("price").values("pk")[:1]))` to '
            f"`Book.objects.all()` and {LET} what is annotated where the row has it. `shop.views.cheapest` serves "
            "others, too (shop/views.py:%d): leave it alone, fetch the rows of these keys with one "
            "`Book.objects.in_bulk(keys)`, set each on its row and that row on it (`book.author = row`), as the "
            "manager does, and read that in place of `cheapest(book.author)`."
        ],
        """
    authors = Author.objects.annotate(number=Count("books", distinct=True, filter=Q(books__price__gt=3)))
    keys = Book.objects.filter(author=OuterRef("author")).order_by("price").values("pk")[:1]
    books = list(Book.objects.prefetch_related(Prefetch("author", queryset=authors)).annotate(key=Subquery(keys)))
    found = Book.objects.in_bulk([book.key for book in books])
    for book in books:
        print(found[book.key].title, dear(book.author, 3))
""",
    ),
    "joined_already": (
        """
    for book in Book.objects.select_related("author"):
        print(book.title, dear(book.author, 3))
""",
        [
            f"Let the Author rows come from a queryset with `.{COUNT}` (by a `Prefetch` of `author` alone: a join "
            f"brings none) and {LET} that where the row has it."
        ],
        """
    authors = Author.objects.annotate(number=Count("books", distinct=True, filter=Q(books__price__gt=3)))
    for book in Book.objects.prefetch_related(Prefetch("author", queryset=authors)):
        print(book.title, dear(book.author, 3))
""",
    ),
}
JOINED = """

def beside_a_join():
    authors = Author.objects.annotate(number=Count("books"))
    for book in Book.objects.select_related("author").prefetch_related(Prefetch("author", queryset=authors)):
        print(book.title, dear(book.author, 3))
"""


def program(index: int, head: str = "") -> str:
    return HEAD + head + OTHERS + "".join(f"\n\ndef {name}():{case[index]}" for name, case in CASES.items())


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    return applied(program(0, ASKS)).fixes


@pytest.mark.parametrize("name", CASES)
def test_what_the_rows_behind_a_key_bring_helps(name: str, told: dict[str, list[str]]) -> None:
    line = program(0, ASKS).splitlines().index(OTHERS.splitlines()[-1]) + 1
    assert told[name] == [fix.replace("%d", str(line)) for fix in CASES[name][1]]
    assert (oracle.grows(program(0, ASKS), name), oracle.grows(program(2, TAKES), name)) == (True, False)


def test_a_join_brings_no_annotation() -> None:
    assert oracle.grows(program(2, TAKES) + JOINED, "beside_a_join")


def test_a_page_lets_the_row_behind_a_key_bring_its_number(tmp_path: Path) -> None:
    models = MODELS.replace(
        "class Author(models.Model):",
        """class Country(models.Model):
    name = models.CharField(max_length=80)


class Author(models.Model):
    country = models.ForeignKey(Country, on_delete=models.CASCADE)

    def dear(self):
        return self.book_set.filter(tags__name="dear").count()
""",
    )
    template = "{% for book in books %}{{ book.author.country.name }}{{ book.author.dear }}{% endfor %}"
    count = 'annotate(…=Count("book", distinct=True, filter=Q(…)))'
    assert fixes(tmp_path, template, VIEWS, models) == [
        'Add `.prefetch_related(Prefetch("author", queryset=Author.objects.select_related("country").'
        f"{count}))` to `Book.objects.all()` in shop.views.shelf and let `shop.models.Author.dear` use what is "
        "annotated where the row has it."
    ]
