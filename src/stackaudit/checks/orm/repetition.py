"""The same query, asked again where its answer is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from stackaudit.checks.orm.callers import Callers
from stackaudit.checks.orm.methods import Methods, stored
from stackaudit.facts import python as py
from stackaudit.link.modules import Modules
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.values import Manager, Related, Row, Rows
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.effects import fails, is_plain, is_quiet, is_same, within
from stackaudit.link.usage.uses import LOADS, Use, use_of, uses_of
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_RUNS = frozenset({"through", "length", "truth", "member", "index", "asked"})
_TURNS = 100
_NUMBERS = frozenset({"acount", "aexists", "count", "exists"})
_STATEMENTS = (py.Assign, py.AnnAssign, py.AugAssign, py.ExprStmt, py.If, py.Raise, py.Return)
"""Statements that run once when they are reached: not the test of a `while`."""
_REHEARSAL = re.compile(r"\bdry_?run\b")
_ATTEMPTS = frozenset({"attempt", "attempts", "retry", "retries", "try_number", "_attempt", "tries", "_"})


def repeated_evaluation(stack: Stack) -> Iterator[Verdict]:
    """One site for each query that a function asks twice in the same words, with nothing in between to change it."""
    callers = Callers(stack)
    for body in stack.usage:
        groups: dict[str, list[Use]] = {}
        for use in _queries(body):
            groups.setdefault(_written(use), []).append(use)
        for written, uses in groups.items():
            if len(uses) > 1 and "…" not in written and not _is_loaded_later(body, uses[0]):
                yield from _repeated(stack, callers, body, written, uses)


def _is_loaded_later(body: Body, use: Use) -> bool:
    """Whether the rows are loaded too, so that the question itself is what is too much."""
    if use.method not in ("exists", "count", "aexists", "acount") or not isinstance(use.node, py.Name):
        return False
    return any(other.how in LOADS for other in uses_of(body, use.node))


def repeated(stack: Stack) -> set[Place]:
    """The places of the queries that are asked again."""
    return {verdict.site.place for verdict in repeated_evaluation(stack) if isinstance(verdict, Fail)}


def _queries(body: Body) -> Iterator[Use]:
    """What runs a query each time that it is reached: methods that ask, and chains that are gone through."""
    for node, value in body.rows.items():
        if isinstance(value, Row) or not isinstance(node, (py.Name, py.Call, py.Attribute)):
            continue
        use = use_of(body, node)
        keeps = isinstance(node, (py.Name, py.Attribute)) and use.how != "asked" and use.how != "index"
        if use.how in _RUNS and not keeps and body.scope(node) is body.node and _asks(value, use):
            yield use


def _asks(value: Rows | Manager | Related, use: Use) -> bool:
    """Whether the query runs for certain: nothing was loaded before, and no caller can have prefetched the rows."""
    if isinstance(value, Manager):
        return use.how == "asked"
    if isinstance(value, Related):
        return use.how == "asked" and use.method in ("get", "last", "latest", "earliest", "aggregate", "in_bulk")
    if value.evaluated or value.cached:
        return False
    return value.via is None or bool(value.asked) or not value.via.row.load.unknown


def _written(use: Use) -> str:
    if use.how in ("asked", "index"):
        return text_of(use.by, 400)
    return text_of(use.node, 400)


def _repeated(stack: Stack, callers: Callers, body: Body, written: str, uses: list[Use]) -> Iterator[Verdict]:
    by_place = {_expression(use): use for use in uses}
    asked = body.in_order(by_place)
    for one, other in pairwise(asked):
        if not _is_again(stack.modules, body, one, other):
            continue
        site = Site(body.place(other), f"{body.where}: {written[:60]} again")
        if callers.is_by_hand(site.place) or is_rehearsed(body, other):
            yield Pass(site)  # nobody waits for the one query more of a command that somebody runs once
            return
        later = asked[asked.index(other) + 1 :]
        more = [item for item in later if _is_again(stack.modules, body, one, item)]
        steps = (
            Step(body.place(one), "asks the same before"),
            *(Step(body.place(item), "asks again") for item in more),
        )
        fix = _kept(body, one, by_place[other], [body.place(item).region.line for item in (*more, other)])
        yield Fail(site, {"query": text_of(other, 60)}, related=steps, fix=fix)
        return


def _is_again(modules: Modules, body: Body, node: py.Expr, again: py.Expr) -> bool:
    """Whether a query was asked before whenever it is reached, and has the same answer."""
    if not (body.follows(node, again) and body.always(node, again)) or not is_plain(body, node):
        return False
    if set(body.loops(again)) - set(body.loops(node)) and isinstance(node, py.Name):
        return False
    if fails(body, again, node) or not is_same(body, node, again):
        return False
    return is_quiet(modules, body, body.between(node, again)) and not _is_turned(body, node, again)


def _kept(body: Body, node: py.Expr, use: Use, lines: list[int]) -> str:
    """Where to give the answer, or the rows, a name; `lines` are those that ask again, that of the finding the last."""
    name = _name(body, _expression(use)) if use.how in ("asked", "index") else "rows"
    line, written = body.place(node).region.line, code_of(node, 80)
    others = sorted({item for item in (line, *lines[:-1]) if item != lines[-1]})
    before = _before(body, node) if written and len(others) > 0 else 0
    if before:
        named = f"line{'s' * (len(others) > 1)} {', '.join(map(str, others))} and here"
        return f"Write `{name} = {written}` before the statement of line {before} and use `{name}` on {named}."
    more = ", ".join(f"on line {item}" for item in others if item != line)
    making = f", `{name} = {written}`," if written else ""
    return f"Give what line {line} asks for a name{making} and use it there{f', {more}' if more else ''} and here."


def _before(body: Body, node: py.Expr) -> int:
    """The line of the statement in a branch of which a query is asked, 0 where nothing can be written before that."""
    holders = list(body.up(node))
    stmt = next((item for item in holders if isinstance(item, _STATEMENTS)), None)
    if stmt is None or not any(isinstance(item, (py.IfExp, py.BoolOp)) for item in holders[: holders.index(stmt)]):
        return 0
    above = body.parents[stmt]
    is_elif = isinstance(stmt, py.If) and isinstance(above, py.If) and above.orelse == (stmt,)
    return 0 if is_elif else body.place(stmt).region.line


def is_rehearsed(body: Body, node: py.Node) -> bool:
    """Whether a node only runs where somebody asks a command to show what it would do."""
    return "management/commands/" in body.module.path and any(
        isinstance(holder, py.If) and arm == "body" and _REHEARSAL.search(text_of(holder.test))
        for holder, arm in body.branches(node)
    )


def _name(body: Body, asked: py.Expr) -> str:
    """A name for the answer of a query, made of what is asked for what; "answer" where that gives none that is free."""
    method = asked.func.attr if isinstance(asked, py.Call) and isinstance(asked.func, py.Attribute) else ""
    held: py.Expr = asked
    while isinstance(held, (py.Call, py.Subscript)):
        inner = held.func if isinstance(held, py.Call) else held.value
        held = inner.value if isinstance(held, py.Call) and isinstance(inner, py.Attribute) else inner
    if isinstance(held, py.Attribute) and held.attr in ("objects", "all") and not isinstance(held.value, py.Call):
        held = held.value
    text = held.id if isinstance(held, py.Name) else held.attr if isinstance(held, py.Attribute) else ""
    text = text.removesuffix("_set")
    name = f"{text.lower()}_{method}" if text and text not in ("self", "cls") and method in _NUMBERS else "answer"
    is_taken = name in body.binds or any(param.name == name for param in body.node.params)
    return "answer" if is_taken else name


def _expression(use: Use) -> py.Expr:
    return use.by if use.how in ("asked", "index") and isinstance(use.by, (py.Call, py.Subscript)) else use.node


def _is_turned(body: Body, one: py.Node, other: py.Node) -> bool:
    """Whether something is written in a loop around the second place that does not hold the first."""
    return any(not loop.start <= one.start < loop.end for loop in body.loops(other))


def loop_invariant_query(stack: Stack) -> Iterator[Verdict]:
    """One site for each query in a `for` loop that has nothing to do with the turns of the loop.

    It may stand in a function that the loop calls for nothing else.
    """
    methods = Methods(stack)
    for body in stack.usage:
        seen: set[str] = set()
        plain = {node: () for node in map(_expression, _queries(body)) if body.loops(node) and is_plain(body, node)}
        for node, steps in (plain | _called(methods, body)).items():
            loops = [loop for loop in body.loops(node) if not isinstance(loop, py.While)]
            if loops and text_of(node, 400) not in seen:
                seen.add(text_of(node, 400))
                yield from _invariant(stack, methods, body, node, loops[0], steps)


def _called(methods: Methods, body: Body) -> dict[py.Expr, tuple[Step, ...]]:
    """The calls in loops that lead to a function which asks a query and does nothing else, with where it asks."""
    found: dict[py.Expr, tuple[Step, ...]] = {}
    for call in body.calls:
        made = methods.returned(call) if body.loops(call) else None
        if made is not None and any(_expression(use) is made[1] for use in _queries(made[0])):
            found[call] = (Step(made[0].place(made[1]), "asks the database"),)
    return found


def _invariant(
    stack: Stack, methods: Methods, body: Body, node: py.Expr, loop: py.Node, steps: tuple[Step, ...]
) -> Iterator[Verdict]:
    if _is_short(loop) or any(isinstance(item, py.While) for item in body.up(node)) or _is_put_off(body, node, loop):
        return
    inner = within(body, loop)
    bound = {
        name
        for name, binds in body.binds.items()
        if any(loop.start <= bind.statement.start < loop.end for bind in binds)
    }
    names = {item.id for item in within(body, node) if isinstance(item, py.Name)}
    if names & bound:
        return
    site = Site(body.place(node), f"{body.where}: {text_of(node, 60)}")
    others = [item for item in inner if item is not node]
    is_still = all(is_quiet(stack.modules, body, [item]) or methods.is_still(item) for item in others)
    if not is_still or any(_begins(target) in names for item in others for target in stored(item)):
        yield Pass(site)  # what the loop does may change the answer
        return
    text = "the comprehension"
    if isinstance(loop, py.For):
        text = f"for {text_of(loop.target, 30)} in {text_of(loop.iter, 50)}"
    values = {"query": text_of(node, 60), "loop": text}
    cost = Cost(_TURNS, _TURNS, f"{_TURNS} turns of the loop")
    cause = "by-hand" if body.module.path in stack.management.by_hand else ""
    yield Fail(site, values, cause, (Step(body.place(loop), "repeats it"), *steps), cost=cost)


def _begins(target: py.Expr) -> str:
    """The name that what is assigned to begins with."""
    while isinstance(target, (py.Attribute, py.Subscript, py.Starred)):
        target = target.value
    return target.id if isinstance(target, py.Name) else ""


def _is_short(loop: py.Node) -> bool:
    """Whether a loop is written out, or repeats attempts."""
    sources = [loop.iter] if isinstance(loop, py.For) else []
    if isinstance(loop, py.Comp):
        sources = [generator.iter for generator in loop.generators]
    if isinstance(loop, py.For) and isinstance(loop.target, py.Name) and loop.target.id in _ATTEMPTS:
        return True
    sources = [item.value if isinstance(item, py.NamedExpr) else item for item in sources]
    return all(isinstance(item, (py.Tuple, py.List, py.Set, py.Dict, py.Constant)) for item in sources)


def _is_put_off(body: Body, node: py.Node, loop: py.Node) -> bool:
    """Whether the query runs once at most: its branch leaves the loop, or a test asks whether it ran before."""
    for holder, _ in body.branches(node):
        if holder.start <= loop.start:
            continue
        if isinstance(holder, (py.BoolOp, py.IfExp, py.Match, py.Try)):
            return True
        if isinstance(holder, py.If):
            test = within(body, holder.test)
            if any(isinstance(item, py.Compare) and {"is", "not in"} & set(item.ops) for item in test):
                return True
            if any(isinstance(item, py.UnaryOp) and item.op == "not" for item in test):
                return True
    leaving = (py.Return, py.Raise)
    return any(
        isinstance(item, leaving) or (isinstance(item, py.Jump) and item.kind == "break")
        for item in within(body, loop)
        if item.end > node.start
    )
