"""Queries for rows of which a caller may hand over the row itself: they ask for the values that are none yet."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.orm.conditions import Condition
from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.queries.events import Event
from stackaudit.link.sources import Sources, below


def is_for_others(sources: Sources, event: Event, asked: Condition) -> bool:
    """Whether a query only runs where the value that it asks for is no row of its model: `isinstance()` tells."""
    node = sources.at(event.query)
    if node is None or asked.value is None or event.model is None:
        return False
    names = {part.id for part in (asked.value, *below(asked.value)) if isinstance(part, py.Name)}
    return any((name, event.model.name) in refused for name in names for refused in _refused(sources, event, node))


def _refused(sources: Sources, event: Event, node: py.Node) -> Iterator[set[tuple[str, str]]]:
    """Of which classes which names are not, as far as the conditions around a node and before it say."""
    tree = sources.tree(event.query.path)
    inner, above = node, tree.get(node)
    while above is not None and not isinstance(inner, py.FunctionDef):
        if isinstance(above, (py.If, py.IfExp)) and inner is not above.test:
            then = above.body if isinstance(above.body, tuple) else (above.body,)
            yield set(_instances(above.test, inner not in then))
        for stmt in getattr(above, "body", ()) if not isinstance(above, (py.IfExp, py.Lambda)) else ():
            if isinstance(stmt, py.If) and stmt.end <= inner.start and _leaves(stmt):
                yield set(_instances(stmt.test, True))
        inner, above = above, tree.get(above)


def _instances(test: py.Expr, fails: bool) -> Iterator[tuple[str, str]]:
    """The names that are of no such class where a test fails, or where it holds."""
    while isinstance(test, py.UnaryOp) and test.op == "not":
        test, fails = test.operand, not fails
    is_asked = isinstance(test, py.Call) and dotted(test.func) == "isinstance" and len(test.args) == 2
    if not fails or not is_asked:
        return
    assert isinstance(test, py.Call)
    name, kind = test.args
    for cls in kind.elts if isinstance(kind, py.Tuple) else (kind,):
        if isinstance(name, py.Name):
            yield name.id, dotted(cls).rpartition(".")[2]


def _leaves(stmt: py.If) -> bool:
    last = stmt.body[-1]
    return isinstance(last, (py.Return, py.Raise)) or (isinstance(last, py.Jump) and last.kind == "continue")
