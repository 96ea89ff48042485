"""What Django's own field is given where a class of the repository stands between: `UserKey()`, made by its `__init__`.

Read is what such methods do: defaults of parameters, `kwargs["null"] = True`, `kwargs.setdefault("to", …)` and what
`super().__init__()` is called with. A value under a condition counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, dotted

Given: TypeAlias = "tuple[py.Expr, SourceModule]"
"""An expression, and the module whose names it uses."""
TO = "to"


def given(cls: SourceClass | str | None, call: py.Call, module: SourceModule) -> dict[str, Given]:
    """The keywords of a field that `call` makes in `module`, and what it relates to under `to`, however it is given."""
    args: list[Given] = [(item, module) for item in call.args if not isinstance(item, py.Starred)]
    named: dict[str, Given] = {item.name: (item.value, module) for item in call.keywords if item.name is not None}
    after: SourceClass | None = None
    while isinstance(cls, SourceClass) and (member := cls.find("__init__", after)) is not None:
        if not isinstance(member.node, py.FunctionDef):
            break
        args, named = _handed_on(member.node, member.owner.module, args, named)
        after = member.owner
    return {**({TO: args[0]} if args else {}), **named}


def _handed_on(
    node: py.FunctionDef, module: SourceModule, args: list[Given], named: dict[str, Given]
) -> tuple[list[Given], dict[str, Given]]:
    """What an `__init__` gives to the next one, of what it is given itself."""
    held: dict[str, Given] = {}
    spread, rest = list(args), dict(named)
    stars = keys = ""
    for param in node.params[1:]:
        if param.kind == "args":
            stars = param.name
        elif param.kind == "kwargs":
            keys = param.name
        elif param.kind != "keyword" and spread:
            held[param.name] = spread.pop(0)
        elif param.name in rest:
            held[param.name] = rest.pop(param.name)
        elif param.default is not None:
            held[param.name] = (param.default, module)
    for stmt in node.body:
        for name, value, is_default in _set(stmt, keys):
            if not is_default or name not in rest:
                rest[name] = _meant(value, module, held)
        call = _next(stmt)
        if call is None:
            continue
        found: list[Given] = []
        for item in call.args:
            if not isinstance(item, py.Starred):
                found.append(_meant(item, module, held))
            elif stars and dotted(item.value) == stars:
                found.extend(spread)
        onward = {item.name: _meant(item.value, module, held) for item in call.keywords if item.name is not None}
        is_spread = bool(keys) and any(item.name is None and dotted(item.value) == keys for item in call.keywords)
        return found, {**(rest if is_spread else {}), **onward}
    return args, named


def _meant(node: py.Expr, module: SourceModule, held: dict[str, Given]) -> Given:
    return held.get(node.id, (node, module)) if isinstance(node, py.Name) else (node, module)


def _set(stmt: py.Stmt, keys: str) -> Iterator[tuple[str, py.Expr, bool]]:
    """The keywords that a statement sets in `**kwargs`, with their values, and whether only where they are missing."""
    if isinstance(stmt, py.Assign) and len(stmt.targets) == 1 and isinstance(stmt.targets[0], py.Subscript):
        target = stmt.targets[0]
        if keys and dotted(target.value) == keys and isinstance(target.index, py.Constant):
            yield str(target.index.value), stmt.value, False
    elif isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Call) and len(stmt.value.args) == 2:
        name, value = stmt.value.args
        if keys and dotted(stmt.value.func) == f"{keys}.setdefault" and isinstance(name, py.Constant):
            yield str(name.value), value, True


def _next(stmt: py.Stmt) -> py.Call | None:
    """The call of `super().__init__()`, where a statement is one."""
    call = stmt.value if isinstance(stmt, py.ExprStmt) else None
    if not isinstance(call, py.Call) or not isinstance(call.func, py.Attribute) or call.func.attr != "__init__":
        return None
    base = call.func.value
    return call if isinstance(base, py.Call) and dotted(base.func) == "super" else None
