"""Queries of which a turn of a loop runs one: each stands in another branch of one condition."""

from __future__ import annotations

from collections.abc import Sequence

from stackaudit.checks.orm.conditions import Condition
from stackaudit.checks.orm.recipes import Around
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place


def is_alternative(one: Event, other: Event) -> bool:
    """Whether a turn runs one of two queries for rows of one model, and never both."""
    if one.model is None or (one.model, one.method, one.below) != (other.model, other.method, other.below):
        return False
    pairs = ((mine, its) for mine, its in zip(one.branch, other.branch, strict=False) if mine != its)
    mine, its = next(pairs, ((0, 0), (1, 0)))
    return mine[0] == its[0]


def of_either(asked: Sequence[tuple[Event, Condition, Around]], several: str) -> str:
    """The fix for queries of which each turn runs one: what is asked before the loop has to answer for all of them.

    `several` says what becomes of rows that have the same key.
    """
    first, _, around = asked[0]
    lines = [_line(first.place, event.query) for event, _, _ in asked]
    used = around.used("them", "those of each turn") if around.helper else "look them up in the loop"
    wanted = [_wanted(condition, own.brings) for _, condition, own in asked]
    taken = "".join(_taken(line, own.handled) for line, (_, _, own) in zip(lines, asked, strict=True))
    begin = f"A turn asks on {' or '.join(lines)}. Ask each of them once before the loop for all turns"
    if not all(wanted):
        return f"{begin}, keep their answers apart, and {used}.{taken}{several}"
    named = ", ".join(f"with {given} on {line}" for given, line in zip(wanted, lines, strict=True))
    return f"{begin}: {named}. Keep their answers apart and {used}.{taken}{several}"


def _line(shown: Place, query: Place) -> str:
    line = f"line {query.region.line}"
    return line if shown.path == query.path else f"{line} of {query.path}"


def _taken(line: str, handled: Sequence[str]) -> str:
    """What becomes of keys for which `get()` raises what the code around it takes."""
    if not handled:
        return ""
    several = " or with several" if any("MultipleObjectsReturned" in name for name in handled) else ""
    return f" On {line}, keys without a row{several} take the way of {' and '.join(f'`{name}`' for name in handled)}."


def _wanted(condition: Condition, brings: str) -> str:
    """How to ask for all turns at once; "" where no list of values surely stands for what they ask.

    `brings` are the calls that load what a turn asks of its row.
    """
    fields, more = (condition.field, *condition.others), f" and `{brings}`" if brings else ""
    if not condition.field or condition.computed or "?" in condition.ends:
        return ""
    if len(fields) == 1 and condition.field.endswith("__iexact"):
        name = condition.field.removesuffix("__iexact")
        return f'`annotate(lower=Lower("{name}"))` and `lower__in=…` (lower-case values){more}'
    if any(field.endswith("__iexact") for field in fields):
        return ""
    return f"`{', '.join(f'{field}__in=…' for field in fields)}`{more}"
