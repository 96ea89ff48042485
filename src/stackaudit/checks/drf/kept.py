"""What code that fields call asks for, beside what the fields load themselves.

A row keeps what one of its fields has asked for, so that code which reads the same asks no more. What code asks of the
rows that its own field has loaded is missing beside them.
"""

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


def beyond(events: Iterable[Event], in_method: Callable[[Event], bool], field: Callable[[Event], Place]) -> set[Event]:
    """The events of code that go on from what the very field which calls it lacks: one path to load, one root cause.

    A field that shows `tags` by `str(tag.colour)` asks for the tags itself, and its code for the colour of each.
    `field` gives the place of the field that an event belongs to.
    """
    failing = [event for event in events if event.outcome == "fail" and event.path]
    fields: dict[tuple[Place, Cause, tuple[str, ...]], bool] = {}
    for event in failing:
        if not in_method(event):
            cause, path, _ = _key(event)
            key = field(event), cause, path
            fields[key] = fields.get(key, True) and event.guarded
    found = set()
    for event in failing:
        if in_method(event):
            cause, path, _ = _key(event)
            loads = [fields.get((field(event), cause, path[:length])) for length in range(1, len(path))]
            if any(guarded is not None and (event.guarded or not guarded) for guarded in loads):
                found.add(event)
    return found


def _key(event: Event) -> _Key:
    whole = outermost(event)
    return cause_of(whole), whole.path, event.turns.place if event.turns is not None else None
