"""The action that a viewset serves while it is walked: code compares it with names to choose what it loads."""

from __future__ import annotations

from stackaudit.link.queries.values import Const, Seq, Value


class Action(str):
    """The name of an action that is being served, known for certain."""

    __slots__ = ()


def compared(operators: tuple[str, ...], values: list[Value]) -> Value | None:
    """`self.action == "list"` or `self.action in ("list", "retrieve")`; None for any other comparison."""
    left, right = values[0], values[-1]
    if len(values) != 2 or not isinstance(left, Const) or not isinstance(left.value, Action):
        return None
    operator = operators[0]
    if operator in ("==", "!=") and isinstance(right, Const):
        return Const((left.value == right.value) is (operator == "=="))
    if operator in ("in", "not in") and isinstance(right, Seq) and right.items is not None:
        names = [item.value for item in right.items if isinstance(item, Const)]
        if left.value in names or len(names) == len(right.items):
            return Const((left.value in names) is (operator == "in"))
    return None
