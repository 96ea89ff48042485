"""Schemas of pydantic and django-ninja that are made of rows: each field reads an attribute, as its annotation says.

`BookOut.model_validate(book)` and `from_orm()` read every field of the object (pydantic 2.14, `from_attributes`).
django-ninja asks `resolve_<name>(obj)` first, follows dotted aliases and goes through managers (ninja 1.7,
https://django-ninja.dev/guides/response/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models.model import keyword
from stackaudit.link.modules import SourceModule, decorators, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import builtin, calls, loops
from stackaudit.link.queries.values import ClassRef, Function, Mapping, Method, Related, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.source import Place

MAKES = frozenset({"model_validate", "from_orm"})
_BASES = frozenset({"BaseModel", "Schema", "ModelSchema"})
_DEEPEST = 4


@dataclass(frozen=True)
class Field:
    """One field of a schema: what it reads of the object, or the method that works it out, and the schema below it."""

    name: str
    path: tuple[str, ...]
    owner: SourceClass
    node: py.Node
    resolver: Member | None = None
    inner: SourceClass | None = None

    @property
    def place(self) -> Place:
        """Where the field is declared."""
        return self.owner.module.place(self.node)


_Where: TypeAlias = Callable[[Field], At]


def is_schema(cls: object) -> bool:
    """Whether a class of the repository is a schema of pydantic or django-ninja."""
    return isinstance(cls, SourceClass) and any(
        base.startswith(("pydantic.", "ninja.")) and base.rpartition(".")[2] in _BASES for base in cls.externals
    )


def schema_of(walk: Walk, module: SourceModule, annotation: py.Expr | None) -> SourceClass | None:
    """The schema that an annotation names, through `Optional`, `list` and the like."""
    for node in nodes((annotation,)) if annotation is not None else ():
        found: object = None
        if type(node) is py.Name or type(node) is py.Attribute:
            found = walk.classes.resolve(module, node)
        elif type(node) is py.Constant and isinstance(node.value, str) and node.value.isidentifier():
            found = walk.classes.of(walk.modules.resolve(module, node.value))
        if isinstance(found, SourceClass) and is_schema(found):
            return found
    return None


def read(walk: Walk, cls: SourceClass, value: Value, at: _Where, chain: tuple[SourceClass, ...] = ()) -> None:
    """Make a schema of an object: `at` says where what a field asks for is told."""
    for item in _fields(walk, cls):
        place = at(item)
        held = _held(walk, item, value, place)
        if item.inner is None or item.inner in chain or len(chain) > _DEEPEST:
            if isinstance(held, (Rows, Related)):
                builtin.loaded(walk, held, place)
        elif isinstance(held, (Rows, Related, Seq)):
            element, _ = loops.enter(walk, held, place, f"`{item.name}` of each row")
            read(walk, item.inner, element, at, (*chain, cls))
            loops.leave(walk)
        elif isinstance(held, Row):
            read(walk, item.inner, held, at, (*chain, cls))


def _held(walk: Walk, item: Field, value: Value, at: At) -> Value:
    """What a field reads of an object."""
    if item.resolver is not None:
        bound = calls.member(walk, ClassRef(item.owner), item.resolver, at)
        node = item.resolver.node
        takes_self = isinstance(node, py.FunctionDef) and "staticmethod" not in decorators(node)
        return calls.apply(walk, bound, (value, value) if takes_self else (value,), {}, at, f"resolve_{item.name}(…)")
    for part in item.path:
        held = value.get(part) if isinstance(value, Mapping) else None
        value = held if held is not None else calls.attribute(walk, value, part, at)
        if isinstance(value, (Function, Method)):
            value = calls.apply(walk, value, (), {}, at, f"{part}()")
    return value


def _fields(walk: Walk, cls: SourceClass) -> Iterator[Field]:
    seen: set[str] = set()
    for base in cls.mro:
        for stmt in base.node.body if isinstance(base, SourceClass) else ():
            if not isinstance(base, SourceClass) or not isinstance(stmt, py.AnnAssign):
                continue
            name = stmt.target.id if isinstance(stmt.target, py.Name) else ""
            if not name or name in seen or dotted(stmt.annotation).endswith("ClassVar"):
                continue
            seen.add(name)
            call = stmt.value if isinstance(stmt.value, py.Call) else None
            alias = keyword(call, "validation_alias") or keyword(call, "alias") if call is not None else None
            path = alias.value if isinstance(alias, py.Constant) and isinstance(alias.value, str) else name
            inner = schema_of(walk, base.module, stmt.annotation)
            resolver = cls.find(f"resolve_{name}")
            yield Field(name, tuple(path.split(".")), base, stmt.target, resolver, inner)
    yield from _of_model(walk, cls, seen)


def _of_model(walk: Walk, cls: SourceClass, seen: set[str]) -> Iterator[Field]:
    """The many-to-many fields among those that `Meta` of a ModelSchema names: the keys of the related rows are read."""
    meta = cls.find("Meta")
    if meta is None or not isinstance(meta.node, py.ClassDef):
        return
    options = walk.classes.build(meta.owner.module, meta.node, f"{meta.owner.name}.Meta")
    model, named = options.find("model"), options.find("fields")
    target = walk.models.of_expr(meta.owner.module, model.node) if model is not None else None  # type: ignore[arg-type]
    if target is None or named is None or not isinstance(named.node, (py.List, py.Tuple, py.Constant)):
        return
    is_all = isinstance(named.node, py.Constant) and named.node.value == "__all__"
    texts = [] if isinstance(named.node, py.Constant) else named.node.elts
    names = {item.value for item in texts if isinstance(item, py.Constant)}
    for name, relation in target.relations.items():
        if relation.relation == "m2m" and (is_all or name in names) and name not in seen:
            yield Field(name, (name,), meta.owner, named.node)
