"""Permissions that a loop asks of each user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from stackaudit.checks.orm.causes import grouped, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_text, words
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.table import PERMISSIONS
from stackaudit.model.verdict import Fail, Pass, Site, Verdict


def asks(event: Event) -> bool:
    """Whether an event asks a user for permissions."""
    return event.method in PERMISSIONS


def judged(loops: Loops, events: Iterable[Event]) -> Iterator[Verdict]:
    """One site for each loop that asks users for permissions."""
    for group in grouped((event for event in events if asks(event)), loop_of):
        yield verdict(group, partial(_judged, loops))


def _judged(loops: Loops, site: Site, events: list[Event]) -> Fail | Pass:
    first = events[0]
    is_by_hand = first.loop is not None and loops.callers.is_by_hand(first.loop.place)
    values = {**words(first), "loop": loop_text(first)}
    cause = "permissions-by-hand" if is_by_hand else "permissions"
    return Fail(site, values, cause, flow=first.flow, cost=cost([first]))
