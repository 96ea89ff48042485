"""`rows[0]`, `rows[:5]`, `known[key]`."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.queries import access, calls, expressions, loops, rescues, rows
from stackaudit.link.queries.joining import any_of
from stackaudit.link.queries.values import UNKNOWN, ClassRef, Const, Mapping, Related, Rows, Seq, Value, key_of
from stackaudit.link.queries.walk import At, Walk


def subscript(walk: Walk, node: py.Subscript) -> Value:
    """An element or a slice; a slice of a few rows is bounded, one of a lazy queryset runs no query yet."""
    value, index = expressions.evaluate(walk, node.value), None
    if isinstance(value, Rows) and value.paged:
        value = access.evaluate(walk, value, walk.at(node))  # a page makes a list of its rows
    if isinstance(node.index, py.Slice):
        bounds = [expressions.evaluate(walk, part) for part in (node.index.lower, node.index.upper) if part is not None]
        if isinstance(value, (Rows, Related)):
            made = calls.base_rows(walk, value)
            few = _few(node.index) or _few_bounds(node.index, bounds)
            taint = made.loops.union(*(item.loops for item in bounds))
            if made.evaluated or made.cached:
                return replace(made, bounded="a slice of a few" if few else made.bounded, loops=taint)
            cut = cut_of(bounds[0] if node.index.lower is not None else Const(None),
                         bounds[-1] if node.index.upper is not None else Const(None))  # fmt: skip
            return replace(
                cut_short(walk, made, cut, walk.at(node)),
                origin=made.origin or (walk.origin(walk.at(node), rows=made) if made.via is None else None),
                bounded="a slice of a few rows" if few else made.bounded,
                limited=True,
                page=_length(node.index, bounds),
                loops=taint,
            )
        if isinstance(value, Seq):
            return replace(value, bounded="a slice of a few") if _few(node.index) else replace(value, items=None,
                element=loops.element_of(value))  # fmt: skip
        return walk.unknown(value, *bounds)
    index = expressions.evaluate(walk, node.index)
    taint = value.loops | index.loops
    if isinstance(value, (Rows, Related)):
        made = calls.base_rows(walk, value)
        if made.evaluated or made.cached:
            return loops.one_of(walk, made, index)
        access.evaluate(walk, replace(made, loops=taint), walk.at(node), "[…]")
        return rows._one(made, taint, walk.at(node), walk, "[…]")
    if isinstance(value, Mapping):
        if isinstance(index, (Const, ClassRef)):
            found = value.get(key_of(index))
            if found is not None:
                return found
            if rescues.lacks_key(walk, node.value, value, node.index, index):
                return UNKNOWN
        return loops.picked(walk, any_of(value), index)
    if isinstance(value, Seq):
        if isinstance(index, Const) and isinstance(index.value, int) and value.items is not None:
            if -len(value.items) <= index.value < len(value.items):
                return value.items[index.value]
            return UNKNOWN
        return loops.one_of(walk, value, index)
    return walk.unknown(value, index)


def cut_of(lower: Value, upper: Value) -> str:
    """A slice that leaves the first rows, as it is written where its bounds are constants; "" for any other."""
    start = lower.value if isinstance(lower, Const) else "…"
    stop = upper.value if isinstance(upper, Const) else "…"
    if stop is None or any(type(end) is int and end < 0 for end in (start, stop)):
        return ""
    return f"[{'' if start in (None, 0) else start}:{stop}]"


def cut_short(walk: Walk, made: Rows, cut: str, at: At) -> Rows:
    """The rows behind one row that a slice leaves, before they are asked for."""
    if made.via is None or not cut:
        return made
    here = walk.asking(at)
    return replace(made, asking=replace(made.asking.whole(here) if made.asking is not None else here, cut=cut))


def _length(index: py.Slice, bounds: list[Value]) -> int:
    """How many rows a slice of constant bounds leaves at most, 0 where that is open."""
    ends = [item.value if isinstance(item, Const) and type(item.value) is int else -1 for item in bounds]
    if index.upper is None or min(ends) < 0:
        return 0
    return max(ends[-1] - (ends[0] if index.lower is not None else 0), 0)


def _few_bounds(index: py.Slice, bounds: list[Value]) -> bool:
    """Whether a slice from the beginning ends at a named constant that is small."""
    upper = bounds[-1] if index.upper is not None and index.lower is None else UNKNOWN
    return isinstance(upper, Const) and isinstance(upper.value, int) and 0 <= upper.value <= rows.FEW


def _few(index: py.Slice) -> bool:
    upper = index.upper
    lower = index.lower
    if not isinstance(upper, py.Constant) or not isinstance(upper.value, int):
        return False
    start = lower.value if isinstance(lower, py.Constant) and isinstance(lower.value, int) else 0
    return 0 <= upper.value - start <= rows.FEW
