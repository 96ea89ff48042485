"""One function as a tree that can be climbed: what holds a node, which branches lead to it, what binds a name.

Two places of a function are compared by their paths, the branches that lead to them, so that what stands in the two
arms of an `if` never counts as one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, TypeVar

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule
from stackaudit.link.nodes import inside
from stackaudit.link.queries.values import Manager, Related, Row, Rows, Value
from stackaudit.model.source import Place

_N = TypeVar("_N", bound=py.Node)
Branches: TypeAlias = tuple[tuple[py.Node, str], ...]

_SCOPES = (py.FunctionDef, py.Lambda, py.ClassDef)
_BRANCHES: dict[type, tuple[str, ...]] = {
    py.If: ("body", "orelse"), py.Try: ("body", "handlers", "orelse"), py.Match: ("cases",), py.For: ("body",),
    py.While: ("body",), py.IfExp: ("body", "orelse"), py.BoolOp: ("right",),
}  # fmt: skip
_STORES: dict[type, str] = {
    py.Assign: "targets", py.AugAssign: "target", py.AnnAssign: "target", py.For: "target", py.WithItem: "target",
    py.Comprehension: "target", py.NamedExpr: "target", py.Delete: "targets",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bind:
    """A place that binds a name; `value` is the expression it is bound to, None where there is no single one."""

    at: int
    value: py.Expr | None
    statement: py.Node


class Body:
    """A function and what the walk knows of its expressions."""

    def __init__(self, module: SourceModule, node: py.FunctionDef, where: str, kept: dict[py.Node, Value]) -> None:
        self.module = module
        self.node = node
        self.where = where
        self._kept = kept
        self.parents: dict[py.Node, py.Node] = {}
        self.nodes: list[py.Node] = []
        self.loads: dict[str, list[py.Name]] = {}
        self.binds: dict[str, list[Bind]] = {param.name: [Bind(node.start, None, param)] for param in node.params}
        self._branch: dict[py.Node, tuple[py.Node, str]] = {}
        self._outer: set[str] = set()
        self._read()

    def value(self, node: py.Node) -> Row | Rows | Manager | Related | None:
        """What rows an expression stands for, None where it stands for none or the walk does not know."""
        return self.rows.get(node)

    @cached_property
    def rows(self) -> dict[py.Node, Row | Rows | Manager | Related]:
        """The expressions that stand for rows, in the order of `nodes`."""
        kept = ((node, self._kept.get(node)) for node in self.nodes)
        return {node: found for node, found in kept if isinstance(found, (Row, Rows, Manager, Related))}

    def of_kind(self, *kinds: type[_N]) -> list[_N]:
        """The nodes of some kinds, in the order of `nodes`."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], [])  # type: ignore[return-value]
        if not any(kind in self._by_kind for kind in kinds):
            return []
        return [node for node in self.nodes if type(node) in kinds]  # type: ignore[misc]

    @cached_property
    def _by_kind(self) -> dict[type[py.Node], list[py.Node]]:
        found: dict[type[py.Node], list[py.Node]] = {}
        for node in self.nodes:
            found.setdefault(type(node), []).append(node)
        return found

    def place(self, node: py.Node) -> Place:
        """Where a node stands."""
        return self.module.place(node)

    def _read(self) -> None:
        waiting: list[tuple[py.Node, py.Node, bool]] = [(item, self.node, False) for item in reversed(self.node.body)]
        while waiting:
            node, parent, stored = waiting.pop()
            self.parents[node] = parent
            self.nodes.append(node)
            kind = type(node)
            if kind is py.Name:
                self._name(node, stored)  # type: ignore[arg-type]
            elif kind is py.Scope:
                self._outer.update(node.names)  # type: ignore[attr-defined]
            branches, store = _BRANCHES.get(kind, ()), _STORES.get(kind, "")
            passes = stored and kind in (py.Tuple, py.List, py.Starred)
            for field in inside(kind):
                value = getattr(node, field)
                held = value if type(value) is tuple else (value,)
                for number, item in enumerate(reversed(held)):
                    if item is None:
                        continue
                    if field in branches:
                        arm = f"{field} {number}" if field in ("handlers", "cases") else field
                        self._branch[item] = (node, arm)
                    waiting.append((item, node, field == store or passes))

    def _name(self, node: py.Name, stored: bool) -> None:
        if not stored:
            self.loads.setdefault(node.id, []).append(node)
            return
        holder = self.parents[node]
        binder = holder
        while isinstance(binder, (py.Tuple, py.List, py.Starred)):
            binder = self.parents[binder]
        value: py.Expr | None = None
        if binder is holder and isinstance(binder, (py.Assign, py.AnnAssign, py.NamedExpr)):
            value = binder.value
        if isinstance(binder, py.AugAssign):
            self.loads.setdefault(node.id, []).append(node)
        at = binder.end if isinstance(binder, (py.Assign, py.AnnAssign, py.AugAssign, py.NamedExpr)) else node.start
        self.binds.setdefault(node.id, []).append(Bind(at, value, binder))

    def up(self, node: py.Node) -> Iterator[py.Node]:
        """What holds a node, from the inside out, without the function itself."""
        while node in self.parents:
            node = self.parents[node]
            if node is self.node:
                return
            yield node

    def branches(self, node: py.Node) -> Branches:
        """The branches that lead to a node, from the outside in."""
        found = [self._branch[item] for item in (node, *self.up(node)) if item in self._branch]
        return tuple(reversed(found))

    def scope(self, node: py.Node) -> py.Node:
        """The innermost function, lambda or class around a node."""
        return next((item for item in self.up(node) if isinstance(item, _SCOPES)), self.node)

    def loops(self, node: py.Node) -> tuple[py.Node, ...]:
        """The loops on each turn of which a node is reached again, the innermost first."""
        found: list[py.Node] = []
        before = node
        for item in self.up(node):
            if isinstance(item, _SCOPES):
                break
            if isinstance(item, py.Comp):
                source = item.generators[0].iter
                repeats = not (before is item.generators[0] and (node is source or source in self.up(node)))
            else:
                repeats = isinstance(item, py.While) or (isinstance(item, py.For) and before in item.body)
            if repeats:
                found.append(item)
            before = item
        return tuple(found)

    def follows(self, one: py.Node, other: py.Node) -> bool:
        """Whether `other`, which stands after `one`, may be reached once `one` was."""
        there = dict(self.branches(other))
        for holder, arm in self.branches(one):
            if holder in there:
                if there[holder] != arm:
                    return False
            elif _ends(_arm(holder, arm)):
                return False
        return self._precedes(one, other)

    def always(self, one: py.Node, other: py.Node) -> bool:
        """Whether `one` was reached whenever `other`, which comes after it, is."""
        there = self.branches(other)
        return all(branch in there for branch in self.branches(one)) and self._precedes(one, other)

    def between(self, one: py.Node, other: py.Node) -> list[py.Node]:
        """What may be evaluated after `one` and before `other`, as far as neither holds it."""
        spans = [(one.end, other.start)]
        for holder in self._chosen(other):
            spans.append((max(one.end, holder.test.start), holder.test.end))
            if _holds(holder.test, one):
                spans[0] = (holder.body.start, other.start)
            if _holds(holder, one):
                break
        return [item for item in self.nodes if any(start <= item.start and item.end <= end for start, end in spans)]

    def in_order(self, nodes: Iterable[_N]) -> list[_N]:
        """Nodes in the order in which they are evaluated."""
        return sorted(nodes, key=self._turn)

    def _precedes(self, one: py.Node, other: py.Node) -> bool:
        return self._turn(one) < self._turn(other)

    def _turn(self, node: py.Node) -> tuple[int, ...]:
        """Orders nodes by when they are evaluated: `A` of `A if B else C` comes after `B`."""
        ends = [holder.test.end for holder in self._chosen(node)]
        return (*reversed(ends), node.start)

    def _chosen(self, node: py.Node) -> list[py.IfExp]:
        """The `A if B else C` in the `A` of which a node stands, the innermost first."""
        holders = self.of_kind(py.IfExp)
        return [item for item in reversed(holders) if _holds(item.body, node)] if holders else []

    def epoch(self, name: str, at: int) -> int:
        """Counts the places before `at` that bind a name: two loads of one epoch give the same object."""
        return sum(bind.at <= at for bind in self.binds.get(name, ()))

    def bound(self, node: py.Name) -> list[py.Expr] | None:
        """The expressions that a name may stand for at `node`; None where one of them is not known."""
        if node.id in self._outer or self.scope(node) is not self.node:
            return None
        found: list[py.Expr] = []
        for bind in reversed([item for item in self.binds.get(node.id, ()) if item.at <= node.start]):
            if bind.value is None:
                return None
            found.append(bind.value)
            if self.always(bind.value, node):
                return found
        return None

    def same(self, node: py.Name) -> list[py.Name]:
        """Every load of the name that gives the same object as `node`, in source order."""
        epoch = self.epoch(node.id, node.start)
        found = [item for item in self.loads.get(node.id, ()) if self.epoch(node.id, item.start) == epoch]
        return sorted(found, key=lambda item: item.start)

    def maybe(self, node: py.Name) -> list[py.Name]:
        """Every load of the name that may give the same object as `node`, in source order."""
        binds = self.binds.get(node.id, ())
        since = max((bind.at for bind in binds if bind.at <= node.start), default=0)
        return [
            load
            for load in sorted(self.loads.get(node.id, ()), key=lambda item: item.start)
            if load.start >= since
            and not any(since < bind.at <= load.start and self.always(bind.statement, load) for bind in binds)
        ]

    def is_given(self, node: py.Node) -> bool:
        """Whether an expression begins with a parameter, so that a caller decides what its rows bring."""
        while isinstance(node, (py.Attribute, py.Call, py.Subscript)):
            node = node.func if isinstance(node, py.Call) else node.value
        if not isinstance(node, py.Name):
            return False
        if any(param.name == node.id for param in self.node.params):
            return node.id not in ("self", "cls", "request")
        made = self.bound(node)
        return made is not None and any(self.is_given(item) for item in made if item is not node)

    @cached_property
    def calls(self) -> list[py.Call]:
        """Every call of the function, in source order as far as nesting goes."""
        return self.of_kind(py.Call)


def _holds(outer: py.Node, node: py.Node) -> bool:
    return outer.start <= node.start and node.end <= outer.end


def _arm(holder: py.Node, arm: str) -> tuple[py.Stmt, ...]:
    if arm.startswith(("handlers ", "cases ")):
        field, _, number = arm.partition(" ")
        held = getattr(holder, field)
        return tuple(held[len(held) - 1 - int(number)].body)
    value = getattr(holder, arm)
    return value if isinstance(value, tuple) else ()


def _ends(body: tuple[py.Stmt, ...]) -> bool:
    """Whether what stands after a branch is never reached from it."""
    last = body[-1] if body else None
    if isinstance(last, py.If):
        return _ends(last.body) and _ends(last.orelse)
    if isinstance(last, py.With):
        return _ends(last.body)
    return isinstance(last, (py.Return, py.Raise)) or (isinstance(last, py.Jump) and last.kind != "pass")
