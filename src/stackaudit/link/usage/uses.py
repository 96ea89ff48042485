"""What a function does with an expression that stands for many rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.queries.table import method
from stackaudit.link.queries.values import Manager, Related, Row, Rows
from stackaudit.link.usage.bodies import Body

How: TypeAlias = Literal[
    "through", "length", "truth", "member", "index", "slice", "asked", "derived", "written", "nested", "compared",
    "escapes",
]  # fmt: skip
LOADS = frozenset({"through", "length", "truth", "member"})
"""Uses that load every row and keep them."""

_THROUGH = frozenset({"list", "tuple", "set", "frozenset", "sorted", "sum", "any", "all", "enumerate", "zip", "min",
                      "max", "reversed", "dict", "map", "filter"})  # fmt: skip
_MAKING = (py.Name, py.Call, py.Attribute, py.Subscript)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of `node`: `by` is what uses it (a call, a loop, a test), `method` the method that is called on it.

    "through": every row is gone through. "length", "truth", "member": `len()`, a test, `in`. "index", "slice": `[0]`,
    `[:5]`. "asked": a method that runs a query of its own. "derived": another queryset is made. "nested": a subquery.
    "compared": `is None`. "escapes": what happens to it is not known here.
    """

    node: py.Expr
    how: How
    by: py.Node
    method: str = ""


def use_of(body: Body, node: py.Expr) -> Use:
    """What is done with the rows that `node` stands for."""
    holder = body.parents[node]
    match holder:
        case py.Attribute():
            return _method(body, node, holder)
        case py.For() if holder.iter is node:
            return Use(node, "through", holder)
        case py.Comprehension() if holder.iter is node:
            return Use(node, "through", body.parents[holder])
        case py.Call() if holder.func is not node:
            return _passed(body, node, holder)
        case py.If() | py.While() if holder.test is node:
            return Use(node, "truth", holder)
        case py.IfExp() if holder.test is node:
            return Use(node, "truth", holder)
        case py.UnaryOp(op="not"):
            return Use(node, "truth", holder)
        case py.BoolOp() if holder.left is node or tests(body, holder):
            return Use(node, "truth", holder) if tests(body, holder) else Use(node, "escapes", holder)
        case py.Compare():
            return _compared(node, holder)
        case py.Subscript() if holder.value is node:
            return Use(node, "slice" if isinstance(holder.index, py.Slice) else "index", holder)
        case py.Keyword():
            call = body.parents[holder]
            nested = isinstance(call, py.Call) and isinstance(call.func, py.Attribute) and method(call.func.attr)
            named = isinstance(call, py.Call) and isinstance(call.func, py.Name) and call.func.id == "Q"
            return Use(node, "nested" if nested or named else "escapes", call)
        case py.Starred():
            return Use(node, "through", holder)
        case py.Yield() if holder.delegates:
            return Use(node, "through", holder)
        case py.BinOp(op="|" | "&"):
            return Use(node, "derived", holder)
    return Use(node, "escapes", holder)


def tests(body: Body, node: py.Node) -> bool:
    """Whether only the truth of an expression matters."""
    holder = body.parents[node]
    if isinstance(holder, (py.If, py.While, py.IfExp)):
        return holder.test is node
    if isinstance(holder, py.UnaryOp):
        return holder.op == "not"
    return isinstance(holder, py.BoolOp) and tests(body, holder)


def is_builtin(body: Body, func: py.Expr, names: frozenset[str]) -> bool:
    """Whether `func` names one of these builtins and nothing of the module's or the function's own."""
    return (
        isinstance(func, py.Name)
        and func.id in names
        and func.id not in body.binds
        and func.id not in body.module.names
    )


def _method(body: Body, node: py.Expr, holder: py.Attribute) -> Use:
    call = body.parents[holder]
    if not isinstance(call, py.Call) or call.func is not holder:
        return Use(node, "compared" if holder.attr in ("model", "db", "query") else "escapes", holder)
    row = method(holder.attr)
    if row is None or _is_own(body, node, holder.attr):
        return Use(node, "escapes", call)
    if row.runs == "never":
        return Use(node, "derived", call, holder.attr)
    return Use(node, "asked" if row.runs == "read" else "written", call, holder.attr)


def _is_own(body: Body, node: py.Expr, name: str) -> bool:
    """Whether a queryset class of the repository defines the method."""
    value = body.value(node)
    cls = value.cls if isinstance(value, Rows) else None
    return cls is not None and not isinstance(cls, str) and cls.find(name) is not None


def _passed(body: Body, node: py.Expr, call: py.Call) -> Use:
    func = call.func
    if is_builtin(body, func, frozenset({"len"})):
        return Use(node, "length", call)
    if is_builtin(body, func, frozenset({"bool"})):
        return Use(node, "truth", call)
    if is_builtin(body, func, _THROUGH):
        return Use(node, "through", call)
    name = func.attr if isinstance(func, py.Attribute) else func.id if isinstance(func, py.Name) else ""
    if name in ("Exists", "Subquery", "OuterRef", "Q"):
        return Use(node, "nested", call)
    return Use(node, "escapes", call)


def _compared(node: py.Expr, holder: py.Compare) -> Use:
    operands = (holder.left, *holder.comparators)
    at = next(number for number, item in enumerate(operands) if item is node)
    op = holder.ops[max(at - 1, 0)]
    if op in ("is", "is not"):
        return Use(node, "compared", holder)
    return Use(node, "member" if op in ("in", "not in") and at else "escapes", holder)


def uses_of(body: Body, node: py.Expr, certain: bool = True) -> list[Use]:
    """Every use of the object that an expression gives: of all loads of a name, else of the expression itself.

    Not `certain` adds the uses of a name that may stand for the object or for one that a branch puts in its place.
    """
    if isinstance(node, py.Name):
        return [
            Use(item, "escapes", item) if body.scope(item) is not body.node else use_of(body, item)
            for item in (body.same(node) if certain else body.maybe(node))
        ]
    return [use_of(body, node)]


def is_lazy(body: Body, node: py.Expr) -> bool:
    """Whether an expression certainly gives a queryset that nothing has evaluated: Django's methods on a manager."""
    if isinstance(node, py.Name):
        made = body.bound(node)
        value = body.value(node)
        if made is None or not isinstance(value, Rows) or value.evaluated:
            return False
        return all(not isinstance(item, py.Name) and is_lazy(body, item) for item in made)
    if isinstance(node, py.Subscript):
        return isinstance(node.index, py.Slice) and is_lazy(body, node.value)
    value = body.value(node)
    if not isinstance(node, py.Call) or not isinstance(value, Rows) or value.evaluated:
        return False
    return isinstance(node.func, py.Attribute) and isinstance(body.value(node.func.value), (Rows, Manager, Related))


def querysets(body: Body) -> Iterator[tuple[py.Expr, Rows | Related | Manager]]:
    """The expressions that stand for rows not loaded yet, once for each object: the first load of a name."""
    seen: set[tuple[str, int]] = set()
    for node, value in body.rows.items():
        if isinstance(value, Row) or not isinstance(node, _MAKING):
            continue
        if isinstance(node, py.Name):
            key = (node.id, body.epoch(node.id, node.start))
            if key in seen or node not in body.loads.get(node.id, ()):
                continue
            seen.add(key)
        yield node, value
