"""Lists that are written out, whose elements lead the body of a loop to different places.

`for name in ("author", "editor"): getattr(book, name)`, `for title, getter in COLUMNS: getter(book)`.
"""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.builtin import ATTRGETTER
from stackaudit.link.queries.values import ClassRef, Const, Function, Instance, Other, Partial, Seq, Value

_SPELLED = 16
"""A list of so many elements that is written out is gone through one by one."""
_BY_NAME = frozenset({"getattr", "attrgetter"})


def elements(target: py.Expr, value: Value, body: Iterable[py.Node]) -> tuple[Value, ...]:
    """The elements of a list that is written out, where each leads the body elsewhere; none for any other.

    These are functions, classes and objects, and the names of attributes that the body reads by them.
    """
    items = value.items if isinstance(value, Seq) else None
    if not items or len(items) > _SPELLED:
        return ()
    if any(_leads(item) for item in items):
        return items
    names = set(target_names(target)) if all(_is_text(item) for item in items) else set()
    return items if names and any(_reads(node, names) for node in nodes(tuple(body))) else ()


def _leads(value: Value) -> bool:
    """Whether a value is code, or holds some: what is called on it depends on which of several it is."""
    if isinstance(value, Seq):
        return any(_leads(item) for item in value.items or ())
    is_getter = isinstance(value, Other) and value.name.startswith(ATTRGETTER)
    return is_getter or isinstance(value, (Function, Partial, ClassRef, Instance))


def _is_text(value: Value) -> bool:
    """Whether a value is a text, or a tuple of such."""
    if isinstance(value, Seq):
        return value.items is not None and all(_is_text(item) for item in value.items)
    return isinstance(value, Const) and isinstance(value.value, str)


def _reads(node: py.Node, names: set[str]) -> bool:
    """Whether a call reads attributes whose names are made of these variables."""
    if not isinstance(node, py.Call) or dotted(node.func).rpartition(".")[2] not in _BY_NAME:
        return False
    return any(isinstance(part, py.Name) and part.id in names for part in nodes(node.args))
