"""What templates, serializers and the admin ask of the query walk, in the words of `link.queries`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from stackaudit.link.queries import access, calls, loops, rows, subscripts
from stackaudit.link.queries.events import Branch
from stackaudit.link.queries.presence import unsure
from stackaudit.link.queries.values import Const, Instance, Mapping, Other, Related, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import At, Walk

FEW = rows.FEW


@contextmanager
def each(walk: Walk, value: Value, at: At, text: str) -> Iterator[Value]:
    """Go through a value; what is read inside is read for every element, all of those that are shown."""
    element, loop = loops.enter(walk, value, at, text)
    loop.chosen = False  # a condition on which rows are shown makes them fewer, and spares none of those its query
    try:
        yield element
    finally:
        loops.leave(walk)


@contextmanager
def guarded(walk: Walk, *branch: Branch) -> Iterator[None]:
    """What happens inside depends on a condition; `branch` tells which branch of which one it is."""
    before = walk.branch
    walk.guard, walk.branch = walk.guard + 1, (*before, *branch)
    try:
        yield
    finally:
        walk.guard, walk.branch = walk.guard - 1, before


def attribute(walk: Walk, value: Value, name: str, at: At) -> Value:
    """`value.<name>`."""
    return calls.attribute(walk, value, name, at)


def call(walk: Walk, value: Value, args: tuple[Value, ...], keywords: dict[str, Value], at: At, text: str) -> Value:
    """Call any value."""
    return calls.apply(walk, value, args, keywords, at, text)


def method(walk: Walk, instance: Instance, name: str, args: tuple[Value, ...], at: At, text: str = "") -> Value:
    """`instance.name(*args)`, for a method of the repository or an inherited one."""
    return calls.apply(walk, calls.attribute(walk, instance, name, at), args, {}, at, text)


def text(walk: Walk, value: Value, at: At) -> Value:
    """`str(value)`."""
    return access.as_text(walk, value, at)


def run(walk: Walk, value: Value, at: At) -> Value:
    """Evaluate a queryset, as its truth or its length does."""
    if isinstance(value, Related):
        value = calls.base_rows(walk, value)
    return access.evaluate(walk, value, at) if isinstance(value, Rows) else value


def item(walk: Walk, value: Value, index: Const, at: At) -> Value:
    """`value[index]`."""
    if isinstance(value, Related):
        value = calls.base_rows(walk, value)
    if isinstance(value, Rows):
        if value.evaluated or value.cached or value.paged:
            return unsure(loops.one_of(walk, value, index))
        return unsure(rows.called(walk, value, "earliest", (), {}, at))  # a template shows nothing where none is
    if isinstance(value, Seq):
        if value.items is not None:
            return value.items[index.value] if -len(value.items) <= index.value < len(value.items) else Other()
        return unsure(loops.picked(walk, value.element, index))
    if isinstance(value, Mapping):
        return unsure(value.get(index.value) or value.element)
    return Other(value.loops)


def sliced(walk: Walk, value: Value, lower: Value, upper: Value, at: At) -> Value:
    """`value[lower:upper]`; few elements are left where the bounds are constants that are close."""
    start = lower.value if isinstance(lower, Const) and isinstance(lower.value, int) else 0
    most = max(upper.value - start, 0) if isinstance(upper, Const) and isinstance(upper.value, int) else 0
    few = isinstance(upper, Const) and isinstance(upper.value, int) and 0 <= upper.value - start <= FEW
    if isinstance(value, Related):
        value = calls.base_rows(walk, value)
    if isinstance(value, Rows):
        bounded = "a slice of a few rows" if few else value.bounded
        page = min(most, value.page) if most and value.page else most or value.page
        if not (value.evaluated or value.cached):
            value = subscripts.cut_short(walk, value, subscripts.cut_of(lower, upper), at)
        return replace(value, bounded=bounded, page=page, origin=value.origin or walk.origin(at))
    if isinstance(value, Seq):
        if few:
            return replace(value, bounded="a slice of a few")
        return replace(value, items=None, element=loops.element_of(value))
    return value


__all__ = ["Row", "attribute", "call", "each", "guarded", "item", "method", "run", "sliced", "text"]
