"""Sites that compute every page anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stackaudit.facts import template as page
from stackaudit.link.caching.receivers import cache_calls
from stackaudit.link.caching.uses import page_nodes, uses
from stackaudit.link.nginx.level import Level
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_CONDITIONAL = frozenset(
    {
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.cache.UpdateCacheMiddleware",
    }
)
_BACK_OFFICE = ("admin", "management", "commands")
SHOWN = 3
"""How many views a finding names."""


def not_used(stack: Stack) -> Iterator[Verdict]:
    """One site, the settings: whether anything of the site is cached. A hint, not a fault: its weight is nothing."""
    settings = stack.settings
    if settings is None or not servers(stack):
        return
    site = Site(Place.line(settings.path, 1), "caching")
    if settings.doubt:
        yield Unsure(site, settings.doubt)
        return
    if _cached(stack):
        yield Pass(site)
        return
    asked = _asked_most(stack)
    if len(asked) < SHOWN:
        return  # an API behind something else, or a site with hardly any pages
    related = tuple(Step(place, f"{count} queries may be asked here") for place, count in asked)
    yield Fail(site, {"count": len(asked)}, related=related)


def _cached(stack: Stack) -> bool:
    """Whether Django's cache, fragments, nginx or conditional answers are in use anywhere."""
    if uses(stack).anything or any(True for _ in cache_calls(stack, "get", "set", "get_or_set", "add")):
        return True
    settings = stack.settings
    middleware = settings.get("MIDDLEWARE") if settings is not None else None
    names = middleware.value if isinstance(middleware, Known) and isinstance(middleware.value, (list, tuple)) else ()
    if any(isinstance(item, Known) and item.value in _CONDITIONAL for item in names):
        return True
    if any(stack.mentions.named("cache_page", "cache_control", "condition", "etag", "last_modified")):
        return True
    if any(isinstance(node, page.Cache) for item in stack.of_kind("template") for node in page_nodes(item.facts.nodes)):
        return True
    return any(_caches(level) for http in stack.nginx.https for level in _below(http))


def _caches(level: Level) -> bool:
    return any(
        line.words and line.words[0].text != "off"
        for name in ("proxy_cache", "uwsgi_cache")
        for line in level.lines.get(name, [])
    )


def _below(level: Level) -> Iterator[Level]:
    waiting = [level]
    while waiting:
        item = waiting.pop()
        yield item
        waiting += item.children


def _asked_most(stack: Stack) -> list[tuple[Place, int]]:
    """The functions of views that ask the database at the most places, with the first of these."""
    counts: Counter[str] = Counter()
    first: dict[str, Place] = {}
    for event in stack.queries.events:
        path = event.query.path
        if not path.endswith(".py") or any(part in path for part in _BACK_OFFICE) or "view" not in path:
            continue
        counts[event.where] += 1
        first.setdefault(event.where, event.query)
    return [(first[where], count) for where, count in counts.most_common(SHOWN)]
