"""Queries that run when a module is imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import chain, inside
from stackaudit.link.queries import expressions
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import MANAGERS, method
from stackaudit.link.queries.values import Manager, Related, Rows, Value
from stackaudit.link.startup import shares_connection
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_EVALUATING = frozenset({"list", "tuple", "set", "dict", "len", "sorted", "bool", "any", "all", "max", "min", "sum"})
_SKIPPED = ("management/commands/", "migrations/", "/tests", "conftest.py", "manage.py", "settings")


Run = tuple[py.Node, tuple[py.Node, ...], str]
"""An expression that runs on import, what holds it from the inside out, and the name of what binds it."""


def import_time_query(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset that the body of a module or of a class makes, or a parameter's default."""
    preloads = _preloads(stack)
    for module in stack.modules:
        if any(part in module.path for part in _SKIPPED) or _is_script(module):
            continue
        for node, holders, name in _run(module.facts.body, ()):
            if isinstance(node, (py.Attribute, py.Call)) and _begins(node):
                yield from _judge(stack, module, node, holders, name or module.name, preloads)


def _is_script(module: SourceModule) -> bool:
    """Whether a file sets Django up itself, so that nothing imports it."""
    return any(
        isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Call) and dotted(stmt.value.func) == "django.setup"
        for stmt in module.facts.body
    )


def _preloads(stack: Stack) -> bool:
    """Whether workers share the connection that a query of their master has opened."""
    servers = [server for server in stack.processes.production_servers if server.kind == "gunicorn"]
    shared = (shares_connection(stack, server) for server in servers)
    return any(isinstance(value, Known) and value.value for value in shared)


def _begins(node: py.Attribute | py.Call) -> bool:
    """Whether a node is the last call of a chain that begins with a manager: `Model.objects.all()`."""
    return any(isinstance(part, py.Attribute) and part.attr in MANAGERS for part in chain(node))


def _run(body: tuple[py.Stmt, ...], holders: tuple[py.Node, ...], name: str = "") -> Iterator[Run]:
    for stmt in body:
        match stmt:
            case py.FunctionDef():
                for part in (*stmt.decorators, *(param.default for param in stmt.params if param.default is not None)):
                    yield from _expressions(part, (stmt,), f"{name}.{stmt.name}".lstrip("."))
            case py.ClassDef():
                yield from _run(stmt.body, (stmt,), f"{name}.{stmt.name}".lstrip("."))
            case py.If():
                if "__name__" not in text_of(stmt.test):
                    yield from _expressions(stmt.test, (stmt,), name)
                    yield from _run((*stmt.body, *stmt.orelse), holders, name)
            case py.Try():
                handled = [inner for handler in stmt.handlers for inner in handler.body]
                yield from _run((*stmt.body, *handled, *stmt.orelse, *stmt.finalbody), holders, name)
            case py.With():
                yield from _run(stmt.body, holders, name)
            case py.For():
                yield from _expressions(stmt.iter, (stmt,), name)
                yield from _run(stmt.body, holders, name)
            case py.Assign() | py.AnnAssign():
                target = stmt.targets[0] if isinstance(stmt, py.Assign) else stmt.target
                if stmt.value is not None:
                    yield from _expressions(stmt.value, (stmt,), f"{name}.{text_of(target)}".lstrip("."))
            case py.ExprStmt() | py.AugAssign():
                yield from _expressions(stmt.value, (stmt,), name)


def _expressions(node: py.Node, holders: tuple[py.Node, ...], name: str) -> Iterator[Run]:
    """The chains in an expression, without what a lambda or a function puts off."""
    if isinstance(node, (py.Lambda, py.FunctionDef)):
        return
    yield node, holders, name
    if isinstance(node, (py.Attribute, py.Call)) and _begins(node):
        # The calls inside the chain belong to it; its arguments do not.
        for part in chain(node):
            if isinstance(part, py.Call):
                for argument in (*part.args, *(item.value for item in part.keywords)):
                    yield from _expressions(argument, (part, *holders), name)
        return
    for field in inside(type(node)):
        value = getattr(node, field)
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None:
                yield from _expressions(item, (node, *holders), name)


def _judge(
    stack: Stack, module: SourceModule, node: py.Attribute | py.Call, holders: tuple[py.Node, ...], name: str,
    preloads: bool,
) -> Iterator[Verdict]:  # fmt: skip
    value = expressions.constant(stack.queries.walk, module, node)
    asked = _asking(stack, module, node)
    if not isinstance(value, (Rows, Manager, Related)) and not asked:
        return
    site = Site(module.place(node), f"{name}: {text_of(node, 60)}")
    if asked or (isinstance(value, Rows) and _evaluates(node, holders)):
        yield Fail(site, {"expression": text_of(node, 80), "name": name}, "preload" if preloads else "")
    elif isinstance(value, Rows):
        yield Pass(site)


def _asking(stack: Stack, module: SourceModule, node: py.Attribute | py.Call) -> bool:
    """Whether a chain ends with a method that runs a query."""
    if not isinstance(node, py.Call) or not isinstance(node.func, py.Attribute):
        return False
    row = method(node.func.attr)
    if row is None or row.runs == "never" or row.returns == "iterator":
        return False
    held: Value = expressions.constant(stack.queries.walk, module, node.func.value)
    return isinstance(held, (Rows, Manager))


def _evaluates(node: py.Node, holders: tuple[py.Node, ...]) -> bool:
    """Whether what holds a queryset goes through it."""
    holder = holders[0]
    if isinstance(holder, (py.For, py.Comprehension)):
        return holder.iter is node
    if isinstance(holder, py.Call) and holder.func is not node:
        return isinstance(holder.func, py.Name) and holder.func.id in _EVALUATING
    if isinstance(holder, py.Keyword):
        return holder.name == "choices"
    if isinstance(holder, py.Subscript):
        return not isinstance(holder.index, py.Slice)
    return isinstance(holder, (py.Starred, py.If, py.UnaryOp, py.BoolOp))
