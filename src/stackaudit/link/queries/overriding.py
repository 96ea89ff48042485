"""Methods that a class inherits and that ask for what the class defines itself.

`for row in self.rows(): self.write(row)` of a base class asks nothing that is known there; what it asks, each class
tells that defines `rows()` and `write()`. So does `get()` of a view or `handle()` of a command that is left to a base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, decorators
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.attributes import is_queryset
from stackaudit.link.queries.walk import Walk

SERVES = frozenset({"get", "post", "put", "patch", "delete", "handle", "run"})
"""What Django and Celery call on views, commands and tasks. Actions of viewsets are walked with their serializers."""
_UNBOUND = frozenset({"staticmethod", "classmethod"})


class Inherited:
    """The inherited methods of the classes of a stack, each read once."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._looped: dict[py.FunctionDef, frozenset[str]] = {}
        self._asked: dict[SourceClass, frozenset[str]] = {}

    def methods(self, module: SourceModule) -> Iterator[tuple[SourceClass, SourceClass, py.FunctionDef]]:
        """A class, the base class that defines a method for it, and the method, for the classes of a module."""
        for bound in module.names.values():
            for binding in bound:
                if isinstance(binding.node, py.ClassDef) and binding.node.bases:
                    cls = self._walk.classes.build(module, binding.node)
                    if self._walk.models.of_class(cls) is None and not is_queryset(cls):
                        yield from self._of(cls)

    def _of(self, cls: SourceClass) -> Iterator[tuple[SourceClass, SourceClass, py.FunctionDef]]:
        seen = set(cls.members)
        for base in cls.mro[1:]:
            if not isinstance(base, SourceClass):
                continue
            for name, bound in base.members.items():
                node = bound[-1].node
                if name in seen or not isinstance(node, py.FunctionDef):
                    continue
                if (name in SERVES and self._is_filled_in(cls, base)) or self._is_told_by(cls, base, node):
                    yield cls, base, node
            seen.update(base.members)

    def _is_told_by(self, cls: SourceClass, base: SourceClass, node: py.FunctionDef) -> bool:
        """Whether a loop of a method of `base` asks its object for what `cls` has of its own."""
        if node not in self._looped:
            self._looped[node] = frozenset(_asked_in_loops(node))
        found = (cls.find(name) for name in self._looped[node])
        return any(member is not None and member.owner is not base and base in member.owner.mro for member in found)

    def _is_filled_in(self, cls: SourceClass, base: SourceClass) -> bool:
        """Whether `base`, or what it derives from, asks its object for anything that `cls` has of its own."""
        index = cls.mro.index(base)
        asked = frozenset().union(*(self._asks(item) for item in cls.mro[index:] if isinstance(item, SourceClass)))
        return any(not asked.isdisjoint(item.members) for item in cls.mro[:index] if isinstance(item, SourceClass))

    def _asks(self, cls: SourceClass) -> frozenset[str]:
        """The names that the methods of a class ask of `self`."""
        if cls not in self._asked:
            self._asked[cls] = frozenset(_attributes(cls.node.body, "self"))
        return self._asked[cls]


def _asked_in_loops(node: py.FunctionDef) -> Iterator[str]:
    """The attributes of its object that the loops of a method ask for."""
    if node.params and _UNBOUND.isdisjoint(decorators(node)):
        turns = [item for item in nodes(node.body) if isinstance(item, (py.For, py.Comp))]
        yield from _attributes(turns, node.params[0].name)


def _attributes(body: Sequence[py.Node], own: str) -> Iterator[str]:
    """The attributes that some source reads of the name `own`."""
    for item in nodes(body):
        if isinstance(item, py.Attribute) and isinstance(item.value, py.Name) and item.value.id == own:
            yield item.attr
