"""Calls by the name that is called, with the function they stand in: found in one walk that several rules share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.modules import Binding, SourceModule, Symbol, bindings, dotted
from stackaudit.link.nodes import inside

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

WANTED = frozenset(
    # caches
    {
        "get",
        "set",
        "add",
        "get_many",
        "set_many",
        "get_or_set",
        "touch",
        "delete",
        "delete_many",
        "clear",
        "incr",
        "decr",
    }
    | {"incr_version", "decr_version", "delete_pattern", "keys", "aget", "aset", "aget_or_set", "aset_many", "adelete"}
    | {"adelete_many", "aclear", "cache_page", "cache_control", "condition", "etag", "last_modified"}
    # clients of Redis
    | {
        "Redis",
        "StrictRedis",
        "from_url",
        "flushall",
        "flushdb",
        "execute_command",
        "scan_iter",
        "iter_keys",
        "RedisCluster",
    }
    # profilers
    | {"Profile", "Profiler", "runctx", "start"}
)
FORWARDED = frozenset({"HTTP_X_FORWARDED_FOR", "X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR"})


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


@dataclass
class Calls:
    """The calls of a stack's Python by the last part of what they call, and the strings that name X-Forwarded-For."""

    by_name: dict[str, list[Found]] = field(default_factory=dict)
    forwarded: list[Found] = field(default_factory=list)

    def named(self, *names: str) -> Iterator[Found]:
        """The calls of functions and methods with one of `names`, all of them in WANTED."""
        for name in names:
            yield from self.by_name.get(name, ())


def resolve(stack: Stack) -> Calls:
    """One walk over all functions."""
    calls = Calls()
    for module in stack.modules:
        _walk(module, calls)
    return calls


def _walk(module: SourceModule, calls: Calls) -> None:
    waiting: list[tuple[py.Node, py.FunctionDef | None, py.ClassDef | None]]
    waiting = [(node, None, None) for node in reversed(module.facts.body)]
    while waiting:
        node, function, owner = waiting.pop()
        kind = type(node)
        if kind is py.Call:
            func = node.func  # type: ignore[attr-defined]
            name = func.attr if type(func) is py.Attribute else func.id if type(func) is py.Name else ""
            if name in WANTED:
                calls.by_name.setdefault(name, []).append(Found(module, node, function, owner))  # type: ignore[arg-type]
        elif kind is py.Constant:
            if node.value in FORWARDED:  # type: ignore[attr-defined]
                calls.forwarded.append(Found(module, node, function, owner))  # type: ignore[arg-type]
            continue
        elif kind is py.FunctionDef:
            waiting += [(item, function, owner) for item in reversed(node.decorators)]  # type: ignore[attr-defined]
            waiting += [(item, node, owner) for item in reversed(node.body)]  # type: ignore[attr-defined, misc]
            continue
        elif kind is py.ClassDef and function is None:
            owner = node  # type: ignore[assignment]
        for name in inside(kind):
            value = getattr(node, name)
            if type(value) is tuple:
                waiting.extend([(item, function, owner) for item in reversed(value) if item is not None])
            elif value is not None:
                waiting.append((value, function, owner))


def meaning(stack: Stack, found: Found, expr: py.Expr) -> Symbol | None:
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


def _local(stack: Stack, found: Found, bound: list[Binding], rest: str) -> Symbol | None:
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
