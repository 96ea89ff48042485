"""Fixes that would get in each other's way: a relation loaded twice, or loaded and then asked for again."""

from __future__ import annotations

import pytest

from tests.checks.applied import applied, findings
from tests.link.queries import oracle

JOINED = (
    oracle.HEAD
    + """

def flush(author, everything=False):
    books = author.books.all()
    if everything:
        books |= Book.objects.filter(editor__in=author.pupils.all())
    if books.exists():
        return list(books.values_list("title", flat=True))


def one():
    print(flush(Author.objects.get(pk=1)))


def augmented():
    for author in Author.objects.filter(pk__gt=0):
        flush(author, everything=True)


def joined():
    for author in Author.objects.all():
        print([book.title for book in author.books.all() | author.edited.all()])


def united():
    for author in Author.objects.all():
        print([book.title for book in author.books.all().union(author.edited.all())])


def named():
    for author in Author.objects.all():
        books = author.books.all()
        books |= author.edited.all()
        print([book.title for book in books])


def brought():
    for author in Author.objects.prefetch_related("books", "edited"):
        print([book.title for book in author.books.all() & author.edited.all()])


def second():
    for author in Author.objects.all():
        print([book.title for book in Book.objects.filter(title="a") | author.books.all()])
"""
)


@pytest.mark.parametrize("name", ["augmented", "joined", "united", "named", "brought", "second"])
def test_rows_that_are_joined_with_others(name: str) -> None:
    """No prefetch brings them, with or without a list of its own: `brought` asks for each row in spite of two."""
    told = applied(JOINED).fixes[name]
    one = "Ask once before the loop for the Book rows that all turns need, and pick from them in the loop."
    both = "Let one query before the loop answer for all turns, grouped by what they differ in, and hand what its turn "
    assert told == [both + "needs to `flush()`." if name == "augmented" else one]
    assert oracle.grows(JOINED, name)


def test_what_rows_that_are_joined_with_others_are_asked_for() -> None:
    """`|` gives what one side is where the other is empty, and what both load is what the left one loads."""
    program = (
        oracle.HEAD
        + """

def after_none():
    books = Book.objects.none()
    for number in (1, 2):
        books |= Book.objects.filter(price=number)
    for book in books:
        print(book.publisher.name)


def loaded():
    books = Book.objects.select_related("publisher").filter(price=1)
    books |= Book.objects.filter(price__gt=1)
    for book in books:
        print(book.publisher.name)


def lost():
    books = Book.objects.select_related("publisher").none()
    books |= Book.objects.filter(price__gt=0)
    for book in books:
        print(book.publisher.name)


def nothing():
    for book in Book.objects.filter(price=1) & Book.objects.none():
        print(book.publisher.name)
"""
    )
    assert applied(program).fixes == {
        "after_none": ['Append `.select_related("publisher")` to `Book.objects.filter(price=number)`.'],
        "lost": ['Append `.select_related("publisher")` to `Book.objects.filter(price__gt=0)`.'],
    }
    mended = applied(program)
    assert mended.changed == {"after_none", "lost"}
    for name in ("after_none", "lost"):
        assert (oracle.grows(program, name), oracle.grows(mended.program, name)) == (True, False)
    for name in ("loaded", "nothing"):
        assert not oracle.grows(program, name)


WHOLE = (
    oracle.HEAD
    + """

def dear(author):
    return [book.title for book in author.books.filter(price__gt=0)]


def tagged(tag):
    return [book.title for book in tag.book_set.filter(price__gt=0)]


def others():
    print(dear(Author.objects.get(pk=1)), tagged(Tag.objects.get(pk=1)))


def both():
    for author in Author.objects.all():
        print([book.title for book in author.books.all()], dear(author))


def either():
    for tag in Tag.objects.all():
        print([book.title for book in tag.book_set.all()], tagged(tag))
"""
)


def test_one_prefetch_answers_both() -> None:
    """Django keeps the rows of a many-to-many relation under the name that queries have for it."""
    told = 'let it answer from `{0}.all()` where `"{1}" in getattr(row, "_prefetched_objects_cache", ())`, and ask'
    assert applied(WHOLE).fixes == {
        "both": [
            'Append `.prefetch_related("books")` to `Author.objects.all()`. `shop.views.dear` serves others, too '
            f"(shop/views.py:16): {told.format('books', 'books')} where there is none."
        ],
        "either": [
            'Append `.prefetch_related("book_set")` to `Tag.objects.all()`. `shop.views.tagged` serves others, too '
            f"(shop/views.py:16): {told.format('book_set', 'book')} where there is none."
        ],
    }
    mended = applied(WHOLE).program
    for row, name, kept in (("author", "books", "books"), ("tag", "book_set", "book")):
        narrowed = f"{row}.{name}.filter(price__gt=0)"
        assert narrowed in mended
        mended = mended.replace(
            f"[book.title for book in {narrowed}]",
            f'[book.title for book in {row}.{name}.all() if book.price > 0]\\\n        if "{kept}" in getattr({row}, '
            f'"_prefetched_objects_cache", ()) else [book.title for book in {narrowed}]',
        )
    mended = mended.replace("Author.objects.all()", 'Author.objects.prefetch_related("books")')
    mended = mended.replace("Tag.objects.all()", 'Tag.objects.prefetch_related("book_set")')
    for name in ("both", "either"):
        assert (oracle.grows(WHOLE, name), oracle.grows(mended, name)) == (True, False)


HANDED = (
    oracle.HEAD
    + """

def told(author):
    for book in author.books.all():
        if [tag.name for tag in book.tags.all()] and book.publisher.name:
            print(book.title)


def one():
    print(told(get_object_or_404(Author, pk=1)))


def several():
    for author in Author.objects.filter(pk__gt=0):
        told(author)
"""
)


def test_a_queryset_of_its_own_would_throw_away_what_loops_bring() -> None:
    before = "    for book in author.books.all():"
    assert applied(HANDED).fixes == {
        "several": [
            'Append `.prefetch_related("books__tags", "books__publisher")` to `Author.objects.filter(pk__gt=0)`.'
        ],
        "told": [
            f'Write `prefetch_related_objects([author], "{path}")` before `author.books.all()` and leave that as it '
            "is: with another call it would ask again where a loop hands over rows that bring it."
            for path in ("books__publisher", "books__tags")
        ],
    }
    outer = applied(HANDED).program
    assert 'filter(pk__gt=0).prefetch_related("books__tags", "books__publisher")' in outer
    named = '    prefetch_related_objects([author], "books__tags", "books__publisher")\n'
    both, inner = outer.replace(before, named + before), HANDED.replace(before, named + before)
    cut = outer.replace("author.books.all():", 'author.books.all().prefetch_related("tags", "publisher"):')
    assert (oracle.grows(HANDED, "several"), oracle.grows(outer, "several")) == (True, False)
    assert (oracle.grows(both, "several"), oracle.grows(cut, "several")) == (False, True)
    few, many = (oracle.ask(program, "one", oracle.SIZES[1])["count"] for program in (inner, HANDED))
    assert few < many


def test_a_row_without_a_name_is_left_to_the_loops() -> None:
    program = HANDED.replace("def told(author):", "def told(author, *more):").replace(
        "author.books.all():", "(more or [author])[0].books.all():"
    )
    assert {item.site.name.partition(":")[0] for item in findings(program)} <= {"shop.views.several", "shop.views.told"}
