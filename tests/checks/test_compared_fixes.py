"""Queries of a template's filters that compare with the rows of a loop: what is told, and what Django does with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.template import n_plus_one
from stackaudit.model.verdict import Fail
from tests.checks.test_template_fixes import MODELS, VIEWS
from tests.link.queries import oracle
from tests.stacks import stack_of

TAGS = """
from django import template
from shop.models import Author, Book

register = template.Library()


@register.filter
def wrote(author, name):
    return Author.objects.filter(mentor=author, name=name).exists()
"""
TOLD = MODELS.replace(
    "    name = models.CharField(max_length=80)\n",
    "    name = models.CharField(max_length=80)\n"
    "    mentor = models.ForeignKey('self', null=True, on_delete=models.CASCADE)\n",
    1,
)
RENDER = (
    oracle.HEAD
    + """from django.db.models import Exists, OuterRef
from django.template import Context, Engine, Library

register = Library()


@register.filter
def wrote(author, name):
    return Author.objects.filter(mentor=author, name=name).exists()


def rendered(test, books):
    engine = Engine()
    engine.template_builtins.append(register)
    text = "{% for b in books %}{% if " + test + " %}y{% else %}n{% endif %}{% endfor %}"
    return engine.from_string(text).render(Context({"books": books}))


BOOKS = Book.objects.select_related("author").order_by("pk")
FOUND = Exists(Author.objects.filter(mentor=OuterRef("author"), name="Author 1"))


def asks():
    return rendered("b.author|wrote:'Author 1'", BOOKS)


def annotated():
    return rendered("b.found", BOOKS.annotate(found=FOUND))


def lacks():
    return rendered("b.author.patron|wrote:'Author 1'", BOOKS)


def guarded():
    return rendered("b.author.patron and b.author.patron|wrote:'Author 1'", BOOKS)
"""
)
ASKS = (
    "`Author.objects.filter(mentor=author, name=name).exists()` in `shop.templatetags.shop_tags.wrote` runs for each "
    "row: "
)


def told(root: Path, test: str, models: str = TOLD, more: str = "") -> list[str]:
    page = "{% load shop_tags %}{% for b in books %}{% if " + test + " %}y{% endif %}{% endfor %}"
    files = {
        "__init__.py": "", "models.py": models, "templates/shelf.html": page, "templatetags/__init__.py": "",
        "templatetags/shop_tags.py": TAGS + more,
        "views.py": VIEWS.replace("Book.objects.all()", 'Book.objects.select_related("author")'),
    }  # fmt: skip
    stack = stack_of(root, {f"shop/{name}": text for name, text in files.items()})
    return [item.fix for item in n_plus_one(stack) if isinstance(item, Fail)]


def test_the_path_to_the_row_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, "b.author|wrote:'a'") == [
        f'{ASKS}let the rows bring the answer, `annotate(…=Exists(Author.objects.filter(mentor=OuterRef("author"), '
        "…)))`, and let the code there use that where the row has it."
    ]


def test_what_the_row_lacks_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, "b.author.patron|wrote:'a'") == [
        f"{ASKS}`Author` has no `patron`, so it asks about None each time; write `b.author.patron and "
        'b.author.patron|wrote:"a"` in `shop/templates/shelf.html`, or let the code there return False before it '
        "asks."
    ]


@pytest.mark.parametrize(
    ("models", "more"),
    [
        (TOLD, "\n\ndef give(author):\n    author.patron = None\n"),
        (TOLD.replace("\nclass Tag", "\n    def __getattr__(self, name):\n        return None\n\nclass Tag"), ""),
        (
            TOLD.replace("\nclass Tag", "\n    @property\n    def patron(self):\n        return given()\n\nclass Tag"),
            "",
        ),
    ],
    ids=["set", "answered", "defined"],
)
def test_what_a_row_may_have_is_not_said_to_lack(tmp_path: Path, models: str, more: str) -> None:
    assert not any("has no" in fix for fix in told(tmp_path, "b.author.patron|wrote:'a'", models, more))


def test_what_django_asks() -> None:
    grows = {name: oracle.grows(RENDER, name) for name in ("asks", "annotated", "lacks", "guarded")}
    assert grows == {"asks": True, "annotated": False, "lacks": True, "guarded": False}
    shown = {name: oracle.ask(RENDER, name, oracle.SIZES[1])["value"] for name in grows}
    assert shown["asks"] == shown["annotated"]
    assert shown["lacks"] == shown["guarded"]
