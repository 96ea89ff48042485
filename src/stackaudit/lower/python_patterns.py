"""Patterns of `match` statements."""

from __future__ import annotations

from typing import Any

import libcst as cst

from stackaudit.facts.python import Expr
from stackaudit.lower.python_cursor import Cursor
from stackaudit.lower.python_expressions import identifier


def pattern(cursor: Cursor, node: Any, names: list[str], values: list[Expr]) -> None:
    """Add the names that a pattern binds to `names` and the expressions it compares with to `values`."""
    cursor.enter()
    if isinstance(node, (cst.MatchValue, cst.MatchSingleton)):
        values.append(cursor.expr(node.value))
    else:
        for _ in node.lpar:
            cursor.eat("(")
        _inside(cursor, node, names, values)
        for _ in node.rpar:
            cursor.eat(")")
    cursor.depth -= 1


def _inside(cursor: Cursor, node: Any, names: list[str], values: list[Expr]) -> None:
    if isinstance(node, (cst.MatchList, cst.MatchTuple)):
        brackets = isinstance(node, cst.MatchList) and node.lbracket is not None
        if brackets:
            cursor.eat("[")
        _patterns(cursor, node.patterns, names, values)
        if brackets:
            cursor.eat("]")
    elif isinstance(node, cst.MatchOr):
        for index, element in enumerate(node.patterns):
            if index:
                cursor.eat("|")
            pattern(cursor, element.pattern, names, values)
    elif isinstance(node, cst.MatchAs):
        if node.pattern is not None:
            pattern(cursor, node.pattern, names, values)
            cursor.eat("as")
        _bind(cursor, node.name, names)
    elif isinstance(node, cst.MatchMapping):
        cursor.eat("{")
        for pair in node.elements:
            values.append(cursor.expr(pair.key))
            cursor.eat(":")
            pattern(cursor, pair.pattern, names, values)
            cursor.comma()
        if node.rest is not None:
            cursor.eat("**")
            _bind(cursor, node.rest, names)
            cursor.comma()
        cursor.eat("}")
    else:
        values.append(cursor.expr(node.cls))
        cursor.eat("(")
        _patterns(cursor, node.patterns, names, values)
        for keyword in node.kwds:
            cursor.eat(keyword.key.value)
            cursor.eat("=")
            pattern(cursor, keyword.pattern, names, values)
            cursor.comma()
        cursor.eat(")")


def _patterns(cursor: Cursor, nodes: Any, names: list[str], values: list[Expr]) -> None:
    for node in nodes:
        if isinstance(node, cst.MatchStar):
            cursor.eat("*")
            _bind(cursor, node.name, names)
        else:
            pattern(cursor, node.value, names, values)
        cursor.comma()


def _bind(cursor: Cursor, node: cst.Name | None, names: list[str]) -> None:
    """A name that a pattern binds; None stands for `_`, which binds nothing."""
    cursor.eat("_" if node is None else node.value)
    if node is not None:
        names.append(identifier(node.value))
