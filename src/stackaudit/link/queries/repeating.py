"""`for` and `while`: the turns of loops, and what their bodies say of how many there are."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.modules import bindings, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import expressions, loops, spelled, statements
from stackaudit.link.queries.presence import unsure
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import UNKNOWN, Rows, Seq
from stackaudit.link.queries.walk import Walk


def of_for(walk: Walk, stmt: py.For) -> None:
    """`for target in iter`."""
    value = expressions.iterable(walk, stmt.iter)
    if stmt not in walk.written:
        text = f"for {text_of(stmt.target, 30)} in {text_of(stmt.iter, 50)}"
        walk.written[stmt] = (text, _bound(stmt))
    text, bounded = walk.written[stmt]
    _left_by_turns(walk, stmt)
    element, loop = loops.enter(walk, value, walk.at(stmt.iter), text, bounded)
    isolated = walk.isolated
    walk.isolated = 0
    frame = walk.frame
    before = dict(frame.env)
    for item in spelled.elements(stmt.target, value, stmt.body) or (element,):
        loops.assign(walk, stmt.target, item)
        statements.block(walk, stmt.body)
    for item in loops.beside(walk, value, loop):
        walk.guard += 1
        loops.assign(walk, stmt.target, item)
        statements.block(walk, stmt.body)
        walk.guard -= 1
    loops.leave(walk)
    walk.isolated = isolated
    frame.env = statements.merged(frame.env, before)
    statements.block(walk, stmt.orelse)


def _left_by_turns(walk: Walk, stmt: py.For | py.While) -> None:
    """What a name that the turns bind stands for is certain of the first turn alone."""
    if stmt not in walk.rebound:
        walk.rebound[stmt] = frozenset(bindings(stmt.body)[0])
    env = walk.frame.env
    for name in walk.rebound[stmt]:
        if name in env:
            env[name] = unsure(env[name])


def _bound(stmt: py.For) -> str:
    """What the body of a loop says of its turns."""
    if _ends(stmt.body) and not _continues(stmt.body):
        return "the first turn ends it"
    counted = isinstance(stmt.iter, py.Call) and dotted(stmt.iter.func) in ("range", "count", "itertools.count")
    if counted and any(isinstance(part, py.Try) and (_ends(part.body) or _ends(part.orelse)) for part in stmt.body):
        return "the first turn that succeeds ends it"
    return ""


def _ends(body: tuple[py.Stmt, ...]) -> bool:
    return any(
        isinstance(stmt, (py.Return, py.Raise)) or (isinstance(stmt, py.Jump) and stmt.kind == "break") for stmt in body
    )


def _continues(body: tuple[py.Stmt, ...]) -> bool:
    for stmt in body:
        if isinstance(stmt, py.Jump) and stmt.kind == "continue":
            return True
        if isinstance(stmt, py.If) and (_continues(stmt.body) or _continues(stmt.orelse)):
            return True
        if isinstance(stmt, (py.Try, py.With)) and _continues(stmt.body):
            return True
        if isinstance(stmt, py.Try) and any(_continues(handler.body) for handler in stmt.handlers):
            return True
    return False


def of_while(walk: Walk, stmt: py.While) -> None:
    """`while test`; where its body takes one element after another out of a list, these are the turns.

    So are those of a number that counts up to the length of something.
    """
    before = dict(walk.frame.env)
    _left_by_turns(walk, stmt)
    expressions.truth(walk, stmt.test)
    name, counter = _emptied(stmt), _counter(stmt)
    held = walk.frame.env.get(name)
    text = f"while {text_of(stmt.test, 50)}"
    if isinstance(held, (Rows, Seq)):
        element, _ = loops.enter(walk, held, walk.at(stmt.test), text)
        walk.frame.env[name] = Seq(element, None, held.loops)
        statements.block(walk, stmt.body)
        loops.leave(walk)
    elif counter:
        number, _ = loops.enter(walk, Seq(UNKNOWN), walk.at(stmt.test), text)
        walk.frame.env[counter] = number
        statements.block(walk, stmt.body)
        loops.leave(walk)
    else:
        statements.block(walk, stmt.body)
    walk.frame.env = statements.merged(walk.frame.env, before)
    statements.block(walk, stmt.orelse)


def _counter(stmt: py.While) -> str:
    """The name of `while i < len(rows): …; i += 1`; "" for any other loop."""
    test = stmt.test
    if not isinstance(test, py.Compare) or test.ops != ("<",) or not isinstance(test.left, py.Name):
        return ""
    limit, name = test.comparators[0], test.left.id
    if not isinstance(limit, py.Call) or dotted(limit.func) != "len":
        return ""
    steps = [
        part
        for part in nodes(stmt.body)
        if isinstance(part, py.AugAssign) and part.op == "+" and dotted(part.target) == name
    ]
    return name if steps else ""


def _emptied(stmt: py.While) -> str:
    """The list that `while rows: row = rows.pop()` goes through; "" where there is none, or where it grows meanwhile.

    What a list gets on the way is told by rows that the turns before have asked for: nothing loads these beforehand.
    """
    test = stmt.test.args[0] if isinstance(stmt.test, py.Call) and dotted(stmt.test.func) == "len" else stmt.test
    if not isinstance(test, py.Name):
        return ""
    asked = {
        node.func.attr
        for node in nodes(stmt.body)
        if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and dotted(node.func.value) == test.id
    }
    return test.id if asked and asked <= {"pop", "popleft"} else ""
