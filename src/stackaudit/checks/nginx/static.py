"""Who delivers the static files, and whether nginx looks for them where collectstatic puts them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from stackaudit.checks.nginx.installed import absent
from stackaudit.checks.nginx.media import media_served
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.checks.nginx.static_folders import Folders, folders
from stackaudit.link.nginx.answers import Answer, answer
from stackaudit.link.nginx.backends import is_django, pages
from stackaudit.link.nginx.servers import Server
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


def static_served_by_app(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that brings Django's pages: what answers STATIC_URL; another for its uploads."""
    settings = stack.production
    if settings is None:
        return
    url = settings.get("STATIC_URL")
    path = _path_of(url)
    servers = [server for server in stack.nginx.servers if pages(stack, stack.nginx, server)]
    verdicts = [_served(stack, server, url, path) for server in servers]
    yield from once_for_each_place([*verdicts, *media_served(stack)])


def static_path_mismatch(stack: Stack) -> Iterator[Verdict]:
    """One site for each location in which nginx opens static or media files itself."""
    settings = stack.production
    if settings is None:
        return
    verdicts: list[Verdict] = []
    for kind in ("STATIC", "MEDIA"):
        path = _path_of(settings.get(f"{kind}_URL"))
        if isinstance(path, Unknown) or path.value in ("", "/"):
            continue
        for server in stack.nginx.servers:
            found = answer(server, path.value + "css/site.css")
            if isinstance(found, Known) and found.value.kind == "files" and not _is_root(found.value):
                verdicts.append(_matches(stack, folders(stack, kind), found.value, server, path.value))
    yield from once_for_each_place(verdicts)


def _path_of(url: Value[str]) -> Value[str]:
    """The path of STATIC_URL as Django uses it; "" where it is on another host or not set."""
    if isinstance(url, Unknown):
        return url
    if not isinstance(url.value, str) or not url.value or "//" in url.value:
        return Known("", url.places)
    return Known("/" + url.value.strip("/") + "/" if url.value.strip("/") else "/", url.places)


def _served(stack: Stack, server: Server, url: Value[str], path: Value[str]) -> Verdict:
    settings = stack.production
    root = pages(stack, stack.nginx, server)
    assert settings is not None and root is not None
    site = Site(root.target.line.place, f"{server.title} static files")
    if isinstance(path, Unknown):
        return Unsure(site, path.why)
    if path.value == "":
        return Pass(site)
    found = answer(server, path.value + "css/site.css")
    if isinstance(found, Unknown):
        return _by_whitenoise(stack, site, found.why)
    site = Site(_place(found.value, server), f"{server.title} {path.value}")
    if found.value.kind == "files":
        fallback = found.value.fallback
        if fallback is None or not _is_root(found.value):
            return Pass(site)
        return _by_whitenoise(stack, site, f"whether the files of {path.value} lie below the root is not told")
    if found.value.kind == "return" or found.value.target is None:
        return Pass(site)
    app = is_django(stack, found.value.target)
    if app is False:
        return Pass(site)
    if app is None:
        return Unsure(site, f"nothing tells whether {found.value.target.address} is the Django application")
    return _by_whitenoise(stack, site, None, path.value)


def _is_root(found: Answer) -> bool:
    return found.location is None or found.location.pattern == "/"


def _place(found: Answer, server: Server) -> Place:
    if found.target is not None:
        return found.target.line.place
    return found.level.place if found.level.directive is not None else server.level.place


def _by_whitenoise(stack: Stack, site: Site, doubt: str | None, path: str = "") -> Verdict:
    """Pass where WhiteNoise serves the files after all; else the doubt, or the failure where there is none."""
    assert stack.production is not None
    middleware = stack.production.get("MIDDLEWARE")
    if isinstance(middleware, Unknown):
        return Unsure(site, doubt or middleware.why)
    items = [item.value if isinstance(item, Known) else item for item in middleware.value or ()]
    if any(isinstance(item, str) and "whitenoise" in item.lower() for item in items):
        return Pass(site)
    if doubt is not None:
        return Unsure(site, doubt)
    if any(isinstance(item, Unknown) for item in items):
        return Unsure(site, "MIDDLEWARE may hold WhiteNoise")
    if _wraps_application(stack):
        return Pass(site)
    return Fail(site, {"path": path})


def _wraps_application(stack: Stack) -> bool:
    """Whether WhiteNoise or dj-static wraps the WSGI application in code."""
    return any(stack.modules.imports(name) for name in ("whitenoise", "dj_static", "servestatic"))


def _matches(stack: Stack, expected: Folders, found: Answer, server: Server, path: str) -> Verdict:
    line = next((lines[-1] for name in ("alias", "root") if (lines := found.level.lines.get(name))), None)
    title = found.location.title if found.location is not None else ""
    site = Site(line.place if line else found.level.place, f"{server.title} {title} files of {path}")
    if found.file is None or isinstance(found.file, Unknown):
        return Unsure(site, found.file.why if found.file else "its folder is not told")
    folder = found.file.value.removesuffix("/css/site.css")
    if folder == found.file.value:
        return Fail(site, {"path": path, "file": found.file.value}, cause="no-slash")
    doubled = path.strip("/").split("/")[-1]
    lack = absent(stack, server, folder)
    if lack is not None:
        values = {"folder": folder, "path": path, "unit": lack.unit, "volume": lack.volume}
        near = f"`location {path} {{ alias {min(expected.seen_as)}/; }}`: they are there." if expected.seen_as else ""
        related = tuple(Step(place, f"{expected.name} is set here") for place in expected.places[:1])
        return Fail(
            site,
            values,
            cause="empty-volume" if lack.volume else "nothing-there",
            related=related,
            fix="" if lack.volume else near,
        )
    verdict = expected.compare(folder)
    if isinstance(verdict, Unknown):
        return Unsure(site, verdict.why)
    if verdict.value:
        return Pass(site)
    related = tuple(Step(place, f"{expected.name} is set here") for place in expected.places[:1])
    values = {"folder": folder, "expected": expected.shown, "setting": expected.name, "path": path}
    parent, last = posixpath.split(folder)
    if last == doubled and expected.compare(parent) == Known(True):
        return Fail(site, values, cause="doubled", related=related)
    return Fail(site, values, related=related)
