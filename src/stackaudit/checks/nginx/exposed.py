"""Folders of the project, or of the whole machine, whose files nginx hands to everybody."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.compression import static_path
from stackaudit.checks.nginx.disclosure import guarded
from stackaudit.checks.nginx.installed import homes
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.folding.objects import ROOT
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_OF_THE_SYSTEM = "/etc/passwd"
_MEANT_FOR_THE_WEB = frozenset(
    {
        "html",
        "www",
        "htdocs",
        "public",
        "public_html",
        "dist",
        "build",
        "static",
        "staticfiles",
        "static_root",
        "assets",
    }
    | {
        "media",
        "mediafiles",
        "uploads",
        "web",
        "webroot",
        "frontend",
        "client",
        "certbot",
        "letsencrypt",
        "errors",
        "_",
    }
)


@dataclass(frozen=True)
class Secret:
    """A file that is not for visitors: `path` on the machine, `name` for people, `doubt` why it may not lie there."""

    path: str
    name: str
    cause: str = ""
    doubt: str = ""


def source_served(stack: Stack) -> Iterator[Verdict]:
    """One site for each root or alias from which files are opened."""
    secrets = tuple(_secrets(stack))
    yield from once_for_each_place(
        verdict
        for server in stack.nginx.servers
        if server.level.directive is not None
        for line, location in _folders(server)
        for verdict in _judge(stack, server, line, location, secrets)
    )


def _folders(server: Server) -> Iterator[tuple[Line, Location | None]]:
    """The lines of root and alias, with the location that they stand in."""
    for line in server.level.lines.get("root", []):
        yield line, None
    for location in server.every_location:
        for name in ("root", "alias"):
            for line in location.level.lines.get(name, []):
                yield line, location


def _judge(
    stack: Stack, server: Server, line: Line, location: Location | None, secrets: tuple[Secret, ...]
) -> Iterator[Verdict]:
    title = location.site.name if location is not None else server.title
    site = Site(line.place, f"{title} {line.name}")
    folder = line.text(0)
    if isinstance(folder, Unknown) or "$" in folder.value:
        if line.name == "root" and _opens_everything(server, line):
            yield Unsure(site, folder.why if isinstance(folder, Unknown) else "a variable names the folder")
        return
    doubt = ""
    for secret in secrets:
        url = _url(folder.value, location if line.name == "alias" else None, secret.path)
        found = answer(server, url) if url else None
        if not isinstance(found, Known) or found.value.kind != "files":
            continue
        if found.value.file is None or found.value.file != Known(secret.path):
            continue
        closed = guarded(found.value.level)
        if isinstance(closed, Unknown):
            doubt = closed.why
        elif not closed.value and secret.doubt:
            doubt = secret.doubt
        elif not closed.value:
            values = {"url": url, "file": secret.name, "folder": folder.value}
            yield Fail(site, values, cause=secret.cause)
            return
    # what lies in a container of nginx's own is what its image and its volumes bring
    if not doubt and not _is_placed(secrets) and not stack.nginx.units and stack.settings is not None:
        last = folder.value.rstrip("/").rpartition("/")[2].lower()
        if line.name == "root" and last not in _MEANT_FOR_THE_WEB and _opens_everything(server, line):
            doubt = f"nothing tells whether the project lies in {folder.value}"
    yield Unsure(site, doubt) if doubt else Pass(site)


def _is_placed(secrets: tuple[Secret, ...]) -> bool:
    """Whether it is known where the project lies on nginx's machine."""
    return any(not secret.cause for secret in secrets)


def _opens_everything(server: Server, line: Line) -> bool:
    """Whether a path that no location is there for is opened below the root of `line`."""
    found = answer(server, "/manage.py")
    if not isinstance(found, Known) or found.value.kind != "files":
        return False
    return any(line in level.lines.get("root", []) for level in found.value.level.outward())


def _url(folder: str, location: Location | None, path: str) -> str:
    """The path under which a file would be asked for; "" where the folder does not hold it."""
    if location is None:
        below = folder.rstrip("/")
        return path[len(below) :] if path.startswith(below + "/") else ""
    if location.is_regex or location.modifier in ("=", "@") or location.hole or not path.startswith(folder):
        return ""
    return location.pattern + path[len(folder) :]


def _secrets(stack: Stack) -> Iterator[Secret]:
    """Files of the project where they lie on nginx's machine, and one that every machine has."""
    for machine, repository, doubt in dict.fromkeys(_installations(stack)):
        for path in _sources(stack):
            below = posixpath.relpath(path, repository or ".")
            if not below.startswith(".."):
                yield Secret(posixpath.normpath(posixpath.join(machine, below)), path, doubt=doubt)
    yield Secret(_OF_THE_SYSTEM, _OF_THE_SYSTEM, "filesystem")


def _sources(stack: Stack) -> list[str]:
    """The settings and manage.py."""
    settings = [stack.settings.path] if stack.settings is not None and stack.settings.path else []
    return [*settings, *sorted(path for path in stack.files if path.rpartition("/")[2] == "manage.py")]


def _installations(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Folders of nginx's machine, each with the folder of the repository that lies there, and why it may not."""
    for unit in stack.nginx.units:
        for target, source in unit.folders.items():
            if not any(char in source for char in "*?[$"):
                yield target, "" if source == "." else source, ""
    if stack.nginx.units or stack.settings is None:
        return
    yield from _by_static_root(stack)
    for home in homes(stack):
        if not home.process.contained:
            yield home.folder, home.repository, ""


def _by_static_root(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """STATIC_ROOT below the project, and the folder from which nginx opens STATIC_URL, tell where the project lies.

    A single folder of an everyday name ("static") may as well be a copy somewhere else.
    """
    assert stack.settings is not None
    value = stack.settings.get("STATIC_ROOT")
    root = value.value if isinstance(value, Known) else None
    if not isinstance(root, str) or not root.startswith(ROOT + "/"):
        return
    below = root[len(ROOT) :].rstrip("/")
    for server in stack.nginx.servers:
        found = answer(server, static_path(stack) + "css/site.css")
        if isinstance(found, Known) and found.value.kind == "files" and isinstance(found.value.file, Known):
            folder = found.value.file.value.removesuffix("/css/site.css")
            if folder.endswith(below) and len(folder) > len(below):
                place = folder.removesuffix(below)
                doubt = f"the static files lie in {place}, and nothing else tells whether the project does"
                yield place, "", doubt if below.count("/") == 1 else ""
