"""Counts that only say whether there is anything at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.loops import words
from stackaudit.checks.orm.repetition import repeated
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Site, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


def count_as_existence(stack: Stack) -> Iterator[Verdict]:
    """One site for each comparison of a count with nothing."""
    known = repeated(stack)
    for group in grouped((event for event in own(stack) if event.kind == "existence"), lambda event: event.query):
        if not any(_holds(group[0].query, place) for place in known):
            yield verdict(group, _existence)


def _holds(outer: Place, inner: Place) -> bool:
    """Whether a count that was made before stands in the comparison: making it once mends both."""
    one, other = outer.region, inner.region
    return outer.path == inner.path and (one.line, one.column) <= (other.line, other.column) <= (
        one.end_line,
        one.end_column,
    )


def _existence(site: Site, events: list[Event]) -> Fail:
    event = events[0]
    return Fail(site, {**words(event), "comparison": event.text}, fix=f"Write `{event.method}` instead.")
