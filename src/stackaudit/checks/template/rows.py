"""Queries that a template runs for each row of a queryset of its view."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from stackaudit.facts import template as t
from stackaudit.link.models.model import Model
from stackaudit.link.pages.events import PAGE, Repeat, grouped, rooted
from stackaudit.link.pages.files import Templates, flat
from stackaudit.link.queries.amounts import ROWS
from stackaudit.link.queries.events import Event
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place, Region
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Unsure, Verdict


def n_plus_one(stack: Stack) -> Iterator[Verdict]:
    """What loops of templates read of each row, against what the view's queryset loads."""
    pages = stack.pages
    querysets: dict[str, set[Place]] = {}
    for event in rooted(pages.events):
        if event.origin is not None:
            querysets.setdefault(event.query.path, set()).add(event.origin.place)
    several = frozenset(path for path, found in querysets.items() if len(found) > 1)
    loaded = {event.query for event in pages.events if event.kind == "reverse" and event.outcome == "pass"}
    for repeat in grouped(stack.readers.told(pages.events, pages.walk), lambda event: True):
        shown = frozenset(event.path[0] for event in repeat.failing if len(event.path) == 1 and event.query in loaded)
        cause = _cause(repeat, stack.models.user, stack.management.by_hand)
        yield _verdict(Repeat(repeat.events, shown, several), cause, pages.text, pages.templates)


def _cause(repeat: Repeat, user: Model | None, by_hand: Container[str]) -> str:
    """The way of failing: what is asked, where and of how many rows; `by_hand` are the files of commands."""
    failing, few = repeat.failing, repeat.few(user)
    if failing and all(event.place.path in by_hand for event in failing):
        return "by-hand"
    if failing and all(event.turns is not None and event.turns.kept for event in failing):
        return "kept"
    if all(event.kind == "bypassed" for event in failing):
        return "-".join(filter(None, ("bypassed", few and "detail")))
    guarded, query = all(event.guarded for event in failing), all(event.kind == "query" for event in failing)
    return "-".join(
        filter(None, ("guarded" if guarded else "", "query" if query else "", few and "detail" if guarded else few))
    )


def _verdict(repeat: Repeat, cause: str, text_of: Callable[[Place], str], templates: Templates) -> Verdict:
    event = repeat.first
    access = text_of(event.place) or event.text or ".".join(event.path) or event.method
    where = event.origin.where if event.origin is not None else ""
    loop = event.turns.text if event.turns is not None else ""
    site = Site(event.place, f"{where or event.where} > {event.place.path}: {access}")
    if event.outcome == "pass":
        return Pass(site)
    if event.outcome == "unknown":
        return Unsure(site, event.why)
    origin = repeat.origin.text if repeat.origin is not None else ""
    return Fail(
        site,
        {
            "access": access,
            "loop": loop,
            "relation": repeat.relations or event.method,
            "queryset": f"`{origin}`" if origin else "the queryset",
            "where": where or "the view",
            "method": event.method,
        },
        cause=cause,
        related=repeat.related(),
        flow=event.flow,
        fix=_advice(repeat, text_of, templates),
        cost=_cost(repeat, templates),
    )


def _cost(repeat: Repeat, templates: Templates) -> Cost:
    """What a request costs, or the loop of the code that renders the template for each of its rows."""
    loops = [event.turns for event in repeat.failing]
    if all(loop is not None and loop.place.path not in templates.by_path for loop in loops):
        return repeat.cost(ROWS, f"{ROWS} rows in the loop")
    return repeat.cost(PAGE, f"{PAGE} rows on a page")


def _advice(repeat: Repeat, text_of: Callable[[Place], str], templates: Templates) -> str:
    """What to load, and of which relations the key is enough."""
    only = _only_tested(repeat, templates)
    paths = {event.path for event in only}
    rest = Repeat([event for event in repeat.events if event.path not in paths], repeat.shown, repeat.several)
    told = [rest.advice(text_of)] if rest.failing else []
    places = {f"`{text}_id` for `{text}` in {event.place.path}" for event in only if (text := text_of(event.place))}
    told += [f"Write {place}: the key is a column of the row." for place in sorted(places)]
    return " ".join(told)


def _only_tested(repeat: Repeat, templates: Templates) -> list[Event]:
    """The accesses to foreign keys of which templates only ask whether there is a row."""
    found: dict[tuple[str, ...], list[Event]] = {}
    for event in repeat.failing:
        found.setdefault(event.path, []).append(event)
    return [
        event
        for path, events in found.items()
        if path and not any(other[: len(path)] == path != other for other in found)
        if all(_is_test(event, templates) for event in events)
        for event in events
    ]


def _is_test(event: Event, templates: Templates) -> bool:
    file = templates.by_path.get(event.place.path)
    if file is None or event.relation is None or event.relation.relation not in ("fk", "o2o"):
        return False
    return event.place == event.query and event.place.region in _tested(file.tree.nodes)


def _tested(nodes: tuple[t.Node, ...]) -> set[Region]:
    """Where paths stand as a condition, or as a part of one that is no comparison."""
    conditions = [branch.test for node in flat(nodes) if isinstance(node, t.If) for branch in node.branches]
    found: set[Region] = set()
    while conditions:
        test = conditions.pop()
        if isinstance(test, t.Path):
            found.add(test.region)
        elif isinstance(test, t.Operation) and test.op in ("and", "or", "not"):
            conditions.extend(test.operands)
    return found
