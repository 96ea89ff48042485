"""Static files that browsers could keep, or that lie there compressed already."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.cdn import cdn_in_front
from stackaudit.checks.nginx.expires import hashed_names, installed, static_storage
from stackaudit.checks.nginx.served import Served, static_files
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Unsure, Verdict


def static_without_expires(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that opens static files whose names change with their content, or may do so."""
    if stack.production is None:
        return
    hashed = hashed_names(stack)
    if isinstance(hashed, Known) and not hashed.value:
        return
    yield from once_for_each_place(_kept(stack, served, hashed) for served in static_files(stack))


def _kept(stack: Stack, served: Served, hashed: Value[bool]) -> Verdict:
    site = served.site("lifetime")
    told = _lifetime(served.level)
    if isinstance(told, Unknown):
        return Unsure(site, told.why)
    if told.value:
        return Pass(site)
    if isinstance(hashed, Unknown):
        return Unsure(site, hashed.why)
    sign = cdn_in_front(stack, served.level)
    if sign is not None:
        return Unsure(site, f"a CDN stands in front ({sign}) and may tell browsers how long to keep files")
    values = {"path": served.path, "storage": hashed.note}
    # Django gives a file of Vite's a second name, and leaves the first one where modules import each other.
    return Fail(site, values, cause="vite" if installed(stack, "django_vite") else "")


def _lifetime(level: Level) -> Value[bool]:
    """Whether `expires` or a Cache-Control header tells browsers how long to keep files."""
    expires, headers = level.in_force("expires"), level.in_force("add_header")
    if isinstance(expires, Known) and any(line.words and line.words[0].text != "off" for line in expires.value.lines):
        return Known(True)
    if isinstance(headers, Known):
        names = [line.words[0].text.lower() for line in headers.value.lines if line.words]
        if {"cache-control", "expires"} & set(names):
            return Known(True)
    more = [word.text.lower() for outer in level.outward() for line in outer.lines.get("more_set_headers", [])
            for word in line.words]  # fmt: skip
    if any(text.startswith(("cache-control", "expires")) for text in more):
        return Known(True)
    for found in (expires, headers):
        if isinstance(found, Unknown):
            return found
    return Known(False)


def precompressed(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that opens static files beside which the storage puts compressed ones."""
    if stack.production is None:
        return
    storage = static_storage(stack)
    if not isinstance(storage, Known) or "Compressed" not in storage.value:
        return
    name = storage.value.rpartition(".")[2]
    yield from once_for_each_place(_precompressed(served, name) for served in static_files(stack))


def _precompressed(served: Served, storage: str) -> Verdict:
    site = served.site("compressed files")
    words = [served.level.word(name, served.server.version) for name in ("gzip_static", "brotli_static")]
    if any(isinstance(word, Known) and word.value in ("on", "always") for word in words):
        return Pass(site)
    unknown = next((word for word in words if isinstance(word, Unknown)), None)
    if unknown is not None:
        return Unsure(site, unknown.why)
    return Fail(site, {"path": served.path, "storage": storage})
