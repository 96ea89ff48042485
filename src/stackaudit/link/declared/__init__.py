"""What classes of libraries and of Django itself declare: columns, exports, feeds, search documents, types, choices.

`resolve(stack)` gives `Declared`. Its `events` are what these declarations ask the database for, for each row of the
lists that they show. The rooms: `lists` (the walk and its words), one module for each kind of class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.link.declared.lists import Kind, Lists
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


class Declared:
    """The lists that classes declare, walked."""

    def __init__(self, lists: Lists | None, kinds: tuple[Kind, ...]) -> None:
        self.lists = lists
        if lists is not None:
            lists.hooks.kinds.extend(kinds)
        for kind in kinds:
            kind.run()

    @cached_property
    def events(self) -> list[Event]:
        """What is asked for each row, in the order of the walk; each at the line that declares it."""
        if self.lists is None:
            return []
        places = self.lists.places
        return [
            replace(event, text=event.text or ".".join(event.path) or places[event.place])
            for event in self.lists.walk.record.events
            if event.place in places
        ]

    @property
    def batches(self) -> frozenset[Place]:
        """The loops that no request runs: an index is built by a command, and a signal puts a single row into it."""
        return frozenset(self.lists.batches) if self.lists is not None else frozenset()


def _tables(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.tables import Tables

    return Tables(lists)


def _resources(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.resources import Resources

    return Resources(lists, stack.admin, stack.packages)


def _feeds(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.feeds import Feeds

    return Feeds(lists)


def _documents(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.search import Documents

    return Documents(lists)


def _graphene(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.graphene import Graphene
    from stackaudit.link.declared.graphql import Graph

    return Graph(lists, Graphene(lists), optimised=False)


def _strawberry(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.graphql import Graph
    from stackaudit.link.declared.strawberry import OPTIMIZER, Strawberry

    return Graph(lists, Strawberry(lists), stack.modules.imports(OPTIMIZER))


def _choices(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.choices import Choices

    return Choices(lists, stack.admin)


def _operations(lists: Lists, stack: Stack) -> Kind:
    from stackaudit.link.declared.schemas import Operations

    return Operations(lists)


_KINDS: tuple[tuple[tuple[str, ...], Callable[[Lists, Stack], Kind]], ...] = (
    (("django_tables2",), _tables),
    (("import_export",), _resources),
    (("django.contrib.sitemaps", "django.contrib.syndication"), _feeds),
    (("haystack", "django_elasticsearch_dsl", "django_opensearch_dsl"), _documents),
    (("graphene_django",), _graphene),
    (("strawberry_django", "strawberry.django"), _strawberry),
    (("django.forms", "django_filters"), _choices),
    (("ninja",), _operations),
)


def resolve(stack: Stack) -> Declared:
    """Walk what classes of the libraries that a stack imports declare; nothing where it imports none of them."""
    wanted = [make for names, make in _KINDS if any(stack.modules.imports(name) for name in names)]
    if not wanted:
        return Declared(None, ())
    from stackaudit.link.queries import fresh_walk

    lists = Lists(stack.models, fresh_walk(stack), stack.templates)
    return Declared(lists, tuple(make(lists, stack) for make in wanted))
