"""The static and media files that nginx opens itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.compression import static_path
from stackaudit.link.nginx.answers import Answer, answer
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Server
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Site


@dataclass(frozen=True)
class Served:
    """A path whose files a server opens itself."""

    server: Server
    path: str
    answer: Answer

    @property
    def level(self) -> Level:
        """The level whose directives are in force."""
        return self.answer.level

    @property
    def name(self) -> str:
        """What people know it by, for the name of a site."""
        location = self.answer.location
        return location.site.name if location is not None else self.server.title

    def site(self, about: str) -> Site:
        """The block that answers."""
        return Site(self.level.place, f"{self.name}: {about}")


def static_files(stack: Stack) -> Iterator[Served]:
    """What opens the files of STATIC_URL, where a location is there for them; once for each block."""
    yield from _served(stack, (static_path(stack),))


def static_and_media_files(stack: Stack) -> Iterator[Served]:
    """What opens the files of STATIC_URL and of MEDIA_URL."""
    yield from _served(stack, (static_path(stack), *media_path(stack)))


def media_path(stack: Stack) -> tuple[str, ...]:
    """The path of MEDIA_URL; empty where it is on another host or not known."""
    value = stack.settings.get("MEDIA_URL") if stack.settings is not None else None
    if isinstance(value, Known) and isinstance(value.value, str) and value.value.strip("/") and "//" not in value.value:
        return ("/" + value.value.strip("/") + "/",)
    return ()


def _served(stack: Stack, paths: tuple[str, ...]) -> Iterator[Served]:
    seen: set[Place] = set()
    for path in paths:
        for server in stack.nginx.servers:
            found = answer(server, path + "css/site.css")
            if not isinstance(found, Known) or found.value.kind != "files":
                continue
            location = found.value.location
            if location is not None and location.pattern != "/" and found.value.level.place not in seen:
                seen.add(found.value.level.place)
                yield Served(server, path, found.value)


def block_of(server: Server) -> tuple[Place, str]:
    """Where a directive of all servers belongs: the http block, or the server itself in a file without one."""
    if server.http.directive is not None:
        return server.http.place, "http"
    return server.level.place, server.title
