"""What the processes of a site keep in caches that live in the memory of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.link.caching.uses import uses
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
SESSIONS = "django.contrib.sessions.backends."
CACHED = ("cache", "cached_db")
"""The engines of sessions that keep them in a cache."""
_AXES = "axes.handlers.cache."
_LIMITS = "django_ratelimit"


@dataclass(frozen=True, slots=True)
class Kept:
    """What lives in the memory of one process, in words; `why` says why that is not certain, "" where it is."""

    what: tuple[str, ...]
    why: str = ""

    @property
    def told(self) -> str:
        """A sentence without its full stop."""
        *first, last = self.what
        listed = f"{', '.join(first)} and {last}" if first else last
        if self.why:
            return f"{listed} may live in the memory of one process now ({self.why})"
        return f"{listed} live in the memory of one process now"


def backend(settings: Settings, alias: str) -> AnyValue:
    """The backend of a cache; an alias that CACHES does not hold is unknown."""
    return settings.at("CACHES", alias, "BACKEND")


def kept_in_memory(stack: Stack) -> Kept | None:
    """What would differ between processes: sessions, counts and locks; what is cached at all where CACHES is certain.

    None where the caches are shared, or nothing uses them.
    """
    settings = stack.production
    if settings is None:
        return None
    found = {what: backend(settings, alias) for what, alias in _relying(stack, settings)}
    local = [what for what, value in found.items() if isinstance(value, Known) and value.value == LOCAL]
    doubted = {what: value.why for what, value in found.items() if isinstance(value, Unknown)}
    if local or doubted:
        return Kept(tuple(local)) if local else Kept(tuple(doubted), next(iter(doubted.values())))
    used = uses(stack)
    value = backend(settings, "default")
    if used.anything and isinstance(value, Known) and value.value == LOCAL:
        return Kept((f"copies of what is cached ({used.what})",))
    return None


def _relying(stack: Stack, settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong where processes do not share it, and the cache that it is kept in."""
    engine = settings.get("SESSION_ENGINE")
    if isinstance(engine, Known) and str(engine.value).removeprefix(SESSIONS) in CACHED:
        kind = str(engine.value).removeprefix(SESSIONS)
        yield from ((f"sessions ({kind})", alias) for alias in _alias(settings, "SESSION_CACHE_ALIAS"))
    throttles = settings.at("REST_FRAMEWORK", "DEFAULT_THROTTLE_CLASSES", default=None)
    if isinstance(throttles, Known) and throttles.value:
        yield "throttles of REST framework", "default"
    handler = settings.get("AXES_HANDLER") if settings.is_set("AXES_HANDLER") else None
    if isinstance(handler, Known) and str(handler.value).startswith(_AXES):
        yield from (("failed logins (axes)", alias) for alias in _alias(settings, "AXES_CACHE"))
    if stack.modules.imports(_LIMITS):
        yield from (("counts of django-ratelimit", alias) for alias in _alias(settings, "RATELIMIT_USE_CACHE"))
    if counted := uses(stack).counter_what:
        yield f"counts and locks ({counted})", "default"


def _alias(settings: Settings, name: str) -> Iterator[str]:
    """The cache that a setting names; nothing where nobody knows."""
    value = settings.get(name) if settings.is_set(name) else Known("default")
    if isinstance(value, Known):
        yield str(value.value)
