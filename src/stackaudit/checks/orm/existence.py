"""Counts that only say whether there is anything at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from stackaudit.checks.orm.callers import Callers
from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.loops import words
from stackaudit.checks.orm.repetition import repeated
from stackaudit.facts import python as py
from stackaudit.link.modules import Modules
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.existence import FILTERED
from stackaudit.link.queries.source import code_of
from stackaudit.link.sources import Sources, below
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.effects import fails, is_plain, is_quiet, is_same, within
from stackaudit.link.usage.uses import tests, use_of
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


def count_as_existence(stack: Stack) -> Iterator[Verdict]:
    """One site for each comparison of a count with nothing."""
    known, callers = repeated(stack), Callers(stack)
    bodies = {body.node: body for body in stack.usage}
    events = list(own(stack))
    asked = (event for event in events if event.kind in ("query", "reverse") and event.outcome == "fail")
    turned = [event.query for event in asked if not event.below]
    for group in grouped((event for event in events if event.kind == "existence"), lambda event: event.query):
        first = group[0]
        few = first.outcome == "fail" and bool(first.why)
        told = few and any(first.query.holds(place) for place in turned)  # what repeats it matters more
        if not told and not any(first.query.holds(place) for place in known):  # mending that mends both
            yield verdict(group, partial(_existence, stack, callers, bodies))


def _existence(
    stack: Stack, callers: Callers, bodies: dict[py.FunctionDef, Body], site: Site, events: list[Event]
) -> Fail | Pass:
    event = events[0]
    if callers.is_by_hand(event.query):
        return Pass(site)  # nobody waits for the one query that somebody runs once
    values = {**words(event), "comparison": event.text, "few": event.why}
    cause = "few" if event.why else "" if event.model in stack.growing else "small"
    if event.why == FILTERED:
        cause = "filtered"
    function = stack.sources.function(event.query)
    before = _loaded_before(stack, bodies[function], event) if function in bodies else None
    if before is not None:
        return Fail(site, values, cause, before[:1], fix=before[1])
    again = _asked_again(stack.sources, event)
    if again is None:
        return Fail(site, values, cause, fix=_instead(event))
    place, rows = again
    negated = "not " if event.method.startswith("not ") else ""
    fix = (
        f"Load them once: `rows = {rows}` before the test, `if {negated}rows:` in its place, and `rows` where line "
        f"{place.region.line} asks for them again."
    )
    return Fail(site, values, cause, (Step(place, "loads the same rows"),), fix=fix)


def _instead(event: Event) -> str:
    """What to write; of a long expression only what changes in it."""
    if "…" not in event.method:
        return f"Write `{event.method}` instead."
    method = "aexists" if event.method.endswith("aexists()") else "exists"
    negated = ", with `not` before it," if event.method.startswith("not ") else ""
    return f"Ask by `.{method}()`{negated} instead of counting and comparing."


def _loaded_before(stack: Stack, body: Body, event: Event) -> tuple[Step, str] | None:
    """Where the function has gone through the same rows before the test in any case, and how to keep them."""
    test = stack.sources.at(event.query)
    call = next((item for item in (test, *below(test)) if _is_count(item)), None) if test is not None else None
    asked = call.func.value if isinstance(call, py.Call) and isinstance(call.func, py.Attribute) else None
    written = code_of(asked, 60) if asked is not None else ""
    if test is None or asked is None or not written or "await " in event.method:
        return None
    for node in body.rows:
        is_alike = node is not asked and isinstance(node, py.Call) and code_of(node, 60) == written
        if not is_alike or not isinstance(node, py.Call) or not _is_kept(stack.modules, body, node, asked):
            continue
        place = body.place(node)
        name = _name(body, node)
        truth = name if tests(body, test) else f"bool({name})"
        instead = f"not {name}" if event.method.startswith("not ") else truth
        fix = (
            f"Its rows are loaded on line {place.region.line} already: make `{name} = list({written})` before that, "
            f"go over `{name}` there, and write `{instead}` for `{event.text}`."
        )
        return Step(place, "loads the same rows"), fix
    return None


def _is_count(node: py.Node) -> bool:
    return isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "count"


def _is_kept(modules: Modules, body: Body, node: py.Expr, asked: py.Expr) -> bool:
    """Whether all rows are gone through whenever a test follows that asks for the same ones, and nothing changes them.

    That is so where no branch leads to the loop, no loop repeats only one of the two, and nothing is written between.
    """
    use = use_of(body, node)
    if use.how != "through" or isinstance(use.by, (py.Starred, py.Yield)) or body.loops(node) != body.loops(asked):
        return False
    loop = use.by.generators[0] if isinstance(use.by, py.Comp) else use.by
    if isinstance(loop, (py.For, py.Comprehension)) and loop.is_async:
        return False
    if not (body.follows(node, asked) and body.always(node, asked) and is_plain(body, node)):
        return False
    turns = [*within(body, use.by), *body.between(node, asked)]
    return is_same(body, node, asked) and not fails(body, asked, node) and is_quiet(modules, body, turns)


def _name(body: Body, node: py.Expr) -> str:
    """A name for a list of rows: that of the relation, where it is free."""
    while isinstance(node, py.Call) and isinstance(node.func, py.Attribute):
        node = node.func.value
    name = node.attr.removesuffix("_set") if isinstance(node, py.Attribute) else ""
    taken = {*body.binds, *body.loads}
    return next((item for item in (name, "rows", "found") if item not in {"", "objects", *taken}), "listed")


def _asked_again(sources: Sources, event: Event) -> tuple[Place, str] | None:
    """Where the branch that is taken when there are rows loads all of them, and the expression that does."""
    test = sources.at(event.query)
    tree = sources.tree(event.query.path)
    holder = tree.get(test) if test is not None else None
    if test is None or not isinstance(holder, py.If) or "await " in event.method:
        return None
    call = next((item for item in below(test) if isinstance(item, py.Call)), test)
    func = call.func if isinstance(call, py.Call) else None
    asked = code_of(func.value, 60).removesuffix(".all()") if isinstance(func, py.Attribute) else ""
    branch = holder.orelse if event.method.startswith("not ") else holder.body
    for stmt in branch if asked else ():
        for node in (stmt, *below(stmt)):
            if isinstance(node, py.Call) and code_of(node, 80) == f"{asked}.all()" and _is_final(tree, node):
                return sources.modules[event.query.path].place(node), f"{asked}.all()"
    return None


def _is_final(tree: dict[py.Node, py.Node], node: py.Node) -> bool:
    """Whether nothing more is asked of a queryset: no method is called on it."""
    return not isinstance(tree.get(node), (py.Attribute, py.Subscript))
