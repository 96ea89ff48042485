"""Counts that only say whether there is anything at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from stackaudit.checks.orm.callers import Callers
from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.loops import words
from stackaudit.checks.orm.repetition import repeated
from stackaudit.facts import python as py
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.existence import FILTERED
from stackaudit.link.queries.source import code_of
from stackaudit.link.sources import Sources, below
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


def count_as_existence(stack: Stack) -> Iterator[Verdict]:
    """One site for each comparison of a count with nothing."""
    known, callers = repeated(stack), Callers(stack)
    events = list(own(stack))
    asked = (event for event in events if event.kind in ("query", "reverse") and event.outcome == "fail")
    turned = [event.query for event in asked if not event.below]
    for group in grouped((event for event in events if event.kind == "existence"), lambda event: event.query):
        first = group[0]
        few = first.outcome == "fail" and bool(first.why)
        told = few and any(first.query.holds(place) for place in turned)  # what repeats it matters more
        if not told and not any(first.query.holds(place) for place in known):  # mending that mends both
            yield verdict(group, partial(_existence, stack, callers))


def _existence(stack: Stack, callers: Callers, site: Site, events: list[Event]) -> Fail | Pass:
    event = events[0]
    if callers.is_by_hand(event.query):
        return Pass(site)  # nobody waits for the one query that somebody runs once
    values = {**words(event), "comparison": event.text, "few": event.why}
    cause = "few" if event.why else "" if event.model in stack.growing else "small"
    if event.why == FILTERED:
        cause = "filtered"
    again = _asked_again(stack.sources, event)
    if again is None:
        return Fail(site, values, cause, fix=_instead(event))
    place, rows = again
    negated = "not " if event.method.startswith("not ") else ""
    fix = (
        f"Load them once: `rows = {rows}` before the test, `if {negated}rows:` in its place, and `rows` where line "
        f"{place.region.line} asks for them again."
    )
    return Fail(site, values, cause, (Step(place, "loads the same rows"),), fix=fix)


def _instead(event: Event) -> str:
    """What to write; of a long expression only what changes in it."""
    if "…" not in event.method:
        return f"Write `{event.method}` instead."
    method = "aexists" if event.method.endswith("aexists()") else "exists"
    negated = ", with `not` before it," if event.method.startswith("not ") else ""
    return f"Ask by `.{method}()`{negated} instead of counting and comparing."


def _asked_again(sources: Sources, event: Event) -> tuple[Place, str] | None:
    """Where the branch that is taken when there are rows loads all of them, and the expression that does."""
    test = sources.at(event.query)
    tree = sources.tree(event.query.path)
    holder = tree.get(test) if test is not None else None
    if test is None or not isinstance(holder, py.If) or "await " in event.method:
        return None
    call = next((item for item in below(test) if isinstance(item, py.Call)), test)
    func = call.func if isinstance(call, py.Call) else None
    asked = code_of(func.value, 60).removesuffix(".all()") if isinstance(func, py.Attribute) else ""
    branch = holder.orelse if event.method.startswith("not ") else holder.body
    for stmt in branch if asked else ():
        for node in (stmt, *below(stmt)):
            if isinstance(node, py.Call) and code_of(node, 80) == f"{asked}.all()" and _is_final(tree, node):
                return sources.modules[event.query.path].place(node), f"{asked}.all()"
    return None


def _is_final(tree: dict[py.Node, py.Node], node: py.Node) -> bool:
    """Whether nothing more is asked of a queryset: no method is called on it."""
    return not isinstance(tree.get(node), (py.Attribute, py.Subscript))
