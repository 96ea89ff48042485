"""How often the turns of a loop ask is told by all branches together, and by all calls of one function."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks import orm
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail
from tests.checks.applied import findings
from tests.link.queries import oracle
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    editor = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="edited")
    title = models.CharField(max_length=80)

    def __str__(self):
        return f"{self.title} by {self.author.name}"

    def label(self, long=False):
        return f"{self} {self.pk}" if long else str(self)

    def chosen(self):
        if self.title:
            return self.author.name
        return self.author.pk, self.title

    def sometimes(self):
        if self.title:
            return self.author.name
        return self.editor.name

    def shown(self, quiet=False):
        if not quiet and self.author.name:
            return self.title
        return ""

    def told(self, kind="old"):
        if kind != "old" or self.author.name:
            return self.title
        return ""

def name_of(book):
    return book.author.name if book and book.author else ""

def name_behind(review):
    return review.book.author.name if review.book and review.book.author else ""

class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
"""
ASKING = "print(Book.objects.get(title=item['title']))"
HEAD = "import json\nfrom shop.models import Book, Review, name_behind, name_of\n"
EACH, SOME = "once for each Book", "for each Book that a condition lets through"
BODIES = {
    "both branches": ("if book.title:\n    print(book.label(long=True))\nelse:\n    print(book.label())", EACH),
    "both arms of an expression": ("print(str(book) if book.title else book.label())", EACH),
    "one branch alone": ("if book.title:\n    print(book.label())\nelse:\n    print(book.pk)", SOME),
    "branches deeper than both": (
        "if book.title:\n    if book.pk > 3:\n        print(book.label())\nelse:\n    print(book.label())", SOME),
    "a chain with an end": (
        "if book.title:\n    print(book)\nelif book.pk > 3:\n    print(book.author.pk)\nelse:\n    print(book)", EACH),
    "a chain without an end": ("if book.title:\n    print(book)\nelif book.pk > 3:\n    print(book)", SOME),
    "one leaves, the other follows": ("print(book.chosen())", EACH),
    "one leaves, the other asks for something else": ("print(book.sometimes())", SOME),
    "a turn that is cut short asks, too": ("if book.title:\n    print(book)\n    continue\nprint(book)", EACH),
    "where it stands and behind a condition": ("if book.title:\n    print(book.label())\nprint(book.label())", EACH),
    "behind two conditions": ("if book.title:\n    print(book)\nif book.pk > 3:\n    print(book)", SOME),
    "behind a parameter that keeps its default": ("print(book.shown())", EACH),
    "behind a comparison with a parameter": ("print(book.told())", EACH),
    "behind the row itself": ("print(name_of(book))", EACH),
    "one of two rows, of which each asks": (
        "owner = book.author\nif book.pk > 3:\n    owner = book.editor\nprint(owner.edited.count())", EACH),
    "one of two rows, if there is one": (
        "owner = book.author\nif book.pk > 3:\n    owner = book.editor\nif owner:\n    owner.edited.count()", SOME),
    "what a row is certain to lack": (
        "try:\n    line = book.headline\nexcept AttributeError:\n    line = book.author.name", EACH),
    "what a row has": ("try:\n    line = book.title\nexcept AttributeError:\n    line = book.author.name", SOME),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_how_often(tmp_path: Path, body: str) -> None:
    text, said = BODIES[body]
    found = said_of(tmp_path, f"for book in Book.objects.all():\n{indented(text)}")
    assert set(found) == {said}


def test_a_related_row_may_be_missing(tmp_path: Path) -> None:
    found = said_of(tmp_path, "for review in Review.objects.select_related('book'):\n    print(name_behind(review))\n")
    assert found == ["for each Review that a condition lets through"]


@pytest.mark.parametrize(
    ("test", "turns"),
    [
        ("not item['title']", "some turns"),
        ("item['title'] == ''", "some turns"),
        ("not item", "each turn"),
        ("not request.user", "each turn"),
    ],
)
def test_some_turns_go_on_before_they_ask(tmp_path: Path, test: str, turns: str) -> None:
    loop = f"for item in json.loads(request.body):\n    if {test}:\n        continue\n    {ASKING}\n"
    found = [item for item in orm.query_in_loop(looping(tmp_path, loop)) if isinstance(item, Fail)]
    assert [item.values["turns"] for item in found] == [turns]


NULLABLE = """

def editor_of(book):
    if book.editor_id is None:
        return book
    return book.editor


def name_of(book):
    return book.editor.name


def calls():
    return [editor_of(book).pk for book in Book.objects.all()]


def goes_on():
    for book in Book.objects.all():
        if book.editor_id is None:
            continue
        print(name_of(book))


def reads_another():
    for book in Book.objects.all():
        if book.editor_id is None:
            continue
        print(book.author.name)


def tests_the_row():
    for book in Book.objects.all():
        if book.editor is None:
            continue
        print(book.editor.country.name)


def tests_nothing():
    return [name_of(book) for book in Book.objects.exclude(editor=None)]


def tests_what_is_there(books=()):
    for book in Book.objects.all():
        if book is None:
            continue
        print(book.editor_id and book.author.name, book.publisher.name)
"""


def test_a_key_that_is_null_leaves_the_rest_of_the_rows() -> None:
    """What leads through a key that may be NULL is read of those rows that have one; what else is read, of all."""
    some, each = "for each Book that a condition lets through", "once for each Book"
    said = {item.site.name.partition(":")[0][len("shop.views.") :]: item for item in findings(oracle.HEAD + NULLABLE)}
    assert {name: (item.values["paths"], item.values["each"]) for name, item in said.items()} == {
        "calls": ("`editor`", some),
        "goes_on": ("`editor`", some),
        "reads_another": ("`author`", each),
        "tests_the_row": ("`editor` (and, where a condition holds, `editor.country`)", each),
        "tests_nothing": ("`editor`", f"{each} that has one"),
        "tests_what_is_there": ("`publisher` (and, where a condition holds, `author`)", each),
    }
    assert [name for name, item in said.items() if item.cause == "conditional"] == ["calls", "goes_on"]


def said_of(root: Path, loop: str) -> list[str]:
    """What is said of how often a loop asks for a relation."""
    stack = looping(root, loop)
    found = (*orm.n_plus_one_forward(stack), *orm.n_plus_one_reverse(stack))
    return [item.values["each"] for item in found if isinstance(item, Fail)]


def looping(root: Path, loop: str) -> Stack:
    """The stack of one view that runs a loop."""
    files = {
        "requirements.txt": "django==5.2\n",
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/views.py": f"{HEAD}\ndef shown(request):\n{indented(loop)}",
    }
    return stack_of(root, files)


def indented(text: str) -> str:
    """The lines of a text, one step further to the right."""
    return "".join(f"    {line}\n" for line in text.splitlines())
