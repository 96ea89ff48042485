"""Queries of which a turn of a loop runs one: each stands in another branch of one condition."""

from __future__ import annotations

from collections.abc import Sequence

from stackaudit.checks.orm.alike import number
from stackaudit.checks.orm.conditions import Condition
from stackaudit.checks.orm.recipes import Around, Recipe, raised
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place


def is_alternative(one: Event, other: Event) -> bool:
    """Whether a turn runs one of two queries for rows of one model, and never both."""
    if one.model is None or (one.model, one.method, one.below) != (other.model, other.method, other.below):
        return False
    pairs = ((mine, its) for mine, its in zip(one.branch, other.branch, strict=False) if mine != its)
    mine, its = next(pairs, ((0, 0), (1, 0)))
    return mine[0] == its[0]


def of_either(asked: Sequence[tuple[Event, Condition, Around]]) -> str:
    """The fix for queries of which each turn runs one: what is asked before the loop has to answer for all of them."""
    first, _, around = asked[0]
    lines = [_line(first.place, event.query) for event, _, _ in asked]
    used = around.used("them", "those of each turn") if around.helper else "look them up in the loop"
    assert first.model is not None
    recipes = [Recipe(first.method, first.model, condition, own) for _, condition, own in asked]
    wanted = [recipe.wanted() for recipe in recipes]
    stand = [own for _, _, own in asked]
    taken = "".join(_taken(line, own.handled) for line, own in zip(lines, stand, strict=True)) + _raised(lines, stand)
    begin = f"A turn asks on {' or '.join(lines)}. Ask each of them once before the loop for all turns"
    if not all(wanted):
        return f"{begin}, keep their answers apart, and {used}.{taken}"
    named = ", ".join(f"with {given} on {line}" for given, line in zip(wanted, lines, strict=True))
    both = list(zip(recipes, lines, strict=True))
    folding = "".join(f" {recipe.folding(f'On {line} look')}." for recipe, line in both if recipe.is_any_case)
    keyed = "".join(f", that of {line} by {key}," for recipe, line in both if (key := recipe.keyed()))
    return f"{begin}: {named}. Keep their answers apart{keyed.replace(',,', ',')} and {used}.{taken}{folding}"


def _line(shown: Place, query: Place) -> str:
    return f"line {number(shown, query)}"


def _raised(lines: Sequence[str], stand: Sequence[Around]) -> str:
    """What becomes of keys for which `get()` raises what the code around it does not take."""
    if not any(own.handled for own in stand) and all(own.several for own in stand):
        neither = "Neither" if len(lines) == 2 else "None of them"
        return f" {neither} is unique: keys with no row or with several have to raise as `get()` did."
    return "".join(raised(own, f"On {line} ") for line, own in zip(lines, stand, strict=True))


def _taken(line: str, handled: Sequence[str]) -> str:
    """What becomes of keys for which `get()` raises what the code around it takes."""
    if not handled:
        return ""
    several = " or with several" if any("MultipleObjectsReturned" in name for name in handled) else ""
    return f" On {line}, keys without a row{several} take the way of {' and '.join(f'`{name}`' for name in handled)}."
