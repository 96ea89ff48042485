"""Writes that a loop repeats and that one statement could do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.checks.orm.bulk import in_one_statement
from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.checks.orm.short import is_selected, is_short
from stackaudit.checks.orm.turns import Turn, Turns
from stackaudit.link.queries.events import Event
from stackaudit.model.verdict import Fail, Pass, Site, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_BUSY = 2
"""A turn that asks the database so often beside its write gains little by one statement less."""


def write_in_loop(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop that writes row by row, and for each statement that writes many rows."""
    loops, turns = Loops.of(stack), Turns(stack)
    for group in grouped((event for event in own(stack) if event.kind == "write"), loop_of):
        yield verdict(group, lambda site, events: _write(loops, turns, site, events))


def _write(loops: Loops, turns: Turns, site: Site, events: list[Event]) -> Fail | Pass:
    """What is to say of the writes of one loop: nothing where a single statement would gain next to nothing."""
    turn = turns.of(events) or Turn()
    if turn.outside or len(turn.asks) >= _BUSY:
        return Pass(site)
    causes = []
    if turn.needs:
        causes.append("needed")
    elif turn.asks:
        causes.append("beside")
    if all(is_short(loops.listed, loops.callers, turns, event) for event in events):
        causes.append("few")
    if all(turns.is_conditional(event) for event in events):
        causes.append("conditional")
    if len(causes) + turns.is_fetched(events[0]) > 1:
        return Pass(site)
    if loops.callers.is_by_hand(site.place):
        causes.insert(0, "by-hand")
    if not causes and all(is_selected(turns, event) for event in events):
        causes.append("few")
    if not causes and loops.callers.is_rescue(site.place):
        causes.append("rescue")
    if not causes and (loops.in_background(site, events[0]) or site.place.path.endswith("admin.py")):
        causes.append("background")
    if not causes and (events[0].owner is not None or not turns.goes_through_rows(events[0])):
        causes.append("given")
    cause = causes[0] if causes else ""
    said = {**words(events[0]), "loop": loop_text(events[0]), "other": turn.asks[0] if turn.asks else ""}
    return Fail(
        site, said, cause, loop_step(events), events[0].flow, in_one_statement(turns, events[0], cause == "needed"),
        cost(events[:1]) if cause != "few" else None,
    )  # fmt: skip
