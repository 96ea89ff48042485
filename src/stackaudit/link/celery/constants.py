"""Values that are written down: literals, constants of modules, Django's settings and arithmetic on them.

The options of tasks need no more, and folding a whole module of tasks would fold the models that it imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as py
from stackaudit.link.modules import SETTINGS, SourceModule, dotted
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

DEPTH = 8
UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
"""The arguments of timedelta, in seconds."""


def constant(stack: Stack, module: SourceModule, expr: py.Expr, depth: int = 0) -> AnyValue:
    """The value of an expression of `module`; a `timedelta` is its seconds."""
    place = module.place(expr)
    match expr:
        case py.Constant():
            return Known(expr.value, (place,))
        case py.Name() | py.Attribute() if depth < DEPTH:
            return _named(stack, module, expr, depth)
        case py.BinOp() if expr.op in ("+", "-", "*", "/", "//"):
            left, right = (constant(stack, module, side, depth + 1) for side in (expr.left, expr.right))
            if isinstance(left, Known) and isinstance(right, Known) and _numbers(left.value, right.value):
                return _computed(left.value, expr.op, right.value, left, right)
        case py.UnaryOp(op="-"):
            inner = constant(stack, module, expr.operand, depth + 1)
            if isinstance(inner, Known) and _numbers(inner.value):
                return inner.map(lambda value: -value)
        case py.Call() if dotted(expr.func).rpartition(".")[2] == "timedelta" and len(expr.args) < 2:
            return _timedelta(stack, module, expr, depth)
    return Unknown("it is not written down as a constant", (place,))


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _computed(left: Any, op: str, right: Any, *of: Known[Any]) -> AnyValue:
    places = tuple(place for value in of for place in value.places)
    if op in ("/", "//") and not right:
        return Unknown("it divides by zero", places)
    result = {"+": left + right, "-": left - right, "*": left * right}
    return Known(result[op] if op in result else left / right if op == "/" else left // right, places)


def _named(stack: Stack, module: SourceModule, expr: py.Name | py.Attribute, depth: int) -> AnyValue:
    path = dotted(expr)
    symbol = stack.modules.resolve(module, path) if path else None
    place = module.place(expr)
    if symbol is not None and symbol.kind == "value" and symbol.node is not None and symbol.module is not None:
        if not isinstance(symbol.node, (py.FunctionDef, py.ClassDef)):
            return constant(stack, symbol.module, symbol.node, depth + 1)
    elif symbol is not None and symbol.name.startswith(SETTINGS) and stack.settings is not None:
        return stack.settings.get(symbol.name.removeprefix(SETTINGS))
    return Unknown(f"what {path or 'it'} stands for is not known", (place,))


def _timedelta(stack: Stack, module: SourceModule, call: py.Call, depth: int) -> AnyValue:
    total = 0.0
    for name, expr in [("days", each) for each in call.args] + [(word.name, word.value) for word in call.keywords]:
        value = constant(stack, module, expr, depth + 1)
        if name not in UNITS or isinstance(value, Unknown) or not _numbers(value.value):
            return Unknown("the time is not written down as a constant", (module.place(call),))
        total += UNITS[name] * value.value
    return Known(total, (module.place(call),))
