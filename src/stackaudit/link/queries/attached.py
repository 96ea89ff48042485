"""What is done to rows that are there already: `prefetch_related_objects`, relations and attributes set one by one.

Rows are known by where they come from (`origin` and `path`), so that a list, a page, a dictionary or a comprehension
that holds them holds them with what was attached. What a function attaches to its arguments is attached to those of
its caller.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.queries import access, expressions, loops, rows
from stackaudit.link.queries.loading import NOTHING, Load
from stackaudit.link.queries.origins import Origin
from stackaudit.link.queries.presence import marks, without
from stackaudit.link.queries.values import Const, Instance, Mapping, PrefetchRef, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import Walk

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Attached:
    """What the rows behind `path` of `origin`'s rows bring from now on: the prefetched `paths`, or the attribute
    `assigned`, with its `marks` and with what the row in it brings where it is a relation; or the queryset that was
    loaded (`ran`); or nothing of what they brought any more (`emptied`).

    `path` is as `Row.path`.
    """

    origin: Origin
    path: tuple[str, ...]
    paths: tuple[Value, ...]
    assigned: str = ""
    marks: frozenset[str] = frozenset()
    load: Load | None = None
    ran: Rows | None = None
    emptied: bool = False


def loaded(walk: Walk, rows: Rows) -> None:
    """A queryset ran its query: whatever holds the same one holds its rows."""
    if rows.origin is not None and not rows.evaluated:
        attach(walk, Attached(rows.origin, rows.path, (), ran=rows))


def prefetch(walk: Walk, target: py.Expr, held: Value, paths: tuple[Value, ...]) -> None:
    """`prefetch_related_objects(rows, *paths)`; `held` is what `target` stands for."""
    if isinstance(held, Rows) and not held.evaluated:  # a page, or a queryset under a name: it is loaded now
        for name, value in walk.frame.env.items():
            if value == held:
                walk.frame.env[name] = replace(held, evaluated=True)
    found = _sources(held)
    for origin, path in found:
        attach(walk, Attached(origin, path, paths))
    if not found:
        _into(walk, target, paths)


def _into(walk: Walk, target: py.Expr, paths: tuple[Value, ...]) -> None:
    """Rows of which it is not known where they come from: the name or attribute that holds them is all there is."""
    if isinstance(target, (py.List, py.Tuple)):
        for item in target.elts:
            _into(walk, item, paths)
    elif isinstance(target, (py.Name, py.Attribute)):
        loops.store(walk, target, _prefetched(expressions.evaluate(walk, target), paths))


def _prefetched(value: Value, paths: tuple[Value, ...]) -> Value:
    if isinstance(value, (Row, Rows)) and value.model is not None:
        return replace(value, load=rows.prefetch(value.load, value.model, paths))
    if isinstance(value, Seq):
        items = tuple(_prefetched(item, paths) for item in value.items) if value.items is not None else None
        return replace(value, element=_prefetched(value.element, paths), items=items)
    return value


def assigned(walk: Walk, row: Row, name: str, value: Value) -> None:
    """`row.name = value` in a loop: every row that the loop goes through has it after the loop."""
    if row.origin is not None and row.loop is not None and walk.repeats(row.loop):
        load = None
        if row.model.relation(name) is not None:
            load = value.load if isinstance(value, Row) else NOTHING
        attach(walk, Attached(row.origin, row.path, (), name, marks(name, value), load))


def emptied(walk: Walk, row: Row) -> None:
    """`row.refresh_from_db()` in a loop: no row that the loop goes through brings anything along after the loop."""
    if row.origin is not None and row.loop is not None and walk.repeats(row.loop):
        attach(walk, Attached(row.origin, row.path, (), emptied=True))


def attach(walk: Walk, what: Attached) -> None:
    """Give the rows of the running function, and in the end its caller's, what was attached to them."""
    if not walk.frames:
        return
    frame = walk.frame
    if what not in frame.attached:
        frame.attached.append(what)
    put(walk, what)


def put(walk: Walk, what: Attached) -> None:
    """What the names of the running function hold, with what was attached."""
    frame = walk.frame
    seen: set[int] = set()
    for name, value in frame.env.items():
        frame.env[name] = _with(value, what, seen, 0)


def _with(value: Value, what: Attached, seen: set[int], depth: int) -> Value:
    if depth > _DEEPEST:
        return value
    if what.ran is not None and isinstance(value, (Row, Rows)):
        return replace(what.ran, evaluated=True) if value == what.ran else value
    if isinstance(value, (Row, Rows)):
        there = value.evaluated if isinstance(value, Rows) else True
        if there and value.model is not None and value.origin is not None and value.origin.place == what.origin.place:
            way = value.path
            if way == what.path[: len(way)]:
                return replace(value, load=_changed(value, what, what.path[len(way) :]))
        return value
    if isinstance(value, Seq):
        items = value.items
        if items is not None:
            held = tuple(_with(item, what, seen, depth + 1) for item in items)
            return value if all(a is b for a, b in zip(items, held, strict=True)) else replace(value, items=held)
        element = _with(value.element, what, seen, depth + 1)
        return value if element is value.element else replace(value, element=element)
    if isinstance(value, Mapping):
        element = _with(value.element, what, seen, depth + 1)
        pairs = tuple((key, _with(item, what, seen, depth + 1)) for key, item in value.items)
        if element is value.element and all(a[1] is b[1] for a, b in zip(value.items, pairs, strict=True)):
            return value
        return replace(value, element=element, items=pairs)
    if isinstance(value, Instance) and id(value) not in seen:
        seen.add(id(value))
        for name, item in value.attributes.items():
            value.attributes[name] = _with(item, what, seen, depth + 1)
    return value


def _changed(value: Row | Rows, what: Attached, rest: tuple[str, ...]) -> Load:
    model = value.model
    assert model is not None
    if what.emptied:
        return access.emptied(value.load) if not rest else value.load
    if what.assigned:
        return _assigned(value.load, rest, what) if len(rest) == 0 or value.load.to_one(rest[0]) else value.load
    prefix = "__".join((*rest, ""))
    return rows.prefetch(value.load, model, tuple(_below(path, prefix) for path in what.paths))


def _assigned(load: Load, rest: tuple[str, ...], what: Attached) -> Load:
    if rest:
        inner = load.to_one(rest[0])
        return load.with_one(rest[0], _assigned(inner, rest[1:], what)) if inner is not None else load
    made = load.with_one(what.assigned, what.load) if what.load is not None else load
    return replace(made, attributes=without(load, what.assigned) | what.marks)


def _below(path: Value, prefix: str) -> Value:
    if isinstance(path, Const) and isinstance(path.value, str):
        return Const(prefix + path.value)
    if isinstance(path, PrefetchRef):
        return replace(path, path=prefix + path.path)
    return path


def _sources(value: Value) -> list[tuple[Origin, tuple[str, ...]]]:
    """Where the rows come from that a value holds."""
    if isinstance(value, (Row, Rows)):
        return [(value.origin, value.path)] if value.origin is not None else []
    if isinstance(value, Seq):
        return [item for part in value.items or (value.element,) for item in _sources(part)]
    if isinstance(value, Mapping):
        return _sources(value.element)
    return []
