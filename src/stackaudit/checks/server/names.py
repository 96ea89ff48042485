"""The names of a Python file, and which of two words is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from stackaudit.facts import python as ir


def assigned(body: Iterable[ir.Stmt], depth: int = 0) -> Iterator[tuple[str, ir.Node]]:
    """The names that statements of a module assign, also below `if`, `try` and `with`; not functions and imports."""
    for statement in body:
        if isinstance(statement, ir.Assign):
            for target in statement.targets:
                for name in _targets(target):
                    yield name.id, name
        elif isinstance(statement, ir.AnnAssign) and statement.value is not None:
            yield from ((name.id, name) for name in _targets(statement.target))
        elif depth < 20:
            for block in ("body", "orelse", "finalbody"):
                if not isinstance(statement, (ir.FunctionDef, ir.ClassDef, ir.For, ir.While)):
                    yield from assigned(getattr(statement, block, ()), depth + 1)
            if isinstance(statement, ir.Try):
                for handler in statement.handlers:
                    yield from assigned(handler.body, depth + 1)


def _targets(node: ir.Expr) -> Iterator[ir.Name]:
    if isinstance(node, ir.Name):
        yield node
    elif isinstance(node, (ir.Tuple, ir.List)):
        for item in node.elts:
            yield from _targets(item)


def used(module: ir.Module) -> set[str]:
    """The names that a module reads anywhere, its functions included."""
    found: set[str] = set()
    waiting: list[Any] = list(module.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ir.Assign):
            waiting += [target for target in node.targets if not isinstance(target, ir.Name)]
            waiting.append(node.value)
        elif isinstance(node, ir.AnnAssign):
            waiting.append(node.value)
        elif isinstance(node, ir.Name):
            found.add(node.id)
        elif isinstance(node, ir.Scope):
            found.update(node.names)
        elif isinstance(node, (tuple, list)):
            waiting.extend(node)
        elif isinstance(node, msgspec.Struct):
            waiting += [getattr(node, name) for name in node.__struct_fields__]
    return found


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` misspells: at most two letters off, one for short words; None where none is near."""
    if len(word) < 4:
        return None
    limit = 1 if len(word) < 7 else 2
    scored = sorted((distance(word, other), other) for other in known if abs(len(other) - len(word)) <= limit)
    return scored[0][1] if scored and 0 < scored[0][0] <= limit else None


def distance(one: str, other: str) -> int:
    """How many letters to insert, delete, replace or swap with their neighbour turn `one` into `other`."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row, last = row, [i], before
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
