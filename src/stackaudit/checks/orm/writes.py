"""Writes that a loop repeats and that one statement could do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.loops import FEW, Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.checks.orm.turns import Turn, Turns
from stackaudit.link.queries.events import Event
from stackaudit.model.verdict import Fail, Pass, Site, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_BUSY = 2
"""A turn that asks the database so often beside its write gains little by one statement less."""
_POSTED = re.compile(r"\b(?:cleaned|validated)_data\b")
_FIXES = {
    "create": "Collect the objects in a list and pass it to `bulk_create()` after the loop.",
    "save": "Change the objects in the loop and write them after it with `bulk_update(objects, [fields])` "
    "(new objects: `bulk_create()`).",
    "delete": "Delete with one statement: call `delete()` on the queryset, or `filter(…__in=…).delete()`.",
    "update": "Write with one statement: `filter(…__in=…).update(…)`, or `bulk_update()` where the values differ.",
    "add": "Collect the objects and pass them all at once: `.add(*objects)`.",
    "remove": "Collect the objects and pass them all at once: `.remove(*objects)`.",
    "get_or_create": "Read what exists with one `filter(…__in=…)`, then `bulk_create()` the rest.",
    "update_or_create": "Use `bulk_create(objects, update_conflicts=True, update_fields=…, unique_fields=…)`.",
}
_FIXES_OF_NEEDED = {
    "create": "Make all objects first and write them with one `bulk_create()`; go on with the list that it returns.",
    "save": "Make all objects first and write them with one `bulk_create()`; go on with the list that it returns.",
    "get_or_create": "Read what exists with one `filter(…__in=…)` before the loop, `bulk_create()` the rest, and let "
    "the loop take the objects from a dictionary.",
    "update_or_create": "Read what exists with one `filter(…__in=…)` before the loop: that tells what is new. Then "
    "write with `bulk_create(objects, update_conflicts=True, update_fields=…, unique_fields=…)`.",
}


def write_in_loop(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop that writes row by row, and for each statement that writes many rows."""
    loops, turns = Loops.of(stack), Turns(stack)
    for group in grouped((event for event in own(stack) if event.kind == "write"), loop_of):
        yield verdict(group, lambda site, events: _write(loops, turns, site, events))


def _write(loops: Loops, turns: Turns, site: Site, events: list[Event]) -> Fail | Pass:
    """What is to say of the writes of one loop: nothing where a single statement would gain next to nothing."""
    turn = turns.of(events) or Turn()
    if turn.outside or len(turn.asks) >= _BUSY or turns.is_sample(events[0]):
        return Pass(site)
    causes = []
    if turn.needs:
        causes.append("needed")
    elif turn.asks:
        causes.append("beside")
    if all(is_short(loops, turns, event) for event in events):
        causes.append("few")
    if all(turns.is_conditional(event) for event in events):
        causes.append("conditional")
    if len(causes) + turns.is_fetched(events[0]) > 1:
        return Pass(site)
    if not causes and (loops.in_background(site, events[0]) or site.place.path.endswith("admin.py")):
        causes.append("background")
    if not causes and not turns.goes_through_rows(events[0]):
        causes.append("given")
    cause = causes[0] if causes else ""
    said = {**words(events[0]), "loop": loop_text(events[0]), "other": turn.asks[0] if turn.asks else ""}
    fixes = _FIXES_OF_NEEDED if cause == "needed" else _FIXES
    return Fail(
        site, said, cause, loop_step(events), events[0].flow, fixes.get(events[0].method, ""),
        cost(len({event.query for event in events}), events) if cause != "few" else None,
    )  # fmt: skip


def is_short(loops: Loops, turns: Turns, event: Event) -> bool:
    """Whether a loop goes through what is a handful: a list in one column, what a form or a request brought."""
    if event.loop is None:
        return False
    return (
        event.loop.place in loops.listed
        or turns.is_cut(event)
        or FEW.search(event.loop.text) is not None
        or _POSTED.search(turns.source(event)) is not None
    )
