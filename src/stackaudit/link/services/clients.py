"""What Django and Celery keep in Redis: which setting points where, and what for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, plain

if TYPE_CHECKING:
    from stackaudit.link.settings import Settings
    from stackaudit.link.stack import Stack

Role: TypeAlias = Literal["broker", "results", "cache", "sessions", "channels"]

SCHEMES = frozenset({"redis", "rediss", "valkey", "valkeys", "unix", "redis+socket", "redis+unix"})


@dataclass(frozen=True, slots=True)
class Client:
    """A setting that puts something into Redis. `host` is the server's name, "" for a socket of the same machine."""

    role: Role
    setting: str
    host: str
    place: Place


def redis_clients(stack: Stack) -> Iterator[Client]:
    """Every use of Redis whose address is known."""
    celery = stack.celery
    if celery.app is not None:
        for role, name in (("broker", "broker_url"), ("results", "result_backend")):
            value = celery.setting(name)
            for host in _hosts(value):
                yield Client("broker" if role == "broker" else "results", name, host, _at(value, celery.app.place))
    settings = stack.settings
    if settings is None or settings.broken:
        return
    yield from _caches(settings)
    layers = settings.at("CHANNEL_LAYERS", "default", "CONFIG", "hosts", default=None)
    for host in _hosts(layers):
        yield Client("channels", "CHANNEL_LAYERS", host, _at(layers, settings.place("CHANNEL_LAYERS")))


def _at(value: AnyValue, other: Place) -> Place:
    return value.places[0] if value.places else other


def _caches(settings: Settings) -> Iterator[Client]:
    engine, alias = settings.get("SESSION_ENGINE"), settings.get("SESSION_CACHE_ALIAS")
    in_cache = isinstance(engine, Known) and str(engine.value) == "django.contrib.sessions.backends.cache"
    caches = settings.get("CACHES")
    held: Any = caches.value if isinstance(caches, Known) else None
    for name in held if isinstance(held, dict) else ():
        backend = settings.at("CACHES", name, "BACKEND", default="")
        if not isinstance(backend, Known) or "redis" not in str(backend.value).lower():
            continue
        location = settings.at("CACHES", name, "LOCATION", default="")
        place = settings.place_at("CACHES", name, "LOCATION")
        for host in _hosts(location):
            yield Client("cache", f"CACHES[{name}]", host, place)
            if in_cache and isinstance(alias, Known) and alias.value == name:
                yield Client("sessions", f"CACHES[{name}]", host, place)


def _hosts(value: AnyValue) -> Iterator[str]:
    """The servers that an address, or a list of addresses, names; none where it is no Redis or not known."""
    if isinstance(value, Unknown):
        return
    held = plain(value)
    for item in held if isinstance(held, (list, tuple)) else [held]:
        if isinstance(item, (list, tuple)) and item and isinstance(item[0], str):
            yield item[0]
        elif isinstance(item, dict) and isinstance(item.get("host"), str):
            yield item["host"]
        elif isinstance(item, str):
            for address in item.replace(";", ",").split(","):
                host = _host(address)
                if host is not None:
                    yield host


def _host(address: str) -> str | None:
    try:
        parts = urlsplit(address.strip())
        return (parts.hostname or "") if parts.scheme in SCHEMES else None
    except ValueError:
        return None
