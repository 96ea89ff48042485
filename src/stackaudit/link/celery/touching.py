"""Whether what a task does may depend on the rows of one model, by every name that leads to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.models import Model
from stackaudit.link.modules import target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.table import MANAGERS

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

MOST = 400
"""Functions that are looked through; where a task may reach more, nothing is told."""
_DYNAMIC = frozenset({"getattr", "eval", "exec", "import_string", "call_command", "get_model", "cursor", "raw"})


def may_touch(
    stack: Stack,
    task: py.FunctionDef,
    model: Model,
    call: py.Call | None = None,
    besides: frozenset[py.Node] = frozenset(),
) -> bool:
    """Whether anything that a task may reach names `model`, a model of its inheritance, or a relation to one of them.

    What a task reaches is over-estimated: any function of the repository with a name that is read there, except those
    that take a request. False is therefore certain as far as the repository's own code goes. With the `call` of
    `delay` what stands behind `if flag:` counts only where the call may turn the flag on. `besides` are parts of the
    task that are known to look at other rows.
    """
    words = names_of(stack, model)
    functions = _by_name(stack)
    off = _left_off(task, call) if call is not None else frozenset()
    seen: set[py.FunctionDef] = set()
    waiting = [task]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        if len(seen) > MOST:
            return True
        body = tuple(_taken(function.body, off)) if function is task else function.body
        for name, called in _mentioned(function, body, besides):
            if name in words or name in _DYNAMIC:
                return True
            if called:
                waiting.extend(functions.get(name, ()))
    return False


def loads(stack: Stack, task: py.FunctionDef, model: Model) -> bool:
    """Whether a task itself asks for rows of a model, or of a model that it inherits from."""
    names = {member.name for member in model.family()}
    return any(
        isinstance(node, py.Attribute) and node.attr in MANAGERS and py_name(node.value) in names
        for node in nodes(task.body)
    )


def _left_off(task: py.FunctionDef, call: py.Call) -> frozenset[str]:
    """The parameters of a task that are false by default and that a call of `delay` does not give."""
    if not isinstance(call.func, py.Attribute) or not call.func.attr.startswith("delay"):
        return frozenset()
    if any(isinstance(arg, py.Starred) for arg in call.args) or any(each.name is None for each in call.keywords):
        return frozenset()
    params = [param for param in task.params if param.name != "self"]
    given = {param.name for param in params[: len(call.args)]} | {each.name for each in call.keywords}
    return frozenset(
        param.name
        for param in params
        if param.name not in given and isinstance(param.default, py.Constant) and not param.default.value
    )


def _taken(body: tuple[py.Stmt, ...], off: frozenset[str]) -> Iterator[py.Stmt]:
    """The statements of a body without what stands behind `if flag:` of a flag that is off."""
    for stmt in body:
        if isinstance(stmt, py.If) and isinstance(stmt.test, py.Name) and stmt.test.id in off:
            yield from _taken(stmt.orelse, off)
        else:
            yield stmt


def names_of(stack: Stack, model: Model) -> frozenset[str]:
    """The names by which code reaches rows of a model: classes of its inheritance, relations that lead to one."""
    family = {item for member in model.family() for item in (member, *member.derived())}
    found = {member.name for member in family}
    for other in stack.models:
        for name, relation in other.relations.items():
            through = relation.keyword("through")
            joined = py_name(through).rpartition(".")[2] if through is not None else ""
            if relation.target in family or joined in found:
                found |= {name, relation.query_name} - {""}
                if joined in found:
                    found |= {relation.remote, relation.remote_query_name} - {""}
    return frozenset(found)


def py_name(expr: py.Expr) -> str:
    """The text of a constant, or the last part of a dotted name; "" for anything else."""
    if isinstance(expr, py.Constant) and isinstance(expr.value, str):
        return expr.value
    return expr.id if isinstance(expr, py.Name) else expr.attr if isinstance(expr, py.Attribute) else ""


def _mentioned(
    function: py.FunctionDef, body: tuple[py.Stmt, ...], besides: frozenset[py.Node]
) -> Iterator[tuple[str, bool]]:
    """The words of a function, each with whether it may lead to a function.

    Keywords, and texts without a dot, only name columns; what a function calls its own variables says nothing of rows.
    """
    own = {param.name for param in function.params}
    for item in nodes(body):
        if isinstance(item, py.Assign):
            own |= {name for target in item.targets for name in target_names(target)}
    for item in nodes(body):
        if item in besides:
            continue
        if isinstance(item, py.Name):
            if item.id not in own:
                yield item.id, True
        elif isinstance(item, py.Attribute):
            if item.attr in MANAGERS or not isinstance(item.value, py.Attribute) or item.value.attr not in MANAGERS:
                yield item.attr, True  # `objects.get` is Django's own, whatever else is called `get`
        elif isinstance(item, py.Call):
            for keyword in item.keywords:
                yield from ((part, False) for part in (keyword.name or "").split("__"))
        elif isinstance(item, py.Constant) and isinstance(item.value, str) and len(item.value) < 80:
            named = "." in item.value  # `send_task("shop.tasks.count")`
            yield from ((part, named) for word in item.value.split(".") for part in word.split("__"))


def _by_name(stack: Stack) -> Mapping[str, list[py.FunctionDef]]:
    found: dict[str, list[py.FunctionDef]] = {}
    for module in stack.modules:
        for name, function in _functions(module.facts.body):
            if not any(param.name == "request" for param in function.params):
                found.setdefault(name, []).append(function)
    return found


def _functions(body: tuple[py.Stmt, ...], owner: str = "") -> Iterator[tuple[str, py.FunctionDef]]:
    """Functions by what they are called by; what makes an object by its class, what managers always do by `objects`."""
    for stmt in body:
        if isinstance(stmt, py.FunctionDef):
            made = owner and stmt.name in ("__init__", "__new__", "__call__", "__post_init__")
            managed = "manager" in owner.lower() and stmt.name in ("get_queryset", "get", "filter", "create")
            yield (owner if made else "objects" if managed else stmt.name), stmt
        elif isinstance(stmt, py.ClassDef):
            yield from _functions(stmt.body, stmt.name)
