"""Columns that are read, changed in Python and written back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.models.model import Field
from stackaudit.link.queries.loading import NEW
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.values import Row
from stackaudit.link.usage.bodies import Body
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_NUMBERS = frozenset({
    "IntegerField", "BigIntegerField", "SmallIntegerField", "PositiveIntegerField", "PositiveBigIntegerField",
    "PositiveSmallIntegerField", "FloatField", "DecimalField",
})  # fmt: skip
_BACKGROUND = ("management/", "migrations/", "/tests")
_LOCKS = ("lock", "select_for_update", "mutex")


def non_atomic_increment(stack: Stack) -> Iterator[Verdict]:
    """One site for each number of a row that is raised or lowered in Python before the row is saved."""
    for body in stack.usage:
        if not any(part in body.module.path for part in _BACKGROUND):
            seen: set[str] = set()
            for node in body.of_kind(py.AugAssign, py.Assign):
                found = _changed(body, node)
                if found is not None and text_of(found[0].value) not in seen:
                    for verdict in _judge(body, node, *found):
                        seen.add(text_of(found[0].value))  # the row is what nobody locks, whatever changes in it
                        yield verdict


def _changed(body: Body, node: py.Node) -> tuple[py.Attribute, str, py.Expr, Row] | None:
    """The column, the operator and what is added where a statement is `row.n += x` or `row.n = row.n + x`."""
    target: py.Expr
    if isinstance(node, py.AugAssign) and node.op in ("+", "-"):
        target, op, by = node.target, node.op, node.value
    elif isinstance(node, py.Assign) and len(node.targets) == 1 and isinstance(node.value, py.BinOp):
        target, op, by = node.targets[0], node.value.op, node.value.right
        if op not in ("+", "-") or text_of(node.value.left) != text_of(target):
            return None
    else:
        return None
    if not isinstance(target, py.Attribute) or not isinstance(target.value, py.Name):
        return None
    row = body.value(target.value)
    if not isinstance(row, Row) or row.load.unknown == NEW.unknown or not _is_number(row.model.column(target.attr)):
        return None
    return target, op, by, row


def _is_number(field: Field | None) -> bool:
    return field is not None and field.kind in _NUMBERS


def _judge(body: Body, node: py.Node, target: py.Attribute, op: str, by: py.Expr, row: Row) -> Iterator[Verdict]:
    assert isinstance(target.value, py.Name)
    saved = next((call for call in body.calls if call.start > node.start and _saves(call, target)), None)
    if saved is None or not body.follows(node, saved):
        return
    site = Site(body.place(node), f"{body.where}: {text_of(target)}")
    if any(isinstance(item, py.Name) and item.id == "F" for item in _names(body, by)) or _is_locked(body):
        yield Pass(site)
    elif any(isinstance(bind.statement, py.For) for bind in body.binds.get(target.value.id, ())):
        return  # one statement for all rows mends this, and the rule on writes in loops says so
    elif body.bound(target.value) is None:
        yield Unsure(site, "whether the caller holds a lock on the row is not known")
    else:
        name, amount, more = target.attr, text_of(by, 40), code_of(by, 40) or "…"
        more = more if isinstance(by, (py.Constant, py.Name, py.Attribute, py.Call)) else f"({more})"
        fix = (
            f'Write `{target.value.id}.{name} = F("{name}") {op} {more}` before that save (and `refresh_from_db()` '
            "where the number is read again), or read the row with `select_for_update()` inside `transaction.atomic()` "
            "where more is decided by it."
        )
        values = {"column": text_of(target), "name": name, "op": op, "amount": amount}
        yield Fail(site, values, related=(Step(body.place(saved), "writes the number that was read before"),), fix=fix)


def _names(body: Body, node: py.Expr) -> Iterator[py.Node]:
    return (item for item in body.nodes if node.start <= item.start and item.end <= node.end)


def _saves(call: py.Call, target: py.Attribute) -> bool:
    func = call.func
    return (
        isinstance(func, py.Attribute)
        and func.attr in ("save", "asave")
        and text_of(func.value) == text_of(target.value)
    )


def _is_locked(body: Body) -> bool:
    """Whether the function locks rows, or something else."""
    return any(
        any(word in (node.attr if isinstance(node, py.Attribute) else node.id).lower() for word in _LOCKS)
        for node in body.nodes
        if isinstance(node, (py.Attribute, py.Name))
    )
