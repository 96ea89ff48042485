"""Writes that are guarded by a question: what is told, and what real Django asks without the question."""

from __future__ import annotations

import pytest

from tests.checks.applied import applied
from tests.link.queries import oracle

LOOP = """

def {name}s():
    for author in Author.objects.order_by("pk"):
        {name}(author)
    return [row.text for row in Profile.objects.order_by("pk")]
"""
DELETE = "`delete()` of no rows does nothing."
CASES = {
    "forget": (
        """
def forget(author):
    rows = Profile.objects.filter(author=author)
    if not rows.exists():
        return
    rows.delete()
""",
        f"In `shop.views.forget` leave out `if not rows.exists(): return`: {DELETE}",
        """
def forget(author):
    rows = Profile.objects.filter(author=author)
    rows.delete()
""",
    ),
    "hide": (
        """
def hide(author):
    with transaction.atomic():
        if Profile.objects.filter(author=author).exists():
            Profile.objects.filter(author=author).update(text="")
""",
        "In `shop.views.hide` leave out `if Profile.objects.filter(author=author).exists():`: "
        "`update()` of no rows does nothing.",
        """
def hide(author):
    with transaction.atomic():
        Profile.objects.filter(author=author).update(text="")
""",
    ),
}
HOMES = {
    "Keeper.forget": """
class Keeper:
    def forget(self, author):
        rows = Profile.objects.filter(author=author)
        if not rows.exists():
            return
        rows.delete()


def forgets():
    keeper = Keeper()
    for author in Author.objects.all():
        keeper.forget(author)
""",
    "Outer.Keeper.forget": """
class Outer:
    class Keeper:
        @staticmethod
        def forget(rows):
            if not rows.exists():
                return
            rows.delete()


def forgets():
    for author in Author.objects.all():
        Outer.Keeper.forget(Profile.objects.filter(author=author))
""",
    "forget": """
def forget(rows):
    if not rows.exists():
        return
    rows.delete()


def forgets():
    for author in Author.objects.all():
        forget(Profile.objects.filter(author=author))
""",
}
"""Where the guard stands, also where the one who calls makes the queryset."""
OTHERS = {
    "counts": """
def counts(author):
    rows = Profile.objects.filter(author=author)
    if not rows.exists():
        return
    rows.delete()
    print("one less")
""",
    "tells": """
def tells(author):
    rows = Profile.objects.filter(author=author)
    if not rows.exists():
        return False
    rows.delete()
""",
    "chooses": """
def chooses(author):
    if Profile.objects.filter(author=author).exists():
        Profile.objects.filter(author=author).delete()
    else:
        print("none")
""",
    "differs": """
def differs(author):
    if Profile.objects.filter(author=author).exists():
        Profile.objects.filter(text="").delete()
""",
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_write_alone(name: str) -> None:
    head = oracle.HEAD + "from django.db import transaction\n\n"
    before, told, after = CASES[name]
    programs = [head + text + LOOP.format(name=name) for text in (before, after)]
    assert told in applied(programs[0]).fixes[f"{name}s"]
    size = oracle.SIZES[1]
    answers = [oracle.ask(program, f"{name}s", size) for program in programs]
    assert answers[0]["value"] == answers[1]["value"]
    assert answers[0]["count"] - answers[1]["count"] == size


@pytest.mark.parametrize("home", list(HOMES))
def test_where_the_guard_stands(home: str) -> None:
    (told,) = applied(oracle.HEAD + HOMES[home]).fixes["forgets"]
    assert told == f"In `shop.views.{home}` leave out `if not rows.exists(): return`: {DELETE}"


@pytest.mark.parametrize("name", list(OTHERS))
def test_what_a_guard_holds_beside_the_write(name: str) -> None:
    told = applied(oracle.HEAD + OTHERS[name] + LOOP.format(name=name)).fixes.get(f"{name}s", [])
    assert not any("does nothing" in fix for fix in told)


def test_a_guard_in_the_loop_itself() -> None:
    program = """
def clears():
    for author in Author.objects.all():
        rows = Profile.objects.filter(author=author, text="")
        if not rows.exists():
            continue
        rows.delete()
"""
    (told,) = applied(oracle.HEAD + program).fixes["clears"]
    assert told == f"Leave out `if not rows.exists(): continue`: {DELETE}"
