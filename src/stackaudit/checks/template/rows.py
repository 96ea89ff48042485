"""Queries that a template runs for each row of a queryset of its view."""

from __future__ import annotations

from collections.abc import Container, Iterator

from stackaudit.link.models.model import Model
from stackaudit.link.pages import Pages
from stackaudit.link.pages.events import PAGE, Repeat, grouped, rooted
from stackaudit.link.pages.files import Templates
from stackaudit.link.queries.amounts import ROWS
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Unsure, Verdict


def n_plus_one(stack: Stack) -> Iterator[Verdict]:
    """What loops of templates read of each row, against what the view's queryset loads."""
    for repeat in repeats(stack):
        cause = _cause(repeat, stack.models.user, stack.management.by_hand)
        yield _verdict(repeat, cause, stack.pages)


def repeats(stack: Stack) -> Iterator[Repeat]:
    """What loops of templates read of each row, by what brings the rows."""
    pages = stack.pages
    querysets: dict[str, set[Place]] = {}
    for event in rooted(pages.events):
        if event.origin is not None:
            querysets.setdefault(event.query.path, set()).add(event.origin.place)
    several = frozenset(path for path, found in querysets.items() if len(found) > 1)
    loaded = {event.query for event in pages.events if event.kind == "reverse" and event.outcome == "pass"}
    for repeat in grouped(stack.readers.told(pages.events, pages.walk), lambda event: True):
        shown = frozenset(event.path[0] for event in repeat.failing if len(event.path) == 1 and event.query in loaded)
        yield Repeat(repeat.events, shown, several)


def _cause(repeat: Repeat, user: Model | None, by_hand: Container[str]) -> str:
    """The way of failing: what is asked, where and of how many rows; `by_hand` are the files of commands."""
    failing, few = repeat.failing, repeat.few(user)
    if failing and all(event.place.path in by_hand for event in failing):
        return "by-hand"
    if failing and all(event.turns is not None and event.turns.kept for event in failing):
        return "kept"
    if all(event.kind == "bypassed" for event in failing):
        return "-".join(filter(None, ("bypassed", few if few == "short" else few and "detail")))
    guarded, query = all(event.guarded for event in failing), all(event.kind == "query" for event in failing)
    return "-".join(
        filter(None, ("guarded" if guarded else "", "query" if query else "", few and "detail" if guarded else few))
    )


def _verdict(repeat: Repeat, cause: str, pages: Pages) -> Verdict:
    event = repeat.first
    access = pages.text(event.place) or event.text or ".".join(event.path) or event.method
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
        fix=repeat.advice(pages.text),
        cost=_cost(repeat, pages.templates),
    )


def _cost(repeat: Repeat, templates: Templates) -> Cost:
    """What a request costs, or the loop of the code that renders the template for each of its rows."""
    loops = [event.turns for event in repeat.failing]
    if all(loop is not None and loop.place.path not in templates.by_path for loop in loops):
        return repeat.cost(ROWS, f"{ROWS} rows in the loop")
    return repeat.cost(PAGE, f"{PAGE} rows on a page")
