"""Regular expressions that take static files away from their own location."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.compression import static_path
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.answers import Answer, answer
from stackaudit.link.nginx.choose import Choice, file_of
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_FILES = (
    "css/site.css",
    "js/site.js",
    "img/logo.png",
    "img/photo.jpg",
    "img/icon.svg",
    "fonts/text.woff2",
    "favicon.ico",
)
_COMPARED = ("expires", "add_header", "proxy_pass")


def regex_shadows_static(stack: Stack) -> Iterator[Verdict]:
    """One site for each prefix location that opens STATIC_URL's or MEDIA_URL's files beside expressions."""
    paths = {static_path(stack), *_media(stack)}
    yield from once_for_each_place(
        verdict
        for server in stack.nginx.servers
        for location in server.locations
        if location.modifier in ("", "^~") and location.pattern.rstrip("/") + "/" in paths
        for verdict in _judge(server, location)
    )


def _media(stack: Stack) -> tuple[str, ...]:
    value = stack.settings.get("MEDIA_URL") if stack.settings is not None else None
    if isinstance(value, Known) and isinstance(value.value, str) and value.value.strip("/") and "//" not in value.value:
        return ("/" + value.value.strip("/") + "/",)
    return ()


def _judge(server: Server, location: Location) -> Iterator[Verdict]:
    expressions = [other for other in server.locations if other.is_regex]
    serves = location.level.lines.get("alias") or location.level.lines.get("root") or location.level.parent
    if not expressions or not serves or location.level.lines.get("proxy_pass"):
        return
    site = Site(location.level.place, f"{location.site.name} beside expressions")
    taken: list[str] = []
    by: Location | None = None
    for name in _FILES:
        path = location.pattern.rstrip("/") + "/" + name
        found = answer(server, path)
        if isinstance(found, Unknown):
            yield Unsure(site, found.why)
            return
        other = found.value.location
        if other is None or not other.is_regex or other.parent is location:
            continue
        if not _same(found.value, location, path):
            taken.append("." + name.rpartition(".")[2])
            by = by or other
    if by is None:
        yield Pass(site)
    else:
        step = Step(by.level.place, f"{by.title} answers them")
        yield Fail(site, {"taken": ", ".join(taken), "regex": by.title, "location": location.pattern}, related=(step,))


def _same(found: Answer, location: Location, path: str) -> bool:
    """Whether the expression opens the same file in the same way."""
    if found.kind != "files" or not isinstance(found.file, Known):
        return False
    expected = _file(location, path)
    if expected != found.file.value:
        return False
    return all(_words(found.level, name) == _words(location.level, name) for name in _COMPARED)


def _file(location: Location, path: str) -> str | None:
    """What the prefix location itself would open."""
    own: Value[str] = file_of(Choice(location.level, location), path)
    return own.value if isinstance(own, Known) else None


def _words(level: Level, name: str) -> object:
    state = level.in_force(name)
    return [[word.text for word in line.words] for line in state.value.lines] if isinstance(state, Known) else state.why
