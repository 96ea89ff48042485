"""Whether uploads get past nginx."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.models import Models
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

DEFAULT = 1_048_576
"""client_max_body_size where nobody sets it: 1m, in bytes."""

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE = re.compile(r"(\d+)([kmg]?)", re.IGNORECASE)
_FILES = re.compile(r"(File|Image)Field$")
_PATHS = re.compile(r"FilePathField$")


def body_size_mismatch(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that brings Django's pages, where a model takes files.

    A server passes as soon as one of its locations takes more than the default: uploads may go there.
    """
    upload = _first_upload(stack.models)
    if upload is None:
        return
    name, place = upload
    for server in stack.nginx.servers:
        proxied = [item for item, is_it in django_locations(stack, server) if is_it]
        if not proxied or server.level.directive is None:
            continue
        sizes = [(item, size) for item in proxied for size in _sizes(item)]
        known = [(item, size.value, size.places) for item, size in sizes if isinstance(size, Known)]
        root = next((item for item in proxied if item.location.pattern == "/"), proxied[0])
        site = Site(root.target.line.place, f"{server.title} request bodies")
        unknown = next((size for _, size in sizes if isinstance(size, Unknown)), None)
        if any(size == 0 or size > DEFAULT for _, size, _ in known):
            yield Pass(site)
        elif unknown is not None:
            yield Unsure(site, unknown.why)
        else:
            related = (Step(place, f"{name} takes files"),) if place is not None else ()
            shown = known[0][1]
            origin = "" if known[0][2] else " (nginx's default)"
            values = {"size": f"{shown // 1024} KiB{origin}", "field": name, "location": root.location.title}
            yield Fail(site, values, cause="too-late" if _says_more(root) else "", related=related)


def _sizes(proxied: Proxied) -> list[Value[int]]:
    """The limits that hold for what gets to a location: nginx asks the first location that matches, and no other."""
    if proxied.location.modifier != "@":
        return [_size(proxied.level)]
    server = proxied.location.server
    levels = [location.level for location in server.every_location if location.modifier != "@"]
    first = [level for level in (server.level, *levels) if _leads_to(level, proxied.location.pattern)]
    return [_size(level) for level in first or [proxied.level]]


def _says_more(proxied: Proxied) -> bool:
    """Whether a named location itself takes more than the default, which nobody asks there."""
    own = _size(proxied.level)
    return proxied.location.modifier == "@" and isinstance(own, Known) and not 0 < own.value <= DEFAULT


def _leads_to(level: Level, name: str) -> bool:
    lines = [line for directive in ("try_files", "error_page") for line in level.lines.get(directive, [])]
    return any(line.words and line.words[-1].text == name for line in lines)


def _size(level: Level) -> Value[int]:
    """The largest body, in bytes, that nginx takes at a level; 0: any."""
    found = level.in_force("client_max_body_size")
    if isinstance(found, Unknown):
        return found
    if not found.value.lines:
        return Known(DEFAULT)
    text = found.value.lines[-1].text(0)
    if isinstance(text, Unknown):
        return text
    match = _SIZE.fullmatch(text.value)
    if match is None:
        return Unknown(f"{text.value} is no size")
    return Known(int(match[1]) * _UNITS[match[2].lower()], found.value.places)


def _first_upload(models: Models) -> tuple[str, Place | None] | None:
    """A model's field that takes files, and where its class stands."""
    for model in sorted(models, key=lambda model: model.label):
        if model.cls is None or model.abstract:
            continue
        for column in model.columns.values():
            if _FILES.search(column.kind) and not _PATHS.search(column.kind):
                return f"{model.name}.{column.name}", model.place
    return None
