"""Expressions: what each stands for, and the queries that evaluating it runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries import (
    access,
    attached,
    branches,
    builtin,
    calls,
    comparisons,
    containers,
    displays,
    effects,
    existence,
    granted,
    known,
    loops,
    memos,
    rows,
    subscripts,
)
from stackaudit.link.queries.joining import join, mixed, varying
from stackaudit.link.queries.presence import decided
from stackaudit.link.queries.values import (
    SPREAD,
    UNKNOWN,
    Choice,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Method,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Super,
    Value,
)
from stackaudit.link.queries.walk import At, Frame, Walk

_KEPT = frozenset({Row, Rows, Manager, Related})
_LONGEST = 10_000
"""Constant texts are put together up to this length; a file may be written to make them grow without end."""
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{4,}|\*)")


def evaluate(walk: Walk, node: py.Expr | None) -> Value:
    """The value of an expression in the frame on top."""
    if node is None:
        return UNKNOWN
    walk.spent += 1
    handler = _HANDLERS.get(type(node))
    if handler is None:
        return UNKNOWN
    value = handler(walk, node)
    if type(value) in _KEPT:
        walk.keep(node, value)
    return value


def constant(walk: Walk, module: SourceModule, node: py.Node, owner: SourceClass | None = None) -> Value:
    """An expression at the top level of a module or class, evaluated once; it runs no query here."""
    if isinstance(node, py.Constant):
        return Const(node.value)
    if node not in walk.constants:
        walk.constants[node] = UNKNOWN
        frame = Frame(module, None, {}, owner.name if owner else module.name, owner=owner)
        loops_before, walk.loops = walk.loops, []
        walk.shielded += 1
        with walk.inside(frame):
            walk.constants[node] = evaluate(walk, node)  # type: ignore[arg-type]
        walk.shielded -= 1
        walk.loops = loops_before
    return walk.constants[node]


def truth(walk: Walk, node: py.Expr) -> Value:
    """An expression in boolean use: a queryset is evaluated."""
    existence.tested(walk, node)
    return _tested(walk, node)


def _tested(walk: Walk, node: py.Expr) -> Value:
    value = chosen(walk, evaluate(walk, node), walk.at(node))
    if isinstance(value, Rows):
        done = access.evaluate(walk, value, walk.at(node), "")
        _remember(walk, node, value, done)
    return value


def _remember(walk: Walk, node: py.Expr, value: Rows, done: Rows) -> None:
    """What holds a queryset that was evaluated keeps its rows: a name, an attribute, an entry of a dictionary."""
    if isinstance(node, py.Name):
        if node.id in walk.frame.env:
            walk.frame.env[node.id] = done
    elif isinstance(node, (py.Attribute, py.Subscript)):
        attached.loaded(walk, value)


def chosen(walk: Walk, value: Value, at: At) -> Value:
    """The first of the querysets that an expression may stand for, where something goes through it: each is loaded."""
    if not isinstance(value, Choice) or not isinstance(value.options[0], Rows):
        return value
    return branches.of_each(
        walk, value, lambda rows: access.evaluate(walk, rows, at) if isinstance(rows, Rows) else rows
    )[0]


def iterable(walk: Walk, node: py.Expr) -> Value:
    """An expression that something goes through; a name keeps the rows that were loaded."""
    value = chosen(walk, evaluate(walk, node), walk.at(node))
    if isinstance(value, Rows) and not value.evaluated and not value.streamed:
        _remember(walk, node, value, replace(value, evaluated=True))
    return value


def _name(walk: Walk, node: py.Name) -> Value:
    top = walk.frames[-1]
    frame: Frame | None = top
    while frame is not None:
        found = frame.env.get(node.id)
        if found is not None:
            return found
        frame = frame.closure
    if top.owner is not None and top.node is None:
        bound = top.owner.members.get(node.id)
        if bound and bound[-1].node is not None and not isinstance(bound[-1].node, (py.FunctionDef, py.ClassDef)):
            return constant(walk, top.owner.module, bound[-1].node, top.owner)
    return calls.of_symbol(walk, walk.modules.resolve(calls.module_of(walk), node.id))


def _attribute(walk: Walk, node: py.Attribute) -> Value:
    return calls.attribute(walk, evaluate(walk, node.value), node.attr, walk.at(node))


def _arguments(walk: Walk, node: py.Call) -> tuple[tuple[Value, ...], dict[str, Value]]:
    args: list[Value] = []
    for arg in node.args:
        if isinstance(arg, py.Starred):
            value = evaluate(walk, arg.value)
            value = builtin.loaded(walk, value, walk.at(arg.value))
            if isinstance(value, Seq) and value.items is not None:
                args.extend(value.items)
            elif isinstance(value, (Rows, Seq)):
                args.append(Seq(loops.element_of(value), None, value.loops, SPREAD))
            else:
                args.append(Other(value.loops))
        else:
            args.append(evaluate(walk, arg))
    keywords: dict[str, Value] = {}
    for item in node.keywords:
        value = evaluate(walk, item.value)
        if item.name is not None:
            keywords[item.name] = value
        elif isinstance(value, Mapping):
            keywords.update((key, held) for key, held in value.items if isinstance(key, str))
    return tuple(args), keywords


def _call(walk: Walk, node: py.Call) -> Value:
    func = node.func
    at = walk.at(node)
    if isinstance(func, py.Name) and func.id == "super":
        return _super(walk)
    called = evaluate(walk, func)
    if type(called) is not Function and type(func) is py.Attribute and func.attr == "sort" and node.keywords:
        return builtin.sort(walk, node, func)
    if type(called) is Other:
        return _call_outside(walk, node, called, at)
    args, keywords = _arguments(walk, node)
    if type(called) is Function and type(called.node) is py.FunctionDef:
        value = calls.call(walk, called, args, keywords, at)
        if called.node.name in rows.SAVES and isinstance(called.bound, Row):
            access.saved(walk, called.bound)
        if isinstance(value, Rows) and value.asking is not None and _is_unasked(called.bound):
            # a remembered answer names its first caller
            value = replace(value, asking=value.asking.at(walk.asking(at)))
        if isinstance(value, Rows) and value.via is None and isinstance(called.bound, (Rows, Manager)):
            return replace(value, origin=walk.origin(at, rows=value))
        return value
    value = calls.apply(walk, called, args, keywords, at)
    if type(called) is Method and isinstance(func, py.Attribute):
        if isinstance(called.receiver, Seq):
            containers.grown(walk, func, called.receiver, args)
        elif isinstance(called.receiver, Mapping):
            containers.updated(walk, func, called.receiver, args, keywords)
    return value


def _is_unasked(bound: Value | None) -> bool:
    """Whether a method is called on rows of which nothing has been asked before."""
    return isinstance(bound, (Manager, Related)) or (isinstance(bound, Rows) and bound.asking is None)


def _call_outside(walk: Walk, node: py.Call, called: Other, at: At) -> Value:
    """A call of something that is not of the repository, or not known."""
    func = node.func
    if called.name in builtin.LAZY_ARGUMENTS:
        return builtin.with_function(walk, called.name, node)
    if isinstance(func, py.Attribute) and effects.is_request(dotted(func)):
        effects.done(walk)
    walk.brief = node.args[0] if called.name in builtin.BRIEF and node.args else None
    args, keywords = _arguments(walk, node)
    value = memos.is_cached(func, args) or calls.apply(walk, called, args, keywords, at)
    if not called.name:
        return value
    if called.name.rpartition(".")[2] in known.PREFETCHERS and node.args:
        attached.prefetch(walk, node.args[0], args[0], args[1:])
    if called.name == granted.PREFETCH and isinstance(func, py.Attribute):
        loops.assign(walk, func.value, granted.READY)
    if called.name == "builtins.setattr" and len(args) == 3 and len(node.args) == 3:
        name = args[1].value if isinstance(args[1], Const) else None
        if isinstance(name, str):
            loops.assign(walk, py.Attribute(node.start, node.end, node.args[0], name), args[2])
    return value


def _super(walk: Walk) -> Value:
    frame: Frame | None = walk.frame
    while frame is not None and (frame.owner is None or frame.bound is None):
        frame = frame.closure
    if frame is None or frame.owner is None or frame.bound is None:
        return UNKNOWN
    return Super(frame.owner, frame.bound, frame.bound.loops)


def _joined(walk: Walk, node: py.JoinedStr) -> Value:
    found: list[Value] = []
    for part in node.values:
        if isinstance(part, py.FormattedValue):
            value = evaluate(walk, part.value)
            access.as_text(walk, value, walk.at(part.value))
            found.append(value)
            for inner in part.format_spec:
                evaluate(walk, inner)
        elif isinstance(part, py.Constant):
            found.append(Const(part.value))
    if all(isinstance(item, Const) for item in found) and len(found) == len(node.values):
        return Const("".join(str(item.value) for item in found if isinstance(item, Const)))
    return walk.unknown(*found)


def _binop(walk: Walk, node: py.BinOp) -> Value:
    left, right = evaluate(walk, node.left), evaluate(walk, node.right)
    if node.op in ("|", "&") and isinstance(left, Rows):
        left = rows.combined(left, right, node.op)
        whole = walk.origin(walk.at(node), rows=left)
        return replace(left, origin=replace(whole, text=f"({whole.text})") if left.via is None else left.origin)
    if node.op == "|" and isinstance(left, Mapping):
        return containers.merged(left, right)
    if node.op == "+" and isinstance(left, (Seq, Rows)) and isinstance(right, (Seq, Rows)):
        return _added(left, right)
    if node.op == "%" and isinstance(left, Const) and isinstance(left.value, str):
        for item in right.items if isinstance(right, Seq) and right.items is not None else (right,):
            access.as_text(walk, item, walk.at(node))
        filled = right.items if isinstance(right, Seq) and right.items is not None else (right,)
        if all(isinstance(item, Const) for item in filled) and not _WIDE.search(left.value):
            try:
                return Const(left.value % tuple(item.value for item in filled if isinstance(item, Const)))
            except (TypeError, ValueError):
                return UNKNOWN
    if node.op == "+" and isinstance(left, Const) and isinstance(right, Const):
        return _text_sum(left.value, right.value)
    if node.op == "*" and isinstance(left, Seq):
        return Seq(left.element, None, left.loops | right.loops)
    return walk.unknown(left, right)


def _text_sum(left: object, right: object) -> Value:
    if isinstance(left, str) and isinstance(right, str) and len(left) + len(right) <= _LONGEST:
        return Const(left + right)
    return UNKNOWN


def _added(left: Seq | Rows, right: Seq | Rows) -> Value:
    if isinstance(left, Seq) and isinstance(right, Seq) and left.items is not None and right.items is not None:
        return Seq(UNKNOWN, (*left.items, *right.items), left.loops | right.loops)
    element, others = mixed(*loops.elements_of(left), *loops.elements_of(right))
    few = loops.bound_of(left) if loops.bound_of(right) else ""
    return Seq(element, None, left.loops | right.loops, few, others=others)


def _boolop(walk: Walk, node: py.BoolOp) -> Value:
    left = _tested(walk, node.left)
    certain = not isinstance(left, Const) or comparisons.is_told(walk, node.left, left.value)
    holds = decided(left) if certain else None
    if holds is (node.op == "or"):
        return left  # the other side is never asked
    walk.guard += holds is None
    right = evaluate(walk, node.right)
    walk.guard -= holds is None
    if holds is not None or (node.op == "or" and isinstance(left, Const) and not left.value):
        return varying(right, left.loops)
    return join(left, right)


def _unary(walk: Walk, node: py.UnaryOp) -> Value:
    value = truth(walk, node.operand) if node.op == "not" else evaluate(walk, node.operand)
    if node.op == "not" and (holds := decided(value)) is not None:
        return Const(not holds)
    if node.op == "-" and isinstance(value, Const) and isinstance(value.value, (int, float)):
        return Const(-value.value)
    return walk.unknown(value)


def _compare(walk: Walk, node: py.Compare) -> Value:
    existence.compared(walk, node)
    values = [evaluate(walk, node.left)]
    for op, right in zip(node.ops, node.comparators, strict=True):
        value = evaluate(walk, right)
        if op in ("in", "not in") and isinstance(value, Rows):
            done = access.evaluate(walk, value, walk.at(right), "")
            _remember(walk, right, value, done)
        values.append(value)
    comparisons.remember(walk, node, values)
    return comparisons.outcome(walk, node, values) or walk.unknown(*values)


def _ifexp(walk: Walk, node: py.IfExp) -> Value:
    test = truth(walk, node.test)
    holds = decided(test)
    if holds is not None:
        return evaluate(walk, node.body if holds else node.orelse)
    start = len(walk.reached)
    walk.guard += 1
    outer = walk.branch
    walk.branch = (*outer, (id(node), 0))
    body, middle = evaluate(walk, node.body), len(walk.reached)
    walk.branch = (*outer, (id(node), 1))
    orelse = evaluate(walk, node.orelse)
    walk.branch = outer
    walk.guard -= 1
    branches.shared(walk, start, middle, walk.guard)
    return join(body, orelse)


def _lambda(walk: Walk, node: py.Lambda) -> Value:
    return Function(calls.module_of(walk), node, None, walk.frame.owner, walk.frame)


def _await(walk: Walk, node: py.Await) -> Value:
    return evaluate(walk, node.value)


def _yield(walk: Walk, node: py.Yield) -> Value:
    value = evaluate(walk, node.value) if node.value is not None else UNKNOWN
    frame, depth = walk.frame, len(walk.frames)
    bounds = [loop.bounded for loop in walk.loops if loop.depth == depth]
    if node.delegates:
        value = loops.itself_or_given(walk, value, walk.at(node))
        if isinstance(value, (Rows, Related)):
            value = access.evaluate(walk, calls.base_rows(walk, value), walk.at(node))
        bounds.append(loops.bound_of(value))
        value = loops.element_of(value)
    frame.many = frame.many or not bounds or not all(bounds)
    frame.yields.append(value)
    return UNKNOWN


def _named(walk: Walk, node: py.NamedExpr) -> Value:
    value = evaluate(walk, node.value)
    loops.assign(walk, node.target, value)
    return value


_HANDLERS: dict[type, Callable[[Walk, Any], Value]] = {
    py.Name: _name,
    py.Attribute: _attribute,
    py.Call: _call,
    py.Constant: lambda walk, node: Const(node.value),
    py.JoinedStr: _joined,
    py.FormattedValue: lambda walk, node: evaluate(walk, node.value),
    py.BinOp: _binop,
    py.BoolOp: _boolop,
    py.UnaryOp: _unary,
    py.Compare: _compare,
    py.IfExp: _ifexp,
    py.Lambda: _lambda,
    py.Subscript: subscripts.subscript,
    py.Tuple: displays.sequence,
    py.List: displays.sequence,
    py.Set: displays.sequence,
    py.Dict: displays.dictionary,
    py.Comp: displays.comprehension,
    py.Await: _await,
    py.Yield: _yield,
    py.NamedExpr: _named,
    py.Starred: lambda walk, node: evaluate(walk, node.value),
}

__all__ = ["ClassRef", "Instance", "Row", "constant", "evaluate", "iterable", "truth"]
