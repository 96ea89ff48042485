"""Statements: control flow, loops, bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.modules import Symbol
from stackaudit.link.queries import (
    access,
    branches,
    calls,
    containers,
    expressions,
    guards,
    loops,
    memos,
    repeating,
    rescues,
    rows,
)
from stackaudit.link.queries.joining import join, mixed
from stackaudit.link.queries.loading import Load
from stackaudit.link.queries.origins import Loop
from stackaudit.link.queries.presence import decided
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Const,
    Function,
    Instance,
    Mapping,
    ModuleRef,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Keys, Walk

_SUPPRESS = ("suppress(", "contextlib.suppress(")


def block(walk: Walk, body: Iterable[py.Stmt]) -> bool:
    """Walk statements in order; True where the end is never reached."""
    guard, left, keys = walk.guard, len(walk.left), walk.keys
    ended = False
    for stmt in body:
        walk.spent += 1
        handler = _HANDLERS.get(type(stmt))
        if handler is not None and handler(walk, stmt):
            ended = True
            break
    walk.guard, walk.keys = guard, keys
    while len(walk.left) > left:
        branches.shared(walk, *walk.left.pop())  # what followed the branch that left was the other one
    return ended


def _expression(walk: Walk, stmt: py.ExprStmt) -> bool:
    expressions.evaluate(walk, stmt.value)
    return False


def _assign(walk: Walk, stmt: py.Assign) -> bool:
    value = expressions.evaluate(walk, stmt.value)
    for target in stmt.targets:
        loops.assign(walk, target, value)
    return False


def _annotated(walk: Walk, stmt: py.AnnAssign) -> bool:
    if stmt.value is not None:
        loops.assign(walk, stmt.target, expressions.evaluate(walk, stmt.value))
    return False


def _return(walk: Walk, stmt: py.Return) -> bool:
    walk.frame.returns.append(expressions.evaluate(walk, stmt.value) if stmt.value is not None else Const(None))
    return True


def _raise(walk: Walk, stmt: py.Raise) -> bool:
    if stmt.exc is not None:
        expressions.evaluate(walk, stmt.exc)
    return True


def _with(walk: Walk, stmt: py.With) -> bool:
    for item in stmt.items:
        value = entered(walk, expressions.evaluate(walk, item.value), walk.at(item.value))
        if item.target is not None:
            handed = loops.element_of(value) if isinstance(value, Seq) else value  # what a @contextmanager yields
            loops.assign(walk, item.target, handed)
    if not any(text_of(item.value).startswith(_SUPPRESS) for item in stmt.items):
        return block(walk, stmt.body)
    before = dict(walk.frame.env)
    block(walk, stmt.body)
    walk.frame.env = merged(walk.frame.env, before)  # what fails leaves the rest out
    return False


def entered(walk: Walk, value: Value, at: At) -> Value:
    """What `with value` hands out: what `__enter__()` gives, where a class of the repository defines it."""
    made = calls.special(walk, value, "__enter__", at)
    return value if made is None or made == UNKNOWN else made


def _function(walk: Walk, stmt: py.FunctionDef) -> bool:
    walk.frame.env[stmt.name] = Function(calls.module_of(walk), stmt, None, None, walk.frame)
    return False


def _class(walk: Walk, stmt: py.ClassDef) -> bool:
    walk.frame.env[stmt.name] = ClassRef(walk.classes.build(calls.module_of(walk), stmt))
    return False


def _assert(walk: Walk, stmt: py.Assert) -> bool:
    expressions.truth(walk, stmt.test)
    return False


def _augmented(walk: Walk, stmt: py.AugAssign) -> None:
    value = expressions.evaluate(walk, stmt.value)
    held = expressions.evaluate(walk, stmt.target)
    if stmt.op == "+" and isinstance(held, (Seq, Rows)) and isinstance(value, (Seq, Rows, Related)):
        right = calls.base_rows(walk, value) if isinstance(value, Related) else value
        if isinstance(right, Rows):
            right = access.evaluate(walk, right, walk.at(stmt.value))
        element, others = mixed(*loops.elements_of(held), *loops.elements_of(right))
        loops.store(walk, stmt.target, Seq(element, None, held.loops | right.loops, others=others))
    elif stmt.op in ("|", "&") and isinstance(held, Rows):
        made = rows.combined(held, value, stmt.op)
        origin = made.origin or walk.origin(walk.at(stmt.target), rows=made)
        loops.store(walk, stmt.target, replace(made, origin=origin))
    elif stmt.op == "|" and isinstance(held, Mapping):
        loops.store(walk, stmt.target, containers.merged(held, value))
    elif isinstance(stmt.target, py.Name):
        walk.frame.env[stmt.target.id] = walk.unknown(held, value)


def _if(walk: Walk, stmt: py.If) -> bool:
    shield = int(guards.asks_cache(walk, stmt))
    filled = int(memos.fills(walk, stmt))
    walk.shielded += filled
    walk.shielded += shield
    value = expressions.truth(walk, stmt.test)
    frame = walk.frame
    before = frame.env
    holds = decided(value)
    if holds is not None and not shield:
        walk.shielded -= filled
        ended = block(walk, stmt.body if holds else stmt.orelse)
        if holds and not ended and memos.falls_back(stmt):
            frame.shields += 1
            walk.shielded += 1
        return ended
    start = len(walk.reached)
    walk.guard += 1
    frame.env = dict(before)
    _narrow(walk, stmt.test, value, True)
    outer = walk.branch
    walk.branch = (*outer, (id(stmt), 0))
    ended = _branch(walk, stmt.body)
    middle = len(walk.reached)
    walk.shielded -= filled
    then = frame.env
    frame.env = dict(before)
    _narrow(walk, stmt.test, value, False)
    walk.branch = (*outer, (id(stmt), 1))
    other_ended = _branch(walk, stmt.orelse)
    walk.branch = outer
    walk.guard -= 1
    branches.shared(walk, start, middle, walk.guard)
    walk.shielded -= shield
    is_answer = ended and (memos.answers(stmt) or guards.answers_from_context(walk, stmt))
    if (shield and ended != other_ended) or is_answer:
        frame.shields += 1  # what follows is the other branch of the guard
        walk.shielded += 1
    if ended and not other_ended:
        if _leaves(walk, stmt.test, stmt.body):
            walk.left.append((start, middle, walk.guard))
            walk.guard += 1
        walk.keys |= _keys(walk, stmt.test)
        return False
    if other_ended and not ended:
        walk.guard += _leaves(walk, stmt.test, stmt.orelse)
        frame.env = then
        return False
    frame.env = merged(then, frame.env)
    return ended and other_ended


def _leaves(walk: Walk, test: py.Expr, body: tuple[py.Stmt, ...]) -> int:
    """1 where a branch leaves what follows to some turns alone; an error and a missing value are exceptions.

    What returns out of a loop ends it: until then all of its turns go on.
    """
    if isinstance(body[-1], py.Return) and walk.loops and walk.loops[-1].depth == len(walk.frames):
        return 0
    absent = isinstance(test, py.UnaryOp) and test.op == "not" and isinstance(test.operand, py.Name)
    absent = absent or (isinstance(test, py.Compare) and test.ops == ("is",))
    return int(not absent and not isinstance(body[-1], py.Raise))


def _keys(walk: Walk, test: py.Expr) -> Keys:
    """The key that is not NULL behind `if book.editor_id is None: return`, or behind the same test of its row."""
    tested = test.left if isinstance(test, py.Compare) and test.ops == ("is",) else None
    if not isinstance(tested, py.Attribute) or not isinstance(tested.value, py.Name):
        return frozenset()
    row = walk.frame.env.get(tested.value.id)
    relation = (row.model.attname(tested.attr) or row.model.relation(tested.attr)) if isinstance(row, Row) else None
    if not isinstance(row, Row) or relation is None or not (relation.forward and relation.null):
        return frozenset()
    return frozenset({(row.loop, row.origin, (*row.path, relation.name))})


def _branch(walk: Walk, body: tuple[py.Stmt, ...]) -> bool:
    """Walk a branch; where it ends by leaving a loop, what it does happens once and not on each turn."""
    last = body[-1] if body else None
    left: list[Loop] = []
    if isinstance(last, (py.Return, py.Raise)):
        left = [loop for loop in walk.loops if loop.depth == len(walk.frames) and not loop.bounded]
    elif isinstance(last, py.Jump) and last.kind == "break" and walk.loops and not walk.loops[-1].bounded:
        left = [walk.loops[-1]]
    for loop in left:
        loop.bounded = "the turn that asks is the last"
    ended = block(walk, body)
    for loop in left:
        loop.bounded = ""
    return ended


def _narrow(walk: Walk, test: py.Expr, value: Value, holds: bool) -> None:
    """`if isinstance(x, Model)` makes x a row of that model."""
    if not holds or not isinstance(test, py.Call) or not isinstance(test.func, py.Name):
        return
    if test.func.id == "isinstance" and len(test.args) == 2 and isinstance(test.args[0], py.Name):
        held = walk.frame.env.get(test.args[0].id)
        cls = expressions.evaluate(walk, test.args[1])
        if isinstance(cls, ClassRef) and cls.model is not None and isinstance(held, Other):
            walk.frame.env[test.args[0].id] = Row(
                cls.model, Load(unknown="where this row comes from is not known"), loops=held.loops
            )


def merged(one: dict[str, Value], other: dict[str, Value]) -> dict[str, Value]:
    """The names after either of two branches."""
    if one == other:
        return one
    env = dict(other)
    for name, value in one.items():
        env[name] = join(value, env[name]) if name in env else value
    return env


def _try(walk: Walk, stmt: py.Try) -> bool:
    frame = walk.frame
    before = dict(frame.env)
    is_certain, rescue = rescues.outcome(walk, stmt)
    if is_certain:
        parts = (rescue.body,) if rescue is not None else (stmt.body, stmt.orelse)
        ended = any(block(walk, part) for part in parts)  # what ends leaves the rest out
        return block(walk, stmt.finalbody) or ended
    walk.isolated += 1
    ended = block(walk, stmt.body)
    walk.isolated -= 1
    if not ended:
        ended = block(walk, stmt.orelse)
    after, handlers_ended = frame.env, bool(stmt.handlers)
    walk.guard += 1
    for handler in stmt.handlers:
        frame.env = merged(dict(after), before)
        if handler.name:
            frame.env[handler.name] = UNKNOWN
        missing = int(text_of(handler.type) == "KeyError") if handler.type is not None else 0
        walk.shielded += missing  # what a dictionary does not hold yet is asked for once
        handler_ended = block(walk, handler.body)
        walk.shielded -= missing
        if not handler_ended:
            handlers_ended = False
            after = merged(after, frame.env)
    walk.guard -= 1
    frame.env = after
    final = block(walk, stmt.finalbody)
    return final or (ended and (handlers_ended or not stmt.handlers))


def _match(walk: Walk, stmt: py.Match) -> None:
    subject = expressions.evaluate(walk, stmt.subject)
    frame = walk.frame
    before = dict(frame.env)
    after = dict(before)
    walk.guard += 1
    for case in stmt.cases:
        frame.env = dict(before)
        for name in case.names:
            frame.env[name] = Other(subject.loops)
        if case.guard is not None:
            expressions.truth(walk, case.guard)
        block(walk, case.body)
        after = merged(after, frame.env)
    walk.guard -= 1
    frame.env = after


def _import(walk: Walk, stmt: py.Import | py.ImportFrom) -> None:
    module = calls.module_of(walk)
    for alias in stmt.names:
        if isinstance(stmt, py.Import):
            name = alias.asname or alias.name.partition(".")[0]
            full = alias.name if alias.asname else name
            found = walk.modules.find(full, module.path)
            walk.frame.env[name] = ModuleRef(found) if found is not None else Other(name=full)
        elif alias.name != "*":
            origin = walk.modules.origin(module, stmt)
            bound = alias.asname or alias.name
            symbol: Symbol | None
            if isinstance(origin, str):
                symbol = walk.modules.external(f"{origin}.{alias.name}", module.path)
            else:
                symbol = walk.modules.member(origin, alias.name)
            walk.frame.env[bound] = calls.of_symbol(walk, symbol)


_HANDLERS: dict[type, Callable[[Walk, Any], bool | None]] = {
    py.ExprStmt: _expression,
    py.Assign: _assign,
    py.AnnAssign: _annotated,
    py.AugAssign: _augmented,
    py.Return: _return,
    py.Raise: _raise,
    py.Jump: lambda walk, stmt: stmt.kind != "pass",
    py.If: _if,
    py.For: repeating.of_for,
    py.While: repeating.of_while,
    py.With: _with,
    py.Try: _try,
    py.Match: _match,
    py.FunctionDef: _function,
    py.Import: _import,
    py.ImportFrom: _import,
    py.Assert: _assert,
    py.ClassDef: _class,
}
"""Each tells whether the end of its statement is never reached."""


def prepare(walk: Walk, instance: Instance) -> None:
    """What `__init__` (or a view's `setup`) leaves on an instance whose making is not seen."""
    instance.made = True
    walk.shielded += 1
    before, walk.loops = walk.loops, []
    for name in ("__init__", "setup"):
        found = instance.cls.find(name)
        if found is not None and isinstance(found.node, py.FunctionDef):
            function = Function(found.owner.module, found.node, instance, found.owner)
            at = (found.owner.module, found.node)
            calls.call(walk, function, (), {}, at, f"{instance.cls.label}()", is_entry=True)
    walk.loops = before
    walk.shielded -= 1
