"""Denials of hidden files that other locations undo, or that take more than was meant."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.compression import static_path
from stackaudit.checks.nginx.served import media_path
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.answers import Answer, answer
from stackaudit.link.nginx.choose import compiled
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_HIDDEN = ".git/config"
_REFUSED = frozenset({"403", "404", "410", "444"})


def dotfiles_served(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that refuses hidden files."""
    spared = (static_path(stack), *media_path(stack))
    yield from once_for_each_place(
        _judge(server, guard, spared)
        for server in stack.nginx.servers
        for guard in server.locations
        if guard.is_regex and refuses(guard.level) and _matches(guard, "/" + _HIDDEN)
    )


def refuses(level: Level) -> bool:
    """Whether a level turns everybody away."""
    returned = [line.words[0].text for line in level.lines.get("return", []) if line.words]
    denied = [line.words[0].text for line in level.lines.get("deny", []) if line.words]
    return any(status in _REFUSED for status in returned) or ("all" in denied and not level.lines.get("allow"))


def _matches(guard: Location, path: str) -> bool:
    expression = compiled(guard.pattern, ignore_case=guard.modifier == "~*")
    return isinstance(expression, Known) and expression.value.search(path) is not None


def _judge(server: Server, guard: Location, spared: tuple[str, ...]) -> Verdict:
    site = Site(guard.level.place, f"{guard.site.name} hidden files")
    for location in server.every_location:
        if location.is_regex or location.modifier in ("=", "@") or location.hole:
            continue
        path = location.pattern.rstrip("/") + "/"
        if path.startswith("/.well-known/"):
            found = answer(server, path + "token")
            if _level(found) is guard.level and location.level.lines.keys() & {"root", "alias", "proxy_pass"}:
                step = Step(location.level.place, f"{location.title} never gets a request")
                return Fail(site, {"path": path}, cause="well-known", related=(step,))
            continue
        if path.startswith(spared):
            continue  # collectstatic copies no hidden files, and Django stores no upload under such a name
        found = answer(server, path + _HIDDEN)
        if isinstance(found, Unknown):
            return Unsure(site, found.why)
        if _opens(found.value) and not refuses(found.value.level):
            step = Step(location.level.place, f"{location.title} opens them all the same")
            return Fail(site, {"path": path + _HIDDEN, "location": location.title}, related=(step,))
    return Pass(site)


def _level(found: Value[Answer]) -> Level | None:
    return found.value.level if isinstance(found, Known) else None


def _opens(found: Answer) -> bool:
    return found.kind == "files" and isinstance(found.file, Known) and "internal" not in found.level.lines
