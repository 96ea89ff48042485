"""Decorators of the repository: what they do beside the function that they decorate, and what they hand to it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.modules import callee, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import calls, expressions
from stackaudit.link.queries.table import MANAGERS
from stackaudit.link.queries.values import UNKNOWN, Function, Value
from stackaudit.link.queries.walk import Frame, Walk


class Decorated(Struct, frozen=True):
    """What stands in place of a decorated function: `around` where that hands it other arguments than it was called
    with, `beside` where it only does something of its own."""

    around: Function | None = None
    beside: Function | None = None


_PLAIN = Decorated()
_ASKING = MANAGERS | {"aggregate", "count", "create", "delete", "exists", "filter", "refresh_from_db", "save"}
RENDERING = frozenset({"render", "render_to_string", "render_to_response", "TemplateResponse", "get_template"} | {
    "SimpleTemplateResponse", "select_template", "render_template",
})  # fmt: skip
"""What functions and methods are called that render a template."""
_CHANGING = frozenset({"pop", "update", "setdefault"})


def of_function(walk: Walk, function: Function) -> Decorated:
    """What the innermost decorator of the repository makes of a function."""
    node = function.node
    if not isinstance(node, py.FunctionDef) or not node.decorators or function.bare:
        return _PLAIN
    key = ("decorated", node)
    if key not in walk.memo:
        walk.memo[key] = _PLAIN  # type: ignore[assignment]
        walk.memo[key] = _decorated(walk, function)  # type: ignore[assignment]
    found = walk.memo[key]
    assert isinstance(found, Decorated)
    return found


def _decorated(walk: Walk, function: Function) -> Decorated:
    node = function.node
    assert isinstance(node, py.FunctionDef)
    for item in reversed(node.decorators):
        symbol = walk.modules.resolve(function.module, callee(item))
        if symbol is None or not isinstance(symbol.node, py.FunctionDef) or not _wraps(symbol.node):
            continue
        bare = replace(function, bound=None, bare=True, loops=frozenset())
        made = _made(walk, function, item, bare)
        if made is None or made.node is node:
            continue
        assert isinstance(made.node, py.FunctionDef)
        names = {name for name, held in made.closure.env.items() if isinstance(held, Function) and held.node is node}
        given = [call for call in nodes(made.node.body) if isinstance(call, py.Call) and dotted(call.func) in names]
        if not given:
            return _PLAIN
        is_same = all(_is_handed_on(call, made.node) for call in given) and not _changes(made.node)
        if not is_same or _renders(made.node):
            return Decorated(around=made)
        return Decorated(beside=_made(walk, function, item, UNKNOWN)) if _asks(made.node) else _PLAIN
    return _PLAIN


def _made(walk: Walk, function: Function, item: py.Expr, given: Value) -> Function | None:
    """The function that a decorator makes of what it is given."""
    frame = Frame(function.module, None, {}, function.module.name)
    loops, walk.loops = walk.loops, []
    walk.shielded += 1
    with walk.inside(frame):
        made = calls.apply(walk, expressions.evaluate(walk, item), (given,), {}, (function.module, item))
    walk.shielded -= 1
    walk.loops = loops
    is_closure = isinstance(made, Function) and made.closure is not None and isinstance(made.node, py.FunctionDef)
    return made if is_closure and isinstance(made, Function) else None


def _is_handed_on(call: py.Call, wrapper: py.FunctionDef) -> bool:
    """Whether a call gives all that the wrapper was called with, as it was: `func(self, *args, **kwargs)`."""
    given = [dotted(arg.value) + "*" if isinstance(arg, py.Starred) else dotted(arg) for arg in call.args]
    given += [f"{item.name or ''}={dotted(item.value)}" for item in call.keywords]
    marks = {"args": "{}*", "kwargs": "={}", "keyword": "{0}={0}"}
    return given == [marks.get(param.kind, "{}").format(param.name) for param in wrapper.params]


def _wraps(decorator: py.FunctionDef) -> bool:
    """Whether a decorator calls what it, or a function in it, is given."""
    found = [node for node in nodes((decorator,)) if isinstance(node, py.FunctionDef)]
    names = {param.name for node in found for param in node.params}
    return len(found) > 1 and any(
        isinstance(node, py.Call) and isinstance(node.func, py.Name) and node.func.id in names
        for node in nodes(decorator.body)
    )


def _renders(wrapper: py.FunctionDef) -> bool:
    """Whether a wrapper renders a template, with what the function gives as its context."""
    called = (node.func for node in nodes(wrapper.body) if isinstance(node, py.Call))
    return any(dotted(func).rpartition(".")[2] in RENDERING for func in called)


def _asks(wrapper: py.FunctionDef) -> bool:
    """Whether a wrapper reads like one that asks the database."""
    return any(isinstance(node, py.Attribute) and node.attr in _ASKING for node in nodes(wrapper.body))


def _changes(wrapper: py.FunctionDef) -> bool:
    """Whether a wrapper changes the arguments that it hands on: `kwargs["order"] = order`, `kwargs.pop("id")`."""
    names = {param.name for param in wrapper.params if param.kind in ("args", "kwargs")}
    for node in nodes(wrapper.body):
        changed: list[py.Expr] = []
        if isinstance(node, py.Assign):
            changed = [target.value if isinstance(target, py.Subscript) else target for target in node.targets]
        elif isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr in _CHANGING:
            changed = [node.func.value]
        if any(isinstance(item, py.Name) and item.id in names for item in changed):
            return True
    return False
