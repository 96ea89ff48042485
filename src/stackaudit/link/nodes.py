"""All nodes of a piece of Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from stackaudit.facts import python as ir

_PLAIN = frozenset(
    {"start", "end", "id", "attr", "op", "ops", "kind", "is_async", "name", "asname", "level", "module"}
    | {"conversion", "delegates"}
)
"""Fields that hold no nodes in any class."""


@cache
def inside(cls: type[ir.Node]) -> tuple[str, ...]:
    """The fields of a class that may hold nodes, the last one first."""
    if cls in (ir.Constant, ir.Bytes, ir.Scope):
        return ()
    if cls is ir.Case:
        return ("body", "guard", "values")
    return tuple(name for name in reversed(cls.__struct_fields__) if name not in _PLAIN)


def is_true(node: ir.Node | None) -> bool:
    """Whether an expression is the word True."""
    return isinstance(node, ir.Constant) and node.value is True


def is_false(node: ir.Node | None) -> bool:
    """Whether an expression is the word False."""
    return isinstance(node, ir.Constant) and node.value is False


def nodes(body: Sequence[ir.Node]) -> Iterator[ir.Node]:
    """Every node of `body`, in source order as far as nesting goes; a node comes before what is in it."""
    waiting: list[ir.Node | None] = list(reversed(body))
    while waiting:
        item = waiting.pop()
        if item is None:
            continue
        yield item
        for name in inside(type(item)):
            value = getattr(item, name)
            if type(value) is tuple:
                waiting.extend(reversed(value))
            elif value is not None:
                waiting.append(value)
