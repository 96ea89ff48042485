"""Classes across files: their bases, the order in which attributes are looked up, and what lies outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.modules import Binding, Modules, SourceModule, Symbol, bindings, dotted

Base: TypeAlias = "SourceClass | str | None"


@dataclass(eq=False)
class SourceClass:
    """A class of the repository.

    `bases` are classes of the repository, dotted names of external ones, or None for what cannot be told
    (`type(...)`, a call that returns a class).
    """

    name: str
    module: SourceModule
    node: py.ClassDef
    bases: tuple[Base, ...] = ()
    mro: tuple[Base, ...] = ()
    members: dict[str, list[Binding]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name without its module."""
        return self.node.name

    @property
    def externals(self) -> tuple[str, ...]:
        """The external classes it derives from, in the order in which they are asked."""
        return tuple(base for base in self.mro if isinstance(base, str))

    @property
    def is_open(self) -> bool:
        """Whether some base cannot be told at all, so that any attribute may come from it."""
        return None in self.mro

    def is_a(self, *names: str) -> bool:
        """Whether it derives from one of the external classes `names`."""
        return any(base in names for base in self.mro if isinstance(base, str))

    def find(self, name: str, after: SourceClass | None = None) -> Member | None:
        """The attribute `name` as an instance finds it; with `after`, as `super()` in that class finds it."""
        started = after is None
        for base in self.mro:
            if not started:
                started = base is after
                continue
            if isinstance(base, SourceClass):
                bound = base.members.get(name)
                if bound:
                    return Member(base, name, bound[-1])
        return None


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute found in the body of `owner`."""

    owner: SourceClass
    name: str
    binding: Binding

    @property
    def node(self) -> py.Node | None:
        """The method, nested class or assigned expression."""
        return self.binding.node


class Classes:
    """The classes of a stack, each built once when it is asked for."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self._built: dict[py.ClassDef, SourceClass] = {}

    def of(self, symbol: Symbol | None) -> SourceClass | str | None:
        """The class that a symbol stands for: of the repository, external by its dotted name, or neither."""
        if symbol is None:
            return None
        if symbol.kind == "class" and isinstance(symbol.node, py.ClassDef) and symbol.module is not None:
            return self.build(symbol.module, symbol.node, symbol.name)
        return symbol.name if symbol.kind == "external" else None

    def resolve(self, module: SourceModule, expr: py.Expr | None) -> SourceClass | str | None:
        """The class that an expression in `module` names; `Generic[T]` and other subscripts name what they index."""
        while isinstance(expr, py.Subscript):
            expr = expr.value
        path = dotted(expr)
        return self.of(self.modules.resolve(module, path)) if path else None

    def build(self, module: SourceModule, node: py.ClassDef, name: str = "") -> SourceClass:
        """The class that `node` defines in `module`."""
        built = self._built.get(node)
        if built is not None:
            return built
        built = SourceClass(name or f"{module.name}.{node.name}", module, node, members=bindings(_read(node.body))[0])
        built.mro = (built,)  # stands while a base that leads back here is resolved
        self._built[node] = built
        built.bases = tuple(self._base(module, base) for base in node.bases)
        built.mro = (built, *(base for base in _linearise(built.bases) if base is not built))
        return built

    def _base(self, module: SourceModule, base: py.Expr) -> Base:
        found = self.resolve(module, base)
        if found is None and isinstance(base, py.Call):
            # models.Manager.from_queryset(X), and functions that make a base class of another one
            inner = [self.resolve(module, arg) for arg in base.args]
            if isinstance(base.func, py.Attribute) and base.func.attr == "from_queryset":
                return self.merged(module, base)
            known = [item for item in inner if isinstance(item, SourceClass)]
            return known[0] if known else None
        return found

    def merged(self, module: SourceModule, call: py.Call) -> SourceClass:
        """`Manager.from_queryset(QuerySet)` as a class: the manager's attributes and the queryset's."""
        queryset = [self.resolve(module, arg) for arg in call.args[:1]]
        own = self.resolve(module, call.func.value) if isinstance(call.func, py.Attribute) else None
        node = py.ClassDef(call.start, call.end, "FromQuerySet", (), (), (), ())
        merged = SourceClass(f"{module.name}.FromQuerySet", module, node)
        merged.bases = (own, *queryset)
        merged.mro = (merged, *_linearise(merged.bases))
        return merged


def _read(body: tuple[py.Stmt, ...]) -> Iterator[py.Stmt]:
    """The statements of a class but for the setters and deleters of properties: who reads one asks its getter."""
    for stmt in body:
        if not (isinstance(stmt, py.FunctionDef) and any(_changes(stmt.name, item) for item in stmt.decorators)):
            yield stmt


def _changes(name: str, decorator: py.Expr) -> bool:
    """Whether a decorator makes a method the setter or deleter of the property `name`."""
    return dotted(decorator).endswith((f"{name}.setter", f"{name}.deleter"))


def _linearise(bases: tuple[Base, ...]) -> tuple[Base, ...]:
    """Python's order (C3) where the bases are consistent, else depth first without repetition."""
    sequences = [list(base.mro) if isinstance(base, SourceClass) else [base] for base in bases]
    sequences.append(list(bases))
    merged: list[Base] = []
    pending = [sequence for sequence in sequences if sequence]
    while pending:
        for sequence in pending:
            head = sequence[0]
            if not any(head in other[1:] for other in pending):
                break
        else:
            return tuple(dict.fromkeys(base for sequence in sequences for base in sequence)) or tuple(merged)
        merged.append(head)
        for sequence in pending:
            if sequence[0] is head or sequence[0] == head:
                sequence.pop(0)
        pending = [sequence for sequence in pending if sequence]
    return tuple(merged)
