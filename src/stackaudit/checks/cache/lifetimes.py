"""Entries of a cache that never end."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import CacheCall, cache_calls
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import bindings, dotted
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_TIMEOUT = {
    "set": 2, "aset": 2, "add": 2, "get_or_set": 2, "aget_or_set": 2, "set_many": 1, "aset_many": 1, "touch": 1,
}  # fmt: skip
"""The position of `timeout`, per method."""
_MAKES_ROOM = (".locmem.", ".db.", ".filebased.", ".dummy.", "memcached", "diskcache")
"""Backends that throw entries away once they are full: MAX_ENTRIES, or the server's own limit."""


def no_ttl(stack: Stack) -> Iterator[Verdict]:
    """One site for each entry that is put into one of Django's caches."""
    settings = stack.settings
    if settings is None:
        return
    for call in cache_calls(stack, *_TIMEOUT):
        site = Site(call.found.module.place(call.call), f"{call.found.where} cache.{call.method}")
        endless = _is_endless(stack, settings, call)
        if not endless or (call.method not in ("set_many", "aset_many") and _is_fixed(stack, call)):
            yield Pass(site)
            continue
        keeps = _keeps_all(stack, settings, call.alias)
        if isinstance(keeps, Unknown):
            yield Unsure(site, settings.doubt or keeps.why)
        elif not keeps.value:
            yield Pass(site)
        elif settings.doubt:
            yield Unsure(site, settings.doubt)
        else:
            yield Fail(site, {"alias": call.alias, "policy": keeps.value, "method": call.method})


def _is_endless(stack: Stack, settings: Settings, call: CacheCall) -> bool:
    """Whether the timeout is None: written there, in a constant or setting, or in CACHES for all entries."""
    expr = call.argument(_TIMEOUT[call.method], "timeout")
    if expr is None:
        value = settings.at("CACHES", call.alias, "TIMEOUT", default=300)
        return isinstance(value, Known) and value.value is None
    if isinstance(expr, py.Constant):
        return expr.value is None
    path = dotted(expr)
    if path.startswith("settings.") and path.count(".") == 1:
        name = path.partition(".")[2]
        value = settings.get(name)
        return settings.is_set(name) and isinstance(value, Known) and value.value is None
    symbol = meaning(stack, call.found, expr)
    return symbol is not None and isinstance(symbol.node, py.Constant) and symbol.node.value is None


def _is_fixed(stack: Stack, call: CacheCall) -> bool:
    """Whether the key is always the same: one such entry cannot grow."""
    key = call.argument(0, "key")
    return key is not None and _fixed(stack, call.found, key, 0)


def _fixed(stack: Stack, found: Found, expr: py.Expr, depth: int) -> bool:
    if isinstance(expr, py.Constant):
        return True
    if isinstance(expr, py.JoinedStr):
        return all(_fixed(stack, found, item, depth) for item in expr.values)
    if isinstance(expr, py.FormattedValue):
        return _fixed(stack, found, expr.value, depth)
    if isinstance(expr, py.BinOp):
        return _fixed(stack, found, expr.left, depth) and _fixed(stack, found, expr.right, depth)
    if depth > 3 or not isinstance(expr, (py.Name, py.Attribute)):
        return False
    path = dotted(expr)
    if path.startswith("settings."):
        return True
    if path.startswith(("self.", "cls.")) and found.owner is not None:
        bound = bindings(found.owner.body)[0].get(path.partition(".")[2], ())
        return bool(bound) and all(isinstance(item.node, py.Constant) for item in bound)
    if isinstance(expr, py.Name) and found.function is not None:
        local = bindings(found.function.body)[0].get(expr.id, [])
        if local:
            return all(
                isinstance(item.node, (py.Constant, py.Name, py.Attribute, py.JoinedStr, py.BinOp))
                and _fixed(stack, found, item.node, depth + 1)
                for item in local
            )
    symbol = meaning(stack, found, expr)
    return symbol is not None and isinstance(symbol.node, py.Constant)


def _keeps_all(stack: Stack, settings: Settings, alias: str) -> Value[str]:
    """The policy of a Redis that keeps entries without an end for good; "" for caches that make room by themselves."""
    backend = settings.at("CACHES", alias, "BACKEND")
    if isinstance(backend, Unknown):
        return backend
    name = str(backend.value)
    if any(part in name.lower() for part in _MAKES_ROOM):
        return Known("")
    if "redis" not in name.lower():
        return Unknown(f"what {name} does when it is full is not known")
    location = settings.at("CACHES", alias, "LOCATION", default="")
    held = location.value if isinstance(location, Known) else ""
    if isinstance(held, (list, tuple)) and held:
        held = held[0].value if isinstance(held[0], Known) else ""
    host = urlsplit(str(held)).hostname or "" if isinstance(held, str) else ""
    if not host:
        return Unknown(f"the Redis of the cache {alias}, and what it does when it is full, is not in the repository")
    found = stack.services.at("redis", host)
    if not found:
        return Unknown(f"what the Redis at {host} does when it is full is not in the repository")
    policy = found[0].setting("maxmemory-policy")
    if isinstance(policy, Unknown):
        return policy
    return Known("" if str(policy.value).startswith("allkeys") else str(policy.value))
