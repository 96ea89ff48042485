"""Queries that a loop repeats and that one query before it could ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.link.queries.events import Event
from stackaudit.model.verdict import Fail, Site, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

NEAR = 2
"""So many calls below a loop a query is still the loop's business; deeper ones belong to what is called."""


def query_in_loop(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop that runs a query which changes with its turns."""
    near = (event for event in own(stack) if event.kind == "query" and event.below <= NEAR)
    for group in grouped(near, loop_of):
        yield verdict(group, partial(_query, Loops.of(stack)))


def _query(loops: Loops, site: Site, events: list[Event]) -> Fail:
    said = words(events[0])
    return Fail(
        site, {**said, "loop": loop_text(events[0])}, loops.cause(site, events), loop_step(events), events[0].flow,
        cost=cost(len({event.query for event in events}), events),
    )  # fmt: skip
