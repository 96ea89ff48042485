"""The source around what the walk found: from a place to the expression that stands there, and what holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, target_names
from stackaudit.link.nodes import inside, nodes
from stackaudit.model.source import Place

Binder: TypeAlias = py.Assign | py.For | py.Comprehension


class Sources:
    """The modules of a stack by their paths, as trees that can be climbed."""

    def __init__(self, modules: Iterable[SourceModule]) -> None:
        self.modules = {module.path: module for module in modules}
        self._trees: dict[str, dict[py.Node, py.Node]] = {}
        self._starts: dict[str, dict[int, list[py.Node]]] = {}
        self._binders: dict[py.Node, dict[str, list[Binder]]] = {}

    def tree(self, path: str) -> dict[py.Node, py.Node]:
        """What holds each node of a module."""
        if path not in self._trees:
            parents: dict[py.Node, py.Node] = {}
            starts: dict[int, list[py.Node]] = {}
            waiting: list[py.Node] = list(self.modules[path].facts.body)
            while waiting:
                node = waiting.pop()
                for item in held(node):
                    parents[item] = node
                    waiting.append(item)
                    starts.setdefault(item.start, []).append(item)
            self._trees[path], self._starts[path] = parents, starts
        return self._trees[path]

    def binders(self, scope: py.Node, name: str) -> list[Binder]:
        """What binds a name in a function, a loop or a statement, in source order."""
        if scope not in self._binders:
            found: dict[str, list[Binder]] = {}
            for node in below(scope):
                if isinstance(node, (py.Assign, py.For, py.Comprehension)):
                    for target in node.targets if isinstance(node, py.Assign) else (node.target,):
                        for bound in target_names(target):
                            found.setdefault(bound, []).append(node)
            self._binders[scope] = found
        return self._binders[scope].get(name, [])

    def assigned(self, scope: py.Node, name: str, before: int) -> list[py.Expr]:
        """What a name was assigned within a scope by statements that end at the offset `before`, or earlier."""
        found = (node for node in self.binders(scope, name) if isinstance(node, py.Assign))
        return [node.value for node in found if node.end <= before]

    def at(self, place: Place) -> py.Node | None:
        """The outermost call that stands at a place, any other expression where there is none."""
        if place.path not in self.modules:
            return None
        facts, region = self.modules[place.path].facts, place.region
        start = facts.lines[region.line - 1] + region.column - 1 if region.line <= len(facts.lines) else -1
        self.tree(place.path)
        found = [node for node in self._starts[place.path].get(start, ()) if facts.region(node) == region]
        return next((node for node in found if isinstance(node, py.Call)), found[-1] if found else None)

    def scope(self, path: str, node: py.Node) -> py.Node:
        """The innermost function around a node of a file, outside of any the whole statement."""
        tree = self.tree(path)
        while node in tree and not isinstance(node, py.FunctionDef):
            node = tree[node]
        return node

    def function(self, place: Place) -> py.FunctionDef | None:
        """The innermost function that holds what stands at a place."""
        node = self.at(place)
        found = self.scope(place.path, node) if node is not None else None
        return found if isinstance(found, py.FunctionDef) else None

    def where(self, place: Place) -> str:
        """The name of the innermost function around a place, "shop.models.Book.covers"; "" outside of any."""
        function = self.function(place)
        if function is None:
            return ""
        tree, names = self.tree(place.path), [function.name]
        above = tree.get(function)
        while above is not None and not isinstance(above, py.FunctionDef):
            if isinstance(above, py.ClassDef):
                names.append(above.name)
            above = tree.get(above)
        return ".".join((self.modules[place.path].name, *reversed(names)))

    def loop(self, place: Place) -> py.For | py.Comprehension | None:
        """The loop that goes through what stands at a place, also where it goes through a part of it."""
        node = self.at(place)
        tree = self.tree(place.path) if node is not None else {}
        while node is not None:
            parent = tree.get(node)
            if isinstance(parent, (py.For, py.Comprehension)) and parent.iter is node:
                return parent
            node = parent if isinstance(parent, (py.Call, py.Attribute)) and parent.start == node.start else None
        return None

    def body(self, place: Place) -> Sequence[py.Node] | None:
        """What a loop over what stands at a place does on each turn; None where there is none to be seen."""
        loop = self.loop(place)
        if isinstance(loop, py.For):
            return loop.body
        comp = self.tree(place.path).get(loop) if loop is not None else None
        if not isinstance(comp, py.Comp):
            return None
        return [node for node in (comp.element, comp.value) if node is not None]


def held(node: py.Node) -> Iterator[py.Node]:
    """The nodes in a node, in source order."""
    for name in reversed(inside(type(node))):
        value = getattr(node, name)
        if type(value) is tuple:
            yield from (item for item in value if item is not None)
        elif value is not None:
            yield value


def below(node: py.Node) -> Iterator[py.Node]:
    """All nodes in a node, in source order."""
    return nodes(tuple(held(node)))


def returned(function: py.FunctionDef) -> py.Expr | None:
    """The expression that a function consists of; None where it does anything else."""
    body = [
        stmt for stmt in function.body if not (isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Constant))
    ]
    return body[0].value if len(body) == 1 and isinstance(body[0], py.Return) else None


def tries(tree: dict[py.Node, py.Node], node: py.Node, outer: py.Node) -> Iterator[py.Try]:
    """The `try` statements within `outer` that try a node, the innermost first; none beyond the node's function."""
    while node is not outer and not isinstance(node, py.FunctionDef) and node in tree:
        above = tree[node]
        if isinstance(above, py.Try) and node in above.body:
            yield above
        node = above


def around(tree: dict[py.Node, py.Node], node: py.Node) -> py.Node:
    """The innermost loop or function around a node."""
    while node in tree and not isinstance(tree[node], (py.For, py.While, py.FunctionDef)):
        node = tree[node]
    return tree.get(node, node)
