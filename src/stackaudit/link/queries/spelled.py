"""Lists that are written out, whose elements lead the body of a loop to different places."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.values import ClassRef, Const, Function, Instance, Partial, Seq, Value

_SPELLED = 8
"""A list of so many names that is written out is gone through name by name, where attributes are read by them."""


def elements(target: py.Expr, value: Value, body: Iterable[py.Node]) -> tuple[Value, ...]:
    """The elements of a list that is written out, where each leads the body elsewhere; none for any other.

    These are the names of `for name in ("author", "editor"): getattr(book, name)`, functions, classes, and objects.
    """
    items = value.items if isinstance(value, Seq) else None
    if not items or len(items) > _SPELLED:
        return ()
    if any(_leads(item) for item in items):
        return items
    if not isinstance(target, py.Name):
        return ()
    if not all(isinstance(item, Const) and isinstance(item.value, str) for item in items):
        return ()
    by_name = any(
        isinstance(node, py.Call) and dotted(node.func) == "getattr" and len(node.args) > 1
        and any(isinstance(part, py.Name) and part.id == target.id for part in nodes((node.args[1],)))
        for node in nodes(tuple(body))
    )  # fmt: skip
    return items if by_name else ()


def _leads(value: Value) -> bool:
    """Whether a value is code, or holds some: what is called on it depends on which of several it is."""
    if isinstance(value, Seq):
        return any(_leads(item) for item in value.items or ())
    return isinstance(value, (Function, Partial, ClassRef, Instance))
