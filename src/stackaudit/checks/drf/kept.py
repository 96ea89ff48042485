"""What several fields read of the same related row: a row keeps it once one of them has asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from stackaudit.link.pages.events import Cause, cause_of, outermost
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place

_Key: TypeAlias = tuple[Cause, tuple[str, ...], Place | None]
"""The queryset, the path from its rows, and the list that writes them out."""


def kept(events: Iterable[Event], in_method: Callable[[Event], bool]) -> dict[Event, Event]:
    """The events of code that fields call which ask for what a field of the same list loads itself, with that field's.

    Where the field itself asks under a condition alone, code that always asks is no such event. Rows behind a relation
    to many that nobody loads are others each time.
    """
    failing = [event for event in events if event.outcome == "fail" and event.path]
    several = {_key(event)[:2] for event in failing if event.kind != "forward"}
    fields: dict[_Key, Event] = {}
    for event in failing:
        if event.kind == "forward" and not in_method(event):
            known = fields.setdefault(_key(event), event)
            if known.guarded and not event.guarded:
                fields[_key(event)] = event
    found = {}
    for event in failing:
        cause, path, _ = key = _key(event)
        loads = fields.get(key) if event.kind == "forward" and in_method(event) else None
        is_same = not any((cause, path[:length]) in several for length in range(1, len(path)))
        if loads is not None and is_same and (event.guarded or not loads.guarded):
            found[event] = loads
    return found


def _key(event: Event) -> _Key:
    whole = outermost(event)
    return cause_of(whole), whole.path, event.turns.place if event.turns is not None else None
