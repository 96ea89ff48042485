"""Imports of a Python file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from stackaudit.facts.python import Alias, Import, ImportFrom, Stmt
from stackaudit.lower.python_cursor import Cursor
from stackaudit.lower.python_expressions import identifier


def _dotted(cursor: Cursor, node: Any) -> str:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    parts.append(node.value)
    parts.reverse()
    cursor.eat(parts[0])
    for part in parts[1:]:
        cursor.eat(".")
        cursor.eat(part)
    return identifier(".".join(parts))


def _aliases(cursor: Cursor, nodes: Sequence[cst.ImportAlias]) -> tuple[Alias, ...]:
    found: list[Alias] = []
    for node in nodes:
        start = cursor.skip()
        name = _dotted(cursor, node.name)
        asname = as_name(cursor, node.asname)
        found.append(Alias(start, cursor.pos, name, asname))
        cursor.comma()
    return tuple(found)


def as_name(cursor: Cursor, node: cst.AsName | None) -> str | None:
    """The name behind `as`, if there is one."""
    if node is None:
        return None
    cursor.eat("as")
    name = node.name.value  # type: ignore[union-attr]
    cursor.eat(name)
    return identifier(name)


def import_names(cursor: Cursor, node: Any, start: int) -> Stmt:
    """`import a.b as c`, also a lazy one."""
    if isinstance(node, cst.LazyImport):
        cursor.eat("lazy")
    cursor.eat("import")
    names = _aliases(cursor, node.names)
    return Import(start, cursor.pos, names)


def import_from(cursor: Cursor, node: Any, start: int) -> Stmt:
    """`from a import b as c`, also a lazy one."""
    if isinstance(node, cst.LazyImportFrom):
        cursor.eat("lazy")
    cursor.eat("from")
    for _ in node.relative:
        cursor.eat(".")
    module = _dotted(cursor, node.module) if node.module is not None else ""
    cursor.eat("import")
    if isinstance(node.names, cst.ImportStar):
        at = cursor.eat("*")
        return ImportFrom(start, cursor.pos, module, len(node.relative), (Alias(at, cursor.pos, "*", None),))
    if node.lpar is not None:
        cursor.eat("(")
    names = _aliases(cursor, node.names)
    if node.lpar is not None:
        cursor.eat(")")
    return ImportFrom(start, cursor.pos, module, len(node.relative), names)
