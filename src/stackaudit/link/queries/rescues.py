"""Which handler of a `try` runs: a key that a dictionary lacks, an attribute that a row or an object lacks or has."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.modules import target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import comparisons, expressions
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Const, Instance, Mapping, Value, key_of
from stackaudit.link.queries.walk import Walk

_ERRORS = {"KeyError": ("KeyError", "LookupError"), "AttributeError": ("AttributeError",)}
"""Exceptions, with the classes that a handler may name to catch them."""
_PLAIN = (py.Name, py.Attribute, py.Constant)


def outcome(walk: Walk, stmt: py.Try) -> tuple[bool, py.Handler | None]:
    """Whether it is certain what a `try` does, and the handler that runs on each turn, None where none does."""
    first = stmt.body[0]
    value = first.value if isinstance(first, (py.Assign, py.Return, py.ExprStmt)) else None
    error, fails = _tried(walk, value, stmt) if value is not None else ("", None)
    if fails is None:
        return False, None
    types = [text_of(handler.type) if handler.type is not None else "" for handler in stmt.handlers]
    if fails:
        handler = next((item for item, name in zip(stmt.handlers, types, strict=True) if name in _ERRORS[error]), None)
        return handler is not None and handler is stmt.handlers[0], handler
    is_whole = len(stmt.body) == 1 and isinstance(first, (py.Assign, py.Return))
    return is_whole and set(types) <= set(_ERRORS[error]), None


def _tried(walk: Walk, value: py.Expr, stmt: py.Try) -> tuple[str, bool | None]:
    """The exception that an expression may raise first, and whether it does; None where that depends."""
    if isinstance(value, py.Attribute) and isinstance(value.value, py.Name) and _catches(stmt, "AttributeError"):
        row = expressions.evaluate(walk, value.value)
        told = comparisons.has(walk, row, value.attr)
        return "AttributeError", not told if told is not None else None
    if isinstance(value, py.Subscript) and isinstance(value.index, _PLAIN) and _catches(stmt, "KeyError"):
        held, key = expressions.evaluate(walk, value.value), expressions.evaluate(walk, value.index)
        return "KeyError", lacks_key(walk, value.value, held, value.index, key)
    if isinstance(value, py.Call) and _is_getattr(value) and _catches(stmt, "AttributeError"):
        held, name = (expressions.evaluate(walk, arg) for arg in value.args)
        if isinstance(held, Instance) and isinstance(name, Const) and _is_told(walk, value.args[1]):
            return "AttributeError", _lacks(walk, held, name.value)
    return "", None


def _catches(stmt: py.Try, error: str) -> bool:
    types = (text_of(handler.type) for handler in stmt.handlers if handler.type is not None)
    return any(name in _ERRORS[error] for name in types)


def _is_getattr(call: py.Call) -> bool:
    """Whether a call is `getattr(plain, plain)`, without a default."""
    is_plain = len(call.args) == 2 and all(isinstance(arg, _PLAIN) for arg in call.args) and not call.keywords
    return is_plain and isinstance(call.func, py.Name) and call.func.id == "getattr"


def lacks_key(walk: Walk, written: py.Expr, held: Value, index: py.Expr, key: Value) -> bool | None:
    """Whether a dictionary that is written out lacks a key; None where more may have been put in, or for other keys.

    `written` and `index` are the expressions of the dictionary and of the key.
    """
    if not isinstance(held, Mapping) or not held.whole or not isinstance(key, Const) or not _is_told(walk, index):
        return None
    filled = walk.models.mentions.filled
    if isinstance(written, py.Name):
        is_open = written.id in walk.frame.env or written.id in filled or f".{written.id}" in filled
    else:
        is_open = not isinstance(written, py.Attribute) or f".{written.attr}" in filled
    return None if is_open else held.get(key_of(key)) is None


def _is_told(walk: Walk, name: py.Expr) -> bool:
    """Whether the constant that an expression came out as is the same on each turn and in each order of what runs."""
    if not isinstance(name, py.Name):
        return isinstance(name, py.Constant) or comparisons.is_written(name)
    return comparisons.is_parameter(walk, name) or _is_bound_once(walk, name.id)


def _is_bound_once(walk: Walk, name: str) -> bool:
    """Whether the running function gives a name its value at one place, and no parameter does."""
    function = walk.frame.node
    if not isinstance(function, py.FunctionDef) or any(param.name == name for param in function.params):
        return False
    found = 0
    for node in nodes(function.body):
        targets = node.targets if isinstance(node, py.Assign) else [getattr(node, "target", None)]
        found += sum(name in target_names(target) for target in targets if target is not None)
    return found == 1


def _lacks(walk: Walk, held: Instance, name: object) -> bool | None:
    """Whether an object lacks an attribute; None where that is not known."""
    cls = held.cls
    if not isinstance(name, str) or cls.find("__getattr__") or cls.find("__getattribute__"):
        return None
    member = cls.find(name)
    if member is not None or name in held.attributes:
        return False if member is not None and isinstance(member.node, py.FunctionDef) else None
    return True if not name.isidentifier() and not cls.is_open else None
