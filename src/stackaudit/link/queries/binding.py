"""What the parameters of a function stand for: what a call gives, what they declare, what they are by default."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.queries import expressions, known, loops
from stackaudit.link.queries.joining import all_loops, join
from stackaudit.link.queries.values import ELEMENT, SMALL, SPREAD, UNKNOWN, Const, Function, Mapping, Other, Seq, Value
from stackaudit.link.queries.walk import Frame, Walk


def bind(
    walk: Walk, function: Function, args: tuple[Value, ...], keywords: dict[str, Value], is_entry: bool = False
) -> dict[str, Value]:
    """The parameters of a function as names; annotations that name a model give one row."""
    env: dict[str, Value] = {}
    node = function.node
    given = list(args)
    if function.bound is not None and isinstance(node, py.FunctionDef):
        given.insert(0, function.bound)
    elif function.owner is not None and isinstance(node, py.FunctionDef) and not args:
        given.insert(0, UNKNOWN)
    left = dict(keywords)
    for param in node.params:
        if param.kind == "args" and is_entry and param.name in left:
            env[param.name] = left.pop(param.name)
        elif param.kind == "args":
            env[param.name] = _gathered(given)
            given = []
        elif param.kind == "kwargs":
            env[param.name] = Mapping(UNKNOWN, tuple(left.items()))
        elif param.kind != "keyword" and given:
            value = given[0] if _is_spread(given[0]) and param.default is None else given.pop(0)
            value = loops.element_of(value) if _is_spread(value) else value
            env[param.name] = _declared(walk, function, param, value)
        elif param.name in left:
            env[param.name] = _declared(walk, function, param, left.pop(param.name))
        else:
            default: Value = UNKNOWN
            if param.default is not None:
                default = _default(walk, function, param.default)
                if isinstance(default, Const) and is_entry:
                    small = type(default.value) is int and 0 <= default.value <= loops.FEW
                    default = Other(name=SMALL) if small else UNKNOWN
            env[param.name] = _declared(walk, function, param, default)
    return env


def _is_spread(value: Value) -> bool:
    return isinstance(value, Seq) and value.bounded == SPREAD


def _gathered(given: list[Value]) -> Seq:
    """`*args` of a function: what the call lists, or as many as a star of the call spreads."""
    if not any(map(_is_spread, given)):
        return Seq(UNKNOWN, tuple(given), bounded="its arguments")
    element = loops.element_of(given[0]) if _is_spread(given[0]) else given[0]
    for item in given[1:]:
        element = join(element, loops.element_of(item) if _is_spread(item) else item)
    return Seq(element, None, all_loops(given))


def _default(walk: Walk, function: Function, default: py.Expr) -> Value:
    """The default of a parameter: of a function inside another one a name of that, as in `lambda row=row: …`."""
    frame: Frame | None = function.closure
    while frame is not None and isinstance(default, py.Name):
        if default.id in frame.env:
            return frame.env[default.id]
        frame = frame.closure
    return expressions.constant(walk, function.module, default)


def _declared(walk: Walk, function: Function, param: py.Param, value: Value) -> Value:
    if isinstance(value, Const) and value.value is not None:
        return value
    if not isinstance(value, (Other, Const)) or (isinstance(value, Other) and value.name not in ("", ELEMENT, SMALL)):
        return value
    if param.annotation is not None:
        declared = known.annotated(walk, function.module, param.annotation, value.loops)
        if declared is not None:
            return declared
    if isinstance(value, Other) and param.name == "request":
        return Other(value.loops, "@request")
    return value
