"""Answers that are remembered: by dictionaries, once for each key however often a loop meets it, and by rows."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Const, Row, Value
from stackaudit.link.queries.walk import Walk


def fills(walk: Walk, stmt: py.If) -> bool:
    """`if key not in known: known[key] = ...`, and `if found is None: found = known[key] = ...` after `known.get()`."""
    if stmt not in walk.fills:
        walk.fills[stmt] = _fills(stmt)
    return walk.fills[stmt]


def _fills(stmt: py.If) -> bool:
    test = stmt.test
    if isinstance(test, py.Compare) and test.ops == ("not in",):
        held = text_of(test.comparators[0])
        return any(text_of(target.value) == held for target, _ in _stored(stmt.body))
    name = _missing(test)
    return bool(name) and (any(name in names for _, names in _stored(stmt.body)) or _is_kept(stmt.body, name))


def answers(stmt: py.If) -> bool:
    """`if key in known: return known[key]`: what follows fills it."""
    test, last = stmt.test, stmt.body[-1]
    if not isinstance(test, py.Compare) or test.ops != ("in",) or not isinstance(last, py.Return):
        return False
    given = last.value
    return isinstance(given, py.Subscript) and text_of(given.value) == text_of(test.comparators[0])


def is_behind_cache(function: py.FunctionDef) -> bool:
    """Whether a function gives what a cache holds, and runs to its end, where it fills that, only for what is missing.

    `found = cache.get(key)`, `if found: return found`, and later `cache.set(key, made)`.
    """
    asked: dict[str, tuple[str, str]] = {}
    for number, stmt in enumerate(function.body):
        if isinstance(stmt, py.Assign):
            asked |= {
                item.id: entry for item in stmt.targets if isinstance(item, py.Name) and (entry := _got(stmt.value))
            }
        if not isinstance(stmt, py.If) or not isinstance(stmt.body[-1], py.Return) or len(stmt.body) > 1:
            continue
        given, held = stmt.body[0].value if isinstance(stmt.body[0], py.Return) else None, stmt.test
        if isinstance(held, py.Compare) and held.ops == ("is not",) and text_of(held.comparators[0]) == "None":
            held = held.left
        if isinstance(held, py.NamedExpr) and isinstance(held.target, py.Name) and (found := _got(held.value)):
            asked[held.target.id], held = found, held.target
        if isinstance(held, py.Name) and isinstance(given, py.Name) and given.id == held.id and held.id in asked:
            return any(_set(node) == asked[held.id] for node in nodes(function.body[number + 1 :]))
    return False


def _got(node: py.Expr) -> tuple[str, str] | None:
    """The cache and the key of `cache.get(key)`; None for any other expression."""
    is_get = isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "get"
    return _entry(node) if is_get else None


def _set(node: py.Node) -> tuple[str, str] | None:
    """The cache and the key of `cache.set(key, made)`; None for any other node."""
    is_set = isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "set"
    return _entry(node) if is_set else None


def _entry(call: py.Node) -> tuple[str, str] | None:
    if not isinstance(call, py.Call) or not isinstance(call.func, py.Attribute) or not call.args:
        return None
    return text_of(call.func.value, 400), text_of(call.args[0], 400)


def _missing(test: py.Expr) -> str:
    """The name of which a condition says that it holds nothing."""
    if isinstance(test, py.UnaryOp) and test.op == "not" and isinstance(test.operand, py.Name):
        return test.operand.id
    if isinstance(test, py.Compare) and test.ops == ("is",) and isinstance(test.left, py.Name):
        other = test.comparators[0]
        return test.left.id if isinstance(other, py.Constant) and other.value is None else ""
    return ""


def _is_kept(body: tuple[py.Stmt, ...], name: str) -> bool:
    """`cache.set(key, found)`"""
    return any(
        isinstance(node, py.Call)
        and isinstance(node.func, py.Attribute)
        and node.func.attr == "set"
        and any(isinstance(arg, py.Name) and arg.id == name for arg in node.args[1:2])
        for node in nodes(body)
    )


def _stored(body: tuple[py.Stmt, ...]) -> list[tuple[py.Subscript, set[str]]]:
    """The entries of dictionaries that statements set, with the names that stand for the same value."""
    found: list[tuple[py.Subscript, set[str]]] = []
    for node in nodes(body):
        if isinstance(node, py.Assign):
            names = {item.id for item in (*node.targets, node.value) if isinstance(item, py.Name)}
            found += [(target, names) for target in node.targets if isinstance(target, py.Subscript)]
    return found


def is_cached(func: py.Expr, args: tuple[Value, ...]) -> Value | None:
    """`Book.author.is_cached(book)`: whether the row brings the related one; None for any other call, or where it may.

    Django's own question (`django.db.models.fields.mixins.FieldCacheMixin`).
    """
    if not isinstance(func, py.Attribute) or func.attr != "is_cached" or not isinstance(func.value, py.Attribute):
        return None
    row = args[0] if len(args) == 1 else None
    if not isinstance(row, Row):
        return None
    name, load = func.value.attr, row.load
    brings = load.to_one(name) is not None or load.joins(row.model.relation(name))
    return None if load.unknown and not brings else Const(brings)


def falls_back(stmt: py.If) -> bool:
    """Whether a function answers from what is cached where it can: what follows is for what it cannot answer so."""
    return ".is_cached(" in text_of(stmt.test, 400) and any(type(item) is py.Return for item in nodes(stmt.body))
