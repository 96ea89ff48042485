"""Whether a task looks at the database, as far as its code tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.table import MANAGERS

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

ASKING = MANAGERS | {"refresh_from_db", "get_queryset", "cursor"}
HELPERS = (
    "django.shortcuts.get_", "django.contrib.auth.get_user_model", "django.apps.apps.get_model", "django.db.connection",
    "django.core.management.call_command",
)  # fmt: skip
DEPTH = 4


def reads(stack: Stack, module: SourceModule, node: py.FunctionDef, depth: int = 0) -> bool | None:
    """True where a function or what it calls names a model or asks a manager, None where that cannot be told."""
    doubt = False
    for item in nodes(node.body):
        if isinstance(item, py.Attribute) and item.attr in ASKING:
            return True
        if isinstance(item, py.ImportFrom):
            doubt = True  # names that only the function imports are not followed
        if isinstance(item, (py.Name, py.Attribute)):
            symbol = stack.modules.resolve(module, dotted(item) or "?")
            if symbol is None:
                continue
            if symbol.kind == "external" and symbol.name.startswith(HELPERS):
                return True
            if symbol.kind == "class" and isinstance(symbol.node, py.ClassDef) and symbol.module is not None:
                cls = stack.models.classes.build(symbol.module, symbol.node)
                inner = True if stack.models.of_class(cls) is not None else _class_reads(stack, cls, depth)
                if inner:
                    return True
                doubt = doubt or inner is None
            elif symbol.kind == "function" and isinstance(symbol.node, py.FunctionDef) and symbol.module is not None:
                inner = reads(stack, symbol.module, symbol.node, depth + 1) if depth < DEPTH else None
                if inner:
                    return True
                doubt = doubt or inner is None
        elif isinstance(item, py.Call) and isinstance(item.func, py.Attribute):
            owner = dotted(item.func.value).partition(".")[0]
            doubt = doubt or owner in ("self", "cls") or any(owner == param.name for param in node.params)
    return None if doubt else False


def _class_reads(stack: Stack, cls: SourceClass, depth: int) -> bool | None:
    """What `reads` says of the methods of a class, all of them: which one is called is not followed."""
    if depth >= DEPTH:
        return None
    methods = [stmt for stmt in cls.node.body if isinstance(stmt, py.FunctionDef)]
    said = [reads(stack, cls.module, method, depth + 2) for method in methods]
    return True if True in said else None if None in said or cls.is_open else False


def reached(
    stack: Stack, module: SourceModule, node: py.FunctionDef, depth: int = 3
) -> Iterator[tuple[SourceModule, py.FunctionDef]]:
    """A function and those of the repository that it calls by name, each once."""
    seen: set[py.FunctionDef] = set()
    waiting = [(module, node, 0)]
    while waiting:
        where, function, level = waiting.pop(0)
        if function in seen:
            continue
        seen.add(function)
        yield where, function
        if level == depth:
            continue
        for item in nodes(function.body):
            if isinstance(item, py.Call):
                symbol = stack.modules.resolve(where, dotted(item.func) or "?")
                if symbol is not None and symbol.module is not None and isinstance(symbol.node, py.FunctionDef):
                    waiting.append((symbol.module, symbol.node, level + 1))
