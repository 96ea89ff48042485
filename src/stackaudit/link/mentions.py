"""What the Python of a stack calls, writes and imports, by name: found in one walk that many rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from stackaudit.facts import python as py
from stackaudit.link.modules import Binding, Modules, SourceModule, Symbol, bindings, dotted
from stackaudit.link.nodes import inside

_PREFETCHING = ("prefetch_related", "Prefetch", "prefetch_related_objects", "aprefetch_related_objects")
_FILLING = ("clear", "pop", "popitem", "setdefault", "update")
"""Methods that change what a dictionary holds."""


@dataclass(frozen=True, slots=True)
class Found:
    """A node, the function that it stands in (None: the module's or a class's own body) and that function's class."""

    module: SourceModule
    node: py.Expr
    function: py.FunctionDef | None
    owner: py.ClassDef | None

    @property
    def where(self) -> str:
        """A name for people and fingerprints: "shop.views.Checkout.post"."""
        names = [self.module.name]
        names += [node.name for node in (self.owner, self.function) if node is not None]
        return ".".join(names)

    @property
    def call(self) -> py.Call:
        """The node, where it is a call."""
        assert isinstance(self.node, py.Call)
        return self.node


@dataclass(frozen=True, slots=True)
class Importing:
    """An import statement, and the function that it stands in (None: it runs when the module is imported)."""

    module: SourceModule
    node: py.Import | py.ImportFrom
    function: py.FunctionDef | None


@dataclass
class Mentions:
    """Where the Python of a stack calls something, writes a text or imports, each in the order of the files.

    What only type checkers read is left out.

    `calls` are by the last part of what is called, `texts` by their value; `assigned` are the names of attributes that
    are set on something other than `self`, `entered` what gets or loses entries by statements. `names` are all
    names and attributes in expressions, but for the bases of classes and what `super()` is given: a class that is not
    among them is only derived from.
    """

    calls: dict[str, list[Found]] = field(default_factory=dict)
    texts: dict[str, list[Found]] = field(default_factory=dict)
    imports: list[Importing] = field(default_factory=list)
    assigned: frozenset[str] = frozenset()
    entered: set[str] = field(default_factory=set)
    names: frozenset[str] = frozenset()

    def named(self, *names: str) -> Iterator[Found]:
        """The calls of functions and methods with one of `names`."""
        for name in names:
            yield from self.calls.get(name, ())

    @cached_property
    def filled(self) -> frozenset[str]:
        """What gets or loses entries somewhere, as dictionaries do: names, those of attributes with a dot before."""
        found = ((item.call.func, item.function) for item in self.named(*_FILLING))
        called = (_held(func.value, function) for func, function in found if isinstance(func, py.Attribute))
        return frozenset(self.entered.union(*called))

    @cached_property
    def prefetched(self) -> frozenset[tuple[str, ...]]:
        """The paths that some queryset of the stack prefetches."""
        given = (arg.value for found in self.named(*_PREFETCHING) for arg in found.call.args
                 if isinstance(arg, py.Constant))  # fmt: skip
        return frozenset(tuple(path.split("__")) for path in given if isinstance(path, str))

    def written(self, accept: Callable[[str], object]) -> Iterator[Found]:
        """The texts that `accept` wants; it is asked once for each."""
        for text, places in self.texts.items():
            if accept(text):
                yield from places


def _held(expr: py.Expr, function: py.FunctionDef | None) -> set[str]:
    """How `filled` names an expression; a name of a class's own body is that of an attribute, too."""
    if isinstance(expr, py.Attribute):
        return {f".{expr.attr}"}
    return {expr.id, *([f".{expr.id}"] if function is None else [])} if isinstance(expr, py.Name) else set()


def resolve(modules: Iterable[SourceModule]) -> Mentions:
    """One walk over all modules."""
    mentions = Mentions()
    assigned: set[str] = set()
    names: set[str] = set()
    for module in modules:
        _walk(module, mentions, assigned, names)
    mentions.assigned, mentions.names = frozenset(assigned), frozenset(names)
    return mentions


def _walk(module: SourceModule, mentions: Mentions, assigned: set[str], names: set[str]) -> None:
    waiting: list[tuple[py.Node, py.FunctionDef | None, py.ClassDef | None]]
    waiting = [(node, None, None) for node in reversed(module.facts.body)]
    while waiting:
        node, function, owner = waiting.pop()
        kind = type(node)
        if isinstance(node, py.Name):
            names.add(node.id)
            continue
        if isinstance(node, py.Attribute):
            names.add(node.attr)
            waiting.append((node.value, function, owner))
            continue
        if isinstance(node, py.Constant):
            if type(node.value) is str:
                mentions.texts.setdefault(node.value, []).append(Found(module, node, function, owner))
            continue
        if isinstance(node, py.Call):
            func = node.func
            name = func.attr if type(func) is py.Attribute else func.id if type(func) is py.Name else ""
            if name:
                mentions.calls.setdefault(name, []).append(Found(module, node, function, owner))
            if name == "super":
                continue
        elif isinstance(node, (py.Import, py.ImportFrom)):
            mentions.imports.append(Importing(module, node, function))
            continue
        elif isinstance(node, py.FunctionDef):
            waiting += [(item, node, owner) for item in reversed(node.body)]
            waiting += [(param.default, function, owner) for param in node.params if param.default is not None]
            waiting += [(item, function, owner) for item in reversed(node.decorators)]
            continue
        elif isinstance(node, (py.Assign, py.Delete)):
            for target in node.targets:
                if type(target) is py.Subscript:
                    mentions.entered.update(_held(target.value, function))
                if type(target) is py.Attribute and type(target.value) is py.Name and target.value.id != "self":
                    assigned.add(target.attr)
        elif isinstance(node, py.If) and dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            waiting += [(item, function, owner) for item in reversed(node.orelse)]
            continue
        elif isinstance(node, py.ClassDef):
            owner = node if function is None else owner
            waiting += [(item, function, owner) for item in reversed(node.body)]
            waiting += [(item.value, function, owner) for item in reversed(node.keywords)]
            waiting += [(item, function, owner) for item in reversed(node.bases) if not dotted(item)]
            waiting += [(item, function, owner) for item in reversed(node.decorators)]
            continue
        for name in inside(kind):
            value = getattr(node, name)
            if type(value) is tuple:
                waiting.extend([(item, function, owner) for item in reversed(value) if item is not None])
            elif value is not None:
                waiting.append((value, function, owner))


class Named(Protocol):
    """A stack, or what else holds the modules of one."""

    @property
    def modules(self) -> Modules:
        """Its Python modules."""


def meaning(stack: Named, found: Found, expr: py.Expr) -> Symbol | None:
    """What a dotted name stands for where `found` stands: parameters and local names hide those of the module."""
    path = dotted(expr)
    if not path:
        return None
    head, _, rest = path.partition(".")
    if found.function is not None:
        if any(param.name == head for param in found.function.params):
            return None
        local = bindings(found.function.body)[0].get(head)
        if local is not None:
            return _local(stack, found, local, rest)
    return stack.modules.resolve(found.module, path)


def _local(stack: Named, found: Found, bound: list[Binding], rest: str) -> Symbol | None:
    binding = bound[-1]
    source, alias = binding.source, binding.alias
    if isinstance(source, py.ImportFrom) and alias is not None:
        origin = stack.modules.origin(found.module, source)
        if isinstance(origin, SourceModule):
            symbol = stack.modules.member(origin, alias.name)
        else:
            symbol = stack.modules.external(f"{origin}.{alias.name}", found.module.path)
        return stack.modules.lookup(symbol, rest) if rest and symbol is not None else symbol
    if isinstance(source, py.Import) and alias is not None:
        name = alias.name if alias.asname else alias.name.partition(".")[0]
        return stack.modules.external(f"{name}.{rest}" if rest else name, found.module.path)
    node = binding.node
    if len(bound) == 1 and isinstance(node, (py.Call, py.Subscript, py.Attribute)) and not rest:
        return Symbol("value", "", found.module, node)
    return None
