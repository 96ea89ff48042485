"""GraphQL types over models: what a list of rows is asked by the fields and resolvers of its type.

A client chooses the fields, so every field of a type counts, and of the types below it the resolvers. A relation that
is a field reads the related row of each row. Only strawberry-django's DjangoOptimizerExtension loads relations by
itself, and what a resolver reads it learns from the hints of the resolver alone (measured with graphene-django 3.2.2
and strawberry-graphql-django 0.91).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.declared.lists import LISTED, Kind, Lists, head
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import walk as q
from stackaudit.link.queries import calls
from stackaudit.link.queries.loading import NOTHING, joined, prefetched
from stackaudit.link.queries.values import UNKNOWN, Function, Related, Row, Rows, Value
from stackaudit.link.queries.walk import At
from stackaudit.model.source import Place

_DEEPEST = 2


@dataclass(frozen=True)
class Field:
    """One field of a type: a resolver where `function` is there, else an attribute of the row.

    `inner` is what its type is made of; `hints` the decorator that tells the optimizer what to load.
    """

    name: str
    place: Place
    module: SourceModule
    function: py.FunctionDef | None = None
    owner: SourceClass | None = None
    inner: py.Expr | None = None
    hints: py.Call | None = None


@dataclass(eq=False)
class Type:
    """A type over a model."""

    cls: SourceClass
    model: Model
    fields: list[Field] = field(default_factory=list)


@dataclass(frozen=True)
class Root:
    """A field that lists rows of a type: by its resolver, else all rows of the model."""

    field: Field
    cls: SourceClass
    of_all: bool


class Dialect(Protocol):
    """One library."""

    def types(self) -> Iterator[Type]:
        """The types over models."""

    def roots(self, is_type: Container[SourceClass]) -> Iterator[Root]:
        """The fields that list rows and belong to no type over a model."""


class Graph(Kind):
    """The lists of a schema."""

    def __init__(self, lists: Lists, dialect: Dialect, optimised: bool) -> None:
        self.lists = lists
        self.dialect = dialect
        self.optimised = optimised
        self.types: dict[SourceClass, Type] = {}

    def run(self) -> None:
        """Every list that a client may ask for."""
        self.types = {item.cls: item for item in self.dialect.types()}
        for root in self.dialect.roots(self.types):
            target = self.target(root.field)
            if target is not None:
                self._root(root, target)

    def target(self, item: Field) -> Type | None:
        """The type of a field, through lists, non-null and connections; a name in a string counts too."""
        for node in nodes((item.inner,)) if item.inner is not None else ():
            found: object = None
            if type(node) is py.Name or type(node) is py.Attribute:
                found = self.lists.models.classes.resolve(item.module, node)
            elif type(node) is py.Constant and isinstance(node.value, str):
                label = node.value.strip("[]\"' ").rpartition(".")[2]
                named = [cls for cls in self.types if cls.label == label]
                found = named[0] if len(named) == 1 else None
            if isinstance(found, SourceClass) and found in self.types:
                return self.types[found]
        return None

    def _root(self, root: Root, target: Type) -> None:
        lists, item = self.lists, root.field
        with lists.survived():
            lists.walk.spent = 0
            rows: Value = UNKNOWN
            if item.function is not None:
                function = Function(item.module, item.function, UNKNOWN, root.cls)
                at: At = (item.module, head(item.function))
                rows = lists.rows(calls.call(lists.walk, function, (UNKNOWN,), {}, at, item.name))
            elif root.of_all:
                rows = lists.all_rows(target.model, item.place)
            made = self._narrowed(target, rows)
            if isinstance(made, LISTED) and (not isinstance(made, Rows) or made.model is not None):
                text = f"{root.cls.label}.{item.name} lists {target.cls.label}"
                with lists.each(made, item.place, text, root.cls.name) as row:
                    if isinstance(row, Row) and _is(row.model, target.model):
                        self._ask(target, row, (target,))

    def _narrowed(self, target: Type, rows: Value) -> Value:
        """What the type's own `get_queryset(queryset, info)` makes of rows."""
        found = target.cls.find("get_queryset")
        if found is None or not isinstance(found.node, py.FunctionDef) or not isinstance(rows, Rows):
            return rows
        function = Function(found.owner.module, found.node, UNKNOWN, found.owner)
        at: At = (found.owner.module, head(found.node))
        made = self.lists.rows(calls.call(self.lists.walk, function, (rows, UNKNOWN), {}, at, "get_queryset()"))
        return made if isinstance(made, Rows) else UNKNOWN

    def _ask(self, target: Type, row: Row, chain: tuple[Type, ...]) -> None:
        for item in target.fields:
            if item.function is None and len(chain) > 1:
                continue  # what a client nests below is open; what a resolver reads of each row is not
            if item.function is not None:
                value = self._resolved(item, self._hinted(item, row))
            else:
                value = self.lists.path(self._loaded(item, row), (item.name,), item.place)
            inner = self.target(item)
            if inner is not None and inner not in chain and len(chain) < _DEEPEST:
                for related in self.lists.many(value, item.place, item.name):
                    if isinstance(related, Row) and _is(related.model, inner.model):
                        self._ask(inner, related, (*chain, inner))
            elif isinstance(value, (Rows, Related)):
                for _ in self.lists.many(value, item.place, item.name):
                    pass

    def _resolved(self, item: Field, row: Row) -> Value:
        assert item.function is not None
        lists = self.lists
        others: dict[str, Value] = {
            param.name: row for param in item.function.params[1:] if param.name in ("root", "parent")
        }
        lists.places.setdefault(item.place, item.name)
        function = Function(item.module, item.function, None, item.owner)
        return lists.rows(q.call(lists.walk, function, (row,), others, item.place, f"{item.name}(…)"))

    def _loaded(self, item: Field, row: Row) -> Row:
        """A row with the relation that the optimizer loads for a field."""
        relation = row.model.relation(item.name)
        if not self.optimised or relation is None:
            return row
        load = row.load.with_many(item.name, NOTHING) if relation.many else row.load.with_one(item.name, NOTHING)
        return replace(row, load=load)

    def _hinted(self, item: Field, row: Row) -> Row:
        """A row with what the hints of a resolver make the optimizer load."""
        if not self.optimised or item.hints is None:
            return row
        load = row.load
        for option, add in (("select_related", joined), ("prefetch_related", prefetched)):
            given = keyword(item.hints, option)
            if given is None:
                continue
            paths = [node.value for node in nodes((given,)) if type(node) is py.Constant]
            for path in paths:
                load = add(load, row.model, path) if isinstance(path, str) else load
            if not paths or any(type(node) is py.Lambda for node in nodes((given,))):
                load = replace(load, unknown=load.unknown or "the hints of the resolver cannot be followed")
        return replace(row, load=load)


def _is(model: Model, other: Model) -> bool:
    return model is other or other in model.family() or model in other.family()


def relation_fields(model: Model) -> list[str]:
    """The attributes of a model that lead to related rows."""
    return [name for item in model.family() for name in item.relations]


def list_like(node: py.Expr | None) -> bool:
    """Whether an expression or annotation makes a list or a connection of something."""
    if node is None:
        return False
    names = (dotted(item) for item in nodes((node,)) if type(item) in (py.Name, py.Attribute))  # type: ignore[arg-type]
    texts = (item.value for item in nodes((node,)) if type(item) is py.Constant)
    words = [name.rpartition(".")[2] for name in names] + [text for text in texts if isinstance(text, str)]
    return any(mark in word for word in words for mark in ("List", "list[", "Connection", "Paginated", "Iterable")) or (
        "list" in words
    )


__all__ = ["Dialect", "Field", "Graph", "Root", "Type", "list_like", "relation_fields"]
