"""Querysets that are evaluated more often, or in another way, than what is done with them needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.queries import narrowing
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.values import Manager, Related, Rows
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.chains import calls_of
from stackaudit.link.usage.effects import fails
from stackaudit.link.usage.uses import LOADS, Use, is_lazy, querysets, use_of, uses_of
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_BEFORE = frozenset({"exists", "aexists", "count", "acount"})
_WRITING = frozenset({"written"})


def exists_then_evaluate(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset that a name holds and that is asked by `exists()` or `count()`."""
    for body in stack.usage:
        by_hand = body.module.path in stack.management.by_hand
        for node, value in querysets(body):
            if isinstance(node, py.Name) and isinstance(value, Rows) and not value.cached:
                uses = uses_of(body, node)
                asking = [
                    use
                    for use in uses
                    if use.method in _BEFORE and not _is_loaded(body, use.node) and _is_new(body, use.node)
                ]
                verdicts = [_asked_first(body, use, uses, by_hand) for use in asking]
                failed = [verdict for verdict in verdicts if isinstance(verdict, Fail)]
                yield from failed[:1] or verdicts[:1]


def _is_loaded(body: Body, node: py.Expr) -> bool:
    value = body.value(node)
    return isinstance(value, Rows) and value.evaluated


def _is_new(body: Body, node: py.Expr) -> bool:
    """Whether every expression that a name may stand for is a queryset that nothing has evaluated."""
    made = body.bound(node) if isinstance(node, py.Name) else None
    values = [body.value(item) for item in made or ()]
    return bool(values) and all(
        isinstance(value, (Rows, Manager, Related)) and not getattr(value, "evaluated", False) for value in values
    )


def _asked_first(body: Body, use: Use, uses: list[Use], by_hand: bool) -> Verdict:
    assert isinstance(use.node, py.Name)
    asked = use.by
    site = Site(body.place(asked), f"{body.where}: {text_of(asked, 60)}")
    method = use.method.removeprefix("a") if use.method.startswith("a") else use.method
    if method == "count" and _is_limit(body, asked):
        return Pass(site)  # how many there are decides whether they are loaded at all
    later = [
        item
        for item in uses
        if item.how in LOADS and body.follows(use.node, item.node) and _once(body, use.node, item.node)
        if not fails(body, item.node, asked)
    ]
    loaded = any(item.how in LOADS and body.always(item.node, use.node) for item in uses)
    if not later or loaded or by_hand or _changes(body, use.node, later[0].node):
        return Pass(site)  # nobody waits for the one query more of a command that somebody runs once
    first = later[0]
    values = {"name": use.node.id, "asked": text_of(asked, 60), "then": _said(first)}
    fix = f"Write `len({use.node.id})`: it loads the rows, and what follows uses them."
    if method != use.method:
        fix = f"Load the rows once, `rows = [row async for row in {use.node.id}]`, and ask that list before and after"
        fix += f"{_of_list(body, use, first)}."
    elif method == "exists":
        fix = f"Test `{use.node.id}` itself (`if {use.node.id}:`): that loads the rows, and what follows uses them."
    cause = "count" if method == "count" else ""
    return Fail(site, values, cause, (Step(body.place(first.node), "loads the rows"),), fix=fix)


def _of_list(body: Body, use: Use, later: Use) -> str:
    """How a list is asked and gone through, where a queryset was by `await` and `async for`."""
    waited = body.parents[use.by]
    holder = body.parents[waited]
    negated = "not " if isinstance(holder, py.UnaryOp) and holder.op == "not" else ""
    above = body.parents[holder] if negated else holder
    ways = [f"`if {negated}rows:`"] if isinstance(above, py.If) and above.test in (waited, holder) else []
    if use.method == "acount":
        ways = ["`len(rows)`"]
    loop = later.by.generators[0] if isinstance(later.by, py.Comp) else later.by
    if isinstance(loop, (py.For, py.Comprehension)) and loop.is_async:
        colon = ":" if isinstance(loop, py.For) else ""
        ways.append(f"`for {text_of(loop.target, 30)} in rows{colon}` (no `async for`: it is a list)")
    return f": {' and '.join(ways)}" if ways else ""


def _said(use: Use) -> str:
    return {"through": "gone through", "length": "counted", "truth": "tested", "member": "searched"}[use.how]


def _once(body: Body, one: py.Node, other: py.Node) -> bool:
    """Whether the second place does not stand in a loop of its own, nor the first in one that the second left."""
    return set(body.loops(one)) <= set(body.loops(other))


def _is_limit(body: Body, asked: py.Node) -> bool:
    """Whether a count is held against a number other than nothing, directly or through a name."""
    holder = body.parents[asked]
    if isinstance(holder, py.Compare):
        return not any(isinstance(item, py.Constant) and item.value in (0, 1) for item in _operands(holder))
    if isinstance(holder, (py.Assign, py.NamedExpr)):
        target = holder.targets[0] if isinstance(holder, py.Assign) else holder.target
        if isinstance(target, py.Name):
            return any(isinstance(body.parents[load], py.Compare) for load in body.loads.get(target.id, ()))
    return False


def _operands(node: py.Compare) -> tuple[py.Expr, ...]:
    return (node.left, *node.comparators)


def _changes(body: Body, one: py.Node, other: py.Node) -> bool:
    """Whether rows are written between two places, so that the second one has to ask again."""
    for call in body.calls:
        if one.start < call.start < other.start and isinstance(call.func, py.Attribute):
            held = call.func.value
            if body.value(held) is not None and use_of(body, held).how in _WRITING:
                return True
            if call.func.attr in ("save", "delete", "refresh_from_db"):
                return True
    return False


def loads_rows_to_count(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset that only its length, its truth or one member is asked of."""
    for body in stack.usage:
        seen: set[Site] = set()
        for node, value in querysets(body):
            if isinstance(value, Rows) and not value.evaluated and not value.bounded and not value.streamed:
                for verdict in _loaded(body, node, value):
                    if verdict.site not in seen:
                        seen.add(verdict.site)
                        yield verdict


def _loaded(body: Body, node: py.Expr, value: Rows) -> Iterator[Verdict]:
    if not is_lazy(body, node) or _is_slice(body, node):
        return
    uses = uses_of(body, node, certain=False)
    asking = [use for use in uses if use.how in ("length", "truth", "member") or _first_of_list(body, use)]
    if not asking or (value.via is not None and value.via.row.loop is not None):
        return  # one query for each row is another rule's finding
    first = asking[0]
    site = Site(body.place(first.by if first.how != "truth" else first.node), f"{body.where}: {_text(first)}")
    other = [use for use in uses if use not in asking and use.how not in ("compared", "nested", "derived")]
    if other or len(asking) > 1 or (first.how == "member" and (body.loops(first.node) or value.kind != "rows")):
        if not any(use.how == "escapes" for use in other):
            yield Pass(site)
    elif value.cached:
        yield Pass(site)
    elif value.via is not None and (value.via.row.load.unknown or body.is_given(node)):
        yield Unsure(site, "whether a caller has prefetched these rows is not known")
    else:
        yield _wasted(body, site, first, value)


def _first_of_list(body: Body, use: Use) -> bool:
    """`list(rows)[0]`"""
    holder = body.parents.get(use.by)
    return (
        use.how == "through"
        and isinstance(use.by, py.Call)
        and isinstance(use.by.func, py.Name)
        and use.by.func.id in ("list", "tuple")
        and isinstance(holder, py.Subscript)
        and holder.value is use.by
        and isinstance(holder.index, py.Constant)
        and isinstance(holder.index.value, int)
    )


def _is_slice(body: Body, node: py.Expr) -> bool:
    made = (body.bound(node) or []) if isinstance(node, py.Name) else [node]
    return any(isinstance(item, py.Subscript) for item in made)


def _text(use: Use) -> str:
    return text_of(use.node if use.how == "truth" else use.by, 60)


_BETTER = {"length": "count()", "truth": "exists()", "member": "filter(pk=…).exists()", "through": "[…]"}
_PURPOSE = {
    "length": "count them",
    "truth": "learn whether there is one",
    "member": "look for one",
    "through": "use one of them",
}
_NARROWING = frozenset({"only", "defer", "values", "values_list"})


def _wasted(body: Body, site: Site, use: Use, value: Rows) -> Fail:
    narrowed = any(name in _NARROWING for name, _ in calls_of(body, use.node))
    values = {
        "rows": text_of(use.node, 60),
        "expression": _text(use),
        "better": _BETTER[use.how],
        "columns": "" if narrowed else " with all its columns",
        "purpose": _PURPOSE[use.how],
    }
    few = value.via is not None or _is_narrowed(value) or _is_narrowed_by_turns(body, use.node)
    return Fail(site, values, "few" if few else "" if use.how == "length" else use.how, fix=_better(body, use))


def _is_narrowed(value: object) -> bool:
    return isinstance(value, Rows) and value.model is not None and narrowing.of(value) == "few"


def _is_narrowed_by_turns(body: Body, node: py.Expr) -> bool:
    """Whether each turn of a loop before narrows the rows that a name stands for: `books = books.filter(tags=tag)`."""
    for bind in body.binds.get(node.id, ()) if isinstance(node, py.Name) else ():
        loop, begin = body.parents.get(bind.statement), bind.value
        while isinstance(begin, (py.Attribute, py.Call)):
            begin = begin.func if isinstance(begin, py.Call) else begin.value
        if not isinstance(begin, py.Name) or begin.id != dotted(node) or bind.at > node.start or bind.value is None:
            continue
        is_of_turns = isinstance(loop, py.For) and bind.statement in loop.body and body.always(loop, node)
        if is_of_turns and _is_narrowed(body.value(bind.value)):
            return True
    return False


def _better(body: Body, use: Use) -> str:
    """What to write; of a long expression only what changes in it."""
    rows = code_of(use.node, 60)
    if use.how == "length":
        return f"Write `{rows}.count()`." if rows else "Ask the queryset by `.count()` in place of `len()`."
    if use.how == "truth":
        return f"Write `{rows}.exists()`." if rows else "Ask the queryset by `.exists()` in the test."
    if use.how == "member" and isinstance(use.by, py.Compare):
        one = code_of(use.by.left, 40)
        negated = "not " if "not in" in use.by.ops else ""
        if rows and one and isinstance(use.by.left, (py.Name, py.Attribute)):
            return f"Write `{negated}{rows}.filter(pk={one}.pk).exists()`."
        return f"Ask the queryset by `.filter(pk=….pk).exists()`{', with `not` before it' if negated else ''}."
    holder = body.parents.get(use.by)
    index = text_of(holder.index) if isinstance(holder, py.Subscript) else "0"
    return f"Write `{rows or '…'}[{index}]` without the list: that asks for one row."
