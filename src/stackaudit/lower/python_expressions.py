"""Expressions of a Python file, apart from literals: libcst's nodes become the facts' nodes."""

from __future__ import annotations

from typing import Any

import libcst as cst

from stackaudit.facts.python import (
    Attribute,
    Await,
    BinOp,
    BoolOp,
    Call,
    Compare,
    Constant,
    Expr,
    IfExp,
    Keyword,
    Lambda,
    Name,
    NamedExpr,
    Opaque,
    Param,
    Slice,
    Starred,
    Subscript,
    Tuple,
    UnaryOp,
    Yield,
)
from stackaudit.lower.python_cursor import MAX_DEPTH, Cursor, LostError, lowers

SINGLETONS: dict[str, bool | None] = {"True": True, "False": False, "None": None}

OPERATORS: dict[type[cst.CSTNode], str] = {
    cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*", cst.Divide: "/", cst.FloorDivide: "//", cst.Modulo: "%",
    cst.Power: "**", cst.LeftShift: "<<", cst.RightShift: ">>", cst.BitOr: "|", cst.BitAnd: "&", cst.BitXor: "^",
    cst.MatrixMultiply: "@", cst.And: "and", cst.Or: "or", cst.Not: "not", cst.Plus: "+", cst.Minus: "-",
    cst.BitInvert: "~", cst.LessThan: "<", cst.GreaterThan: ">", cst.Equal: "==", cst.LessThanEqual: "<=",
    cst.GreaterThanEqual: ">=", cst.NotEqual: "!=", cst.In: "in", cst.Is: "is", cst.NotIn: "not in",
    cst.IsNot: "is not",
}  # fmt: skip


def identifier(value: str) -> str:
    """A name as Python knows it: two spellings of one name are the same (NFKC)."""
    if value.isascii():
        return value
    import unicodedata

    return unicodedata.normalize("NFKC", value)


@lowers(cst.Name)
def _name(cursor: Cursor, node: cst.Name, start: int) -> Expr:
    value = node.value
    if not cursor.text.startswith(value, start):
        raise LostError(value, start)
    cursor.pos = end = start + len(value)
    if value in SINGLETONS:
        return Constant(start, end, SINGLETONS[value])
    return Name(start, end, value if value.isascii() else identifier(value))


@lowers(cst.Attribute, cst.Call, cst.Subscript)
def _trailers(cursor: Cursor, node: Any, start: int) -> Expr:
    """`a.b(c)[d]`: the whole chain in one loop, as it may be long and every link starts where the first one does."""
    chain = [node]
    inner = node.value if node.__class__ is not cst.Call else node.func
    while inner.__class__ in _TRAILERS and not inner.lpar:
        chain.append(inner)
        inner = inner.value if inner.__class__ is not cst.Call else inner.func
    depth = len(chain)
    cursor.enter(depth)
    result = cursor.expr(inner)
    for link in reversed(chain):
        kind = link.__class__
        if kind is cst.Attribute:
            name = link.attr.value
            cursor.eat(".")
            cursor.eat(name)
            result = Attribute(start, cursor.pos, result, identifier(name))
        elif kind is cst.Call:
            cursor.eat("(")
            args, keywords = arguments(cursor, link.args)
            cursor.eat(")")
            result = Call(start, cursor.pos, result, args, keywords)
        else:
            cursor.eat("[")
            index = _index(cursor, link.slice)
            cursor.eat("]")
            result = Subscript(start, cursor.pos, result, index)
    cursor.depth -= depth
    return result


_TRAILERS = frozenset({cst.Attribute, cst.Call, cst.Subscript})


def arguments(cursor: Cursor, nodes: Any) -> tuple[tuple[Expr, ...], tuple[Keyword, ...]]:
    """The arguments of a call or the bases of a class: the positional ones and those with names."""
    if not nodes:
        return (), ()
    positional: list[Expr] = []
    named: list[Keyword] = []
    for node in nodes:
        star = node.star
        if node.keyword is not None:
            name = node.keyword.value
            start = cursor.eat(name)
            cursor.eat("=")
            value = cursor.expr(node.value)
            named.append(Keyword(start, cursor.pos, identifier(name), value))
        elif not star:
            positional.append(cursor.expr(node.value))
        else:
            start = cursor.eat(star)
            value = cursor.expr(node.value)
            if star == "*":
                positional.append(Starred(start, cursor.pos, value))
            else:
                named.append(Keyword(start, cursor.pos, None, value))
        cursor.comma()
    return tuple(positional), tuple(named)


def _index(cursor: Cursor, elements: Any) -> Expr:
    start = cursor.skip()
    found: list[Expr] = []
    comma = False
    for element in elements:
        node = element.slice
        at = cursor.skip()
        if node.__class__ is cst.Slice:
            found.append(_slice(cursor, node, at))
        elif node.star:
            cursor.eat("*")
            value = cursor.expr(node.value)
            found.append(Starred(at, cursor.pos, value))
            comma = True  # as in Python itself, a[*b] has a tuple for its index
        else:
            found.append(cursor.expr(node.value))
        before = cursor.pos
        cursor.comma()
        comma = comma or cursor.pos != before
    return Tuple(start, cursor.pos, tuple(found)) if comma else found[0]


def _slice(cursor: Cursor, node: cst.Slice, start: int) -> Expr:
    lower = cursor.optional(node.lower)
    cursor.eat(":")
    upper = cursor.optional(node.upper)
    step = None
    if isinstance(node.second_colon, cst.Colon):
        cursor.eat(":")
        step = cursor.optional(node.step)
    return Slice(start, cursor.pos, lower, upper, step)


def _operator(cursor: Cursor, node: Any) -> str:
    """Take an operator; its two words may stand apart."""
    kind = node.__class__
    if kind is cst.NotIn or kind is cst.IsNot:
        first, second = OPERATORS[kind].split()
        cursor.eat(first)
        cursor.eat(second)
    elif kind is cst.NotEqual:
        cursor.eat(node.value)
    else:
        cursor.eat(OPERATORS[kind])
    return OPERATORS[kind]


@lowers(cst.BinaryOperation, cst.BooleanOperation)
def _binary(cursor: Cursor, node: Any, start: int) -> Expr:
    """`a + b + c`: libcst nests to the left, and the whole chain is lowered in one loop."""
    kind = node.__class__
    chain = [node]
    inner = node.left
    while inner.__class__ is kind and not inner.lpar:
        chain.append(inner)
        inner = inner.left
    depth = len(chain) if len(chain) < MAX_DEPTH // 2 else 0
    cursor.enter(depth)
    result = cursor.expr(inner)
    for link in reversed(chain):
        op = OPERATORS[link.operator.__class__]
        cursor.eat(op)
        right = cursor.expr(link.right)
        if not depth:
            continue
        if kind is cst.BinaryOperation:
            result = BinOp(start, cursor.pos, result, op, right)
        else:
            result = BoolOp(start, cursor.pos, op, result, right)  # type: ignore[arg-type]
    cursor.depth -= depth
    return result if depth else Opaque(start, cursor.pos, "long chain of operators")


@lowers(cst.UnaryOperation)
def _unary(cursor: Cursor, node: cst.UnaryOperation, start: int) -> Expr:
    op = _operator(cursor, node.operator)
    operand = cursor.expr(node.expression)
    return UnaryOp(start, cursor.pos, op, operand)


@lowers(cst.Comparison)
def _comparison(cursor: Cursor, node: cst.Comparison, start: int) -> Expr:
    left = cursor.expr(node.left)
    ops: list[str] = []
    comparators: list[Expr] = []
    for target in node.comparisons:
        ops.append(_operator(cursor, target.operator))
        comparators.append(cursor.expr(target.comparator))
    return Compare(start, cursor.pos, left, tuple(ops), tuple(comparators))


@lowers(cst.IfExp)
def _conditional(cursor: Cursor, node: cst.IfExp, start: int) -> Expr:
    body = cursor.expr(node.body)
    cursor.eat("if")
    test = cursor.expr(node.test)
    cursor.eat("else")
    orelse = cursor.expr(node.orelse)
    return IfExp(start, cursor.pos, test, body, orelse)


@lowers(cst.Lambda)
def _lambda(cursor: Cursor, node: cst.Lambda, start: int) -> Expr:
    cursor.eat("lambda")
    params = parameters(cursor, node.params)
    cursor.eat(":")
    body = cursor.expr(node.body)
    return Lambda(start, cursor.pos, params, body)


def parameters(cursor: Cursor, node: cst.Parameters) -> tuple[Param, ...]:
    """The parameters of a function or lambda, in source order."""
    found: list[Param] = []
    for param in node.posonly_params:
        found.append(_parameter(cursor, param, "positional"))
    if isinstance(node.posonly_ind, cst.ParamSlash):
        cursor.eat("/")
        cursor.comma()
    for param in node.params:
        found.append(_parameter(cursor, param, "plain"))
    if isinstance(node.star_arg, cst.Param):
        cursor.eat("*")
        found.append(_parameter(cursor, node.star_arg, "args"))
    elif isinstance(node.star_arg, cst.ParamStar):
        cursor.eat("*")
        cursor.comma()
    for param in node.kwonly_params:
        found.append(_parameter(cursor, param, "keyword"))
    if node.star_kwarg is not None:
        cursor.eat("**")
        found.append(_parameter(cursor, node.star_kwarg, "kwargs"))
    return tuple(found)


def _parameter(cursor: Cursor, node: cst.Param, kind: Any) -> Param:
    start = cursor.eat(node.name.value)
    end = cursor.pos
    annotation = default = None
    if node.annotation is not None:
        cursor.eat(":")
        annotation = cursor.expr(node.annotation.annotation)
    if node.default is not None:
        cursor.eat("=")
        default = cursor.expr(node.default)
    cursor.comma()
    return Param(start, end, identifier(node.name.value), kind, annotation, default)


@lowers(cst.Await)
def _await(cursor: Cursor, node: cst.Await, start: int) -> Expr:
    cursor.eat("await")
    value = cursor.expr(node.expression)
    return Await(start, cursor.pos, value)


@lowers(cst.Yield)
def _yield(cursor: Cursor, node: cst.Yield, start: int) -> Expr:
    cursor.eat("yield")
    if isinstance(node.value, cst.From):
        cursor.eat("from")
        item = cursor.expr(node.value.item)
        return Yield(start, cursor.pos, item, True)
    value = cursor.optional(node.value)
    return Yield(start, cursor.pos, value, False)


@lowers(cst.NamedExpr)
def _named(cursor: Cursor, node: cst.NamedExpr, start: int) -> Expr:
    target = cursor.expr(node.target)
    cursor.eat(":=")
    value = cursor.expr(node.value)
    return NamedExpr(start, cursor.pos, target, value)
