"""What a loop asks of nodes of trees, pages, histories and rows of several classes, one row after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from stackaudit.checks.orm.causes import grouped, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.link.models.model import Model
from stackaudit.link.queries import kinds, packaged
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import KIND
from stackaudit.model.prose import in_words
from stackaudit.model.verdict import Fail, Pass, Site, Verdict

_CAUSES = {"by-hand": "tree-by-hand", "few": "tree-few", "detail": "tree-few", "pair": "tree-few"}


def asks(event: Event) -> bool:
    """Whether an event is a query of what a package gives to rows, or of what their own class alone has."""
    return event.method in packaged.ASKED or event.method.startswith(KIND)


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
    is_of_kind = first.method.startswith(KIND)
    of_kinds = list(dict.fromkeys(event.method for event in events if event.method.startswith(KIND)))
    names = list(dict.fromkeys(method.removeprefix(KIND).partition(".")[0] for method in of_kinds))
    values = {**words(first), "loop": loop_text(first), "kind": _one_of(names)}
    models = list(dict.fromkeys(event.model for event in events if event.method == first.method and event.model))
    found = loops.cause(site, [first])
    cause = _CAUSES.get(found.removeprefix("conditional-") if is_of_kind else found, "tree")
    cause = "tree-each" if cause == "tree" and first.method == packaged.HISTORIES else cause
    cause = cause.replace("tree", "kind") if is_of_kind else cause
    fix = _begun(kinds.at_once(of_kinds)) if is_of_kind else _fix(first.method, models)
    return Fail(site, values, cause, loop_step(events), first.flow, fix, cost([first]))


def _fix(method: str, models: list[Model]) -> str:
    """How the rows of all turns are answered at once, also where they are of several models; "" where none is known."""
    if not models:
        return ""
    if len(models) > 1 and method == packaged.HISTORIES:
        names = in_words([model.name.removeprefix(packaged.HISTORICAL) for model in models])
        return f"The rows are of {names}: {packaged.histories(models)}."
    return _begun(packaged.at_once(method, models[0]))


def _one_of(names: list[str]) -> str:
    *begin, last = names or [""]
    return f"{', '.join(begin)} or {last}" if begin else last


def _begun(told: str) -> str:
    return f"{told[0].upper()}{told[1:]}."
