"""Coroutines, and where they ask the database as only synchronous code may.

Django refuses each of these with SynchronousOnlyOperation (measured on 5.2 and 6.1): going through a queryset with a
plain `for`, its truth, length or first row, `get()` and its like, `save()`, `transaction.atomic()`, a relation that is
not loaded. Building and slicing a queryset, `async for`, the methods that begin with `a`, and whatever was loaded
before are fine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries import calls
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import ASYNC, METHODS, ROW_METHODS
from stackaudit.link.queries.values import Manager, Related, Row, Rows
from stackaudit.link.queries.walk import Walk
from stackaudit.link.usage.bodies import Body

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

TouchKind: TypeAlias = Literal["query", "relation"]

_UNSAFE = "DJANGO_ALLOW_ASYNC_UNSAFE"
_GOING_THROUGH = frozenset({"list", "tuple", "set", "frozenset", "sorted", "dict", "enumerate", "sum", "max", "min"})
_SHORTCUTS = {
    "django.shortcuts.get_object_or_404": "aget_object_or_404",
    "django.shortcuts.get_list_or_404": "aget_list_or_404",
}


@dataclass(frozen=True, slots=True)
class Touch:
    """One place of a coroutine that reads or writes rows.

    `text` is the access as written, `instead` what a coroutine writes; `why` completes "unknown, because ..." where it
    cannot be told whether the database is asked; `is_fine` marks what Django allows.
    """

    node: py.Node
    kind: TouchKind
    text: str
    instead: str = ""
    why: str = ""
    is_fine: bool = False


class Coroutine:
    """An `async def` at the top level of a module or class; what stands in functions inside it is not its own."""

    def __init__(self, body: Body, owner: SourceClass | None, models: Models, walk: Walk) -> None:
        self.body = body
        self.owner = owner
        self.models = models
        self.walk = walk

    @property
    def name(self) -> str:
        """The logical name: "shop.views.book_list"."""
        return self.body.where

    @property
    def own(self) -> Iterator[py.Node]:
        """The nodes that run in the coroutine itself."""
        return (node for node in self.body.nodes if self.body.scope(node) is self.body.node)

    def resolved(self, call: py.Call) -> str:
        """The dotted name of the function that a call calls, as it was imported; "" where that cannot be told."""
        path = dotted(call.func)
        if not path or path.partition(".")[0] in self.body.binds:
            return ""
        symbol = self.models.modules.resolve(self.body.module, path)
        return symbol.name if symbol is not None and symbol.kind == "external" else ""

    def touches(self) -> Iterator[Touch]:
        """Every place that reads or writes rows, in source order as far as nesting goes."""
        for node in self.own:
            match node:
                case py.For() | py.Comprehension():
                    yield from self._gone_through(node.iter, is_async=node.is_async)
                case py.Call():
                    yield from self._called(node)
                case py.Subscript():
                    yield from self._indexed(node)
                case py.If() | py.While() | py.IfExp() | py.Assert():
                    yield from self._tested(node.test)
                case py.BoolOp():
                    for operand in (node.left, node.right):
                        yield from self._tested(operand)
                case py.UnaryOp() if node.op == "not":
                    yield from self._tested(node.operand)
                case py.With() if not node.is_async:
                    yield from self._transaction(node)
                case py.Attribute():
                    yield from self._relation(node)

    def _rows(self, node: py.Node) -> Rows | None:
        """The queryset that an expression stands for, where going through it runs a query."""
        value = self.body.value(node)
        if isinstance(value, (Related, Manager)):
            return None  # a manager cannot be gone through
        return value if isinstance(value, Rows) and not (value.evaluated or value.cached) else None

    def _gone_through(self, node: py.Expr, *, is_async: bool) -> Iterator[Touch]:
        rows = self._rows(node)
        if rows is not None:
            yield self._touch(node, f"for … in {text_of(node)}", "async for", rows, is_fine=is_async)

    def _tested(self, node: py.Expr) -> Iterator[Touch]:
        rows = self._rows(node)
        if rows is not None and not isinstance(node, (py.BoolOp, py.UnaryOp)):
            yield self._touch(node, text_of(node), f"await {text_of(node)}.aexists()", rows)

    def _indexed(self, node: py.Subscript) -> Iterator[Touch]:
        rows = self._rows(node.value)
        if rows is not None and isinstance(node.index, py.Constant) and isinstance(node.index.value, int):
            yield self._touch(node, text_of(node), f"await {text_of(node.value)}.afirst()", rows)

    def _called(self, node: py.Call) -> Iterator[Touch]:
        func = node.func
        name = self.resolved(node)
        if name in _SHORTCUTS and node.args and (self.body.value(node.args[0]) or self._is_model(node.args[0])):
            yield Touch(node, "query", text_of(func), f"await {_SHORTCUTS[name]}(…)")
        elif name.removeprefix("builtins.") in _GOING_THROUGH and node.args:
            rows = self._rows(node.args[0])
            if rows is not None:
                text = text_of(node.args[0])
                yield self._touch(node, f"{text_of(func)}({text})", f"[row async for row in {text}]", rows)
        elif name in ("builtins.len", "builtins.bool") and node.args:
            rows = self._rows(node.args[0])
            if rows is not None:
                text, method = text_of(node.args[0]), "acount" if name == "builtins.len" else "aexists"
                yield self._touch(node, f"{text_of(func)}({text})", f"await {text}.{method}()", rows)
        elif isinstance(func, py.Attribute):
            yield from self._method(node, func)

    def _method(self, node: py.Call, func: py.Attribute) -> Iterator[Touch]:
        receiver = self.body.value(func.value)
        method = func.attr.removeprefix("a") if func.attr in ASYNC or func.attr[1:] in ROW_METHODS else func.attr
        is_async = method != func.attr
        if receiver is None or self._is_own(receiver, func.attr):
            return
        known = METHODS.get(method)
        if isinstance(receiver, Row):
            if ROW_METHODS.get(method, "never") != "never":
                yield self._touch(node, f"{text_of(func)}()", f"await {self._a(func)}()", is_fine=is_async)
        elif known is not None and known.runs != "never" and method != "iterator":
            rows = receiver if isinstance(receiver, Rows) else calls.base_rows(self.walk, receiver)
            kept = (rows.cached or rows.evaluated) and known.on_prefetched == "cache"
            if not kept:
                text, instead = f"{text_of(func)}()", f"await {self._a(func)}(…)"
                yield self._touch(node, text, instead, is_fine=is_async)

    def _transaction(self, node: py.With) -> Iterator[Touch]:
        for item in node.items:
            if isinstance(item.value, py.Call) and self.resolved(item.value) == "django.db.transaction.atomic":
                instead = "a synchronous function called with `await sync_to_async(…)`"
                yield Touch(item.value, "query", "transaction.atomic()", instead)

    def _relation(self, node: py.Attribute) -> Iterator[Touch]:
        row = self.body.value(node.value)
        if not isinstance(row, Row) or self._is_stored(node):
            return
        relation = row.model.relation(node.attr)
        if relation is None or relation.relation not in ("fk", "o2o", "reverse_o2o") or self._is_own(row, node.attr):
            return
        text = text_of(node)
        load = row.load.to_one(relation.name)
        if load is None and row.load.every_one and not relation.null:
            load = row.load
        if load is not None or relation.name in row.load.attributes:
            yield Touch(node, "relation", text, is_fine=True)
        elif row.load.unknown:
            yield Touch(node, "relation", text, why=row.load.unknown)
        else:
            yield Touch(node, "relation", text, f'.select_related("{relation.name}")')

    def _touch(self, node: py.Node, text: str, instead: str, rows: Rows | None = None, is_fine: bool = False) -> Touch:
        why = rows.via.row.load.unknown if rows is not None and rows.via is not None else ""
        return Touch(node, "query", text, instead, "" if is_fine else why, is_fine)

    def _is_stored(self, node: py.Attribute) -> bool:
        parent = self.body.parents.get(node)
        return isinstance(parent, (py.Assign, py.Delete)) and node in parent.targets

    def _is_own(self, receiver: Row | Rows | Manager | Related, name: str) -> bool:
        """Whether a class of the repository says what `name` does."""
        cls: object = None
        if isinstance(receiver, Row):
            cls = receiver.model.cls
        elif isinstance(receiver, Rows):
            cls = receiver.cls
        elif isinstance(receiver, Manager) and receiver.definition is not None:
            cls = receiver.definition.cls
        member = cls.find(name) if isinstance(cls, SourceClass) else None
        return member is not None and isinstance(member.node, py.FunctionDef)

    def _is_model(self, node: py.Expr) -> bool:
        return self.models.of_expr(self.body.module, node) is not None

    def _a(self, func: py.Attribute) -> str:
        return f"{text_of(func.value)}.a{func.attr}"


def resolve(stack: Stack) -> tuple[Coroutine, ...]:
    """Every coroutine function of the repository, in the order of the files."""
    walk = stack.queries.walk
    return tuple(
        Coroutine(Body(module, node, _name(module, node, owner), walk.kept), owner, stack.models, walk)
        for module in stack.modules
        for node, owner in functions(walk, module)
        if node.is_async
    )


def allows_unsafe(stack: Stack) -> bool:
    """Whether DJANGO_ALLOW_ASYNC_UNSAFE is set somewhere: Django then blocks the event loop instead of refusing."""
    if any(_UNSAFE in process.environment for process in stack.processes.all):
        return True
    return any(found.function is None for found in stack.mentions.written(_UNSAFE.__eq__))


def _name(module: SourceModule, node: py.FunctionDef, owner: SourceClass | None) -> str:
    return f"{owner.name if owner is not None else module.name}.{node.name}"
