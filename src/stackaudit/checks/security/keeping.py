"""What becomes of a value: whether it is only kept, in a row or in a log, and nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack

_CREATES = frozenset({"objects.create", "objects.acreate"})
_LOGS = frozenset({"debug", "info", "warning"})
_DEEPEST = 3


def is_only_kept(stack: Stack, found: Found, node: py.Expr) -> bool:
    """Whether the name that takes a value goes into new rows and logs, through functions of the project as well.

    `node` is the expression of the value inside the function of `found`.
    """
    function = found.function
    if function is None:
        return False
    names = {
        name
        for each in nodes(function.body)
        if isinstance(each, py.Assign) and any(inner is node for inner in nodes((each.value,)))
        for target in each.targets
        for name in target_names(target)
    }
    return len(names) == 1 and _kept(stack, found, function, names.pop(), 0)


def _kept(stack: Stack, found: Found, function: py.FunctionDef, name: str, depth: int) -> bool:
    """Whether every use of a name in a function keeps it."""
    targets = {
        inner
        for each in nodes(function.body)
        if isinstance(each, py.Assign)
        for target in each.targets
        for inner in nodes((target,))
    }
    uses = {
        each for each in nodes(function.body) if isinstance(each, py.Name) and each.id == name and each not in targets
    }
    kept = {
        argument
        for call in nodes(function.body)
        if isinstance(call, py.Call)
        for argument, parameter in _arguments(call)
        if argument in uses and _keeps(stack, found, call, parameter, depth)
    }
    return bool(uses) and uses == kept


def _arguments(call: py.Call) -> Iterator[tuple[py.Expr, str | int]]:
    """The arguments of a call, each with its name or position."""
    yield from ((argument, index) for index, argument in enumerate(call.args))
    yield from ((keyword.value, keyword.name) for keyword in call.keywords if keyword.name)


def _keeps(stack: Stack, found: Found, call: py.Call, parameter: str | int, depth: int) -> bool:
    """Whether a call keeps what it is given: it makes a row, logs, or hands it to a function that does."""
    path = dotted(call.func)
    head, _, last = path.rpartition(".")
    if ".".join(path.split(".")[-2:]) in _CREATES or (last in _LOGS and "log" in head.lower()):
        return True
    symbol = meaning(stack, found, call.func)
    function = symbol.node if symbol is not None else None
    if symbol is None or symbol.module is None or depth >= _DEEPEST:
        return False
    if not isinstance(function, py.FunctionDef):
        return isinstance(function, py.ClassDef) and stack.models.of_expr(found.module, call.func) is not None
    names = [each.name for each in function.params if each.kind in ("plain", "positional", "keyword")]
    named = parameter if isinstance(parameter, str) else names[parameter] if parameter < len(names) else ""
    inside = Found(symbol.module, call, function, None)
    return named in names and _kept(stack, inside, function, named, depth + 1)
