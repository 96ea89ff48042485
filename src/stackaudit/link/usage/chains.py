"""The calls that make a queryset, through the names that hold it on the way."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.usage.bodies import Body

_LONGEST = 40


def chain(body: Body, node: py.Node) -> Iterator[py.Node]:
    """The calls, slices and names on the way from an expression to the manager it begins with, the last one first.

    A name is followed to every expression that it may stand for; one that is not known ends the way with its `Name`.
    """
    waiting: list[py.Node] = [node]
    steps = 0
    while waiting and steps < _LONGEST:
        item = waiting.pop()
        steps += 1
        if isinstance(item, py.Call):
            yield item
            if isinstance(item.func, py.Attribute):
                waiting.append(item.func.value)
        elif isinstance(item, py.Attribute):
            waiting.append(item.value)
        elif isinstance(item, py.Subscript):
            yield item
            waiting.append(item.value)
        elif isinstance(item, py.BinOp):
            waiting += [item.left, item.right]
        elif isinstance(item, py.Name):
            made = body.bound(item)
            if made is None:
                yield item
            else:
                waiting += made


def calls_of(body: Body, node: py.Node) -> Iterator[tuple[str, py.Call]]:
    """The method calls on the way, by the names of the methods."""
    for item in chain(body, node):
        if isinstance(item, py.Call) and isinstance(item.func, py.Attribute):
            yield item.func.attr, item
