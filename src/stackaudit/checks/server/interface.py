"""Servers and applications that speak different protocols."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as ir
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

MAKERS = {
    "django.core.wsgi.get_wsgi_application": "wsgi",
    "django.core.handlers.wsgi.WSGIHandler": "wsgi",
    "django.core.asgi.get_asgi_application": "asgi",
    "django.core.handlers.asgi.ASGIHandler": "asgi",
    "channels.routing.ProtocolTypeRouter": "asgi",
    "channels.routing.get_default_application": "asgi",
    "channels.asgi.get_channel_layer": "asgi",
    "starlette.applications.Starlette": "asgi",
    "fastapi.FastAPI": "asgi",
    "fastapi.applications.FastAPI": "asgi",
}
"""What makes an application, and which interface it has."""


def interface_mismatch(stack: Stack) -> Iterator[Verdict]:
    """Each server gets an application of the interface that it calls."""
    for process in stack.processes.servers:
        if process.kind not in DEVELOPMENT_SERVERS and process.audience != "development":
            yield _judged(stack, process)


def _judged(stack: Stack, process: Process) -> Verdict:
    site = Site(process.place, process.name)
    if isinstance(process.app, Unknown):
        return Unsure(site, f"the application is not known: {process.app.why}")
    if process.kind == "hypercorn":  # looks at the application and wraps what is WSGI (hypercorn.utils.wrap_app)
        return Pass(site)
    if not process.interface:
        return Unsure(site, "the interface of its worker class is not known")
    app = str(process.app.value)
    interface, related = _interface(stack, app)
    if isinstance(interface, Unknown):
        return Unsure(site, interface.why)
    if interface.value == process.interface:
        return Pass(site)
    values = {"kind": _kind(process), "calls": process.interface, "app": app, "is": interface.value}
    values["instead"] = app.replace("wsgi", "asgi") if process.interface == "asgi" else app.replace("asgi", "wsgi")
    return Fail(site, values, related=related)


def _kind(process: Process) -> str:
    value = process.worker_class if process.kind == "gunicorn" else None
    return f"gunicorn with {value.value} workers" if isinstance(value, Known) else process.kind


def _interface(stack: Stack, app: str) -> tuple[Value[str], tuple[Step, ...]]:
    """The interface of an application "package.module:name", and where it is made."""
    module_name, _, name = app.partition(":")
    name = name.partition("(")[0] or "application"
    module = stack.modules.find(module_name)
    if module is None:
        last = module_name.rpartition(".")[2]
        if last in ("wsgi", "asgi"):
            return Known(last), ()
        return Unknown(f"{module_name} is not in the repository"), ()
    made = _made(stack, module, name)
    if made is None:
        return Unknown(f"what makes {name} in {module.path} is not known"), ()
    interface, _ = made
    return Known(interface), (Step(module.place(made[1]), f"{name} is made here"),)


PARAMETERS = {2: "wsgi", 3: "asgi"}
"""(environ, start_response), (scope, receive, send)."""


def _made(stack: Stack, module: SourceModule, name: str) -> tuple[str, ir.Node] | None:
    """The interface of the last thing that a module calls `name`, and what makes it.

    A wrapper around an application keeps its interface only where it is known; any other makes it unknown.
    """
    found: tuple[str, ir.Node] | None = None
    for statement in module.facts.body:
        if isinstance(statement, ir.FunctionDef) and statement.name == name and not statement.decorators:
            interface = PARAMETERS.get(len(statement.params))
            if interface is None or (interface == "wsgi" and statement.is_async):
                return None
            found = interface, statement
            continue
        if not isinstance(statement, ir.Assign):
            continue
        if not any(isinstance(target, ir.Name) and target.id == name for target in statement.targets):
            continue
        if not isinstance(statement.value, ir.Call):
            return None
        symbol = stack.modules.resolve(module, dotted(statement.value.func))
        interface = MAKERS.get(symbol.name) if symbol is not None else None
        if interface is None:
            return None
        found = interface, statement.value
    return found
