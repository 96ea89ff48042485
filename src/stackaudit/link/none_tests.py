"""Whether code runs only where something is there: after a look at `None`, or at its truth."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.queries.source import code_of

_SAME = {"is": False, "==": False, "is not": True, "!=": True}


def is_there(tree: dict[py.Node, py.Node], node: py.Node, held: str) -> bool:
    """Whether a function has found the row that `held` stands for, as code, wherever it comes to a node.

    So it is behind `held is None or …`, `held and …`, inside `if held:` and after `if held is None: return`.
    """
    while node in tree and not isinstance(node, py.FunctionDef):
        above = tree[node]
        if isinstance(above, py.BoolOp) and above.right is node and tells(above.left, held, above.op == "and"):
            return True
        if isinstance(above, (py.If, py.IfExp)) and above.test is not node:
            then = above.body if isinstance(above, py.If) else (above.body,)
            if tells(above.test, held, node in then):
                return True
        if any(tells(stmt.test, held, outcome=False) for stmt in _left_before(above, node)):
            return True
        node = above
    return False


def is_asked(function: py.FunctionDef, held: str, parts: Iterator[py.Node]) -> bool:
    """Whether a function allows for None in place of a row: by the default of a parameter, or by a test."""
    if any(param.name == held and param.default is not None for param in function.params):
        return True
    tests = (part for part in parts if isinstance(part, (py.BoolOp, py.Compare, py.If, py.IfExp, py.UnaryOp)))
    for part in tests:
        test = part.left if isinstance(part, py.BoolOp) else part.test if isinstance(part, (py.If, py.IfExp)) else part
        if tells(test, held, outcome=True) or tells(test, held, outcome=False):
            return True
    return False


def tells(test: py.Expr, held: str, outcome: bool) -> bool:
    """Whether a condition that came out so says that something is there."""
    match test:
        case py.UnaryOp(op="not"):
            return tells(test.operand, held, not outcome)
        case py.BoolOp():
            sides = [tells(side, held, outcome) for side in (test.left, test.right)]
            return any(sides) if (test.op == "and") is outcome else all(sides)
        case py.Compare(comparators=(py.Constant(value=None),)):
            return _SAME.get(test.ops[0]) is outcome and code_of(test.left) == held
    return outcome and code_of(test) == held


def _left_before(above: py.Node, node: py.Node) -> Iterator[py.If]:
    """The conditions before a statement of the same block under which the block is left."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(above, name, ())
        if isinstance(block, tuple) and node in block:
            for stmt in block[: block.index(node)]:
                last = stmt.body[-1] if isinstance(stmt, py.If) else None
                if isinstance(last, (py.Raise, py.Return)) or (isinstance(last, py.Jump) and last.kind != "pass"):
                    yield stmt
