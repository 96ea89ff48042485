"""What a loop asks of nodes of trees, pages and histories, one row after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from stackaudit.checks.orm.causes import grouped, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.link.models.model import Model
from stackaudit.link.queries import packaged
from stackaudit.link.queries.events import Event
from stackaudit.model.prose import in_words
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
    models = list(dict.fromkeys(event.model for event in events if event.method == first.method and event.model))
    cause = _CAUSES.get(loops.cause(site, [first]), "tree")
    cause = "tree-each" if cause == "tree" and first.method == packaged.HISTORIES else cause
    return Fail(site, values, cause, loop_step(events), first.flow, _fix(first.method, models), cost([first]))


def _fix(method: str, models: list[Model]) -> str:
    """How the rows of all turns are answered at once, also where they are of several models; "" where none is known."""
    if not models:
        return ""
    if len(models) > 1 and method == packaged.HISTORIES:
        names = in_words([model.name.removeprefix(packaged.HISTORICAL) for model in models])
        return f"The rows are of {names}: {packaged.histories(models)}."
    told = packaged.at_once(method, models[0])
    return f"{told[0].upper()}{told[1:]}."
