"""Questions that guard a write which does nothing where the answer is no."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.sources import Sources

_ASKING = ("exists", "aexists", "count", "acount")
_WRITING = ("delete", "update", "adelete", "aupdate")


def needless(sources: Sources, event: Event) -> str:
    """The fix for a query that only guards `delete()` or `update()` of the same queryset; "" for any other.

    Of no rows both do nothing.
    """
    node = sources.at(event.query)
    func = node.func if isinstance(node, py.Call) else None
    if not isinstance(func, py.Attribute) or func.attr not in _ASKING or event.method != func.attr:
        return ""
    tree = sources.tree(event.query.path)
    test: py.Node = node if node is not None else func
    while isinstance(tree.get(test), (py.UnaryOp, py.Await)):
        test = tree[test]
    guard = tree.get(test)
    if not isinstance(guard, py.If) or guard.test is not test or guard.orelse:
        return ""
    is_left = isinstance(test, py.UnaryOp) and test.op == "not"
    last = _leaving(guard) if is_left else ""
    follows = _after(tree, guard, last) if last else () if is_left else guard.body
    write = _write(follows)
    if write is None or not code_of(func.value) or code_of(write.value) != code_of(func.value):
        return ""
    head = f"if {text_of(test)}: {last}" if last else f"if {text_of(test)}:"
    home = sources.where(event.query)  # where it is handed the queryset, `event.asking` stands with its caller
    told = f"In `{home}` leave out" if event.below and home else "Leave out"
    return f"{told} `{head}`: `{write.attr}()` of no rows does nothing."


def _leaving(guard: py.If) -> str:
    """How the only statement of a guard leaves its block: "return" or "continue", "" where it does anything else."""
    (only, *more) = guard.body
    if more:
        return ""
    if isinstance(only, py.Return):
        return "return" if only.value is None else ""
    return "continue" if isinstance(only, py.Jump) and only.kind == "continue" else ""


def _after(tree: dict[py.Node, py.Node], node: py.Node, until: str) -> tuple[py.Stmt, ...]:
    """The statements that a guard keeps from running, up to the end of the function or of the turn."""
    found: list[py.Stmt] = []
    above = tree.get(node)
    while isinstance(above, (py.For, py.FunctionDef, py.While, py.With)):
        found += [item for item in above.body if item.start > node.end]
        if isinstance(above, (py.For, py.While) if until == "continue" else py.FunctionDef):
            return tuple(found)
        if not isinstance(above, py.With):
            break  # the turns after would not run either
        node, above = above, tree.get(above)
    return ()


def _write(body: tuple[py.Stmt, ...]) -> py.Attribute | None:
    """The method by which statements write, and do nothing else."""
    value = body[0].value if len(body) == 1 and isinstance(body[0], py.ExprStmt) else None
    value = value.value if isinstance(value, py.Await) else value
    func = value.func if isinstance(value, py.Call) else None
    return func if isinstance(func, py.Attribute) and func.attr in _WRITING else None
