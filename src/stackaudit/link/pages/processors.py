"""Context processors of the project, and the queries that they run whatever page is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.pages import context_processors
from stackaudit.link.queries import calls, release
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import Loop, Other
from stackaudit.link.queries.walk import Walk
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


@dataclass(frozen=True)
class Processor:
    """A context processor; `place` is its definition, `queries` are those that no condition stands before."""

    name: str
    place: Place
    queries: tuple[Event, ...]


class _EveryPage(Walk):
    """A walk that takes every query for one that repeats: once for each page."""

    page: Loop

    def repeating(self, value_loops: frozenset[Loop]) -> Loop | None:
        """The page, always."""
        return super().repeating(value_loops) or self.page


def asked(stack: Stack) -> Iterator[Processor]:
    """Every context processor of the project with its queries."""
    for name, function in context_processors(stack):
        module, node = function.module, function.node
        assert isinstance(node, py.FunctionDef)
        place = module.place(py.Name(node.start, node.start + 4 + len(node.name), node.name))
        walk = _EveryPage(stack.models, release(stack))
        walk.page = Loop(place, 0, text="every page")
        walk.loops.append(walk.page)
        calls.apply(walk, function, (Other(name="@request"),), {}, place, f"{node.name}(request)")
        found = [
            event for event in walk.record.events
            if event.outcome == "fail" and not event.guarded and event.kind in ("query", "reverse")
        ]  # fmt: skip
        yield Processor(name, place, tuple(_at_query(event) for event in found))


def _at_query(event: Event) -> Event:
    from msgspec.structs import replace

    return replace(event, place=event.query)
