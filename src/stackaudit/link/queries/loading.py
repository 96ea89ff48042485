"""What each row of a queryset brings with it: joined and prefetched relations, missing columns."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from stackaudit.link.models.model import Model, Relation


class Load(Struct, frozen=True, cache_hash=True):
    """What is loaded with a row.

    - `one`: relations to one row that are there (joined, prefetched or assigned), with what those rows bring;
    - `many`: accessors of many rows that are prefetched, with what those rows bring;
    - `attributes`: names that are not the model's own (`to_attr`, annotations, assigned ones);
    - `lists`: `to_attr` lists of a Prefetch, with the model and what its rows bring;
    - `deferred`: columns that are missing; `only`: the columns that are there, None for all;
    - `every_one`: a bare `select_related()`: every foreign key that is not null;
    - `peers`: `fetch_mode(FETCH_PEERS)`; `unknown`: why the loading cannot be told ("" where it can).
    """

    one: tuple[tuple[str, Load], ...] = ()
    many: tuple[tuple[str, Load], ...] = ()
    attributes: frozenset[str] = frozenset()
    lists: tuple[tuple[str, Model, Load], ...] = ()
    deferred: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    every_one: bool = False
    peers: bool = False
    unknown: str = ""
    joined: frozenset[str] = frozenset()

    def to_one(self, name: str) -> Load | None:
        """What the row under `name` brings, None where it is not loaded."""
        return next((load for key, load in self.one if key == name), None)

    def to_many(self, name: str) -> Load | None:
        """What the rows under the accessor `name` bring, None where they are not prefetched."""
        return next((load for key, load in self.many if key == name), None)

    def joins(self, relation: Relation | None) -> bool:
        """Whether the rows come joined with the row behind a relation."""
        if relation is None:
            return False
        return relation.name in self.joined or (
            self.every_one and relation.relation in ("fk", "o2o") and not relation.null
        )

    def with_one(self, name: str, load: Load, joined: bool = False) -> Load:
        """The same with the relation `name` loaded."""
        before = self.to_one(name)
        rest = tuple(item for item in self.one if item[0] != name)
        merged = load if before is None else before.merge(load)
        return replace(self, one=(*rest, (name, merged)), joined=self.joined | {name} if joined else self.joined)

    def with_many(self, name: str, load: Load) -> Load:
        """The same with the accessor `name` prefetched."""
        before = self.to_many(name)
        rest = tuple(item for item in self.many if item[0] != name)
        return replace(self, many=(*rest, (name, load if before is None else before.merge(load))))

    def without_joins(self) -> Load:
        """After `select_related(None)`."""
        kept = tuple(item for item in self.one if item[0] not in self.joined)
        return replace(self, one=kept, joined=frozenset(), every_one=False)

    def without_prefetches(self) -> Load:
        """After `prefetch_related(None)`."""
        return replace(self, one=tuple(item for item in self.one if item[0] in self.joined), many=(), lists=())

    def merge(self, other: Load) -> Load:
        """Both together: what one of two branches loads counts as loaded, so that no alarm rests on a guess."""
        if other == self:
            return self
        merged = self
        for name, load in other.one:
            merged = merged.with_one(name, load, name in other.joined)
        for name, load in other.many:
            merged = merged.with_many(name, load)
        return replace(
            merged,
            attributes=self.attributes | other.attributes,
            lists=(*self.lists, *(item for item in other.lists if item not in self.lists)),
            deferred=self.deferred & other.deferred,
            only=None if self.only is None or other.only is None else self.only | other.only,
            every_one=self.every_one or other.every_one,
            peers=self.peers or other.peers,
            unknown=self.unknown or other.unknown,
        )


NOTHING = Load()
NEW = Load(unknown="new")
BORN = "born"
"""`Load.unknown` of a row that Django is making: nothing that a query loads beside it is there yet."""
STORED = "@stored"
"""An attribute of rows that `create()` has just written."""
UNSAVED = "@unsaved"
"""An attribute of rows whose primary key was taken away: `save()` writes a copy."""
ORDERED = "@ordered"
"""An attribute of prefetched rows whose queryset says in which order they come."""
SET, TRUE = "@set:", "@true:"
"""How the attributes begin that say of another one that its value is not None, or that it is true."""
SPECIFIC = "specific"
"""An attribute of Wagtail's pages that come as rows of their own class: the name of the method that brings those."""
PARENT = Load(unknown="the parent row")
SOMEWHERE = Load(unknown="where this row comes from is not known")
REQUEST_USER = Load(unknown="the request's user")


def joined(load: Load, model: Model, path: str) -> Load:
    """After `select_related(path)`; a path that the model does not know makes the loading unknown."""
    name, _, rest = path.partition("__")
    relation = model.by_query_name(name)
    if relation is None or relation.many:
        return replace(load, unknown=load.unknown or f'select_related("{path}") names a relation not known here')
    inner = load.to_one(relation.name) or NOTHING
    if rest:
        inner = joined(inner, relation.target, rest) if relation.target is not None else _unsure(path)
    return load.with_one(relation.name, inner, joined=True)


def prefetched(load: Load, model: Model, path: str, last: Load | None = None, to_attr: str = "") -> Load:
    """After `prefetch_related(path)`, or `Prefetch(path, queryset that brings last, to_attr)`."""
    name, _, rest = path.partition("__")
    made = next((item for item in load.lists if item[0] == name), None)
    if made is not None and rest:
        inner = prefetched(made[2], made[1], rest, last, to_attr)
        others = tuple(item for item in load.lists if item[0] != name)
        return replace(load, lists=(*others, (name, made[1], inner)))
    relation = model.relation(name) or model.by_query_name(name)
    if relation is None:
        if name in load.attributes:
            return load
        return replace(load, unknown=load.unknown or f'prefetch_related("{path}") names a relation not known here')
    if not rest and to_attr:
        if relation.target is None:
            return replace(load, attributes=load.attributes | {to_attr})
        brought = with_parent(last or NOTHING, relation)
        if not relation.many:
            return replace(load.with_one(to_attr, brought), attributes=load.attributes | {to_attr})
        return replace(load, lists=(*load.lists, (to_attr, relation.target, brought)))
    known = load.to_many(relation.name) if relation.many else load.to_one(relation.name)
    inner = known or NOTHING
    if rest and _leads_back(relation, inner, rest):
        there, (_, _, more) = prefetched(load, model, name), rest.partition("__")
        return prefetched(there, model, more, last, to_attr) if more else there
    if rest:
        inner = prefetched(inner, relation.target, rest, last, to_attr) if relation.target else _unsure(path)
    elif last is not None:
        inner = known.merge(last) if known is not None else last
    inner = with_parent(inner, relation)
    return load.with_many(relation.name, inner) if relation.many else load.with_one(relation.name, inner)


def _leads_back(relation: Relation, inner: Load, rest: str) -> bool:
    """Whether a path goes on from rows to the one that they were reached from: Django takes that row, and asks nothing.

    What follows is prefetched for the rows that the path began at, then.
    """
    known = with_parent(inner, relation).to_one(relation.remote) if relation.remote else None
    return known is PARENT and rest.partition("__")[0] == relation.remote


def with_parent(load: Load, relation: Relation) -> Load:
    """Rows reached through a reverse foreign key know the row they were reached from."""
    if relation.relation in ("reverse_fk", "reverse_o2o") and relation.remote and load.to_one(relation.remote) is None:
        link = relation.target.relation(relation.remote) if relation.target is not None else None
        return load if load.joins(link) else load.with_one(relation.remote, PARENT)
    return load


def _unsure(path: str) -> Load:
    return Load(unknown=f'where "{path}" leads is not known here')
