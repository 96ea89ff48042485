"""What findings tell people to write: applied to the program, real Django takes it, and runs fewer queries."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from stackaudit.checks.orm import n_plus_one_forward, n_plus_one_reverse
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.verdict import Fail
from tests.link.queries import oracle

SITES = (oracle.PROJECT / "sites.py").read_text(encoding="utf-8")
CALL = re.compile(r"[Aa]ppend `(\.(?:select|prefetch)_related\([^`]*\))` to (?:`|it)")
COLUMNS = re.compile(r"[Aa]dd ((?:\"\w+\"(?:, )?)+) to the only\(\)")
KEPT = re.compile(r"[Tt]ake ((?:\"\w+\"(?:, )?)+) out of the defer\(\)")
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


def grows_where_a_branch_refines(dear=True, new=True):
    books = Book.objects.order_by("pk")
    if dear:
        books = books.filter(price__gt=0)
    if new:
        books = books.exclude(title="old")
    for book in books:
        print(book.author.name)
"""


@cache
def fixed(program: str, root: Path) -> tuple[str, frozenset[str], dict[str, list[str]]]:
    """The program with what its findings propose, the functions changed in full, and the fixes of each."""
    (root / "shop").mkdir()
    (root / "shop" / "__init__.py").touch()
    (root / "shop" / "models.py").write_text((oracle.PROJECT / "shop" / "models.py").read_text())
    (root / "shop" / "views.py").write_text(program)
    inputs = discover(root)
    stack = Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), Config())
    lines = program.splitlines()
    changes: dict[tuple[int, int, int, int], list[str]] = {}
    fixes: dict[str, list[str]] = {}
    left: set[str] = set()
    for check in (n_plus_one_forward, n_plus_one_reverse):
        for verdict in check(stack):
            if not isinstance(verdict, Fail) or verdict.site.place.path != "shop/views.py":
                continue
            name = verdict.site.name.partition(":")[0].rpartition(".")[2]
            fixes.setdefault(name, []).append(verdict.fix)
            where = verdict.related[0].place if verdict.related else verdict.site.place
            if "in Python" in verdict.fix or "annotate" in verdict.fix or where.path != "shop/views.py":
                left.add(name)
            else:
                region = where.region
                key = (region.end_line, region.end_column, region.line, region.column)
                changes.setdefault(key, []).append(verdict.fix)
    for (end, column, first, begin), texts in sorted(changes.items(), reverse=True):
        region_lines = lines[first - 1 : end]
        tail = region_lines[-1][column - 1 :]
        region_lines[-1] = region_lines[-1][: column - 1]
        head, region_lines[0] = region_lines[0][: begin - 1], region_lines[0][begin - 1 :]
        body = "\n".join(region_lines)
        body = f"({body})" if any("to `(" in text for text in texts) else body
        body += "".join(call for text in texts for call in CALL.findall(text))
        lines[first - 1 : end] = (head + body + tail).split("\n")
    parts = re.split(r"^(?=def )", "\n".join(lines), flags=re.MULTILINE)
    return "".join(_with_columns(part, fixes) for part in parts), frozenset(set(fixes) - left), fixes


def _with_columns(function: str, fixes: dict[str, list[str]]) -> str:
    for text in fixes.get(function[4:].partition("(")[0], ()):
        for names in COLUMNS.findall(text):
            function = function.replace(".only(", f".only({names}, ")
        for name in (name for names in KEPT.findall(text) for name in names.split(", ")):
            function = re.sub(rf"{name},? ?", "", function, count=1)
    return function


@pytest.fixture(scope="module")
def narrowed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, frozenset[str], dict[str, list[str]]]:
    return fixed(oracle.HEAD + NARROWED, tmp_path_factory.mktemp("narrowed"))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, frozenset[str], dict[str, list[str]]]:
    return fixed(SITES, tmp_path_factory.mktemp("labelled"))


@pytest.mark.parametrize("name", re.findall(r"^def (\w+)\(", NARROWED, re.MULTILINE))
def test_the_fix_helps(name: str, narrowed: tuple[str, frozenset[str], dict[str, list[str]]]) -> None:
    program, changed, _ = narrowed
    assert oracle.grows(oracle.HEAD + NARROWED, name) == name.startswith("grows_"), "the label is wrong"
    assert (name in changed) == name.startswith("grows_")
    assert not oracle.grows(program, name)


def test_what_is_proposed(narrowed: tuple[str, frozenset[str], dict[str, list[str]]]) -> None:
    joined = 'Book.objects.select_related("author").only("title", "author__name")'
    assert narrowed[2] == {
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


def test_fixes_of_labelled_sites_help(labelled: tuple[str, frozenset[str], dict[str, list[str]]]) -> None:
    program, changed, fixes = labelled
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
            '`.select_related("author")` to `books.filter(price__gt=1)` in shop.views.dear.'
        ],
    ),
}
DEAR = """

def dear():
    books = Book.objects.only("title")
    return books.filter(price__gt=1)
"""


def test_what_is_told_beside_the_calls(tmp_path: Path) -> None:
    program = oracle.HEAD + DEAR + "".join(f"\n\ndef {name}():{body}" for name, (body, _) in TOLD.items())
    assert fixed(program, tmp_path)[2] == {name: told for name, (_, told) in TOLD.items()}


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


def test_the_first_rows_of_each(tmp_path: Path) -> None:
    before, after = oracle.HEAD + SLICED, oracle.HEAD + KEPT_APART
    since = "a prefetch of `chapter_set` alone would load all of them (a Prefetch takes a slice since Django 4.2,"
    assert fixed(before, tmp_path)[2] == {
        "first_ones": [
            'Append `.prefetch_related(Prefetch("chapter_set", queryset=Chapter.objects.order_by(…)[:2], to_attr="…"'
            '))` to `Book.objects.order_by("pk")`. In `shop.views.first_ones` read that list in place of '
            f'`book.chapter_set.order_by("-pk")[:2]`: {since} with `to_attr`).'
        ],
        "first_one": [
            'Append `.prefetch_related(Prefetch("chapter_set", queryset=Chapter.objects.order_by(…)[:1], to_attr="…"'
            '))` to `Book.objects.order_by("pk")`. In `shop.views.first_one` read the first of that list in place of '
            f'`book.chapter_set.order_by("-pk").first()`: {since} with `to_attr`).'
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
