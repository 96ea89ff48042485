"""Calls that narrow or order the rows behind a relation, as a prefetch or a subquery of their own repeats them.

Such a query stands where the queryset of the loop does, which may be another function than the one that asks.
"""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.origins import HOOKS, MODEL, Origin
from stackaudit.link.queries.source import code_of
from stackaudit.link.queries.values import Row
from stackaudit.link.queries.walk import At, Walk, place_of

CALLS = frozenset({"filter", "exclude", "order_by"})
OPEN = "(…)"
"""The arguments of a call that mean nothing elsewhere."""
_LONG = 100
_FIRST = frozenset({"first", "earliest", "afirst", "aearliest"})
OF_DATES = frozenset({"latest", "earliest", "alatest", "aearliest"})
"""Methods that order by what their model says, whatever its rows are ordered by."""


def as_written(walk: Walk, row: Row, name: str, at: At) -> str:
    """The call `name` of a chain that begins at a looped row, as it can be written where the rows of the loop are made.

    `filter(…)` for one that names what is not known there.
    """
    node = at[1] if isinstance(at, tuple) else None
    origin = row.origin
    if row.loop is None or origin is None or not isinstance(node, py.Call) or not isinstance(node.func, py.Attribute):
        return name + OPEN
    there = _There(walk, origin, at)
    given = [there.code(arg) for arg in node.args] if node.func.attr == name else [""]
    for item in node.keywords:
        code = there.code(item.value)
        given.append(code and (f"{item.name}={code}" if item.name else f"**{code}"))
    text = ", ".join(given)
    return f"{name}({text})" if all(given) and len(text) <= _LONG else name + OPEN


def order_of_pick(model: Model, method: str, order: tuple[str, ...], is_open: bool) -> tuple[str, ...]:
    """The columns by which a query finds first the row that `first()` or `last()` picks; () where they are not known.

    `order` is what the query orders by itself; `is_open` says that it may do so in a way that is not told.
    """
    own = any(manager.cls or manager.queryset for manager in model.managers.values())
    if not order and not is_open and model.ordered is False and not own and method not in OF_DATES:
        order = ("pk",)
    if method in _FIRST:
        return order
    return tuple(name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in order)


class _There:
    """What the names of one function mean where the queryset `origin` stands."""

    def __init__(self, walk: Walk, origin: Origin, at: At) -> None:
        self._walk, self._origin = walk, origin
        self._module = at[0] if isinstance(at, tuple) else None
        self._path = place_of(at).path
        function = walk.frame.node
        self._body: tuple[py.Node, ...] = function.body if isinstance(function, py.FunctionDef) else ()
        self._given = {param.name for param in function.params} if function is not None else set[str]()
        made: Origin | None = origin
        self._line = origin.place.region.line
        while made is not None:  # a fix may name any queryset of the chain
            self._line = min(self._line, made.place.region.line) if made.where == origin.where else self._line
            made = made.refined
        self._is_same = origin.where == walk.frame.where and origin.place.path == self._path

    def code(self, node: py.Expr) -> str:
        """An argument as it can be written there, a variable of this function by its value; "" where it cannot."""
        if isinstance(node, py.Name) and not self._stands(node.id) and node.id not in self._given:
            binders = self._binders(node.id)
            only = binders[0] if len(binders) == 1 else None
            if not isinstance(only, py.Assign) or not isinstance(only.targets[0], py.Name) or len(only.targets) > 1:
                return ""
            node = only.value
        is_known = all(self._stands(part.id) for part in nodes([node]) if isinstance(part, py.Name))
        return code_of(node) if is_known and (not self._is_run(node) or self._runs()) else ""

    def _stands(self, name: str) -> bool:
        """Whether a name has the same value there."""
        binders = self._binders(name)
        if binders or name in self._given:
            return self._is_same and all(self._is_before(node) for node in binders)
        if self._module is None or self._walk.frame.closure is not None:
            return False
        symbol = self._walk.modules.resolve(self._module, name)
        if symbol is None or symbol.kind != "external":
            return symbol is not None and self._origin.place.path == self._path
        return symbol.name.startswith(("django.", "builtins."))

    def _binders(self, name: str) -> list[py.Node]:
        return [node for node in nodes(self._body) if name in _bound(node)]

    def _is_before(self, node: py.Node) -> bool:
        assert self._module is not None
        region = self._module.place(node).region
        return (region.end_line if isinstance(node, py.Assign) else region.line) < self._line

    def _is_run(self, node: py.Expr) -> bool:
        """Whether an argument calls more than what conditions are made of: in the body of a class that runs once."""
        made = [dotted(part.func) for part in nodes([node]) if isinstance(part, py.Call)]
        return any(name.rpartition(".")[2] not in ("F", "Q", "Value") for name in made)

    def _runs(self) -> bool:
        """Whether the code that makes the queryset runs each time: it stands in a function."""
        if self._origin.by in (MODEL, *HOOKS) or self._is_same:
            return True
        modules, parts = self._walk.modules, self._origin.where.split(".")
        for end in range(len(parts) - 1, 0, -1):
            module = modules.find(".".join(parts[:end]), self._origin.place.path)
            symbol = modules.resolve(module, parts[end]) if module is not None else None
            if symbol is None:
                continue
            cls, rest = self._walk.classes.of(symbol), parts[end + 1 :]
            member = cls.find(rest[0]) if isinstance(cls, SourceClass) and rest else None
            return symbol.kind == "function" or (member is not None and isinstance(member.node, py.FunctionDef))
        return False


def _bound(node: py.Node) -> Iterable[str]:
    """The names that a node binds."""
    if isinstance(node, (py.Import, py.ImportFrom)):
        return [item.asname or item.name.partition(".")[0] for item in node.names]
    if isinstance(node, (py.Case, py.Scope)):
        return node.names
    if isinstance(node, (py.FunctionDef, py.ClassDef, py.Handler)):
        return [node.name] if node.name else []
    targets = node.targets if isinstance(node, py.Assign) else [getattr(node, "target", None)]
    return [name for target in targets if target is not None for name in target_names(target)]
