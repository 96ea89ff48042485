"""Filters that no single value stands for: alternatives, and conditions that Python puts together."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.queries.origins import ALTERNATIVES, BUILT, Asking, Freedom
from stackaudit.link.queries.reading import FILTERS
from stackaudit.link.sources import Sources, below

_DEEPEST = 4
_APART = frozenset({"findall", "loads", "rsplit", "split", "splitlines"})
"""Functions that take a text apart, which no expression of a query does."""


def freedom(sources: Sources, asking: Asking) -> Freedom:
    """What the filters leave open of the expression that asks: BUILT goes before ALTERNATIVES."""
    node, function = sources.at(asking.place), sources.function(asking.place)
    if node is None or function is None:
        return ""
    filters = list(_chain(sources, function, node))
    if any(_is_taken_apart(item.value) for call in filters for item in call.keywords):
        return BUILT
    given = [arg for call in filters for arg in (*call.args, *_unpacked(call))]
    found = {_freedom(sources, function, arg) for arg in given}
    return BUILT if BUILT in found else ALTERNATIVES if ALTERNATIVES in found else ""


def _is_taken_apart(value: py.Expr) -> bool:
    """Whether a value is a list that Python makes of a text: `self.codes.split(",")`."""
    return isinstance(value, py.Call) and dotted(value.func).rpartition(".")[2] in _APART


def _unpacked(call: py.Call) -> Iterator[py.Expr]:
    return (item.value for item in call.keywords if item.name is None)


def _chain(sources: Sources, function: py.FunctionDef, node: py.Node | None, depth: int = 0) -> Iterator[py.Call]:
    """The calls that filter, through the names that hold a part of the chain."""
    while isinstance(node, (py.Call, py.Attribute, py.Subscript, py.Name, py.Starred)):
        if isinstance(node, py.Name):
            bound = sources.assigned(function, node.id, node.start) if depth < _DEEPEST else []
            for value in bound:
                yield from _chain(sources, function, value, depth + 1)
            return
        if isinstance(node, py.Call):
            if isinstance(node.func, py.Attribute) and node.func.attr in FILTERS:
                yield node
            node = node.func
        else:
            node = node.value


def _freedom(sources: Sources, function: py.FunctionDef, given: py.Expr) -> Freedom:
    """What one condition leaves open."""
    if isinstance(given, py.Name):
        bound = sources.assigned(function, given.id, given.start)
        changed = (node for node in below(function) if isinstance(node, py.AugAssign))
        if len(bound) != 1 or any(dotted(node.target) == given.id for node in changed):
            return BUILT
        return _freedom(sources, function, bound[0])
    if any(isinstance(part, py.BinOp) and part.op == "|" for part in (given, *below(given))):
        return ALTERNATIVES
    name = dotted(given.func).rpartition(".")[2] if isinstance(given, py.Call) else ""
    is_whole = name[:1].isupper() or name == "dict" or isinstance(given, (py.BinOp, py.Dict, py.UnaryOp))
    return "" if is_whole else BUILT
