"""Lists of serializers that are written out by a class of their own: `Meta.list_serializer_class`.

Its `to_representation(rows)` may fill the context of the serializer of its rows, choose among the rows, or go through
them itself: https://www.django-rest-framework.org/api-guide/serializers/#customizing-listserializer-behavior
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import walk as q
from stackaudit.link.queries import calls
from stackaudit.link.queries.advice import outermost
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.joining import matters
from stackaudit.link.queries.loading import NOTHING
from stackaudit.link.queries.origins import Asking
from stackaudit.link.queries.reading import is_number, is_rewritten
from stackaudit.link.queries.trials import trial
from stackaudit.link.queries.values import KEY, THERE, Const, Instance, Mapping, Other, Related, Value
from stackaudit.link.serializers import SerialField, Shape
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.serializers.writing import Writer

_CONTEXTS = ("self.child.context", "self.context")
"""What a list serializer shares with the serializer of its rows."""


def written(writer: Writer, shape: Shape, rows: Value, context: Value) -> tuple[list[Value], Value]:
    """The rows that are written out one by one by the serializer, and the context that it has by then."""
    found = shape.lists.find("to_representation") if shape.lists is not None else None
    if shape.cls is None or shape.lists is None or found is None or not isinstance(found.node, py.FunctionDef):
        return [rows], context
    child = Instance(shape.cls, {"context": context}, made=True)
    own = Instance(shape.lists, {"child": child, "context": context, "instance": rows}, made=True)
    place = found.owner.module.place(py.Name(found.node.start, found.node.start + 4, "def"))
    name = found.node.name
    writer.lists[f"{found.owner.name}.{name}"] = SerialField(name, "method", (), place, owner=found.owner, method=name)
    function = calls.member(writer.walk, own, found, place)
    with writer.handing(own) as handed:
        q.call(writer.walk, function, (rows,), {}, place, f"{shape.lists.label}.{name}(…)")
    filled = _filled(found.node, context, child.attributes["context"], own.attributes["context"])
    if rows in handed or (not handed and _leaves_rows(found.node)):
        return [rows], filled
    return list(dict.fromkeys(handed)), filled


def nested(writer: Writer, shape: Shape, rows: Value, context: Value, at: Place) -> tuple[list[Value], Value]:
    """The same for the rows behind a relation of a row.

    Where the list looks whether they are loaded, it is what it then reads of them that a prefetch has to bring as well.
    """
    if shape.lists is None or not isinstance(rows, Related):
        return written(writer, shape, rows, context)
    walk, row, name = writer.walk, rows.row, rows.relation.name
    if row.load.to_many(name) is not None:
        q.run(walk, rows, at)
    elif not row.load.unknown:
        with trial(walk) as tried:
            written(writer, shape, replace(rows, row=replace(row, load=row.load.with_many(name, NOTHING))), context)
        if tried.looked:
            asking = _asking(Asking(at, "", at.path), tried.events, rows)
            return [replace(calls.base_rows(walk, rows), asking=asking)], context
    return written(writer, shape, rows, context)


def _asking(asking: Asking, tried: list[Event], rows: Related) -> Asking:
    """What a list asks of loaded rows, told of the expression that asks for those; a branch may ask for them again."""
    path, origin = (*rows.row.path, rows.relation.name), rows.row.origin
    while origin is not None and origin.outer is not None:
        origin, path = origin.outer, (*origin.way, *path)
    below: dict[tuple[str, ...], None] = {}
    for event in map(outermost, tried):
        if event.outcome != "fail" or (event.path == path and event.guarded):
            continue
        is_of_them = event.path[: len(path)] == path and event.kind in ("forward", "reverse")
        if not is_of_them or is_rewritten(event) or is_number(event):
            return replace(asking, dear=event.where)
        below[event.path[len(path) :]] = None
    return replace(asking, below=tuple(below))


def _filled(node: py.FunctionDef, context: Value, *after: Value) -> Value:
    """The context with what was put into it: what that is may not be known, but it is there."""
    if not isinstance(context, Mapping):
        return context
    items = dict(context.items)
    for held in after:
        items |= dict(held.items) if isinstance(held, Mapping) and held != context else {}
    for key in _put(node):
        put = items.get(key)
        if isinstance(put, Mapping) and matters(put):
            items[key] = replace(put, items=(*put.items, (THERE, Const(True))))
        else:
            items[key] = Other(name=KEY)
    return replace(context, items=tuple(items.items()))


def _put(node: py.FunctionDef) -> Iterator[str]:
    """The keys of the context under which a method puts something."""
    for target in (target for part in nodes((node,)) if isinstance(part, py.Assign) for target in part.targets):
        key = target.index if isinstance(target, py.Subscript) and dotted(target.value) in _CONTEXTS else None
        if isinstance(key, py.Constant) and isinstance(key.value, str):
            yield key.value


def _leaves_rows(node: py.FunctionDef) -> bool:
    """Whether the serializer of the rows, or the stock list, writes out what cannot be followed here."""
    return any(
        (type(part) is py.Name and part.id == "super") or (type(part) is py.Attribute and part.attr == "child")
        for part in nodes((node,))
    )
