"""Uploads that Django's own view hands out."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.served import media_path
from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import is_django, pages
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict

SERVE = "django.views.static.serve"
_ROUTES = frozenset({"path", "re_path", "url"})


def media_served(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that brings Django's pages, where a route leads uploads to Django's `serve`."""
    for path in media_path(stack):
        route = _route(stack, path.strip("/"))
        if route is None:
            continue
        for server in stack.nginx.servers:
            if pages(stack, stack.nginx, server) is None:
                continue
            found = answer(server, path + "photo.jpg")
            if not isinstance(found, Known):
                continue
            target = found.value.target
            if found.value.kind == "files":
                yield Pass(Site(found.value.level.place, f"{server.title} {path}"))
            elif target is not None and is_django(stack, target):
                site = Site(target.line.place, f"{server.title} {path} by serve")
                yield Fail(site, {"path": path}, cause="media", related=(Step(route, f"{SERVE} is routed here"),))


def _route(stack: Stack, media: str) -> Place | None:
    """Where production routes the uploads to `serve`; None where nothing does, or only while DEBUG is on."""
    if not stack.modules.imports("django.views.static") and not stack.modules.imports("django.views"):
        return None
    for module in stack.modules:
        if "urlpatterns" in module.names:
            for call in _calls(module.facts.body):
                if dotted(call.func).rpartition(".")[2] in _ROUTES and len(call.args) > 1:
                    view = stack.modules.resolve(module, dotted(call.args[1]) or "?")
                    if view is not None and view.name == SERVE and _is_media(call, media):
                        return module.place(call)
    return None


def _calls(body: tuple[py.Stmt, ...]) -> Iterator[py.Call]:
    """The calls of a URLconf that production makes: what stands below `if settings.DEBUG` is left out."""
    for stmt in body:
        if isinstance(stmt, py.If):
            continue
        for node in nodes((stmt,)):
            if isinstance(node, py.Call):
                yield node


def _is_media(call: py.Call, media: str) -> bool:
    """Whether a route is that of the uploads: by its text, or by MEDIA_URL or MEDIA_ROOT in it."""
    for node in nodes((py.ExprStmt(call.start, call.end, call),)):
        if isinstance(node, py.Attribute) and node.attr in ("MEDIA_URL", "MEDIA_ROOT"):
            return True
        text = node.value if isinstance(node, py.Constant) and isinstance(node.value, str) else ""
        if text.lstrip("^/").startswith(media + "/"):
            return True
    return False
