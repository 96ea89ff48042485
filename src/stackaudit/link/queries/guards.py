"""Conditions that guard a query: a look into the prefetch cache, an answer from the context."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.walk import Walk

_CACHE = "_prefetched_objects_cache"
_CONTEXT = "context"
_OF_HASATTR = 2


def asks_cache(walk: Walk, stmt: py.If) -> bool:
    """Whether a condition looks into `_prefetched_objects_cache`, or what it held: the idiom that guards a query.

    So does `hasattr(book, "_author")` where other code gives rows that attribute.
    """
    mentions = walk.models.mentions
    if _asks_for_given(stmt, mentions.assigned):
        return True
    if _CACHE not in mentions.names and _CACHE not in mentions.texts:
        return False
    if stmt not in walk.guards:
        walk.guards[stmt] = not _held_by(walk, _CACHE).isdisjoint(_named(stmt.test))
    return walk.guards[stmt]


def _asks_for_given(stmt: py.If, assigned: frozenset[str]) -> bool:
    """Whether a condition asks for a private attribute that other code than the statement itself sets on objects."""
    test = stmt.test
    call = test.operand if isinstance(test, py.UnaryOp) and test.op == "not" else test
    if not isinstance(call, py.Call) or len(call.args) != _OF_HASATTR or dotted(call.func) != "hasattr":
        return False
    name = call.args[1].value if isinstance(call.args[1], py.Constant) else None
    if not isinstance(name, str) or not name.startswith("_") or name not in assigned:
        return False
    own = (target for part in nodes((stmt,)) if isinstance(part, py.Assign) for target in part.targets)
    return not any(isinstance(target, py.Attribute) and target.attr == name for target in own)


def answers_from_context(walk: Walk, stmt: py.If) -> bool:
    """`if known: return known` after `known = self.context.get(...)`: what follows is for callers that give none."""
    last = stmt.body[-1]
    if not isinstance(last, py.Return) or last.value is None:
        return False
    held = _held_by(walk, _CONTEXT) - {_CONTEXT}
    tested, given = (
        {node.id for node in nodes((part,)) if isinstance(node, py.Name)} for part in (stmt.test, last.value)
    )
    return not held.isdisjoint(tested & given)


def _held_by(walk: Walk, source: str) -> frozenset[str]:
    """The names of the running function that stand for what `source` held, with that itself."""
    function = walk.frame.node
    if not isinstance(function, py.FunctionDef):
        return frozenset({source})
    if function not in walk.bound:
        walk.bound[function] = tuple(_assignments(function.body))
    held = {source}
    for named, targets in walk.bound[function]:
        if not held.isdisjoint(named):
            held.update(targets)
    return frozenset(held)


def _assignments(body: tuple[py.Stmt, ...]) -> Iterator[tuple[set[str], tuple[str, ...]]]:
    """What assigned values mention, with the names that they are bound to, in the order of the source."""
    for stmt in body:
        if isinstance(stmt, py.Assign):
            yield _named(stmt.value), tuple(name for target in stmt.targets for name in target_names(target))
        for inner in ("body", "orelse", "handlers", "finalbody", "cases"):
            yield from _assignments(getattr(stmt, inner, ()))


def _named(test: py.Expr) -> set[str]:
    """The names, attributes and texts in an expression."""
    found: set[str] = set()
    for node in nodes((test,)):
        if isinstance(node, py.Name):
            found.add(node.id)
        elif isinstance(node, py.Attribute):
            found.add(node.attr)
        elif isinstance(node, py.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found
