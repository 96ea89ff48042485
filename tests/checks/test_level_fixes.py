"""Functions and templates that come back to themselves on each level of a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.applied import applied
from tests.checks.test_template_fixes import fixes
from tests.link.queries import oracle

PLANT = """
from collections import defaultdict

def plant():
    root = Author.objects.create(name="root", country=Country.objects.first())
    new = [Author(name="pupil", country=root.country, mentor=root) for _ in range(Author.objects.count())]
    Author.objects.bulk_create(new)
    return root
"""
CASES = {
    "listed": (
        "def listed(node):\n    return [listed(pupil) for pupil in node.pupils.all()]",
        "",
        "node.pupils.all()",
        "Author.objects.all()",
    ),
    "ordered": (
        'def ordered(node):\n    return [ordered(pupil) for pupil in node.pupils.filter(name="pupil").order_by("pk")]',
        ", with the `filter()` and `order_by()` of the loop",
        'node.pupils.filter(name="pupil").order_by("pk")',
        'Author.objects.filter(name="pupil").order_by("pk")',
    ),
}
CALL = "\n\n\ndef {name}s():\n    return {name}(plant())\n"
MENDED = """

def {name}(node, pupils):
    return [{name}(pupil, pupils) for pupil in pupils[node.pk]]


def {name}s():
    root = plant()
    pupils = defaultdict(list)
    for row in {rows}:
        pupils[row.mentor_id].append(row)
    return {name}(root, pupils)
"""


@pytest.mark.parametrize("name", list(CASES))
def test_all_levels_are_read_at_once(name: str) -> None:
    text, alike, asked, rows = CASES[name]
    before = oracle.HEAD + PLANT + text + CALL.format(name=name)
    (fix,) = applied(before).fixes[name]
    assert fix == (
        f"`shop.views.{name}` calls itself for each level, and a prefetch reaches the levels that it names: before the "
        f"first call read the rows of all levels with one query (`Author.objects.all()`, or those of this tree{alike})"
        ", put each under its parent (`pupils[row.mentor_id].append(row)` with a `defaultdict(list)`), and go through "
        f"`pupils[node.pk]` in place of `{asked}`."
    )
    mended = oracle.HEAD + PLANT + MENDED.format(name=name, rows=rows)
    assert oracle.grows(before, f"{name}s")
    assert not oracle.grows(mended, f"{name}s")


def test_what_is_appended_there_asks_again() -> None:
    text = CASES["listed"][0]
    plain, appended = (
        oracle.ask(oracle.HEAD + PLANT + program + CALL.format(name="listed"), "listeds", oracle.SIZES[0])
        for program in (text, text.replace(".all()", '.all().prefetch_related("pupils")'))
    )
    assert appended["count"] > plain["count"]


def test_rows_above_name_the_levels() -> None:
    program = f"{oracle.HEAD}{CASES['listed'][0]}\n\n\ndef tops():\n    return [listed(one) for one in {{}}]\n"
    tops = "Author.objects.filter(mentor=None)"
    (fix,) = applied(program.format(tops)).fixes["tops"]
    assert fix == (
        f'Append `.prefetch_related("pupils__pupils")` to `{tops}`. `shop.views.listed` comes back to itself for each '
        "level: add one more `__pupils` for each that there is, or read all rows once and put them by their parent in "
        "Python."
    )


MODELS = """\
from django.db import models

class Node(models.Model):
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    name = models.CharField(max_length=9)
"""
VIEWS = """\
from django.shortcuts import render
from .models import Node

def shelf(request):
    return render(request, "shelf.html", {"nodes": Node.objects.filter(parent=None)})
"""


def test_a_template_that_includes_itself(tmp_path: Path) -> None:
    template = (
        '{% for node in nodes %}{{ node.name }}{% include "shelf.html" with nodes=node.children.all %}{% endfor %}'
    )
    assert fixes(tmp_path, template, VIEWS, MODELS) == [
        'Add `.prefetch_related("children")` to `Node.objects.filter(parent=None)` in shop.views.shelf. '
        "`shop/templates/shelf.html` comes back to itself for each level: add one more `__children` for each that "
        "there is, or read all rows once and put them by their parent in Python."
    ]
