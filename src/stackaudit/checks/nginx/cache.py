"""What nginx's cache keeps, and to whom it hands it."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.bypass import Visitors, visitors_told_apart
from stackaudit.checks.nginx.compression import static_path
from stackaudit.checks.nginx.django_pages import caches_pages, public_only, session_cookie
from stackaudit.checks.nginx.layouts import tokens_of_all
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.checks.nginx.tokens import reads_authorization
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations, pages
from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value, first_unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

FAMILY = {"proxy_pass": "proxy", "uwsgi_pass": "uwsgi", "fastcgi_pass": "fastcgi", "scgi_pass": "scgi"}
"""The first part of the cache directives' names, by the directive that hands the request on."""

_PRIVATE = ("set-cookie", "cache-control", "vary")


def cache_leaks_private(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that caches what Django answers."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        for site in _cached(stack, proxied)
        for verdict in ((site,) if isinstance(site, Unsure) else _leaks(stack, proxied, site, is_it))
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.cause, fail.related))


def cache_never_stores(stack: Stack) -> Iterator[Verdict]:
    """One site for each location whose cache is on."""
    yield from once_for_each_place(
        verdict
        for proxied in stack.nginx.proxied
        for site in _cached(stack, proxied)
        for verdict in ((site,) if isinstance(site, Unsure) else _stores(stack, proxied, site))
    )


def microcache_opportunity(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that brings Django's pages."""
    for server in stack.nginx.servers:
        proxied = pages(stack, stack.nginx, server)
        if proxied is None:
            continue
        site = Site(proxied.target.line.place, f"{proxied.location.site.name} micro-cache")
        state = _cache_state(stack, proxied)
        public = public_only(stack)
        if (isinstance(state, Known) and state.value) or caches_pages(stack):
            yield Pass(site)
        elif isinstance(state, Unknown):
            yield Unsure(site, state.why)
        elif isinstance(public, Unknown):
            yield Unsure(site, public.why)
        elif public.value:
            yield Fail(site, {"upstream": proxied.target.address})
        else:
            yield Unsure(site, "visitors can log in, and nothing tells which pages are the same for everybody")


def _cache_state(stack: Stack, proxied: Proxied) -> Value[bool]:
    family = FAMILY.get(proxied.target.by)
    if family is None:
        return Known(False)
    found = proxied.level.in_force(f"{family}_cache")
    if isinstance(found, Unknown):
        return found
    if not found.value.lines:
        return Known(False)
    zone = found.value.lines[-1].text(0)
    return zone if isinstance(zone, Unknown) else Known(zone.value != "off", found.places)


def _cached(stack: Stack, proxied: Proxied) -> Iterator[Site | Unsure]:
    """The site of a location whose cache is on; nothing where it is off or no riddle has to do with caching."""
    state = _cache_state(stack, proxied)
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} cache")
    if isinstance(state, Known):
        if state.value:
            yield site
    elif "template" in state.why and _mentions_cache(proxied.level):
        yield Unsure(site, state.why)


def _mentions_cache(level: Level) -> bool:
    return any("_cache" in name for outer in level.outward() for name in outer.lines)


def _lines(level: Level, name: str) -> Value[tuple[tuple[str, ...], tuple[Place, ...]]]:
    found = level.in_force(name)
    if isinstance(found, Unknown):
        return found
    words = tuple(word.text for line in found.value.lines for word in line.words)
    return Known((words, found.value.places))


def _leaks(stack: Stack, proxied: Proxied, site: Site, is_django: bool | None) -> Iterator[Verdict]:
    family = FAMILY[proxied.target.by]
    cookie = session_cookie(stack)
    ignored = _lines(proxied.level, f"{family}_ignore_headers")
    bypass = _lines(proxied.level, f"{family}_cache_bypass")
    no_cache = _lines(proxied.level, f"{family}_no_cache")
    for value in (ignored, bypass, no_cache):
        if isinstance(value, Unknown):
            yield Unsure(site, value.why)
            return
    assert isinstance(ignored, Known) and isinstance(bypass, Known) and isinstance(no_cache, Known)
    risky = [name for name in ignored.value[0] if name.lower() in _PRIVATE]
    related = tuple(Step(place, f"ignores {', '.join(risky)}") for place in ignored.value[1][:1] if risky)
    path = proxied.location.pattern
    if not risky and bool(bypass.value[0]) == bool(no_cache.value[0]):
        yield Pass(site)
        return
    if not proxied.location.is_regex and path.startswith(static_path(stack)):
        yield Pass(site)
        return
    reads = visitors_told_apart(stack.nginx, proxied, bypass.value[0], cookie)
    writes = visitors_told_apart(stack.nginx, proxied, no_cache.value[0], cookie)
    if not risky:
        yield _one_sided(site, reads, writes, bypass.value[1] or no_cache.value[1])
        return
    if isinstance(reads, Unknown) or isinstance(writes, Unknown):
        unknown = first_unknown(reads, writes)
        yield Unsure(site, unknown.why if unknown else "")
        return
    both = reads.value & writes.value
    values = {"headers": ", ".join(risky), "cookie": plain_cookie(cookie)}
    tokens = Known(False) if "authorization" in both else reads_authorization(stack)
    if "cookie" in both and tokens == Known(False):
        told = {name.lower() for name in risky}
        if "set-cookie" not in told or _keeps_cookies_out(proxied.level, family):
            yield Pass(site)
        else:
            # Django says `Vary: Cookie` where it sets a cookie for a session or a form
            cause = "cookie-replayed" if "vary" in told else "cookie-of-strangers"
            yield Fail(site, {**values, "layout": _token_of_all(stack)}, cause=cause, related=related)
    elif is_django is None:
        yield Unsure(site, f"nothing tells whether {proxied.target.address} is the Django application")
    elif "other-cookie" in both:
        yield Fail(site, values, cause="other-cookie", related=related)
    elif isinstance(cookie, Unknown) and "some-cookie" in both:
        yield Unsure(site, cookie.why)
    elif "cookie" in both and isinstance(tokens, Unknown):
        yield Unsure(site, tokens.why)
    elif "cookie" in both:
        yield Fail(site, values, cause="authorization", related=related)
    elif path != "/" and not proxied.location.is_regex and not reads.value and not writes.value:
        yield Unsure(site, f"nothing tells whether the pages below {path} differ by visitor; their headers are ignored")
    else:
        yield Fail(site, values, related=related)


def _token_of_all(stack: Stack) -> str:
    """A sentence about a layout whose token keeps every page out of the cache, once cookies are respected."""
    places = tokens_of_all(stack)
    if not places:
        return ""
    first, *others = places
    lines = ", ".join(str(place.region.line) for place in others)
    also = f" (line {lines} may do so, too)" if others else ""
    return (
        f" {first.path} (line {first.region.line}) writes the token into every page that extends it{also}: put "
        "`{% if request.user.is_authenticated %}` around it where guests need none, or nothing that extends it is "
        "cached for visitors without a cookie any more."
    )


def _keeps_cookies_out(level: Level, family: str) -> bool:
    """Whether an answer that sets a cookie is not stored, or stored without the cookie."""
    no_cache, hidden = _lines(level, f"{family}_no_cache"), _lines(level, f"{family}_hide_header")
    return (isinstance(no_cache, Unknown) or any("http_set_cookie" in word for word in no_cache.value[0])) or (
        isinstance(hidden, Unknown) or "set-cookie" in {word.lower() for word in hidden.value[0]}
    )


def plain_cookie(cookie: Value[str]) -> str:
    """The session cookie's name, Django's default where it is not known."""
    return cookie.value if isinstance(cookie, Known) else "sessionid"


def _one_sided(site: Site, reads: Visitors, writes: Visitors, places: tuple[Place, ...]) -> Verdict:
    """Only one of bypass and no_cache is there."""
    for value in (reads, writes):
        if isinstance(value, Unknown):
            return Unsure(site, value.why)
    assert isinstance(reads, Known) and isinstance(writes, Known)
    if not reads.value and not writes.value:
        return Pass(site)
    related = tuple(Step(place, "the only one of the two") for place in places[:1])
    return Fail(site, {}, cause="bypass-only" if reads.value else "no-cache-only", related=related)


def _stores(stack: Stack, proxied: Proxied, site: Site) -> Iterator[Verdict]:
    family = FAMILY[proxied.target.by]
    level = proxied.level
    buffering = level.in_force(f"{family}_buffering")
    if (
        isinstance(buffering, Known)
        and buffering.value.lines
        and buffering.value.lines[-1].text(0) == Known("off", (buffering.value.lines[-1].place,))
    ):
        yield Fail(site, {}, cause="unbuffered", related=(Step(buffering.places[0], "switches buffering off"),))
        return
    valid = level.in_force(f"{family}_cache_valid")
    if isinstance(valid, Unknown):
        yield Unsure(site, valid.why)
        return
    if any(_keeps_pages(tuple(word.text for word in line.words)) for line in valid.value.lines):
        yield Pass(site)
        return
    related = tuple(Step(line.place, "keeps no page that succeeds") for line in valid.value.lines[:1])
    if not stack.of_kind("python"):
        yield Unsure(site, "which headers the application sends is not in the repository")
    elif caches_pages(stack):
        yield Pass(site)
    else:
        yield Fail(site, {"directive": f"{family}_cache_valid"}, related=related)


def _keeps_pages(words: tuple[str, ...]) -> bool:
    """Whether a cache_valid keeps a 200: without codes it means 200, 301 and 302."""
    codes, time = words[:-1], words[-1:]
    if time and time[0].rstrip("smhdwMy") == "0":
        return False
    return not codes or "200" in codes or "any" in codes
