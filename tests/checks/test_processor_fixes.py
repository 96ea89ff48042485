"""What context processors are told to hand over later is asked for when a page shows it, measured on Django."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.template import context_processor_query
from stackaudit.model.verdict import Fail
from tests.checks.test_small_fixes import WSGI
from tests.link.queries import oracle
from tests.stacks import stack_of

SETTINGS = """\
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {"context_processors": ["shop.views.processor"]},
}]
"""
HEAD = f"""\
from django.template import Context, Engine
from django.utils.functional import SimpleLazyObject
{oracle.HEAD}
class Shop:
    @classmethod
    def owner(cls):
        try:
            return Author.objects.get(pk=1)
        except Author.DoesNotExist:
            return None

def counted():
    return {{"books": Book.objects.count()}}

"""
PAGES = """

def bare():
    Engine().from_string("Welcome").render(Context(processor(None)))

def full():
    Engine().from_string("{{ owner.name }} {{ name }} {{ books }}").render(Context(processor(None)))
"""


def kept(asked: str, where: str = "") -> str:
    within = f" in `{where}`, so that whoever else calls that has it, too" if where else ""
    return (
        f'Keep what `{asked}` gives{within}: `cache.get_or_set("processor", …, 300)`, and delete the key where it is '
        "saved."
    )


GET = "Author.objects.get(pk=1)"
ROW = f"row = SimpleLazyObject(lambda: {GET})"
LAZY = {
    "handed over": (
        'def processor(request):\n    row = Author.objects.get(pk=1)\n    return {"owner": row}\n',
        f"{kept(GET)} Or write `{ROW}`, which asks when a page shows it.",
        [(GET, f"SimpleLazyObject(lambda: {GET})")],
    ),
    "a part of it": (
        'def processor(request):\n    row = Author.objects.get(pk=1)\n    return {"owner": row, "name": row.name}\n',
        f"{kept(GET)} Or write `{ROW}` and "
        '`"name": SimpleLazyObject(lambda: row.name)`, which ask when a page shows it.',
        [(f"row = {GET}", ROW), ("row.name", "SimpleLazyObject(lambda: row.name)")],
    ),
    "asked by a function that others call": (
        'def processor(request):\n    row = Shop.owner()\n    return {"owner": row}\n',
        f"{kept(GET, 'Shop.owner')} Or write `row = SimpleLazyObject(lambda: Shop.owner())`, which asks when a page "
        "shows it.",
        [("Shop.owner()", "SimpleLazyObject(lambda: Shop.owner())")],
    ),
    "in the dictionary, by a function that others call": (
        'def processor(request):\n    return {"owner": Shop.owner()}\n',
        'Ask when a page shows it: `"owner": SimpleLazyObject(lambda: Shop.owner())`.',
        [("Shop.owner()", "SimpleLazyObject(lambda: Shop.owner())")],
    ),
}
KEPT = {
    "the processor looks at it": (
        "def processor(request):\n    row = Author.objects.get(pk=1)\n    name = 'nobody'\n"
        '    if row.name:\n        name = row.name\n    return {"owner": row, "name": name}\n',
        kept(GET),
    ),
    "it looks at what a function gives": (
        "def processor(request):\n    row = Shop.owner()\n"
        '    name = row.name.upper()\n    return {"owner": row, "name": name}\n',
        kept(GET, "Shop.owner"),
    ),
    "it waits for an exception": (
        "def processor(request):\n    try:\n        row = Author.objects.get(pk=1)\n"
        '    except Author.DoesNotExist:\n        return {}\n    return {"owner": row}\n',
        kept(GET),
    ),
    "it goes through the rows": (
        "def processor(request):\n    names = []\n    for row in Author.objects.all():\n"
        '        names.append(row.name)\n    return {"names": names}\n',
        kept("Author.objects.all()"),
    ),
    "another function makes the dictionary": (
        "def processor(request):\n    return counted()\n",
        kept("Book.objects.count()", "counted"),
    ),
}


def fixes(root: Path, program: str) -> list[str]:
    models = (oracle.PROJECT / "shop" / "models.py").read_text(encoding="utf-8")
    files = {"__init__": "", "models": models, "views": program, "settings": SETTINGS, "wsgi": WSGI}
    stack = stack_of(root, {f"shop/{name}.py": text for name, text in files.items()})
    return [item.fix for item in context_processor_query(stack) if isinstance(item, Fail)]


def counts(program: str) -> tuple[int, int]:
    """The queries of a page that shows nothing of what the processor gives, and of one that shows all of it."""
    bare, full = (oracle.ask(program + PAGES, name, oracle.SIZES[0])["count"] for name in ("bare", "full"))
    return bare, full


@pytest.mark.parametrize("name", LAZY)
def test_what_is_only_handed_over_is_asked_when_a_page_shows_it(name: str, tmp_path: Path) -> None:
    text, fix, changes = LAZY[name]
    assert fixes(tmp_path, HEAD + text) == [fix]
    assert counts(HEAD + text) == (1, 1)
    for old, new in changes:
        text = text.replace(old, new)
    assert counts(HEAD + text) == (0, 1)


@pytest.mark.parametrize("name", KEPT)
def test_what_the_processor_looks_at_itself_can_only_be_kept(name: str, tmp_path: Path) -> None:
    text, fix = KEPT[name]
    assert fixes(tmp_path, HEAD + text) == [fix]


def test_a_lazy_object_that_the_processor_looks_at_saves_nothing() -> None:
    text, _ = KEPT["the processor looks at it"]
    assert counts(HEAD + text.replace(GET, f"SimpleLazyObject(lambda: {GET})")) == (1, 1)
