"""Whole pages in the cache, and whom they belong to."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.caching.views import cached_views
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"


def page_cache_leaks_user(stack: Stack) -> Iterator[Verdict]:
    """No page that is cached for everybody holds what belongs to one user."""
    for view in cached_views(stack):
        site = Site(view.place, view.name)
        if view.varies:
            yield Pass(site)
        elif view.leaks:
            steps = tuple(Step(leak.place, leak.what) for leak in view.leaks[:8])
            yield Fail(site, {"view": view.name, "what": view.leaks[0].what}, related=steps)
        elif view.doubt:
            yield Unsure(site, view.doubt)
        else:
            yield Pass(site)
    yield from _site_wide(stack)


def _site_wide(stack: Stack) -> Iterator[Verdict]:
    settings = stack.settings
    if settings is None or settings.doubt:
        return
    value = settings.get("MIDDLEWARE")
    if isinstance(value, Unknown) or not isinstance(value.value, (list, tuple)):
        return
    items = list(value.value)
    names = [item.value if isinstance(item, Known) else None for item in items]
    if UPDATE not in names or SESSION not in names:
        return
    update, session = names.index(UPDATE), names.index(SESSION)
    place = items[update].places[0] if items[update].places else settings.place("MIDDLEWARE")
    site = Site(place, "MIDDLEWARE.UpdateCacheMiddleware")
    if update < session:
        yield Pass(site)
        return
    step = Step(items[session].places[0] if items[session].places else place, "SessionMiddleware adds Vary: Cookie")
    yield Fail(site, {"view": "", "what": ""}, cause="middleware-order", related=(step,))
