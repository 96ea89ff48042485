"""strawberry-django: types over models, and the fields of other classes that list them."""

from __future__ import annotations

from collections.abc import Container, Iterator

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.declared.graphql import Field, Root, Type, list_like
from stackaudit.link.declared.lists import Lists, head
from stackaudit.link.models.model import keyword
from stackaudit.link.modules import SourceModule, callee, dotted

_TYPE = ("strawberry_django.type", "strawberry_django.node", "strawberry.django.type", "strawberry_django.interface")
_FIELD = ("strawberry_django.", "strawberry.")
_ALL = ("field", "connection", "node", "offset_paginated", "cursor_paginated")
OPTIMIZER = "strawberry_django.optimizer"


class Strawberry:
    """The types and lists of strawberry."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists

    def types(self) -> Iterator[Type]:
        """Every class decorated with `strawberry_django.type(Model)`."""
        for cls in self.lists.every_class:
            for decorator in cls.node.decorators:
                if isinstance(decorator, py.Call) and self._name(cls.module, decorator).startswith(_TYPE):
                    given = decorator.args[0] if decorator.args else keyword(decorator, "model")
                    model = self.lists.models.of_expr(cls.module, given)
                    if model is not None:
                        yield Type(cls, model, list(self._fields(cls)))

    def roots(self, is_type: Container[SourceClass]) -> Iterator[Root]:
        """Lists that are fields of other decorated classes."""
        for cls in self.lists.every_class:
            if cls in is_type or not self._is_decorated(cls):
                continue
            for item in self._fields(cls, own=True):
                if list_like(item.inner):
                    yield Root(item, cls, item.function is None)

    def _is_decorated(self, cls: SourceClass) -> bool:
        return any(self._name(cls.module, item).startswith(_FIELD) for item in cls.node.decorators)

    def _fields(self, cls: SourceClass, own: bool = False) -> Iterator[Field]:
        seen = set()
        for base in cls.mro[:1] if own else cls.mro:
            for stmt in base.node.body if isinstance(base, SourceClass) else ():
                assert isinstance(base, SourceClass)
                for item in self._field(base, stmt):
                    if item.name not in seen:
                        seen.add(item.name)
                        yield item

    def _field(self, cls: SourceClass, stmt: py.Stmt) -> Iterator[Field]:
        module = cls.module
        if isinstance(stmt, py.FunctionDef):
            for decorator in stmt.decorators:
                call = decorator if isinstance(decorator, py.Call) else None
                name = self._name(module, decorator)
                if name.startswith(_FIELD) and name.rpartition(".")[2] in _ALL:
                    yield Field(stmt.name, module.place(head(stmt)), module, stmt, cls, stmt.returns, call)
        elif isinstance(stmt, py.AnnAssign) and isinstance(stmt.target, py.Name):
            call = stmt.value if isinstance(stmt.value, py.Call) else None
            resolver = keyword(call, "resolver") if call is not None else None
            function = self.lists.models.modules.resolve(module, dotted(resolver)) if resolver is not None else None
            if resolver is None:
                name = _attribute(call) or stmt.target.id
                yield Field(name, module.place(stmt.target), module, None, cls, stmt.annotation, call)
            elif function is not None and isinstance(function.node, py.FunctionDef) and function.module is not None:
                yield Field(
                    stmt.target.id,
                    module.place(stmt.target),
                    function.module,
                    function.node,
                    None,
                    stmt.annotation,
                    call,
                )

    def _name(self, module: SourceModule, node: py.Expr) -> str:
        symbol = self.lists.models.modules.resolve(module, callee(node)) if callee(node) else None
        return symbol.name if symbol is not None and symbol.kind == "external" else ""


def _attribute(call: py.Call | None) -> str:
    """The attribute that `field(field_name="author")` reads."""
    given = keyword(call, "field_name") if call is not None else None
    return given.value if isinstance(given, py.Constant) and isinstance(given.value, str) else ""
