"""What reaches browsers compressed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.cdn import cdn_in_front, cdn_sign
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.stack import Stack
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_SWITCHES = ("gzip", "brotli", "zstd")
_GZIP_MIDDLEWARE = "django.middleware.gzip.GZipMiddleware"
_COMPRESSED_ALREADY = ("image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/avif", "font/woff")
_ARCHIVES = ("font/woff2", "application/font-woff", "application/zip", "application/gzip", "video/mp4")


@dataclass(frozen=True)
class Text:
    """A level that delivers text: Django's pages or static files that nginx opens itself.

    `static_apart` tells of pages that a location of the same server has the static files.
    """

    server: Server
    level: Level
    is_pages: bool
    static_apart: bool = False


def compression_off(stack: Stack) -> Iterator[Verdict]:
    """One site for each place that decides: the line that says so, or the block that could."""
    by_place: dict[Place, list[tuple[str, Verdict]]] = {}
    for text in _texts(stack):
        what = "Django's pages" if text.is_pages else "the static files"
        place, verdict = _compressed(stack, text)
        by_place.setdefault(place, []).append((what, verdict))
    for verdicts in by_place.values():
        plain = dict.fromkeys(what for what, verdict in verdicts if isinstance(verdict, Fail))
        if plain:
            yield Fail(verdicts[0][1].site, {"what": " and ".join(plain)})
        else:
            yield next((verdict for _, verdict in verdicts if isinstance(verdict, Unsure)), verdicts[0][1])


def _compressed(stack: Stack, text: Text) -> tuple[Place, Verdict]:
    place, on = _switch(text)
    site = Site(place, f"{text.server.title}: compression")
    if isinstance(on, Known) and on.value:
        return place, Pass(site)
    if text.is_pages and (by_django := _middleware_has(stack, _GZIP_MIDDLEWARE)) is not False:
        return place, Pass(site) if by_django else Unsure(site, "MIDDLEWARE may hold GZipMiddleware")
    if isinstance(on, Unknown):
        return place, Unsure(site, on.why)
    sign = cdn_in_front(stack, text.level)
    return place, Unsure(site, f"a CDN stands in front ({sign}) and may compress") if sign is not None else Fail(site)


def compression_gaps(stack: Stack) -> Iterator[Verdict]:
    """Sites by aspect: the types, and where they are written the level, the minimum and what a CDN needs."""
    by_site: dict[Site, list[Text]] = {}
    for text in _texts(stack):
        on = text.level.switched_on("gzip", text.server.version)
        if isinstance(on, Known) and on.value:
            by_site.setdefault(_types_site(text), []).append(text)
    seen: set[tuple[Place, str]] = set()
    for site, texts in by_site.items():
        for verdict in (_types(stack, site, texts), *(found for text in texts for found in _numbers_and_cdn(text))):
            key = (verdict.site.place, verdict.site.name)
            if key not in seen:
                seen.add(key)
                yield verdict


def _texts(stack: Stack) -> Iterator[Text]:
    for server in stack.nginx.servers:
        proxied = pages(stack, stack.nginx, server)
        static = answer(server, static_path(stack) + "css/site.css")
        files = static.value if isinstance(static, Known) and static.value.kind == "files" else None
        apart = files is not None and _is_own(files.location)
        if proxied is not None:
            yield Text(server, proxied.level, is_pages=True, static_apart=apart)
        if files is not None and apart:
            yield Text(server, files.level, is_pages=False)


def _is_own(location: Location | None) -> bool:
    """Whether a location is there for static files, not for everything."""
    return location is not None and location.pattern != "/"


def static_path(stack: Stack) -> str:
    """The path of STATIC_URL; /static/ where it is not known or on another host."""
    value = stack.settings.get("STATIC_URL") if stack.settings is not None else None
    if isinstance(value, Known) and isinstance(value.value, str) and "//" not in value.value:
        return "/" + value.value.strip("/") + "/" if value.value.strip("/") else "/static/"
    return "/static/"


def _switch(text: Text) -> tuple[Place, Value[bool]]:
    """Whether anything compresses at a level, and the place that decides."""
    states = [text.level.switched_on(name, text.server.version) for name in _SWITCHES]
    for state in states:
        if isinstance(state, Known) and state.value:
            return state.places[0], state
    unknown = next((state for state in states if isinstance(state, Unknown)), None)
    off = next((state for state in states if state.places), None)
    http = text.server.http
    block = http.place if http.directive is not None else text.server.level.place
    place = off.places[0] if off is not None and unknown is None else block
    return place, unknown if unknown is not None else Known(False)


def _middleware_has(stack: Stack, name: str) -> bool | None:
    """Whether MIDDLEWARE holds `name`; None where it cannot be told."""
    if stack.production is None:
        return False
    value = stack.production.get("MIDDLEWARE")
    if isinstance(value, Unknown) or not isinstance(value.value, (list, tuple)):
        return None
    items = [item.value if isinstance(item, Known) else item for item in value.value]
    if name in items:
        return True
    return None if any(isinstance(item, Unknown) for item in items) else False


def _types_site(text: Text) -> Site:
    """Where the types are written, or compression without any is switched on."""
    found = text.level.in_force("gzip_types")
    places = found.places if isinstance(found, Known) and found.value.lines else text.level.in_force("gzip").places
    return Site(places[0] if places else text.server.level.place, "gzip_types")


def _delivers_static(text: Text) -> bool:
    """Whether style sheets and scripts come through a level: none do through the pages where a location has them."""
    return not text.is_pages or not text.static_apart


def _types(stack: Stack, site: Site, texts: list[Text]) -> Verdict:
    """What one list of types leaves out of all that is delivered with it."""
    text = texts[0]
    version = text.server.version
    types = text.level.all_words("gzip_types", version)
    found = text.level.in_force("gzip_types")
    static, is_pages = any(map(_delivers_static, texts)), any(each.is_pages for each in texts)
    if isinstance(types, Unknown):
        return Unsure(site, types.why)
    listed = {name.lower() for name in types.value}
    if "*" in listed:
        return Pass(site)
    wanted = {"CSS": {"text/css"}, "JavaScript": {"application/javascript", "text/javascript"}} if static else {}
    if is_pages:
        wanted["JSON"] = {"application/json"}
    missing = [name for name, names in wanted.items() if not names & listed]
    sign = cdn_in_front(stack, text.level) if missing else None
    if sign is not None:
        return Unsure(
            site, f"a CDN stands in front ({sign}) and may compress {in_words(missing)}, which gzip_types leaves out"
        )
    if missing:
        return Fail(site, {"missing": in_words(missing)})
    minor = {"SVG": {"image/svg+xml"}} if static else {}
    if is_pages:
        minor["XML"] = {"text/xml", "application/xml", "application/rss+xml"}
    lesser = [name for name, names in minor.items() if not names & listed]
    if lesser:
        return Fail(site, {"missing": in_words(lesser)}, cause="lesser-types")
    waste = [name for name in types.value if name.lower() in (*_COMPRESSED_ALREADY, *_ARCHIVES)]
    if waste:
        return Fail(site, {"waste": ", ".join(waste)}, cause="compressed-already")
    if found.value.lines and "text/html" in listed if isinstance(found, Known) else False:
        return Fail(site, {}, cause="html-twice")
    return Pass(site)


def _numbers_and_cdn(text: Text) -> Iterator[Verdict]:
    yield from _numbers(text)
    yield from _for_cdn(text)


def _numbers(text: Text) -> Iterator[Verdict]:
    for name, cause, least, most in (
        ("gzip_min_length", "min-length", 100, sys.maxsize),
        ("gzip_comp_level", "level", 0, 6),
    ):
        found = text.level.in_force(name)
        if isinstance(found, Known) and found.value.lines:
            line = found.value.lines[-1]
            site = Site(line.place, name)
            value = line.text(0)
            if isinstance(value, Unknown):
                yield Unsure(site, value.why)
            elif value.value.isdigit():
                number = int(value.value)
                yield Pass(site) if least <= number <= most else Fail(site, {"number": number}, cause=cause)


def _for_cdn(text: Text) -> Iterator[Verdict]:
    """With a CDN in front every request carries Via, and nginx compresses none of them unless told to."""
    sign = cdn_sign(text.level)
    if sign is None:
        return
    version = text.server.version
    place = text.level.in_force("gzip").places[0]
    proxied = text.level.all_words("gzip_proxied", version)
    if isinstance(proxied, Unknown):
        yield Unsure(Site(place, "gzip_proxied"), proxied.why)
    elif proxied.value == ("off",):
        yield Fail(Site(proxied.places[0] if proxied.places else place, "gzip_proxied"), {"cdn": sign}, cause="proxied")
    else:
        yield Pass(Site(proxied.places[0], "gzip_proxied"))
    vary = text.level.switched_on("gzip_vary", version)
    if isinstance(vary, Unknown):
        yield Unsure(Site(place, "gzip_vary"), vary.why)
    elif vary.value:
        yield Pass(Site(vary.places[0], "gzip_vary"))
    else:
        yield Fail(Site(vary.places[0] if vary.places else place, "gzip_vary"), {"cdn": sign}, cause="vary")
