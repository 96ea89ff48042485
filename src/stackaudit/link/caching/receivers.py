"""Which calls ask Django's cache, and which a client of Redis: by what the receiver stands for, never by its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

CACHE = "django.core.cache.cache"
CACHES = "django.core.cache.caches"
CLIENTS = frozenset(
    {
        f"{module}.{name}"
        for module in ("redis", "redis.client", "redis.asyncio", "redis.asyncio.client", "valkey")
        for name in (
            "Redis",
            "StrictRedis",
            "from_url",
            "Redis.from_url",
            "StrictRedis.from_url",
            "Valkey",
            "Valkey.from_url",
        )
    }
    | {"redis.cluster.RedisCluster", "redis.RedisCluster", "redis.asyncio.RedisCluster"}
)
"""What makes a client of Redis."""
LENT = frozenset({"django_redis.get_redis_connection", "django_rq.get_connection"})
"""What lends a client that lives on: django-redis and django-rq keep one pool for each alias."""


@dataclass(frozen=True, slots=True)
class CacheCall:
    """A call of a method of Django's cache `alias`."""

    found: Found
    method: str
    alias: str

    @property
    def call(self) -> py.Call:
        """The call itself."""
        return self.found.call

    def argument(self, index: int, name: str) -> py.Expr | None:
        """An argument by its position or name; None where it is not given."""
        named = next((item.value for item in self.call.keywords if item.name == name), None)
        if named is not None or any(isinstance(arg, py.Starred) for arg in self.call.args):
            return named
        return self.call.args[index] if len(self.call.args) > index else None


def cache_calls(stack: Stack, *methods: str) -> Iterator[CacheCall]:
    """The calls of `methods` of Django's caches."""
    for found in stack.mentions.named(*methods):
        func = found.call.func
        if isinstance(func, py.Attribute):
            alias = cache_alias(stack, found, func.value)
            if alias is not None:
                yield CacheCall(found, func.attr, alias)


def cache_alias(stack: Stack, found: Found, expr: py.Expr, depth: int = 0) -> str | None:
    """The alias of the cache that an expression stands for; None where it is none."""
    if isinstance(expr, py.Subscript):
        symbol = meaning(stack, found, expr.value)
        if symbol is not None and symbol.name == CACHES and isinstance(expr.index, py.Constant):
            return str(expr.index.value)
        return None
    symbol = meaning(stack, found, expr)
    if symbol is None:
        return None
    if symbol.name == CACHE:
        return "default"
    if symbol.kind == "value" and isinstance(symbol.node, py.Subscript) and symbol.module is not None and depth < 3:
        where = found if symbol.module is found.module else Found(symbol.module, symbol.node, None, None)
        return cache_alias(stack, where, symbol.node, depth + 1)
    return None


def is_client(stack: Stack, found: Found, expr: py.Expr) -> bool:
    """Whether an expression stands for a client of Redis: a name, an attribute of `self`, or the call that makes it."""
    if isinstance(expr, py.Call):
        symbol = meaning(stack, found, expr.func)
        if symbol is None:
            return False
        if symbol.name in CLIENTS or symbol.name in LENT:
            return True
        if symbol.kind == "function" and isinstance(symbol.node, py.FunctionDef) and symbol.module is not None:
            return _gives_client(stack, symbol.module, symbol.node)
        return False
    path = dotted(expr)
    if path.startswith("self.") and path.count(".") == 1 and found.owner is not None:
        return any(is_client(stack, found, made) for made in _attribute(found.owner, path.partition(".")[2]))
    symbol = meaning(stack, found, expr)
    if symbol is None or symbol.kind != "value" or symbol.module is None or not isinstance(symbol.node, py.Call):
        return False
    where = found if symbol.module is found.module else Found(symbol.module, symbol.node, None, None)
    return is_client(stack, where, symbol.node)


def _attribute(owner: py.ClassDef, name: str) -> Iterator[py.Expr]:
    """What a class assigns to an attribute of itself or of its instances."""
    for node in nodes(owner.body):
        if isinstance(node, py.Assign) and isinstance(node.value, py.Call):
            for target in node.targets:
                if dotted(target) in (f"self.{name}", name):
                    yield node.value


def _gives_client(stack: Stack, module: SourceModule, function: py.FunctionDef) -> bool:
    """Whether a function returns the client that it makes."""
    for node in nodes(function.body):
        if isinstance(node, py.Return) and isinstance(node.value, py.Call):
            symbol = meaning(stack, Found(module, node.value, function, None), node.value.func)
            if symbol is not None and symbol.name in CLIENTS | LENT:
                return True
    return False
