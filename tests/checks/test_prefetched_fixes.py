"""A prefetch that one finding asks for answers what another one is about, measured on Django."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackaudit.checks.template import n_plus_one, repeated_related_query
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass
from tests.link.queries import oracle
from tests.stacks import stack_of

HEAD = f"from django.shortcuts import render\n{oracle.HEAD}"
VIEW = """
def shelf(request):
    return render(request, "shelf.html", {"books": Book.objects.all()})
"""
MEASURED = """
from django.template import Context, Engine

def render(request, name, context):
    Engine().from_string(%r).render(Context(context))

def page():
    shelf(None)
"""
THESE = (
    "The prefetch that template/n-plus-one on line 2 asks for answers these, too: make that one, and nothing has to "
    "change here. Without it, put `{% with"
)
ANSWERED = {
    "first and exists behind a key": (
        "{{ book.author.pupils.first.name }}\n{% if book.author.pupils.exists %}\n"
        "{{ book.author.pupils.first.name }}{% endif %}",
        "asked-prefetched",
    ),
    "a test and a loop": (
        "{% if book.tags.all %}\n{% for tag in book.tags.all %}{{ tag.name }}{% endfor %}{% endif %}",
        "prefetched",
    ),
    "a loop and a number": (
        "{% for chapter in book.chapter_set.all %}{{ chapter.title }}{% endfor %}\n{{ book.chapter_set.count }}",
        "asked-prefetched",
    ),
    "the first one twice": ("{{ book.tags.first.name }}\n{{ book.tags.first.made }}", "answer-prefetched"),
}
OWN = {
    "the last one": ("{{ book.tags.last.name }}\n{{ book.tags.last.made }}", "answer"),
    "numbers that an annotation brings": ("{% if book.tags.exists %}\n{{ book.tags.count }}{% endif %}", "asked"),
    "one that no prefetch answers": (
        "{{ book.tags.first.name }}\n{{ book.tags.first.made }}{{ book.tags.last.name }}",
        "answer",
    ),
}


def linked(root: Path, body: str, view: str = VIEW) -> Stack:
    models = (oracle.PROJECT / "shop" / "models.py").read_text(encoding="utf-8")
    files = {"__init__.py": "", "models.py": models, "views.py": HEAD + view, "templates/shelf.html": page(body)}
    return stack_of(root, {f"shop/{name}": text for name, text in files.items()})


def page(body: str) -> str:
    return f"{{% for book in books %}}\n{body}\n{{% endfor %}}"


def grows(body: str, view: str) -> bool:
    return oracle.grows(HEAD + MEASURED % page(body) + view, "page")


@pytest.mark.parametrize("name", ANSWERED)
def test_the_prefetch_of_the_loop_answers_what_is_asked_again(name: str, tmp_path: Path) -> None:
    body, cause = ANSWERED[name]
    stack = linked(tmp_path / "before", body)
    (again,) = (item for item in repeated_related_query(stack) if isinstance(item, Fail))
    assert again.cause == cause
    assert again.fix.startswith(THESE)
    (loading,) = (item for item in n_plus_one(stack) if isinstance(item, Fail))
    made = re.match(r"Add `(\..*?)` to `Book\.objects\.all\(\)`", loading.fix)
    assert made is not None
    view = VIEW.replace(".all()", f".all(){made[1]}")
    assert (grows(body, VIEW), grows(body, view)) == (True, False)
    stack = linked(tmp_path / "after", body, view)
    assert [type(item) for item in (*n_plus_one(stack), *repeated_related_query(stack))] == [Pass, Pass]


@pytest.mark.parametrize("name", OWN)
def test_what_no_prefetch_answers_is_mended_in_the_template(name: str, tmp_path: Path) -> None:
    body, cause = OWN[name]
    (again,) = (item for item in repeated_related_query(linked(tmp_path, body)) if isinstance(item, Fail))
    assert (again.cause, again.fix.partition("{% with")[0]) == (cause, "Put `")


def test_the_prefetches_of_several_pages_are_told_together(tmp_path: Path) -> None:
    body, _ = ANSWERED["a test and a loop"]
    view = VIEW + VIEW.replace("shelf(", "cheap(").replace(".all()", ".filter(price=1)")
    (again,) = (item for item in repeated_related_query(linked(tmp_path, body, view)) if isinstance(item, Fail))
    assert again.fix.startswith(
        "The prefetches that template/n-plus-one asks for here answer these, too: make those, and nothing has to change"
    )
