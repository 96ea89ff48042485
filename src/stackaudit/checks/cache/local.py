"""Caches that live in one process."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.caching.backends import shared_backends
from stackaudit.link.caching.memory import CACHED, LOCAL, SESSIONS, backend
from stackaudit.link.caching.uses import Uses, uses
from stackaudit.link.nodes import nodes
from stackaudit.link.settings.servers import process_count, servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

DUMMY = "django.core.cache.backends.dummy.DummyCache"
FILES = "django.core.cache.backends.filebased.FileBasedCache"


def local_memory_multiprocess(stack: Stack) -> Iterator[Verdict]:
    """The default cache is shared by all processes, where something uses it."""
    settings = stack.production
    if settings is None or not servers(stack):
        return
    found = uses(stack)
    if not found.anything:
        return
    value = backend(settings, "default")
    site = Site(settings.place_at("CACHES", "default", "BACKEND"), "CACHES.default")
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
    elif value.value not in (LOCAL, DUMMY, FILES):
        yield Pass(site)
    else:
        yield _judged(stack, site, value, found)


def _judged(stack: Stack, site: Site, value: Known[str], found: Uses) -> Verdict:
    note = f" ({value.note})" if value.note else ""
    used = Step(found.first, f"the cache is used here ({found.what})")
    values = {"note": note, "count": "", "use": found.what, "shared": shared_backends(stack), "apart": ""}
    if value.value == DUMMY:
        return Fail(site, values, cause="dummy", related=(used,))
    count = process_count(stack)
    if isinstance(count, Unknown):
        return Unsure(site, count.why)
    if count.value < 2:
        return Pass(site)
    values["count"] = str(count.value)
    if value.value == FILES:
        return Pass(site) if not _is_spread(stack) else Fail(site, values, cause="files", related=(used,))
    server = servers(stack)[0]
    shared = Step(server.setting_place("workers"), f"{count.value} processes share nothing ({server.name})")
    if found.counter is not None:
        values["use"] = found.counter_what
        step = Step(found.counter, f"{found.counter_what} counts or locks through the cache")
        return Fail(site, values, cause="counter", related=(step, shared))
    values["apart"] = "what one deletes the others keep"
    if _throttles(stack, found):
        told = f"what {found.first.path} counts is counted in each of them"
        values["apart"] = f"{told}, so a limit of 1 is up to {count.value}"
    return Fail(site, values, related=(used, shared))


def _throttles(stack: Stack, found: Uses) -> bool:
    """Whether what uses the cache first is a throttle of REST framework, or of a copy of it: it counts requests."""
    module = stack.modules.by_path.get(found.first.path)
    return module is not None and any(
        isinstance(node, py.FunctionDef) and node.name == "allow_request" for node in nodes(module.facts.body)
    )


def _is_spread(stack: Stack) -> bool:
    """Whether the servers run on several machines or containers."""
    replicas = [server.replicas for server in servers(stack)]
    return any(isinstance(each, Known) and each.value > 1 for each in replicas)


def session_in_local_cache(stack: Stack) -> Iterator[Verdict]:
    """Sessions that live in a cache live in one that all processes share."""
    settings = stack.production
    if settings is None or not settings.is_set("SESSION_ENGINE"):
        return
    engine = settings.get("SESSION_ENGINE")
    site = Site(settings.place("SESSION_ENGINE"), "SESSION_ENGINE")
    if isinstance(engine, Unknown):
        yield Unsure(site, engine.why)
        return
    kind = str(engine.value).removeprefix(SESSIONS)
    if kind not in CACHED:
        yield Pass(site)
        return
    alias = settings.get("SESSION_CACHE_ALIAS")
    if isinstance(alias, Unknown):
        yield Unsure(site, alias.why)
        return
    value = backend(settings, str(alias.value))
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
        return
    yield _session(stack, site, kind, str(alias.value), value)


def _session(stack: Stack, site: Site, kind: str, alias: str, value: Known[str]) -> Verdict:
    note = f" ({value.note})" if value.note else ""
    values = {"alias": alias, "note": note, "count": ""}
    related = tuple(Step(place, f"the cache {alias}") for place in value.places[:1])
    if value.value == DUMMY and kind == "cache":
        return Fail(site, values, cause="dummy", related=related)
    if value.value != LOCAL:
        return Pass(site)
    count = process_count(stack)
    if isinstance(count, Unknown):
        return Unsure(site, count.why)
    if count.value < 2:
        return Pass(site)
    values["count"] = str(count.value)
    return Fail(site, values, cause="stale" if kind == "cached_db" else "", related=related)
