"""What nginx does to the caching headers of Django's pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.variables import VARIABLE
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_KEPT = re.compile(r"(?i)\b(?:public|s-maxage|immutable)\b|max-age\s*=\s*[\"']?[1-9]")
_NOT_KEPT = re.compile(r"(?i)\b(?:private|no-store|no-cache)\b")
_HARMLESS = frozenset({"off", "epoch", "0"})
_FILES = re.compile(
    r"\\\.|\.\(|/(static|media|assets|favicon|robots|sitemap|uploads?|files?|images?|img|css|js|fonts?)\b"
)


def page_cache_overridden(stack: Stack) -> Iterator[Verdict]:
    """One site for each line that says how long Django's pages may be kept."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and not _FILES.search(proxied.location.pattern) and not _of_files(stack, proxied)
        for verdict in _judge(proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: fail.site.place)


def _of_files(stack: Stack, proxied: Proxied) -> bool:
    """Whether a location lies below STATIC_URL or MEDIA_URL."""
    for name in ("STATIC_URL", "MEDIA_URL"):
        value = stack.production.get(name) if stack.production is not None else None
        path = value.value.strip("/") if isinstance(value, Known) and isinstance(value.value, str) else ""
        if path and proxied.location.pattern.startswith("/" + path):
            return True
    return False


def _judge(proxied: Proxied) -> Iterator[Verdict]:
    expires = proxied.level.in_force("expires")
    if isinstance(expires, Known) and expires.value.lines:
        line = expires.value.lines[-1]
        site = Site(line.place, f"{proxied.location.site.name} expires")
        meant = _meant(proxied, expires.value.level)
        yield Pass(site) if meant else _expires(proxied.level, site, line)
    added = proxied.level.in_force("add_header")
    if isinstance(added, Known):
        for line in added.value.lines:
            if len(line.words) > 1 and line.words[0].text.lower() == "cache-control":
                site = Site(line.place, f"{proxied.location.site.name} Cache-Control")
                yield Pass(site) if _meant(proxied, added.value.level) else _added(proxied, site, line)


def _meant(proxied: Proxied, level: Level | None) -> bool:
    """Whether somebody chose these pages: the line stands in their location, and that is not the one of everything."""
    location = proxied.location
    everything = location.modifier == "@" or location.pattern in ("/", "^/", ".*", "^/.*", "^.*$", "")
    return level is location.level and not everything


def _expires(level: Level, site: Site, line: Line) -> Verdict:
    words = [word.text for word in line.words]
    hole = next((word.hole for word in line.words if word.hole), "")
    if hole:
        return Unsure(site, f"the template fills in {hole}")
    text = words[-1] if words else "off"
    if text.startswith("$"):
        held = _of_pages(level, text)
        if isinstance(held, Unknown):
            return Unsure(site, held.why)
        text = held.value
    if text in _HARMLESS or text.startswith("-"):
        return Pass(site)
    return Fail(site, {"value": text, "line": f"expires {' '.join(words)}"})


def _of_pages(level: Level, variable: str) -> Value[str]:
    """What a map says for pages, by their type: its entry for text/html, else its default."""
    for block in (block for outer in level.outward() for block in outer.inside("map")):
        words = block.directive.args if block.directive is not None else ()
        if len(words) == 2 and words[1].text.lower() == variable.lower():
            if "content_type" not in words[0].text or block.gaps:
                return Unknown(f"{variable} does not follow the type of the answer alone")
            lines = _entry(block) or block.lines.get("default", [])
            return Known(lines[-1].words[0].text if lines and lines[-1].words else "off")
    return Unknown(f"what {variable} holds is not in the repository")


def _entry(block: Level) -> list[Line]:
    for key, lines in block.lines.items():
        if key == "text/html":
            return lines
        if key.startswith("~"):
            try:
                if re.search(key.lstrip("~*"), "text/html; charset=utf-8"):
                    return lines
            except re.error:
                continue
    return []


def _added(proxied: Proxied, site: Site, line: Line) -> Verdict:
    value = line.words[1].text
    if line.words[1].hole or line.maybe:
        return Unsure(site, f"the template fills in {line.words[1].hole or line.maybe}")
    if VARIABLE.search(value):
        return Unsure(site, f"nothing tells what {value} holds for pages")
    if _NOT_KEPT.search(value) or not _KEPT.search(value):
        return Pass(site)
    hidden = proxied.level.in_force("proxy_hide_header")
    hides = isinstance(hidden, Known) and any(
        word.text.lower() == "cache-control" for item in hidden.value.lines for word in item.words
    )
    return Fail(site, {"value": value, "line": f"add_header Cache-Control {value!r}"}, cause="" if hides else "added")
