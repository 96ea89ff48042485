"""What a loop asks of nodes of trees, pages and histories, one row after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from stackaudit.checks.orm.causes import grouped, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.link.queries import packaged
from stackaudit.link.queries.events import Event
from stackaudit.model.verdict import Fail, Pass, Site, Verdict

_CAUSES = {"by-hand": "tree-by-hand", "few": "tree-few", "detail": "tree-few", "pair": "tree-few"}


def asks(event: Event) -> bool:
    """Whether an event is a query of a method that the package behind a model gives to its rows."""
    return event.method in packaged.ASKED


def judged(loops: Loops, events: Iterable[Event]) -> Iterator[Verdict]:
    """One site for each loop that asks for the surroundings of its rows; none where its turns change the tree."""
    asked = (event for event in events if asks(event) and not _is_changed(loops, event))
    for group in grouped(asked, loop_of):
        yield verdict(group, partial(_judged, loops))


def _is_changed(loops: Loops, event: Event) -> bool:
    changed = loops.changed.get(event.loop.place, ()) if event.loop is not None else ()
    return event.model is not None and any(model.label in changed for model in event.model.family())


def _judged(loops: Loops, site: Site, events: list[Event]) -> Fail | Pass:
    first = events[0]
    values = {**words(first), "loop": loop_text(first)}
    said = packaged.at_once(first.method, first.model) if first.model is not None else ""
    fix = f"{said[0].upper()}{said[1:]}." if said else ""
    cause = _CAUSES.get(loops.cause(site, [first]), "tree")
    return Fail(site, values, cause, loop_step(events), first.flow, fix, cost([first]))
