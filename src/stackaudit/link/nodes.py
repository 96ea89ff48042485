"""All nodes of a piece of Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackaudit.facts import python as ir

_PLAIN = frozenset(
    {"start", "end", "id", "attr", "op", "ops", "kind", "is_async", "name", "asname", "level", "module"}
    | {"conversion", "delegates"}
)
"""Fields that hold no nodes in any class."""


class _Inside(dict[type[ir.Node], tuple[str, ...]]):
    def __missing__(self, cls: type[ir.Node]) -> tuple[str, ...]:
        found = tuple(name for name in reversed(cls.__struct_fields__) if name not in _PLAIN)
        self[cls] = found = _ODD.get(cls, found)
        return found


_ODD: dict[type[ir.Node], tuple[str, ...]] = {
    ir.Constant: (), ir.Bytes: (), ir.Scope: (), ir.Case: ("body", "guard", "values"),
}  # fmt: skip
_INSIDE = _Inside()


def inside(cls: type[ir.Node]) -> tuple[str, ...]:
    """The fields of a class that may hold nodes, the last one first."""
    return _INSIDE[cls]


def is_true(node: ir.Node | None) -> bool:
    """Whether an expression is the word True."""
    return isinstance(node, ir.Constant) and node.value is True


def is_false(node: ir.Node | None) -> bool:
    """Whether an expression is the word False."""
    return isinstance(node, ir.Constant) and node.value is False


def chain(node: ir.Node) -> Iterator[ir.Attribute | ir.Call]:
    """The calls and attributes of `Book.objects.filter(…).first()`, the last one first."""
    while isinstance(node, (ir.Attribute, ir.Call)):
        yield node
        node = node.func if isinstance(node, ir.Call) else node.value


def nodes(body: Sequence[ir.Node]) -> Iterator[ir.Node]:
    """Every node of `body`, in source order as far as nesting goes; a node comes before what is in it."""
    waiting: list[ir.Node | None] = list(reversed(body))
    while waiting:
        item = waiting.pop()
        if item is None:
            continue
        yield item
        for name in _INSIDE[type(item)]:
            value = getattr(item, name)
            if type(value) is tuple:
                waiting.extend(value[::-1])
            elif value is not None:
                waiting.append(value)
