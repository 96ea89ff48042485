"""Several counts of the same rows in one function: one query can answer them all."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.checks.orm.conditions import chain
from stackaudit.checks.orm.turns import Turns
from stackaudit.facts import python as py
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import text_of

_OTHER = frozenset(
    {"annotate", "difference", "distinct", "extra", "intersection", "raw", "union", "values", "values_list"}
)
"""Methods after which rows are counted that an aggregate with a filter would not count so."""


def by_one_aggregate(turns: Turns, event: Event, others: Iterable[Event]) -> str:
    """The fix for a function that a loop calls and that counts the rows of an event more than once; "" for any other.

    Measured on SQLite with ten rows, for each of which four counts run: one `aggregate()` in place of three made 31
    queries of 51, and a dictionary made before the loop serves one count alone.
    """
    node, function = turns.sources.at(event.place), turns.called(event)
    if event.below != 1 or function is None or not isinstance(node, py.Call) or not _is_count(turns, event, function):
        return ""
    found: dict[str, list[Event]] = {}
    for one in (event, *others):
        if one.place == event.place and one.model is not None and _is_count(turns, one, function):
            found.setdefault(one.model.name, []).append(one)
    shared = {name: len(counts) for name, counts in found.items() if len(counts) > 1 and _are_of_one(turns, counts)}
    if event.model is None or event.model.name not in shared:
        return ""
    told = " and ".join(f"{name} {number} times" for name, number in shared.items())
    each = " each" if len(shared) > 1 else ""
    return (
        f"`{text_of(node.func, 60)}()` counts the same rows several times ({told}): let one query there answer{each}, "
        '`aggregate(total=Count("pk"), part=Count("pk", filter=Q(…)), …)` of the rows that all of them begin with, and '
        "a `filter=` for each that narrows them. That serves every caller."
    )


def _is_count(turns: Turns, event: Event, function: py.FunctionDef) -> bool:
    """Whether an event is a count that each call of a function runs, of what no filter on many rows multiplies."""
    if event.method not in ("count", "acount") or event.guarded or event.model is None:
        return False
    node, model = turns.sources.at(event.query), event.model
    if node is None or turns.sources.function(event.query) is not function:
        return False
    parts = (turns.sources.at(place) for place in chain(turns.sources, event))
    calls = [part for part in (node, *parts) if isinstance(part, py.Call)]
    if any(isinstance(call.func, py.Attribute) and call.func.attr in _OTHER for call in calls):
        return False
    names = (item.name or "" for call in calls for item in call.keywords)
    relations = (model.by_query_name(name.partition("__")[0]) for name in names)
    return not any(relation is not None and relation.many for relation in relations)


def _are_of_one(turns: Turns, counts: list[Event]) -> bool:
    """Whether all counts begin with the same expression."""
    made = [set(chain(turns.sources, one)) for one in counts]
    return bool(set.intersection(*made))
