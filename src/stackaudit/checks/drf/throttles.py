"""Request limits that are counted in the memory of one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_ONE_PROCESS = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)


def throttle_local_cache(stack: Stack) -> Iterator[Verdict]:
    """Where throttles are in use, and the cache that they count in."""
    settings = stack.settings
    if settings is None or not servers(stack):
        return
    use = _use(stack, settings)
    if use is None:
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
        yield _counted(stack, site, backend, use)


def _counted(stack: Stack, site: Site, backend: Known[Any], use: Step) -> Verdict:
    label = str(backend.value).rpartition(".")[2]
    if label == "DummyCache":
        return Fail(site, {"backend": label, "count": 0}, cause="dummy", related=(use,))
    count = stack.processes.web_process_count
    if isinstance(count, Unknown):
        return Unsure(site, count.why)
    if count.value < 2:
        return Pass(site)
    return Fail(site, {"backend": label, "count": count.value}, related=(use,))


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
