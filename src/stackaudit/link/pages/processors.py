"""Context processors of the project, and the queries that they run whatever page is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.pages import context_processors
from stackaudit.link.pages.each_time import queries
from stackaudit.link.queries import release
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import Other
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


@dataclass(frozen=True)
class Processor:
    """A context processor; `place` is its definition, `queries` are those that no condition stands before."""

    name: str
    place: Place
    node: py.FunctionDef
    queries: tuple[Event, ...]


def asked(stack: Stack) -> Iterator[Processor]:
    """Every context processor of the project with its queries."""
    for name, function in context_processors(stack):
        module, node = function.module, function.node
        assert isinstance(node, py.FunctionDef)
        place = module.place(py.Name(node.start, node.start + 4 + len(node.name), node.name))
        request = (Other(name="@request"),)
        found = queries(stack.models, release(stack), function, request, {}, place, "every page")
        yield Processor(name, place, node, tuple(_at_query(event) for event in found if event.outcome == "fail"))


def _at_query(event: Event) -> Event:
    return replace(event, place=event.query)
