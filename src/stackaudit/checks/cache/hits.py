"""Hits that are taken for misses because what was cached is empty, zero or false."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.caching.empties import emptiness
from stackaudit.link.caching.receivers import CacheCall, cache_calls
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a value of the cache is tested: `how` is "falsy" or "none"; `miss` runs where there was no hit.

    `made` is what stands in for a miss in the same expression.
    """

    how: str
    miss: tuple[py.Stmt, ...]
    test: py.Expr
    made: py.Expr | None = None


def falsy_hit_is_miss(stack: Stack) -> Iterator[Verdict]:
    """One site for each value that is taken from the cache, tested, and computed and stored where the test fails."""
    stores = list(cache_calls(stack, "set", "aset"))
    for call in cache_calls(stack, "get", "aget"):
        function = call.found.function
        if function is None or call.argument(1, "default") is not None:
            continue  # a default of one's own tells hits from misses
        asked = _asked(function.body, call.call)
        if asked is None:
            continue
        store = next((item for item in stores if _stands_in(item, asked.miss) and item.alias == call.alias), None)
        value = store.argument(1, "value") if store is not None else None
        if store is None or value is None:
            continue
        site = Site(call.found.module.place(asked.test), f"{call.found.where} cache.{call.method}")
        if asked.how == "none":
            yield Pass(site)
            continue
        skip = _value_of(function, call.call) if asked.made is None else None
        empty = emptiness(stack, call.found, asked.made or value, skip=skip)
        if empty == "may":
            step = Step(call.found.module.place(store.call), "what is stored here may be empty, zero, false or None")
            yield Fail(site, {"where": call.found.where}, related=(step,))
        elif empty == "never":
            yield Pass(site)
        else:
            yield Unsure(site, "nothing tells whether what is stored can be empty, zero or false")


def _stands_in(store: CacheCall, body: tuple[py.Stmt, ...]) -> bool:
    return any(item.start <= store.call.start < item.end for item in body)


def _value_of(function: py.FunctionDef, call: py.Call) -> py.Expr | None:
    """The whole expression that is assigned where the cache is asked."""
    for node in nodes(function.body):
        if (
            isinstance(node, (py.Assign, py.NamedExpr))
            and call.start >= node.value.start
            and call.end <= node.value.end
        ):
            return node.value
    return None


def _bare(expr: py.Expr) -> py.Expr:
    return expr.value if isinstance(expr, py.Await) else expr


def _asked(body: tuple[py.Stmt, ...], call: py.Call) -> _Asked | None:
    """The test of what `call` gave, in the block where it stands."""
    for index, statement in enumerate(body):
        if not statement.start <= call.start < statement.end:
            continue
        rest = body[index + 1 :]
        if isinstance(statement, py.Assign) and isinstance(statement.targets[0], py.Name):
            if _bare(statement.value) is call:
                return _tested(statement.targets[0].id, rest)
            either = statement.value
            if isinstance(either, py.BoolOp) and either.op == "or" and _bare(either.left) is call:
                return _Asked("falsy", rest, either, either.right)
            return None
        if (
            isinstance(statement, py.AnnAssign)
            and isinstance(statement.target, py.Name)
            and statement.value is not None
        ):
            return _tested(statement.target.id, rest) if _bare(statement.value) is call else None
        if isinstance(statement, py.If):
            named = next(
                (node for node in nodes((py.ExprStmt(0, 0, statement.test),)) if isinstance(node, py.NamedExpr)), None
            )
            if named is not None and _bare(named.value) is call and isinstance(named.target, py.Name):
                return _branches(statement, named.target.id, rest)
        for inner in _blocks(statement):
            found = _asked(inner, call)
            if found is not None:
                return found
        return None
    return None


def _blocks(statement: py.Stmt) -> Iterator[tuple[py.Stmt, ...]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, ())
    for handler in getattr(statement, "handlers", ()):
        yield handler.body


def _tested(name: str, rest: tuple[py.Stmt, ...]) -> _Asked | None:
    """The first statement that mentions the name, where it is an `if` about it."""
    for index, statement in enumerate(rest):
        if any(isinstance(node, py.Name) and node.id == name for node in nodes((statement,))):
            return _branches(statement, name, rest[index + 1 :]) if isinstance(statement, py.If) else None
    return None


def _branches(statement: py.If, name: str, rest: tuple[py.Stmt, ...]) -> _Asked | None:
    test = statement.test
    negated = isinstance(test, py.UnaryOp) and test.op == "not"
    inner = test.operand if isinstance(test, py.UnaryOp) and negated else test
    if isinstance(inner, py.NamedExpr):
        inner = inner.target
    after = statement.orelse or (rest if _leaves(statement.body) else ())
    if isinstance(inner, py.Name) and inner.id == name:
        return _Asked("falsy", statement.body if negated else after, test)
    if isinstance(inner, py.Compare) and isinstance(inner.comparators[0], py.Constant) and len(inner.ops) == 1:
        left = inner.left.target if isinstance(inner.left, py.NamedExpr) else inner.left
        if isinstance(left, py.Name) and left.id == name and inner.comparators[0].value is None:
            hit = (inner.ops[0] in ("is not", "!=")) != negated
            return _Asked("none", after if hit else statement.body, test)
    return None


def _leaves(body: tuple[py.Stmt, ...]) -> bool:
    return bool(body) and isinstance(body[-1], (py.Return, py.Raise, py.Jump))
