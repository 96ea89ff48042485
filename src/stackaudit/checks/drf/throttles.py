"""Request limits that are counted in the memory of one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.caching.backends import shared_backends
from stackaudit.link.modules import SourceModule
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_ONE_PROCESS = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)

_OWN = "a class of its own"


def throttle_local_cache(stack: Stack) -> Iterator[Verdict]:
    """Where throttles with a rate are in use, and the cache that they count in. Without a rate nothing is counted."""
    settings = stack.settings
    if settings is None or not servers(stack):
        return
    use = _use(stack, settings)
    rates = _rates(stack, settings)
    if use is None or rates == Known(()):
        return
    site = Site(settings.place_at("CACHES", "default", "BACKEND"), "CACHES.default of throttles")
    if settings.doubt:
        yield Unsure(site, settings.doubt)
        return
    backend = settings.at("CACHES", "default", "BACKEND")
    if isinstance(backend, Unknown):
        yield Unsure(site, backend.why)
    elif backend.value not in _ONE_PROCESS:
        yield Pass(site)
    else:
        yield _counted(stack, site, backend, use, rates)


def _counted(stack: Stack, site: Site, backend: Known[Any], use: Step, rates: Value[tuple[str, ...]]) -> Verdict:
    label = str(backend.value).rpartition(".")[2]
    if label == "DummyCache":
        values = {"backend": label, "count": 0, "scopes": ""}
        return Fail(site, values, cause="dummy", related=_limiting(stack, use, rates), fix=_shared(stack))
    count = stack.processes.web_process_count
    if isinstance(count, Unknown):
        return Unsure(site, count.why)
    if count.value < 2:
        return Pass(site)
    if isinstance(rates, Unknown):
        return Unsure(site, rates.why)
    scopes = "" if _OWN in rates.value else f" ({', '.join(rates.value)})"
    values = {"backend": label, "count": count.value, "scopes": scopes}
    return Fail(site, values, related=_limiting(stack, use, rates), fix=_shared(stack))


def _shared(stack: Stack) -> str:
    """A cache that all processes share, for all that is cached or for the throttles alone."""
    return (
        f"Give CACHES a backend that all processes share as its default: {shared_backends(stack)}. Or add it as one "
        'more cache, and have the throttle classes count in it: `cache = caches["…"]` in the class.'
    )


def _limiting(stack: Stack, use: Step, rates: Value[tuple[str, ...]]) -> tuple[Step, ...]:
    """The project's throttles whose scope has a rate; else where throttles are in use."""
    scopes = set(rates.value) if isinstance(rates, Known) else set()
    found = [
        Step(module.place(inner.value), f"the requests of {stmt.name} are counted by the rate of `{inner.value.value}`")
        for module, stmt in _throttles(stack)
        for inner in stmt.body
        if isinstance(inner, py.Assign) and isinstance(inner.value, py.Constant) and inner.value.value in scopes
        if any(isinstance(to, py.Name) and to.id == "scope" for to in inner.targets)
    ]
    return tuple(found[:5]) or (use,)


def _throttles(stack: Stack) -> Iterator[tuple[SourceModule, py.ClassDef]]:
    """The classes of the repository that are throttles by their names."""
    for module in stack.modules:
        for stmt in module.facts.body:
            if isinstance(stmt, py.ClassDef) and "throttl" in stmt.name.lower():
                yield module, stmt


def _rates(stack: Stack, settings: Settings) -> Value[tuple[str, ...]]:
    """The scopes that have a rate in DEFAULT_THROTTLE_RATES; with _OWN where a class brings a rate of its own.

    Django REST framework's default has none: `allow_request` lets everything pass where the rate is None.
    """
    value = settings.at("REST_FRAMEWORK", "DEFAULT_THROTTLE_RATES", default={})
    brought = _brought(stack)
    own = (_OWN,) if "rate" in brought else ()
    if isinstance(value, Unknown):
        return value
    if not isinstance(value.value, dict):
        return Unknown("DEFAULT_THROTTLE_RATES is no dictionary")
    if why := getattr(value.value, "open", ""):
        return Unknown(str(why))
    given = tuple(
        str(name) for name, item in value.value.items() if not (isinstance(item, Known) and item.value is None)
    )
    if not given and not own and "get_rate" in brought:
        return Unknown("a throttle of the project finds its rate in a way of its own (get_rate)")
    return Known((*given, *own))


def _brought(stack: Stack) -> frozenset[str]:
    """What the throttles of the repository say of their rates themselves: "rate", "get_rate"."""
    found: set[str] = set()
    for _, stmt in _throttles(stack):
        for inner in stmt.body:
            if isinstance(inner, py.Assign):
                found.update(to.id for to in inner.targets if isinstance(to, py.Name))
            elif isinstance(inner, py.FunctionDef):
                found.add(inner.name)
    return frozenset(found & {"rate", "get_rate"})


def _use(stack: Stack, settings: Settings) -> Step | None:
    """The first place that limits requests: the settings, or a view."""
    value = settings.at("REST_FRAMEWORK", "DEFAULT_THROTTLE_CLASSES", default=None)
    if isinstance(value, Known) and value.value:
        return Step(
            settings.place_at("REST_FRAMEWORK", "DEFAULT_THROTTLE_CLASSES"), "limits the requests of every view"
        )
    for view in stack.api.views:
        member = view.member("throttle_classes")
        if member is not None and isinstance(member.node, (py.List, py.Tuple)) and member.node.elts:
            cls = stack.models.classes.resolve(member.owner.module, member.node.elts[0])
            if not isinstance(cls, str) and cls is not None and cls.find("cache") is not None:
                continue  # a throttle with a cache of its own
            return Step(member.owner.module.place(member.node), "limits the requests of this view")
    return None
