"""Whether what serves the project can do what its asynchronous code wants."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.coroutines import Coroutine
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import is_true
from stackaudit.link.pages.views import kind_of
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_HANDLERS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_MIXIN = "django.utils.deprecation.MiddlewareMixin"


def async_view_under_wsgi(stack: Stack) -> Iterator[Verdict]:
    """One site for all asynchronous views, at the first: whether a server runs them in an event loop."""
    views = [coroutine for coroutine in stack.coroutines if _is_view(coroutine)]
    if not views or stack.production is None:
        return
    first = views[0]
    site = Site(_head(first), f"{first.name} and other asynchronous views" if len(views) > 1 else first.name)
    found = servers(stack)
    interfaces = {server.interface for server in found}
    if "asgi" in interfaces:
        yield Pass(site)
    elif not found or interfaces != {"wsgi"}:
        yield Unsure(site, "no command tells which server runs production")
    else:
        related = [Step(server.place, f"{server.name} serves WSGI") for server in found[:2]]
        related += [Step(_head(view), f"`{view.name}` is asynchronous too") for view in views[1:6]]
        yield Fail(site, {"count": len(views), "server": found[0].name}, related=tuple(related))


def sync_middleware_under_asgi(stack: Stack) -> Iterator[Verdict]:
    """The project's own middleware, where an ASGI server runs asynchronous views behind it."""
    settings = stack.production
    if settings is None or not any(server.interface == "asgi" for server in servers(stack)):
        return
    if not any(_is_view(coroutine) for coroutine in stack.coroutines):
        return
    middleware = settings.get("MIDDLEWARE")
    if isinstance(middleware, Unknown):
        yield Unsure(Site(settings.place("MIDDLEWARE"), "MIDDLEWARE"), middleware.why)
        return
    for item in middleware.value or ():
        if isinstance(item, Known) and isinstance(item.value, str):
            yield from _middleware(stack, item.value, item.places[0] if item.places else settings.place("MIDDLEWARE"))


def _middleware(stack: Stack, name: str, place: Place) -> Iterator[Verdict]:
    """One verdict for a middleware that the repository defines."""
    module_name, _, last = name.rpartition(".")
    module = stack.modules.find(module_name)
    symbol = stack.modules.member(module, last) if module is not None else None
    if symbol is None or symbol.module is None:
        return
    site = Site(place, name)
    defined = Step(symbol.module.place(symbol.node), "is defined here") if symbol.node is not None else None
    related = (defined,) if defined is not None else ()
    if isinstance(symbol.node, py.FunctionDef):
        marks = {dotted(item).rpartition(".")[2] for item in symbol.node.decorators}
        fine = bool(marks & {"sync_and_async_middleware", "async_only_middleware"})
        yield Pass(site) if fine else Fail(site, {"middleware": last}, related=related)
    elif isinstance(symbol.node, py.ClassDef):
        cls = stack.models.classes.build(symbol.module, symbol.node)
        yield _class(site, last, cls, related)


def _class(site: Site, name: str, cls: SourceClass, related: tuple[Step, ...]) -> Verdict:
    if cls.is_a(_MIXIN):
        return Pass(site)
    capable = cls.find("async_capable")
    if capable is None and [base for base in cls.externals if base != "builtins.object"]:
        return Unsure(site, "one of its base classes is not in the repository")
    if capable is not None and not isinstance(capable.node, py.Constant):
        return Unsure(site, "async_capable is computed")
    if capable is not None and is_true(capable.node):
        return Pass(site)
    return Fail(site, {"middleware": name}, related=related)


def _head(coroutine: Coroutine) -> Place:
    node = coroutine.body.node
    return coroutine.body.place(py.Name(node.start, node.start + len("async def ") + len(node.name), node.name))


def _is_view(coroutine: Coroutine) -> bool:
    """Whether a coroutine answers requests: a handler of a view class, or a function that takes the request first."""
    node, owner = coroutine.body.node, coroutine.owner
    if owner is not None:
        return node.name in _HANDLERS and kind_of(owner) is not None
    return bool(node.params) and node.params[0].name == "request" and not node.name.endswith("middleware")
