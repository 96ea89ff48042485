"""What a turn asks of a row that it has asked for itself: the one query for all rows can bring that, too."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.checks.orm.keys import held_keys
from stackaudit.link.queries.advice import loading
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


class Fetched:
    """What the turns of loops ask of the rows that they ask for, by the queries for those and by the loops."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._asked: dict[tuple[Place, Place], list[Event]] = {}
        for event in stack.queries.walk.record.fetched:
            if event.origin is not None and event.loop is not None:
                self._asked.setdefault((event.origin.place, event.loop.place), []).append(event)

    @cached_property
    def _keys(self) -> set[Place]:
        return held_keys(self._stack)

    def asked(self, event: Event) -> list[Event]:
        """What the row that a query gives is asked in the same loop, each once, but for keys that it has itself."""
        found = self._asked.get((event.query, event.loop.place), []) if event.loop is not None else []
        asked: dict[object, Event] = {}
        for item in found:
            if item.query not in self._keys:
                is_kept = item.relation is not None and not item.relation.many
                asked.setdefault(item.path if is_kept else item.query, item)
        return list(asked.values())

    def brought(self, event: Event) -> list[Event]:
        """That of it which the query can bring, as events of rows that something loads.

        Nothing where the query leaves out columns: what it joins has to have its key among them.
        """
        asked = self.asked(event)
        if any(item.method in ("only", "defer") for item in asked):
            return []
        return [
            replace(item, kind="reverse" if item.relation is not None and item.relation.many else "forward")
            for item in asked
            if not item.method
        ]

    def loading(self, event: Event) -> str:
        """The calls that let the query bring it: `.select_related("author")`; "" for nothing."""
        found = self.brought(event)
        return loading(found[0].origin, found) if found else ""
