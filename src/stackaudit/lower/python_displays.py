"""Tuples, lists, sets, dictionaries and comprehensions of a Python file."""

from __future__ import annotations

import libcst as cst

from stackaudit.facts.python import Comp, Comprehension, Dict, Expr, List, Set, Starred, Tuple
from stackaudit.lower.python_cursor import Cursor, lowers


@lowers(cst.Tuple)
def _tuple(cursor: Cursor, node: cst.Tuple, start: int) -> Expr:
    elements = cursor.elements(node.elements)
    return Tuple(start, cursor.pos, elements)


@lowers(cst.List)
def _list(cursor: Cursor, node: cst.List, start: int) -> Expr:
    cursor.eat("[")
    elements = cursor.elements(node.elements)
    cursor.eat("]")
    return List(start, cursor.pos, elements)


@lowers(cst.Set)
def _set(cursor: Cursor, node: cst.Set, start: int) -> Expr:
    cursor.eat("{")
    elements = cursor.elements(node.elements)
    cursor.eat("}")
    return Set(start, cursor.pos, elements)


@lowers(cst.Dict)
def _dict(cursor: Cursor, node: cst.Dict, start: int) -> Expr:
    cursor.eat("{")
    keys: list[Expr | None] = []
    values: list[Expr] = []
    for element in node.elements:
        if isinstance(element, cst.DictElement):
            keys.append(cursor.expr(element.key))
            cursor.eat(":")
        else:
            keys.append(None)
            cursor.eat("**")
        values.append(cursor.expr(element.value))
        cursor.comma()
    cursor.eat("}")
    return Dict(start, cursor.pos, tuple(keys), tuple(values))


@lowers(cst.StarredElement)
def _starred(cursor: Cursor, node: cst.StarredElement, start: int) -> Expr:
    cursor.eat("*")
    value = cursor.expr(node.value)
    return Starred(start, cursor.pos, value)


def _generators(cursor: Cursor, node: cst.CompFor) -> tuple[Comprehension, ...]:
    found: list[Comprehension] = []
    clause: cst.CompFor | None = node
    while clause is not None:
        start = cursor.skip()
        if clause.asynchronous is not None:
            cursor.eat("async")
        cursor.eat("for")
        target = cursor.expr(clause.target)
        cursor.eat("in")
        iterated = cursor.expr(clause.iter)
        ifs: list[Expr] = []
        for condition in clause.ifs:
            cursor.eat("if")
            ifs.append(cursor.expr(condition.test))
        found.append(Comprehension(start, cursor.pos, target, iterated, tuple(ifs), clause.asynchronous is not None))
        clause = clause.inner_for_in
    return tuple(found)


@lowers(cst.GeneratorExp)
def _generator(cursor: Cursor, node: cst.GeneratorExp, start: int) -> Expr:
    element = cursor.expr(node.elt)
    generators = _generators(cursor, node.for_in)
    return Comp(start, cursor.pos, "generator", element, None, generators)


@lowers(cst.ListComp)
def _list_comprehension(cursor: Cursor, node: cst.ListComp, start: int) -> Expr:
    cursor.eat("[")
    element = cursor.expr(node.elt)
    generators = _generators(cursor, node.for_in)
    cursor.eat("]")
    return Comp(start, cursor.pos, "list", element, None, generators)


@lowers(cst.SetComp)
def _set_comprehension(cursor: Cursor, node: cst.SetComp, start: int) -> Expr:
    cursor.eat("{")
    element = cursor.expr(node.elt)
    generators = _generators(cursor, node.for_in)
    cursor.eat("}")
    return Comp(start, cursor.pos, "set", element, None, generators)


@lowers(cst.DictComp)
def _dict_comprehension(cursor: Cursor, node: cst.DictComp, start: int) -> Expr:
    cursor.eat("{")
    key = cursor.expr(node.key)
    cursor.eat(":")
    value = cursor.expr(node.value)
    generators = _generators(cursor, node.for_in)
    cursor.eat("}")
    return Comp(start, cursor.pos, "dict", key, value, generators)


@lowers(cst.StarredDictComp)
def _starred_dict_comprehension(cursor: Cursor, node: cst.StarredDictComp, start: int) -> Expr:
    """`{**a for a in b}` (PEP 798)."""
    cursor.eat("{")
    cursor.eat("**")
    value = cursor.expr(node.value)
    generators = _generators(cursor, node.for_in)
    cursor.eat("}")
    return Comp(start, cursor.pos, "dict", None, value, generators)
