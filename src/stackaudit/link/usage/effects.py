"""Whether anything between two places of a function may change what a query gives."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.facts import python as py
from stackaudit.link.modules import Modules, dotted
from stackaudit.link.queries.loading import NEW
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import method
from stackaudit.link.queries.values import Manager, Related, Row, Rows
from stackaudit.link.usage.bodies import Body

_QUIET = frozenset({
    "append", "add", "extend", "insert", "get", "items", "keys", "values", "setdefault", "join", "split", "strip",
    "lower", "upper", "format", "replace", "startswith", "endswith", "strftime", "isoformat", "debug", "info",
    "warning", "error", "exception", "write", "writerow", "sort", "index", "total_seconds", "date", "copy", "update",
    "title", "encode",
})  # fmt: skip


def is_quiet(modules: Modules, body: Body, nodes: Iterable[py.Node]) -> bool:
    """Whether none of these nodes writes to the database or calls what may."""
    return all(_is_quiet(modules, body, node) for node in nodes if isinstance(node, py.Call))


def _is_quiet(modules: Modules, body: Body, call: py.Call) -> bool:
    func = call.func
    if isinstance(func, py.Attribute):
        held = body.value(func.value)
        if isinstance(held, (Rows, Manager, Related)):
            row = method(func.attr)
            return row is not None and row.runs in ("never", "read")
        if held is not None:
            return False  # a method of a row
        if func.attr in _QUIET:
            return True
    made = body.value(call)
    if isinstance(made, Row) and made.load == NEW:
        return True  # an object in memory
    name = dotted(func)
    root = name.partition(".")[0]
    if not name or root in body.binds:
        return False
    symbol = modules.resolve(body.module, name)
    return symbol is not None and symbol.kind == "external"


def is_same(body: Body, one: py.Expr, other: py.Expr) -> bool:
    """Whether two expressions that are written alike stand for the same query: no name in them was bound anew."""
    for node in within(body, one):
        if isinstance(node, py.Name) and body.epoch(node.id, one.start) != body.epoch(node.id, other.start):
            return False
    held = {text_of(node) for node in within(body, one) if isinstance(node, py.Attribute)}
    return not any(
        text_of(target) in held
        for node in body.nodes
        if isinstance(node, py.Assign) and one.start < node.start < other.start
        for target in node.targets
    )


def within(body: Body, node: py.Node) -> list[py.Node]:
    """A node and everything in it."""
    return [item for item in body.nodes if node.start <= item.start and item.end <= node.end]


def is_plain(body: Body, node: py.Expr) -> bool:
    """Whether an expression gives the same whenever it is evaluated: names, constants and the methods of querysets."""
    for item in within(body, node):
        if isinstance(item, py.Call):
            name = item.func.id if isinstance(item.func, py.Name) else ""
            held = body.value(item.func.value) if isinstance(item.func, py.Attribute) else None
            if not isinstance(held, (Rows, Manager, Related)) and name not in _PARTS:
                return False
        elif isinstance(item, _CHANGING) or (isinstance(item, py.Constant) and item.value == "?"):
            return False  # order_by("?") gives others each time
    return True


_CHANGING = (py.Lambda, py.Comp, py.Await, py.NamedExpr, py.Yield)
_PARTS = ("Q", "F", "Count", "Sum", "Max", "Min")


def fails(body: Body, node: py.Node, other: py.Node) -> bool:
    """Whether a node stands in a branch that ends by raising, and that does not hold the other node."""
    shared = set(body.branches(other))
    for holder, arm in body.branches(node):
        statements = getattr(holder, arm, ()) if isinstance(holder, py.If) else ()
        if (holder, arm) not in shared and statements and isinstance(statements[-1], py.Raise):
            return True
    return False
