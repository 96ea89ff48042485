"""Conditions of templates that are certain, whatever the database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackaudit.facts import template as t
from stackaudit.link.queries.comparisons import lacks
from stackaudit.link.queries.presence import decided
from stackaudit.link.queries.values import Const, Row
from stackaudit.link.queries.walk import Walk

if TYPE_CHECKING:
    from stackaudit.link.pages.expressions import Scope


def outcome(walk: Walk, scope: Scope, test: t.Expr | None) -> bool | None:
    """Whether a test holds: a flag that was passed on as a constant, an attribute that the rows have not.

    None where that depends on more than the templates and their views. Nothing is recorded.
    """
    match test:
        case t.Path(parts=()):
            value = scope.get(test.name)
            return decided(value) if value is not None else _of_missing(scope, test)
        case t.Path(parts=(name,)):
            row = scope.get(test.name)
            return False if isinstance(row, Row) and lacks(walk, row, name) else _of_missing(scope, test)
        case t.Path():
            return _of_missing(scope, test)
        case t.Literal():
            return bool(test.value)
        case t.Operation(op="not", operands=(operand,)):
            held = outcome(walk, scope, operand)
            return None if held is None else not held
        case t.Operation(op="and" | "or"):
            decisive = test.op == "or"
            found = [outcome(walk, scope, operand) for operand in test.operands]
            if decisive in found:
                return decisive
            return None if None in found else not decisive
        case t.Operation(op="==" | "!=", operands=(left, right)):
            one, other = _constant(scope, left), _constant(scope, right)
            return None if one is None or other is None else (one.value == other.value) is (test.op == "==")
    return None


def _of_missing(scope: Scope, path: t.Path) -> bool | None:
    return False if scope.get(path.name) is None and path.name in scope.lacking else None


def _constant(scope: Scope, expr: t.Expr) -> Const | None:
    if isinstance(expr, t.Literal):
        return Const(expr.value)
    value = scope.get(expr.name) if isinstance(expr, t.Path) and not expr.parts else None
    return value if isinstance(value, Const) else None
