"""What is asked for every row that any query loads, while Django makes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackaudit.checks.orm.causes import grouped, verdict
from stackaudit.checks.orm.loops import words
from stackaudit.link.queries import births
from stackaudit.link.queries.amounts import ROWS
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Verdict


def asks(event: Event) -> bool:
    """Whether an event is a query that runs for each row as it is made."""
    return event.method == births.METHOD


def judged(events: Iterable[Event]) -> Iterator[Verdict]:
    """One site for each place that asks."""
    for group in grouped(filter(asks, events), _place):
        yield verdict(group, _judged)


def _place(event: Event) -> Place:
    return event.place


def _judged(site: Site, events: list[Event]) -> Fail | Pass:
    first = events[0]
    made = first.loop.text if first.loop is not None else "each row that a query loads"
    cost = Cost(ROWS + 1, ROWS, f"{ROWS} rows, assumed")
    cause = "made-conditional" if all(event.guarded for event in events) else "made"
    return Fail(site, {**words(first), "made": made}, cause, flow=first.flow, cost=cost)
