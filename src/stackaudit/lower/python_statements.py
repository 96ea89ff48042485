"""Statements of a Python file: libcst's nodes become the facts' nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from stackaudit.facts.python import (
    AnnAssign,
    Assert,
    Assign,
    AugAssign,
    Case,
    ClassDef,
    Delete,
    Expr,
    ExprStmt,
    For,
    FunctionDef,
    Handler,
    If,
    Jump,
    Match,
    Name,
    Raise,
    Return,
    Scope,
    Stmt,
    Try,
    While,
    With,
    WithItem,
)
from stackaudit.lower.python_cursor import SKIP_BETWEEN_STATEMENTS, Cursor
from stackaudit.lower.python_expressions import arguments, identifier, parameters
from stackaudit.lower.python_imports import as_name, import_from, import_names
from stackaudit.lower.python_patterns import pattern

AUGMENTED: dict[type[cst.CSTNode], str] = {
    cst.AddAssign: "+", cst.SubtractAssign: "-", cst.MultiplyAssign: "*", cst.DivideAssign: "/",
    cst.FloorDivideAssign: "//", cst.ModuloAssign: "%", cst.PowerAssign: "**", cst.LeftShiftAssign: "<<",
    cst.RightShiftAssign: ">>", cst.BitOrAssign: "|", cst.BitAndAssign: "&", cst.BitXorAssign: "^",
    cst.MatrixMultiplyAssign: "@",
}  # fmt: skip


def statements(cursor: Cursor, nodes: Sequence[Any]) -> tuple[Stmt, ...]:
    """Lower the statements of a module or a block."""
    found: list[Stmt] = []
    for node in nodes:
        if node.__class__ is cst.SimpleStatementLine:
            for small in node.body:
                found.append(_statement(cursor, small))
        else:
            found.append(_statement(cursor, node))
    return tuple(found)


def _statement(cursor: Cursor, node: Any) -> Stmt:
    cursor.pos = start = SKIP_BETWEEN_STATEMENTS(cursor.text, cursor.pos).end()  # type: ignore[union-attr]
    return STATEMENTS[node.__class__](cursor, node, start)


def _block(cursor: Cursor, suite: Any) -> tuple[Stmt, ...]:
    """`:` and what follows it, indented or on the same line."""
    cursor.eat(":")
    cursor.enter()
    found = statements(cursor, suite.body) if suite.__class__ is cst.IndentedBlock else _small(cursor, suite.body)
    cursor.depth -= 1
    return found


def _clause(cursor: Cursor, keyword: str) -> int:
    """Take the keyword of a clause (`else`, `except` ...), past a semicolon that ends the clause before."""
    cursor.pos = SKIP_BETWEEN_STATEMENTS(cursor.text, cursor.pos).end()  # type: ignore[union-attr]
    return cursor.eat(keyword)


def _small(cursor: Cursor, nodes: Sequence[Any]) -> tuple[Stmt, ...]:
    return tuple([_statement(cursor, node) for node in nodes])


def _expression(cursor: Cursor, node: cst.Expr, start: int) -> Stmt:
    value = cursor.expr(node.value)
    return ExprStmt(start, cursor.pos, value)


def _assign(cursor: Cursor, node: cst.Assign, start: int) -> Stmt:
    targets: list[Expr] = []
    for target in node.targets:
        targets.append(cursor.expr(target.target))
        cursor.eat("=")
    value = cursor.expr(node.value)
    return Assign(start, cursor.pos, tuple(targets), value)


def _annotated(cursor: Cursor, node: cst.AnnAssign, start: int) -> Stmt:
    target = cursor.expr(node.target)
    cursor.eat(":")
    annotation = cursor.expr(node.annotation.annotation)
    value = None
    if node.value is not None:
        cursor.eat("=")
        value = cursor.expr(node.value)
    return AnnAssign(start, cursor.pos, target, annotation, value)


def _augmented(cursor: Cursor, node: cst.AugAssign, start: int) -> Stmt:
    target = cursor.expr(node.target)
    op = AUGMENTED[node.operator.__class__]
    cursor.eat(op + "=")
    value = cursor.expr(node.value)
    return AugAssign(start, cursor.pos, target, op, value)


def _type_alias(cursor: Cursor, node: cst.TypeAlias, start: int) -> Stmt:
    cursor.eat("type")
    at = cursor.eat(node.name.value)
    target = Name(at, cursor.pos, identifier(node.name.value))
    _type_parameters(cursor, node.type_parameters)
    cursor.eat("=")
    value = cursor.expr(node.value)
    return Assign(start, cursor.pos, (target,), value)


def _type_parameters(cursor: Cursor, node: cst.TypeParameters | None) -> None:
    """Pass the `[T: int = str, *Ts, **P]` of a class, function or type alias: types say nothing about what runs."""
    if node is None:
        return
    cursor.eat("[")
    for parameter in node.params:
        param = parameter.param
        if isinstance(param, cst.TypeVarTuple):
            cursor.eat("*")
        elif isinstance(param, cst.ParamSpec):
            cursor.eat("**")
        cursor.eat(param.name.value)
        if isinstance(param, cst.TypeVar) and param.bound is not None:
            cursor.eat(":")
            cursor.expr(param.bound)
        if parameter.default is not None:
            cursor.eat("=")
            if parameter.star:
                cursor.eat(parameter.star)
            cursor.expr(parameter.default)
        cursor.comma()
    cursor.eat("]")


def _return(cursor: Cursor, node: cst.Return, start: int) -> Stmt:
    cursor.eat("return")
    value = cursor.optional(node.value)
    return Return(start, cursor.pos, value)


def _raise(cursor: Cursor, node: cst.Raise, start: int) -> Stmt:
    cursor.eat("raise")
    exc = cursor.optional(node.exc)
    cause = None
    if node.cause is not None:
        cursor.eat("from")
        cause = cursor.expr(node.cause.item)
    return Raise(start, cursor.pos, exc, cause)


def _assert(cursor: Cursor, node: cst.Assert, start: int) -> Stmt:
    cursor.eat("assert")
    test = cursor.expr(node.test)
    msg = None
    if node.msg is not None:
        cursor.eat(",")
        msg = cursor.expr(node.msg)
    return Assert(start, cursor.pos, test, msg)


def _delete(cursor: Cursor, node: cst.Del, start: int) -> Stmt:
    cursor.eat("del")
    target = node.target
    if isinstance(target, cst.Tuple) and not target.lpar:
        targets = cursor.elements(target.elements)
    else:
        targets = (cursor.expr(target),)
    return Delete(start, cursor.pos, targets)


def _jump(cursor: Cursor, node: Any, start: int) -> Stmt:
    kind: Any = node.__class__.__name__.lower()
    cursor.eat(kind)
    return Jump(start, cursor.pos, kind)


def _scope(cursor: Cursor, node: Any, start: int) -> Stmt:
    kind: Any = node.__class__.__name__.lower()
    cursor.eat(kind)
    names: list[str] = []
    for item in node.names:
        cursor.eat(item.name.value)
        names.append(identifier(item.name.value))
        cursor.comma()
    return Scope(start, cursor.pos, kind, tuple(names))


def _if(cursor: Cursor, node: cst.If, start: int) -> Stmt:
    """`if`, each `elif` and `else`, in one loop: chains of `elif` may be long."""
    branches: list[tuple[int, Expr, tuple[Stmt, ...]]] = []
    branch: Any = node
    while isinstance(branch, cst.If):
        at = _clause(cursor, "elif" if branches else "if")
        test = cursor.expr(branch.test)
        branches.append((at, test, _block(cursor, branch.body)))
        cursor.enter()
        branch = branch.orelse
    orelse = _else(cursor, branch)
    end = cursor.pos
    cursor.depth -= len(branches)
    while True:
        at, test, body = branches.pop()
        result = If(at, end, test, body, orelse)
        if not branches:
            return result
        orelse = (result,)


def _else(cursor: Cursor, node: cst.Else | None) -> tuple[Stmt, ...]:
    if node is None:
        return ()
    _clause(cursor, "else")
    return _block(cursor, node.body)


def _for(cursor: Cursor, node: cst.For, start: int) -> Stmt:
    is_async = _async(cursor, node)
    cursor.eat("for")
    target = cursor.expr(node.target)
    cursor.eat("in")
    iterated = cursor.expr(node.iter)
    body = _block(cursor, node.body)
    orelse = _else(cursor, node.orelse)
    return For(start, cursor.pos, target, iterated, body, orelse, is_async)


def _async(cursor: Cursor, node: Any) -> bool:
    if node.asynchronous is None:
        return False
    cursor.eat("async")
    return True


def _while(cursor: Cursor, node: cst.While, start: int) -> Stmt:
    cursor.eat("while")
    test = cursor.expr(node.test)
    body = _block(cursor, node.body)
    orelse = _else(cursor, node.orelse)
    return While(start, cursor.pos, test, body, orelse)


def _with(cursor: Cursor, node: cst.With, start: int) -> Stmt:
    is_async = _async(cursor, node)
    cursor.eat("with")
    parenthesized = isinstance(node.lpar, cst.LeftParen)
    if parenthesized:
        cursor.eat("(")
    items: list[WithItem] = []
    for item in node.items:
        at = cursor.skip()
        value = cursor.expr(item.item)
        target = None
        if item.asname is not None:
            cursor.eat("as")
            target = cursor.expr(item.asname.name)
        items.append(WithItem(at, cursor.pos, value, target))
        cursor.comma()
    if parenthesized:
        cursor.eat(")")
    body = _block(cursor, node.body)
    return With(start, cursor.pos, tuple(items), body, is_async)


def _try(cursor: Cursor, node: Any, start: int) -> Stmt:
    cursor.eat("try")
    body = _block(cursor, node.body)
    handlers: list[Handler] = []
    for handler in node.handlers:
        at = _clause(cursor, "except")
        if isinstance(handler, cst.ExceptStarHandler):
            cursor.eat("*")
        caught = cursor.optional(handler.type)
        name = as_name(cursor, handler.name)
        suite = _block(cursor, handler.body)
        handlers.append(Handler(at, cursor.pos, caught, name, suite))
    orelse = _else(cursor, node.orelse)
    finalbody: tuple[Stmt, ...] = ()
    if node.finalbody is not None:
        _clause(cursor, "finally")
        finalbody = _block(cursor, node.finalbody.body)
    return Try(start, cursor.pos, body, tuple(handlers), orelse, finalbody)


def _decorators(cursor: Cursor, node: Any) -> tuple[Expr, ...]:
    found: list[Expr] = []
    for decorator in node.decorators:
        cursor.eat("@")
        found.append(cursor.expr(decorator.decorator))
    return tuple(found)


def _function(cursor: Cursor, node: cst.FunctionDef, start: int) -> Stmt:
    decorators = _decorators(cursor, node)
    start = cursor.skip()
    is_async = _async(cursor, node)
    cursor.eat("def")
    cursor.eat(node.name.value)
    _type_parameters(cursor, node.type_parameters)
    cursor.eat("(")
    params = parameters(cursor, node.params)
    cursor.eat(")")
    returns = None
    if node.returns is not None:
        cursor.eat("->")
        returns = cursor.expr(node.returns.annotation)
    body = _block(cursor, node.body)
    return FunctionDef(start, cursor.pos, identifier(node.name.value), params, returns, decorators, body, is_async)


def _class(cursor: Cursor, node: cst.ClassDef, start: int) -> Stmt:
    decorators = _decorators(cursor, node)
    start = cursor.eat("class")
    cursor.eat(node.name.value)
    _type_parameters(cursor, node.type_parameters)
    bases: tuple[Expr, ...] = ()
    keywords: Any = ()
    if isinstance(node.lpar, cst.LeftParen):
        cursor.eat("(")
        bases, keywords = arguments(cursor, [*node.bases, *node.keywords])
        cursor.eat(")")
    body = _block(cursor, node.body)
    return ClassDef(start, cursor.pos, identifier(node.name.value), bases, keywords, decorators, body)


def _match(cursor: Cursor, node: cst.Match, start: int) -> Stmt:
    cursor.eat("match")
    subject = cursor.expr(node.subject)
    cursor.eat(":")
    cursor.enter()
    cases: list[Case] = []
    for case in node.cases:
        at = _clause(cursor, "case")
        names: list[str] = []
        values: list[Expr] = []
        pattern(cursor, case.pattern, names, values)
        guard = None
        if case.guard is not None:
            cursor.eat("if")
            guard = cursor.expr(case.guard)
        body = _block(cursor, case.body)
        cases.append(Case(at, cursor.pos, tuple(names), tuple(values), guard, body))
    cursor.depth -= 1
    return Match(start, cursor.pos, subject, tuple(cases))


STATEMENTS: dict[type[cst.CSTNode], Callable[[Cursor, Any, int], Stmt]] = {
    cst.Expr: _expression, cst.Assign: _assign, cst.AnnAssign: _annotated, cst.AugAssign: _augmented,
    cst.TypeAlias: _type_alias, cst.Return: _return, cst.Raise: _raise, cst.Assert: _assert, cst.Del: _delete,
    cst.Pass: _jump, cst.Break: _jump, cst.Continue: _jump, cst.Global: _scope, cst.Nonlocal: _scope,
    cst.Import: import_names, cst.LazyImport: import_names, cst.ImportFrom: import_from,
    cst.LazyImportFrom: import_from, cst.If: _if, cst.For: _for, cst.While: _while, cst.With: _with,
    cst.Try: _try, cst.TryStar: _try, cst.FunctionDef: _function, cst.ClassDef: _class, cst.Match: _match,
}  # fmt: skip
"""How each kind of statement is lowered: (cursor, node, offset of its first token) -> facts."""
