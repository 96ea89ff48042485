"""What a Redis holds, and so what it may throw away when its memory is full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import CLIENTS, cache_calls
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.services import Instance
from stackaudit.link.services.clients import Role, redis_clients
from stackaudit.link.stack import Stack
from stackaudit.model.prose import in_words
from stackaudit.model.values import Known, Unknown

Held: TypeAlias = Role | Literal["keys"]

KEPT: dict[Held, str] = {
    "broker": "the queue of Celery",
    "results": "the results of its tasks",
    "channels": "the messages of Channels",
    "keys": "keys that the code writes itself",
}
"""What is no copy and may lie there without an expiry."""
_ASKS = frozenset({"ping", "info", "dbsize", "close", "aclose", "time", "client_list", "config_get", "memory_stats"})
"""Methods of a client that leave nothing behind."""
_TIMEOUT = {"set": 2, "aset": 2, "add": 2, "aadd": 2, "get_or_set": 2, "aget_or_set": 2, "set_many": 1, "aset_many": 1}
"""The position of `timeout`, per method of Django's caches."""
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})
_OTHER_BROKERS = re.compile(r"(^|/)(rabbitmq|lavinmq)", re.IGNORECASE)
_PEAK = "Choose the limit well above `used_memory_peak` of `INFO memory`."
_ANY = (
    "volatile-lru is safe for a cache with a queue beside it; `allkeys-lru` only where it is nothing but a cache,"
    " `noeviction` where it holds no cache."
)
_DAY = 24 * 3600


def advice(stack: Stack, instance: Instance, size: str) -> str:
    """How to give an instance a limit of `size` ("256mb") and the policy that fits what it holds, where it is set."""
    roles = held(stack, instance)
    policy, why = _policy(stack, roles)
    peak = f" {_PEAK}" if roles is not None and policy != "allkeys-lru" else ""
    return f"{_where(instance, size, policy)} {why}{peak}"


def _policy(stack: Stack, roles: frozenset[Held] | None) -> tuple[str, str]:
    """The policy and a sentence on it."""
    if roles is None:
        return "volatile-lru", _ANY
    kept = in_words([name for role, name in KEPT.items() if role in roles])
    if "sessions" in roles:
        beside = f" and {kept}" if kept else ""
        told = f"Beside the cache it holds the sessions{beside}: "
        apart = "A Redis of its own for the cache (allkeys-lru) leaves this one to noeviction."
        days = _sessions_outlive(stack)
        if days:
            stays = ", and what has no expiry stays" if kept else ""
            return "volatile-ttl", (
                f"{told}volatile-ttl throws out first what expires soonest, which is the cache as long as its entries"
                f" live shorter than the sessions ({days} days); those go last{stays}. {apart}"
            )
        return "volatile-lru", (
            f"{told}with allkeys-lru a full cache throws them out too, and with volatile-lru still the sessions, for"
            f" they expire. {apart}"
        )
    if "cache" in roles and kept:
        return "volatile-lru", (
            f"Beside the cache it holds {kept}: allkeys-lru would throw that away, noeviction would refuse the cache's"
            " writes. What has no expiry stays with volatile-lru; a Redis of its own for the cache is safer."
        )
    if "cache" in roles:
        return "allkeys-lru", "It holds nothing but the cache."
    return "noeviction", f"It holds {kept}: nothing of that may be thrown away, so writes fail when it is full."


def _where(instance: Instance, size: str, policy: str) -> str:
    """The limit as it is written for the way this instance is started."""
    if instance.configs or instance.origin == "file":
        path = instance.configs[0] if instance.configs else instance.path
        return f"`maxmemory {size}` and `maxmemory-policy {policy}` in {path}."
    options = f"--maxmemory {size} --maxmemory-policy {policy}"
    program = "valkey-server" if "valkey" in instance.image else "redis-server"
    if instance.service is not None and instance.service.command is None:
        return f"`command: {program} {options}`."
    return f"`{options}` among the arguments of {program} in its command."


def held(stack: Stack, instance: Instance) -> frozenset[Held] | None:
    """What Django, Celery and the code keep in an instance; None where that is not known."""
    beside = [other for other in stack.services.of("redis") if other.path == instance.path]
    placed: dict[str, set[Held]] = {other.name: set() for other in beside}
    loose: set[Held] = set()
    for role, host in _uses(stack):
        if role is None:
            return None
        found = [other for other in beside if host is not None and host in other.hosts]
        if not found and host is not None and instance.origin != "compose" and host in _LOCAL:
            found = beside
        for other in found:
            placed[other.name].add(role)
        if not found:
            loose.add(role)
    free = [other for other in beside if not placed[other.name]] if len(beside) > 1 else beside
    if loose and len(free) != 1:
        return None
    for other in free:
        placed[other.name] |= loose
    return frozenset(placed[instance.name]) or None


def grows(stack: Stack, roles: frozenset[Held] | None) -> bool:
    """Whether something may be written there for good: keys of the code's own, results or cache entries without an end.

    A queue is emptied, messages of Channels and sessions expire; what is not known may stay.
    """
    if roles is None or "keys" in roles:
        return True
    expires = stack.celery.setting("result_expires") if "results" in roles else Known(1)
    if isinstance(expires, Known) and not expires.value:
        return True
    return "cache" in roles and _has_endless_entries(stack)


def _has_endless_entries(stack: Stack) -> bool:
    return None in _lifetimes(stack)


def _sessions_outlive(stack: Stack) -> int:
    """How many days sessions live, where whatever is known of the cache expires long before them; else 0.

    Of 3000 sessions beside a cache of 300 s that filled the memory, `volatile-ttl` kept 3000 and `volatile-lru` 717
    (Redis 6.2, recorded by hand).
    """
    age = stack.settings.get("SESSION_COOKIE_AGE") if stack.settings is not None else Known(0)
    seconds = age.value if isinstance(age, Known) and isinstance(age.value, (int, float)) else 0
    short = all(time is not None and time < seconds / 2 for time in _lifetimes(stack))
    return int(seconds // _DAY) if seconds >= 2 * _DAY and short else 0


def _lifetimes(stack: Stack) -> Iterator[float | None]:
    """The seconds that settings and code give to cache entries, None for an entry without an end."""
    settings = stack.settings
    caches = settings.get("CACHES") if settings is not None else Known({})
    for alias in caches.value if isinstance(caches, Known) and isinstance(caches.value, dict) else ():
        timeout = settings.at("CACHES", alias, "TIMEOUT", default=300) if settings is not None else Known(300)
        if isinstance(timeout, Known) and (timeout.value is None or isinstance(timeout.value, (int, float))):
            yield timeout.value
    for call in cache_calls(stack, *_TIMEOUT):
        given = call.argument(_TIMEOUT[call.method], "timeout")
        if isinstance(given, py.Constant) and (given.value is None or isinstance(given.value, (int, float))):
            yield given.value


def _only_asks(found: Found) -> bool:
    """Whether a client is made to look whether Redis answers, and for nothing else."""
    body = found.function.body if found.function is not None else ()
    names: set[str] = set()
    for node in nodes(body):
        if isinstance(node, py.Attribute) and node.value is found.call:
            return node.attr in _ASKS
        if isinstance(node, py.WithItem) and node.value is found.call and node.target is not None:
            names |= set(target_names(node.target))
        elif isinstance(node, py.Assign) and node.value is found.call:
            names |= {name for target in node.targets for name in target_names(target)}
    told = {id(node.value) for node in nodes(body) if isinstance(node, py.Attribute) and node.attr in _ASKS}
    targets = {
        id(target)
        for node in nodes(body)
        for target in ((node.target,) if isinstance(node, py.WithItem) else getattr(node, "targets", ()))
    }
    uses = [node for node in nodes(body) if isinstance(node, py.Name) and node.id in names]
    return bool(names) and all(id(use) in told or id(use) in targets for use in uses)


def _uses(stack: Stack) -> Iterator[tuple[Held | None, str | None]]:
    """What is kept in some Redis, and the host where it is told; None for something that is not known to be in one."""
    shown = set()
    for client in redis_clients(stack):
        shown.add(client.setting)
        yield client.role, client.host
    broker = stack.celery.setting("broker_url") if stack.celery.app is not None else Known(None)
    if isinstance(broker, Unknown) and not any(map(_OTHER_BROKERS.search, stack.processes.services.values())):
        yield "broker", None
    for found in stack.mentions.named("Redis", "StrictRedis", "from_url", "RedisCluster"):
        symbol = meaning(stack, found, found.call.func)
        if symbol is not None and symbol.name in CLIENTS and not _only_asks(found):
            yield "keys", None
            break
    settings = stack.settings
    if settings is None or settings.broken:
        yield None, None
        return
    caches = settings.get("CACHES")
    if isinstance(caches, Unknown) or not isinstance(caches.value, dict):
        yield None, None
        return
    engine = settings.get("SESSION_ENGINE")
    for alias in caches.value:
        backend = settings.at("CACHES", alias, "BACKEND", default="")
        if isinstance(backend, Unknown):
            yield None, None
        elif "redis" in str(backend.value).lower() and f"CACHES[{alias}]" not in shown:
            yield "cache", None
            if isinstance(engine, Known) and str(engine.value).endswith("backends.cache"):
                yield "sessions", None
