"""Dictionaries that a decorator of classes fills: `@register(Book)` puts the serializer of books under the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.values import ClassRef, Instance, Value
from stackaudit.link.queries.walk import Walk


def entries(walk: Walk, dictionary: py.Dict) -> tuple[tuple[Any, Value], ...]:
    """What decorators put into an empty dictionary at the top level of a module, by the classes that are its keys."""
    if walk.registered is None:
        walk.registered = {}
        filled = dict(_filled(walk))
        for module in walk.modules if filled else ():
            for bound in module.names.values():
                for binding in bound:
                    if isinstance(binding.node, py.ClassDef):
                        _decorated(walk, module, binding.node, filled)
    return walk.registered.get(dictionary, ())


def _filled(walk: Walk) -> Iterator[tuple[py.FunctionDef, tuple[py.Dict, bool]]]:
    """Decorators of the form `def register(key): def wrapped(cls): registry[key] = cls; …`, each with its dictionary.

    With it stands whether an object of the class goes into it, and not the class itself.
    """
    for module in walk.modules:
        for bound in module.names.values():
            node = bound[-1].node
            if not isinstance(node, py.FunctionDef):
                continue
            inner = next((stmt for stmt in node.body if isinstance(stmt, py.FunctionDef)), None)
            if inner is None:
                continue
            if len(node.params) == 1 and len(inner.params) == 1:
                for stmt in nodes(inner.body):
                    found = _stored(walk, module, stmt, node.params[0].name, inner.params[0].name)
                    if found is not None:
                        yield node, found


def _stored(walk: Walk, module: SourceModule, stmt: py.Node, key: str, cls: str) -> tuple[py.Dict, bool] | None:
    """The dictionary of `registry[key] = cls` or `registry[key] = cls()`."""
    target = stmt.targets[0] if isinstance(stmt, py.Assign) else None
    if not isinstance(stmt, py.Assign) or not isinstance(target, py.Subscript) or dotted(target.index) != key:
        return None
    is_made = isinstance(stmt.value, py.Call) and not stmt.value.args and not stmt.value.keywords
    held = stmt.value.func if isinstance(stmt.value, py.Call) and is_made else stmt.value
    symbol = walk.modules.resolve(module, dotted(target.value)) if dotted(target.value) else None
    node = symbol.node if symbol is not None else None
    return (node, is_made) if dotted(held) == cls and isinstance(node, py.Dict) else None


def _decorated(
    walk: Walk, module: SourceModule, node: py.ClassDef, filled: dict[py.FunctionDef, tuple[py.Dict, bool]]
) -> None:
    for item in node.decorators:
        symbol = walk.modules.resolve(module, dotted(item.func)) if isinstance(item, py.Call) and item.args else None
        function = symbol.node if symbol is not None else None
        if not isinstance(item, py.Call) or not isinstance(function, py.FunctionDef) or function not in filled:
            continue
        key = walk.classes.resolve(module, item.args[0])
        if key is not None and walk.registered is not None:
            dictionary, is_made = filled[function]
            cls = walk.classes.build(module, node)
            value: Value = Instance(cls, {}, made=True) if is_made else ClassRef(cls, walk.models.of_class(cls))
            before = walk.registered.get(dictionary, ())
            walk.registered[dictionary] = (*before, (ClassRef(key, walk.models.of_class(key)), value))
