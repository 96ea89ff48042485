"""All nodes of a piece of Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackaudit.facts import python as ir


def nodes(body: Sequence[ir.Stmt]) -> Iterator[ir.Node]:
    """Every node of `body`, in source order as far as nesting goes; a node comes before what is in it."""
    waiting: list[object] = [tuple(body)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend(reversed(item))
        elif isinstance(item, ir.Node):
            yield item
            waiting.extend(
                value
                for name in reversed(item.__struct_fields__[2:])
                if isinstance(value := getattr(item, name), (tuple, ir.Node))
            )
