"""What findings tell people to write: applied to the program, real Django takes it, and runs fewer queries."""

from __future__ import annotations

import re

import pytest

from tests.checks.applied import Applied, applied
from tests.link.queries import oracle

SITES = (oracle.PROJECT / "sites.py").read_text(encoding="utf-8")
NARROWED = """
def grows_only_without_the_relation():
    for book in Book.objects.only("title"):
        print(book.author.name)


def grows_only_another_path():
    books = Book.objects.only("title", "author_id").filter(price__gt=0)
    for book in books.order_by("pk"):
        print(book.author.country.name, book.publisher.name)


def grows_only_without_a_column():
    for book in Book.objects.only("title"):
        print(book.price, book.author_id)


def grows_deferred_relation():
    for book in Book.objects.defer("author", "price"):
        print(book.author.name, book.price)


def grows_only_of_a_joined_row():
    for book in Book.objects.select_related("author").only("title", "author__name"):
        print(book.author.country.name)


def flat_only_the_key():
    for book in Book.objects.only("title", "author_id").select_related("author"):
        print(book.author.name, book.author_id)


def grows_down_a_chain():
    for author in Author.objects.all():
        for book in author.books.all():
            for chapter in book.chapter_set.all():
                print(chapter.title, book.publisher.name)


def grows_down_a_chain_of_one():
    author = Author.objects.first()
    for book in author.books.all():
        for chapter in book.chapter_set.all():
            print(chapter.title)
        for tag in book.tags.all():
            print(tag.name)


def grows_below_a_prefetch():
    for author in Author.objects.prefetch_related("books"):
        for book in author.books.all():
            print(book.publisher.name)


def grows_first_of_each():
    for book in Book.objects.all():
        print(book.tags.first(), [chapter.title for chapter in book.chapter_set.all()])


def flat_first_of_an_ordered_prefetch():
    for book in Book.objects.prefetch_related(Prefetch("tags", queryset=Tag.objects.filter(pk__gt=0).order_by("pk"))):
        print(book.tags.first(), book.tags.all().first())


def grows_where_a_branch_refines(dear=True, new=True):
    books = Book.objects.order_by("pk")
    if dear:
        books = books.filter(price__gt=0)
    if new:
        books = books.exclude(title="old")
    for book in books:
        print(book.author.name)
"""


@pytest.fixture(scope="module")
def narrowed() -> Applied:
    return applied(oracle.HEAD + NARROWED)


@pytest.fixture(scope="module")
def labelled() -> Applied:
    return applied(SITES)


@pytest.mark.parametrize("name", re.findall(r"^def (\w+)\(", NARROWED, re.MULTILINE))
def test_the_fix_helps(name: str, narrowed: Applied) -> None:
    program, changed = narrowed.program, narrowed.changed
    assert oracle.grows(oracle.HEAD + NARROWED, name) == name.startswith("grows_"), "the label is wrong"
    assert (name in changed) == name.startswith("grows_")
    assert not oracle.grows(program, name)


def test_what_is_proposed(narrowed: Applied) -> None:
    joined = 'Book.objects.select_related("author").only("title", "author__name")'
    assert narrowed.fixes == {
        "grows_below_a_prefetch": [
            'Append `.prefetch_related("books__publisher")` to `Author.objects.prefetch_related("books")`.'
        ],
        "grows_deferred_relation": [
            'Take "author", "price" out of the defer() of `Book.objects.defer("author", "price")` and append '
            '`.select_related("author")` to it.'
        ],
        "grows_down_a_chain": [
            'Append `.prefetch_related("books__chapter_set", "books__publisher")` to `Author.objects.all()`.'
        ],
        "grows_down_a_chain_of_one": ['Append `.prefetch_related("chapter_set", "tags")` to `author.books.all()`.'],
        "grows_first_of_each": [
            'Append `.prefetch_related(Prefetch("tags", queryset=Tag.objects.order_by("pk")), "chapter_set")` to '
            "`Book.objects.all()`. `first()` of a prefetch that is ordered asks nothing: it stays in "
            "`shop.views.grows_first_of_each`."
        ],
        "grows_only_another_path": [
            'Add "publisher" to the only() of `Book.objects.only("title", "author_id").filter(price__gt=0)` and append '
            '`.select_related("author__country", "publisher")` to `books.order_by("pk")`.'
        ],
        "grows_only_of_a_joined_row": [
            f'Add "author__country" to the only() of `{joined}` and append `.select_related("author__country")` to it.'
        ],
        "grows_only_without_a_column": ['Add "price", "author" to the only() of `Book.objects.only("title")`.'],
        "grows_only_without_the_relation": [
            'Add "author" to the only() of `Book.objects.only("title")` and append `.select_related("author")` to it.'
        ],
        "grows_where_a_branch_refines": ['Append `.select_related("author")` to `Book.objects.order_by("pk")`.'],
    }


def test_fixes_of_labelled_sites_help(labelled: Applied) -> None:
    program, changed, fixes = labelled.program, labelled.changed, labelled.fixes
    assert len(changed) > 40
    before = {name: oracle.ask(SITES, name, oracle.SIZES[1]) for name in fixes}
    after = {name: oracle.ask(program, name, oracle.SIZES[1]) for name in fixes}
    assert {name: answer["error"] for name, answer in after.items() if "error" in answer} == {}
    assert {name for name in changed if after[name]["count"] >= before[name]["count"]} == set()


TOLD = {
    "writes_what_others_read": (
        """
    for book in Book.objects.all():
        book.price += 1
        book.save()
        print(book.author.name, sum(other.price for other in book.publisher.book_set.all()))
""",
        ['Append `.select_related("author", "publisher")` to `Book.objects.all()`.'],
    ),
    "writes_rows_that_others_have": (
        """
    for book in Book.objects.all():
        for tag in book.tags.all():
            tag.name += "!"
            tag.save()
""",
        [
            'Append `.prefetch_related("tags")` to `Book.objects.all()`. Leave out `tags` if a turn has to see what '
            "others write: the loop writes `Tag`, too."
        ],
    ),
    "writes_what_it_owns": (
        """
    for author in Author.objects.all():
        for book in author.books.all():
            book.price += 1
            book.save()
""",
        ['Append `.prefetch_related("books")` to `Author.objects.all()`.'],
    ),
    "asks_rows_made_elsewhere": (
        """
    for book in dear():
        print(book.author.name, book.price)
""",
        [
            'Add "author", "price" to the only() of `Book.objects.only("title")` in shop.views.dear and append '
            '`.select_related("author")` to `dear()`.'
        ],
    ),
}
DEAR = """

def dear():
    books = Book.objects.only("title")
    return books.filter(price__gt=1)
"""


def test_what_is_told_beside_the_calls() -> None:
    program = oracle.HEAD + DEAR + "".join(f"\n\ndef {name}():{body}" for name, (body, _) in TOLD.items())
    assert applied(program).fixes == {name: told for name, (_, told) in TOLD.items()}


CALLED = """

def books():
    return Book.objects.order_by("pk")


def shown_first():
    shown = set(Author.objects.get(pk=2).books.shown())
    print(len(shown))
    for book in shown:
        print([tag.name for tag in book.tags.all()])


def shown_anywhere():
    return [book.title for book in Book.objects.shown()]


def some(nothing=False):
    if nothing:
        return []
    return Book.objects.order_by("pk")


def once():
    for book in books():
        print(book.author.name, [tag.name for tag in book.tags.all()])


def titles():
    return [book.title for book in books()]


def at_times():
    for book in some():
        print(book.author.name)
"""


def test_a_call_that_gives_the_queryset_takes_more_calls() -> None:
    """What others call stays as it is, but where it gives a list at times."""
    program = oracle.HEAD + CALLED
    told = applied(program)
    assert told.fixes == {
        "once": [
            'Append `.select_related("author")` to `books()`.', 'Append `.prefetch_related("tags")` to `books()`.',
        ],
        "shown_first": ['Append `.prefetch_related("tags")` to `Author.objects.get(pk=2).books.shown()`.'],
        "at_times": [
            'Append `.select_related("author")` to `Book.objects.order_by("pk")` in shop.views.some.',
        ],
    }  # fmt: skip
    size = oracle.SIZES[1]
    mended = program.replace("books.shown())", 'books.shown().prefetch_related("tags"))')
    assert [oracle.ask(text, "shown_first", size)["count"] for text in (program, mended)] == [5, 3]
    for name in ("once", "at_times"):
        assert oracle.grows(program, name)
        assert not oracle.grows(told.program, name)
    assert oracle.ask(told.program, "titles", size)["count"] == oracle.ask(program, "titles", size)["count"]


SLICED = """

def begin(book):
    Chapter.objects.create(book=book, title="")
    Note.objects.create(about=book, text="")


def first_ones():
    return [chapter.pk for book in Book.objects.order_by("pk") for chapter in book.chapter_set.order_by("-pk")[:2]]


def first_one():
    return [book.chapter_set.order_by("-pk").first().title for book in Book.objects.order_by("pk")]


def first_notes():
    return [list(book.notes.all()[:2]) for book in Book.objects.order_by("pk")]
"""
KEPT_APART = """

def first_ones():
    chapters = Prefetch("chapter_set", queryset=Chapter.objects.order_by("-pk")[:2], to_attr="kept")
    return [chapter.pk for book in Book.objects.order_by("pk").prefetch_related(chapters) for chapter in book.kept]


def first_one():
    chapters = Prefetch("chapter_set", queryset=Chapter.objects.order_by("-pk")[:1], to_attr="kept")
    return [book.kept[0].title for book in Book.objects.order_by("pk").prefetch_related(chapters)]


def in_place():
    chapters = Prefetch("chapter_set", queryset=Chapter.objects.order_by("-pk")[:2])
    return list(Book.objects.prefetch_related(chapters))


def behind_a_generic_relation():
    notes = Prefetch("notes", queryset=Note.objects.all()[:2], to_attr="kept")
    return list(Book.objects.prefetch_related(notes))
"""


def test_the_first_rows_of_each() -> None:
    before, after = oracle.HEAD + SLICED, oracle.HEAD + KEPT_APART
    since = "a prefetch of `chapter_set` alone would load all of them (a Prefetch takes a slice since Django 4.2,"
    assert applied(before).fixes == {
        "first_ones": [
            'Append `.prefetch_related(Prefetch("chapter_set", queryset=Chapter.objects.order_by("-pk")[:2], '
            'to_attr="…"))` to `Book.objects.order_by("pk")`. In `shop.views.first_ones` read that list in place of '
            f'`book.chapter_set.order_by("-pk")[:2]`: {since} with `to_attr`).'
        ],
        "first_one": [
            'Append `.prefetch_related(Prefetch("chapter_set", queryset=Chapter.objects.order_by("-pk")[:1], '
            'to_attr="…"))` to `Book.objects.order_by("pk")`. In `shop.views.first_one` read the first of that list in '
            f'place of `book.chapter_set.order_by("-pk").first()`: {since} with `to_attr`).'
        ],
        "first_notes": [
            "Leave `book.notes.all()[:2]`, or number the rows of each with a `Window()`: asks for the first rows of "
            "each, where a prefetch would load all of them."
        ],
    }
    for name in ("first_ones", "first_one"):
        assert oracle.grows(before, name)
        assert not oracle.grows(after, name)
        few = oracle.ask(before, name, oracle.SIZES[1])["value"]
        assert oracle.ask(after, name, oracle.SIZES[1])["value"] == few
    errors = [oracle.ask(after, name, oracle.SIZES[1])["error"] for name in ("in_place", "behind_a_generic_relation")]
    assert errors == ["TypeError: Cannot filter a query once a slice has been taken."] * 2
