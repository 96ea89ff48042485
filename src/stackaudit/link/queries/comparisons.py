"""Comparisons whose outcome is certain, so that one branch alone is walked."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.modules import bindings
from stackaudit.link.queries.values import Const, Other, Seq, Value, decided
from stackaudit.link.queries.walk import Walk

_EQUAL = {"is": True, "==": True, "is not": False, "!=": False}


class Action(str):
    """The name of the action of a viewset that is being served: code compares it to choose what it loads."""

    __slots__ = ()


def outcome(walk: Walk, node: py.Compare, values: list[Value]) -> Const | None:
    """What a comparison gives, where its `values` tell: a parameter, a key or an action; None where they do not."""
    if len(values) != 2:
        return None
    left, right, operator = values[0], values[1], node.ops[0]
    told: bool | None = None
    other = node.comparators[0]
    if isinstance(left, Const) and isinstance(other, py.Constant) and _is_parameter(walk, node.left):
        told = _equal(operator, type(left.value) is type(other.value) and left.value == other.value)
    if told is None and isinstance(left, Other) and right == Const(None):
        holds = decided(left)
        told = _equal(operator, not holds) if holds is not None else None
    if told is None and isinstance(left, Const) and isinstance(left.value, Action):
        told = _of_action(operator, left.value, right)
    return Const(told, left.loops) if told is not None else None


def _equal(operator: str, same: bool) -> bool | None:
    return same is _EQUAL[operator] if operator in _EQUAL else None


def _is_parameter(walk: Walk, name: py.Expr) -> bool:
    """Whether a name is a parameter of the running function that nothing in it binds anew."""
    function = walk.frame.node
    if not isinstance(name, py.Name) or not isinstance(function, py.FunctionDef):
        return False
    if function not in walk.rebound:
        walk.rebound[function] = frozenset(bindings(function.body)[0])
    return any(param.name == name.id for param in function.params) and name.id not in walk.rebound[function]


def _of_action(operator: str, action: Action, right: Value) -> bool | None:
    """`self.action == "list"`, `self.action in ("list", "retrieve")`."""
    if operator in ("==", "!=") and isinstance(right, Const):
        return (action == right.value) is (operator == "==")
    if operator in ("in", "not in") and isinstance(right, Seq) and right.items is not None:
        names = [item.value for item in right.items if isinstance(item, Const)]
        if action in names or len(names) == len(right.items):
            return (action in names) is (operator == "in")
    return None
