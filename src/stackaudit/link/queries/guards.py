"""Conditions that guard a query: a look into the prefetch cache, an answer from the context."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.walk import Walk

_CACHE = "_prefetched_objects_cache"
_CONTEXT = "context"


def asks_cache(walk: Walk, stmt: py.If) -> bool:
    """Whether a condition looks into `_prefetched_objects_cache`, or what it held: the idiom that guards a query."""
    mentions = walk.models.mentions
    if _CACHE not in mentions.names and _CACHE not in mentions.texts:
        return False
    if stmt not in walk.guards:
        walk.guards[stmt] = not _held_by(walk, _CACHE).isdisjoint(_named(stmt.test))
    return walk.guards[stmt]


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
