"""Counts that only say whether there is anything at all."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import calls, expressions, narrowing
from stackaudit.link.queries.loading import NEW
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Manager, Other, Related, Rows
from stackaudit.link.queries.walk import Walk

_ANY = {(">", 0), ("!=", 0), (">=", 1)}
_NONE = {("==", 0), ("<", 1), ("<=", 0)}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


FILTERED = "how many rows its filter leaves is not known"
"""`Event.why` where a count may be of few rows."""


def compared(walk: Walk, node: py.Compare) -> None:
    """Record `x.count() > 0` and its like."""
    asked = _asked(node)
    if asked is not None:
        _judge(walk, node, *asked)


def _asked(node: py.Compare) -> tuple[py.Call, bool] | None:
    """The count that a comparison asks whether it is anything, and whether it has to be nothing."""
    if len(node.ops) != 1:
        return None
    left, op, right = node.left, node.ops[0], node.comparators[0]
    if isinstance(left, py.Constant):
        left, right, op = right, left, _TURNED.get(op, "")
    call = _count(left)
    if call is None or not isinstance(right, py.Constant) or isinstance(right.value, bool):
        return None
    if (op, right.value) in _ANY or (op, right.value) in _NONE:
        return call, (op, right.value) in _NONE
    return None


def tested(walk: Walk, node: py.Expr) -> None:
    """Record `if x.count():`, also where more than that is tested; `x.count() or "none"` uses the number."""
    if isinstance(node, py.BoolOp):
        tested(walk, node.left)
        tested(walk, node.right)
    call = _count(node)
    if call is not None:
        _judge(walk, node, call, False)


def _count(node: py.Expr) -> py.Call | None:
    while isinstance(node, py.Await):
        node = node.value
    if isinstance(node, py.Call) and not node.args and not node.keywords and isinstance(node.func, py.Attribute):
        return node if node.func.attr in ("count", "acount") else None
    return None


def _judge(walk: Walk, node: py.Expr, call: py.Call, negated: bool) -> None:
    assert isinstance(call.func, py.Attribute)
    asked = call.func.value
    value = expressions.evaluate(walk, asked)
    at = walk.at(node)
    if isinstance(value, Other):
        why = f"what `{text_of(asked, 60)}` is cannot be told"
        walk.add("existence", "unknown", at, None, why=why)
        return
    if not isinstance(value, (Rows, Manager, Related)):
        return
    rows = calls.base_rows(walk, value)
    wanted = "aexists" if call.func.attr == "acount" else "exists"
    written = f"{'not ' if negated else ''}{'await ' if wanted == 'aexists' else ''}{text_of(asked, 60)}.{wanted}()"
    if _number_is_used(walk, node, call):
        walk.add("existence", "pass", at, None, rows=rows, why="the number itself is asked for too")
        return
    free = rows.evaluated or rows.cached or rows.kind != "rows"
    if free or (isinstance(asked, py.Name) and _gone_through(walk, asked.id)):
        walk.add("existence", "pass", at, None, rows=rows, why="the rows are loaded anyway")
    elif any(rows.model is not None and narrowing.is_unique(rows.model, name) for name in rows.narrowed):
        walk.add("existence", "pass", at, None, rows=rows, why="there is one row at most to count")
    elif _may_be_loaded(walk, rows):
        why = "other code prefetches the rows, and whether it does so for this one is not known"
        walk.add("existence", "unknown", at, None, rows=rows, why=why)
    else:
        walk.add("existence", "fail", at, None, rows=rows, method=written, why=_what_it_counts(rows))


def _may_be_loaded(walk: Walk, rows: Rows) -> bool:
    """Whether all that a row from elsewhere has of a relation is counted, which code of the repository prefetches."""
    via = rows.via
    if via is None or rows.narrowed or rows.asked or via.row.load.unknown in ("", NEW.unknown):
        return False
    return any(via.relation.name in path for path in walk.models.mentions.prefetched)


def _what_it_counts(rows: Rows) -> str:
    """Why counting the rows costs little more than looking for one; "" where it does not."""
    if rows.via is not None:
        return "only the rows behind one row are counted"
    if any(rows.model is not None and _is_of_one(rows.model, name) for name in rows.narrowed):
        return "only the rows with one value of a key are counted"
    if rows.limited:
        return "only a part of the rows is counted"
    return FILTERED if rows.model is not None and narrowing.of(rows) == "unknown" else ""


def _is_of_one(model: Model, name: str) -> bool:
    """Whether a keyword of a filter asks for one value of a foreign key."""
    first, _, lookup = name.partition("__")
    is_relation = model.by_query_name(first) is not None or model.attname(first) is not None
    return lookup in ("", "exact", "pk", "id") and is_relation


def _number_is_used(walk: Walk, node: py.Expr, call: py.Call) -> bool:
    """Whether the function counts the same rows elsewhere for their number: `if n.count() == 1: ... > 1`."""
    function = walk.frame.node
    if function is None:
        return False
    mine = text_of(call, 400)
    others = {other for other in nodes((function,)) if type(other) is py.Call and other is not call}
    counts = {other for other in others if _count(other) is other and text_of(other, 400) == mine}
    return bool(counts) and not counts <= only_tested(function)


def only_tested(function: py.FunctionDef | py.Lambda) -> set[py.Call]:
    """The counts of a function that say no more than whether there is anything."""
    found: set[py.Call] = set()
    for node in nodes((function,)):
        if isinstance(node, py.Compare):
            asked = _asked(node)
            found.update([asked[0]] if asked is not None else [])
        elif isinstance(node, (py.If, py.IfExp, py.While, py.Assert)):
            found.update(_tests(node.test))
        elif isinstance(node, py.UnaryOp) and node.op == "not":
            found.update(_tests(node.operand))
    return found


def _tests(node: py.Expr) -> Iterator[py.Call]:
    if isinstance(node, py.BoolOp):
        yield from _tests(node.left)
        yield from _tests(node.right)
    call = _count(node)
    if call is not None:
        yield call


def _gone_through(walk: Walk, name: str) -> bool:
    """Whether the function goes through the rows of `name` somewhere, so that they are loaded anyway."""
    node = walk.frame.node
    return node is not None and any(_loops_over(part, name) for part in nodes((node,)))


def _loops_over(node: py.Node, name: str) -> bool:
    if isinstance(node, (py.For, py.Comprehension)):
        return isinstance(node.iter, py.Name) and node.iter.id == name
    if isinstance(node, py.Call) and isinstance(node.func, py.Name) and node.func.id in ("list", "tuple", "len"):
        return any(isinstance(arg, py.Name) and arg.id == name for arg in node.args)
    return False
