"""Calls of the repository's functions: which of them ask one query and do nothing else, and which change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.effects import is_plain, is_quiet, within

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_DEEPEST = 2
_CHANGES = (py.Await, py.Delete, py.Lambda, py.Scope, py.Yield)
_GROWS = frozenset({"add", "append", "extend", "insert", "setdefault", "sort", "update"})
_PARTS = (py.Name, py.Attribute, py.Constant)


class Methods:
    """The functions that the calls of a stack lead to."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._kept = stack.queries.walk.kept
        self._record = stack.queries.walk.record
        self._still: dict[tuple[py.FunctionDef, int], bool] = {}

    @cached_property
    def _bodies(self) -> dict[py.FunctionDef, Body]:
        return {body.node: body for body in self._stack.usage}

    def called(self, call: py.Call) -> Body | None:
        """The function that a call leads to, where it is one alone and nothing is wrapped around it."""
        leads = self._record.leads(call)
        if len(leads) != 1 or leads[0].decorators:
            return None
        known = self._bodies.get(leads[0])
        return known or Body(self._record.called[call][0], leads[0], "", self._kept)

    def returned(self, call: py.Call) -> tuple[Body, py.Expr] | None:
        """What a function that a call leads to returns, with that function, where it does nothing else.

        The call names what it hands over, and the function reads nothing but that and what its module holds.
        """
        given = [call.func, *call.args, *(item.value for item in call.keywords)]
        if not all(isinstance(item, _PARTS) for item in given) or not self._record.leads(call):
            return None
        body = self.called(call)
        if body is None:
            return None
        stmts = [item for item in body.node.body if not _is_text(item)]
        if len(stmts) != 1 or not isinstance(stmts[0], py.Return) or stmts[0].value is None:
            return None
        value = stmts[0].value
        names = {item.id for item in within(body, value) if isinstance(item, py.Name)}
        known = {param.name for param in body.node.params} | set(body.module.names)
        return (body, value) if names <= known and is_plain(body, value) else None

    def is_still(self, call: py.Node, depth: int = _DEEPEST) -> bool:
        """Whether what a call leads to writes nothing: neither to the database nor to what it is given."""
        body = self.called(call) if isinstance(call, py.Call) and depth else None
        if body is None:
            return False
        key = (body.node, depth)
        if key not in self._still:
            self._still[key] = not any(self._changes(body, node, depth) for node in body.nodes)
        return self._still[key]

    def _changes(self, body: Body, node: py.Node, depth: int) -> bool:
        if isinstance(node, py.Call):
            func = node.func
            if isinstance(func, py.Attribute) and func.attr in _GROWS and not _is_own(body, func.value):
                return True
            return not is_quiet(self._stack.modules, body, [node]) and not self.is_still(node, depth - 1)
        return isinstance(node, _CHANGES) or any(not isinstance(item, py.Name) for item in stored(node))


def stored(node: py.Node) -> Iterator[py.Expr]:
    """What a statement assigns to, piece by piece."""
    waiting: list[py.Expr] = []
    if isinstance(node, py.Assign):
        waiting.extend(node.targets)
    elif isinstance(node, (py.AnnAssign, py.AugAssign)):
        waiting.append(node.target)
    while waiting:
        target = waiting.pop()
        if isinstance(target, (py.Tuple, py.List)):
            waiting.extend(target.elts)
        else:
            yield target


def _is_own(body: Body, held: py.Expr) -> bool:
    """Whether a name is one that the function itself has made."""
    given = {param.name for param in body.node.params}
    return isinstance(held, py.Name) and held.id in body.binds and held.id not in given


def _is_text(stmt: py.Stmt) -> bool:
    return isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Constant)
