"""A Redis database that the cache shares with what must not be thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import cache_calls
from stackaudit.link.folding.objects import Unset
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.settings.readers import Readers
from stackaudit.link.stack import Stack
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_LOCAL = frozenset({"", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a Redis: `server` is host and port or a socket's path, `number` its index."""

    server: str
    number: str


@dataclass(frozen=True, slots=True)
class _User:
    """Something beside the cache that keeps data in Redis: what, where it is set, and in which databases."""

    what: str
    place: Place
    values: tuple[AnyValue, ...]


def shared_redis_db(stack: Stack) -> Iterator[Verdict]:
    """One site for each cache in Redis, where a queue or channel layer lives in Redis as well."""
    settings = stack.settings
    if settings is None or not settings.is_set("CACHES"):
        return
    caches = settings.get("CACHES")
    users = list(_users(settings))
    if isinstance(caches, Unknown) or not isinstance(caches.value, dict) or not users:
        return
    for alias in caches.value:
        backend = settings.at("CACHES", alias, "BACKEND", default="")
        if not isinstance(backend, Known) or "redis" not in str(backend.value).lower():
            continue
        site = Site(settings.place_at("CACHES", alias, "BACKEND"), f"CACHES.{alias} LOCATION")
        if settings.doubt:
            yield Unsure(site, settings.doubt)
        else:
            others = [user for user in users if f" {alias} " not in f"{user.what} "]
            yield _judged(stack, settings, site, str(alias), others)


def _judged(stack: Stack, settings: Settings, site: Site, alias: str, users: list[_User]) -> Verdict:
    location = settings.at("CACHES", alias, "LOCATION", default="")
    option = settings.at("CACHES", alias, "OPTIONS", "db", default=None)
    number = option.value if isinstance(option, Known) else None
    doubt = ""
    sharing: list[_User] = []
    for user in users:
        answers = [_same(location, value, number) for value in user.values]
        if any(same is True for same in answers):
            sharing.append(user)
        doubt = doubt or next((same for same in answers if isinstance(same, str)), "")
    if sharing:
        numbers = _numbers(location, number, users)
        fix = _of_its_own(stack, settings, numbers[1]) if _from_outside(stack, location) else ""
        return replace(_failed(stack, site, alias, sharing, numbers), fix=fix)
    return Unsure(site, doubt) if doubt else Pass(site)


def _numbers(location: AnyValue, number: Any, users: list[_User]) -> tuple[str, str]:
    """The number of the database of a cache, "" where it is not known, and one that nothing uses."""
    own = database(location.value, number) if isinstance(location, Known) else None
    places = [database(value.value) for user in users for value in user.values if isinstance(value, Known)]
    taken = {place.number for place in places if place is not None} | {own.number if own is not None else "0"}
    return own.number if own is not None else "", next(str(free) for free in range(1, 99) if str(free) not in taken)


def _from_outside(stack: Stack, location: AnyValue) -> bool:
    """Whether the environment or a function has the last word on an address, whatever its default."""
    while isinstance(location, Known) and not location.note and isinstance(location.value, (list, tuple)):
        inner = location.value[0] if location.value else None
        location = inner if isinstance(inner, (Known, Unknown)) else Known(None)
    if isinstance(location, Unknown) or location.note:
        return isinstance(location, (Known, Unset))
    for written in location.places[-1:] if len(location.places) > 1 else ():
        module = stack.modules.by_path.get(written.path)
        for node in nodes(module.facts.body) if module is not None else ():
            if module is not None and isinstance(node, py.FunctionDef):
                region = module.facts.region(node)
                if region.line <= written.region.line <= region.end_line:
                    return True
    return False


def _of_its_own(stack: Stack, settings: Settings, free: str) -> str:
    """A fix that leaves an address of the environment whole: it may name a database, a socket or options already."""
    variable = Readers(stack, settings.path).variable("CACHE_REDIS_URL")
    return (
        f"Read LOCATION from a variable of its own, such as {variable}, with what stands here now as its default, and "
        f"set it in each deployment to the same server with another database: `/{free}` in place of the number that a "
        f"`redis://` address ends with, `?db={free}` for a socket. Put nothing behind the address that the environment "
        "gives: it may name a database already, or a socket. A Redis of its own with `maxmemory-policy allkeys-lru` "
        "also keeps the cache from filling the memory of the rest."
    )


def _failed(stack: Stack, site: Site, alias: str, users: list[_User], numbers: tuple[str, str]) -> Fail:
    """A finding that weighs less where no code of the project empties a cache (its tests are not read)."""
    related = [Step(user.place, f"in the same database: {user.what}") for user in users]
    cleared = next((call for call in cache_calls(stack, "clear", "aclear") if call.alias == alias), None)
    if cleared is not None:
        related.append(Step(cleared.found.module.place(cleared.call), "this empties the whole database"))
    what = list(dict.fromkeys(user.what for user in users))
    told = in_words(what)
    instead = f" instead of `/{numbers[0]}`" if numbers[0] else ""
    values = {"alias": alias, "what": told, "free": numbers[1], "instead": instead}
    return Fail(site, values, cause="" if cleared is not None else "uncleared", related=tuple(related))


def _same(one: AnyValue, other: AnyValue, number: Any) -> bool | str:
    """Whether two settings mean the same database; why that cannot be told."""
    if isinstance(one, Unset) and isinstance(other, Unset):
        if one.variable == other.variable and one.fallback is None and other.fallback is None and number is None:
            return True  # both are that variable, whatever it holds
        return one.why
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        if isinstance(other, Known) and database(other.value) is None:
            return False
        return one.why if isinstance(one, Unknown) else other.why if isinstance(other, Unknown) else ""
    first, second = database(one.value, number), database(other.value)
    if first is None or second is None or first != second:
        return False
    if one.note != other.note and (one.note or other.note):
        return f"they are the same by default only: {one.note or other.note}"
    return True


def database(location: Any, number: Any = None) -> Database | None:
    """The database that a location names: a URL, a list of them, `(host, port)`; None where it is no Redis.

    `number` is the one that options name; what the URL says goes before it (redis-py's `from_url`).
    """
    while isinstance(location, (list, tuple)) and location and not _is_pair(location):
        location = location[0].value if isinstance(location[0], Known) else None
    if _is_pair(location):
        host, port = (item.value if isinstance(item, Known) else item for item in location)
        return Database(f"{_host(str(host))}:{port}", str(number or 0))
    if not isinstance(location, str) or "://" not in location:
        return None
    parts = urlsplit(location)
    if parts.scheme not in ("redis", "rediss", "unix", "redis+socket", "redis+sentinel", "valkey", "valkeys"):
        return None
    query = parse_qs(parts.query)
    told = (query.get("db") or query.get("virtual_host") or [""])[0]
    if parts.scheme in ("unix", "redis+socket"):
        return Database(parts.path, str(told or number or 0))
    try:
        port = parts.port or 6379
    except ValueError:
        return None
    path = parts.path.strip("/")
    return Database(f"{_host(parts.hostname or '')}:{port}", str(told or path or number or 0))


def _is_pair(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    return isinstance(value[1].value if isinstance(value[1], Known) else value[1], int)


def _host(name: str) -> str:
    return "localhost" if name in _LOCAL else name


def _users(settings: Settings) -> Iterator[_User]:
    """What keeps more than copies in Redis: Celery's and RQ's queues, channel layers, django-q, sessions."""
    for name, what in (
        ("CELERY_BROKER_URL", "Celery's queue"),
        ("BROKER_URL", "Celery's queue"),
        ("CELERY_RESULT_BACKEND", "Celery's results"),
    ):
        if settings.is_set(name):
            yield _User(what, settings.place(name), (settings.get(name),))
    for name, what in (("RQ_QUEUES", "RQ's queue"), ("CHANNEL_LAYERS", "the channel layer")):
        held = settings.get(name) if settings.is_set(name) else Known(None)
        for key in held.value if isinstance(held, Known) and isinstance(held.value, dict) else ():
            yield _User(what, settings.place_at(name, key), tuple(_entry(settings, name, key)))
    alias = settings.get("SESSION_CACHE_ALIAS")
    engine = settings.get("SESSION_ENGINE")
    in_cache = isinstance(engine, Known) and str(engine.value).endswith(".cache")
    if in_cache and isinstance(alias, Known) and alias.value != "default":
        where = settings.at("CACHES", str(alias.value), "LOCATION", default="")
        yield _User(f"the cache {alias.value} with all sessions", settings.place("SESSION_CACHE_ALIAS"), (where,))


def _entry(settings: Settings, name: str, key: str) -> Iterator[AnyValue]:
    if name == "CHANNEL_LAYERS":
        backend = settings.at(name, key, "BACKEND", default="")
        if isinstance(backend, Known) and "redis" in str(backend.value):
            yield settings.at(name, key, "CONFIG", "hosts", default="redis://localhost:6379")
        return
    url = settings.at(name, key, "URL", default=None)
    if not (isinstance(url, Known) and url.value is None):
        yield url
        return
    parts = [
        settings.at(name, key, part, default=default) for part, default in (("HOST", ""), ("PORT", 6379), ("DB", 0))
    ]
    unknown = next((part for part in parts if isinstance(part, Unknown)), None)
    if unknown is not None:
        yield unknown
    elif isinstance(parts[0], Known) and parts[0].value:
        host, port, number = (part.value for part in parts if isinstance(part, Known))
        yield Known(f"redis://{host}:{port}/{number}", parts[0].places)
