"""gunicorn worker classes that cannot be loaded, or not for long."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from stackaudit.facts import python as ir
from stackaudit.link.modules import dotted
from stackaudit.link.processes.model import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

BUILT_IN = frozenset({"sync", "gthread", "tornado", "gevent", "asgi"})
EVENTLET_GONE = Version("26.0.0")
"""https://gunicorn.org/2026-news/#2600-2026-05-05"""
GEVENT_NEEDED = Version("24.10.1")
UVICORN_MOVED = Version("0.30.0")


def worker_class_removed(stack: Stack) -> Iterator[Verdict]:
    """Every worker class exists in the versions that are installed."""
    for process in stack.processes.servers:
        if process.kind == "gunicorn" and process.audience != "development":
            yield _judged(stack, process)


def _judged(stack: Stack, process: Process) -> Verdict:
    value = process.setting("worker_class")
    site = Site(process.setting_place("worker_class"), process.name)
    if isinstance(value, Unknown):
        return Unsure(site, f"the worker class is not known: {value.why}")
    if not isinstance(value.value, str):
        return Unsure(site, "the worker class is no name")
    return _named(stack, site, value.value, ())


def _named(stack: Stack, site: Site, name: str, related: tuple[Step, ...]) -> Verdict:
    if name in ("eventlet", "gunicorn.workers.geventlet.EventletWorker"):
        return _by_version(site, stack.packages.version("gunicorn"), EVENTLET_GONE, "eventlet", "", related)
    if name in ("gevent", "gunicorn.workers.ggevent.GeventWorker", "gevent_wsgi", "gevent_pywsgi"):
        return _gevent(stack, site, related)
    if name in BUILT_IN or name.startswith("gunicorn.workers."):
        return Pass(site)
    if name.startswith("uvicorn.workers."):
        return _by_version(site, stack.packages.version("uvicorn"), UVICORN_MOVED, name, "deprecated", related)
    if name.startswith("uvicorn_worker."):
        if stack.packages.has("uvicorn-worker"):
            return Pass(site)
        return _missing(stack, site, name, "uvicorn-worker", related)
    if "meinheld" in name:
        return Fail(site, {"name": name}, cause="abandoned", related=related)
    if name.startswith("egg:"):
        return Unsure(site, f"{name} is an entry point of a package")
    return _own(stack, site, name, related)


def _by_version(
    site: Site, version: Value[Version], since: Version, name: str, cause: str, related: tuple[Step, ...]
) -> Verdict:
    package = "uvicorn" if cause else "gunicorn"
    if isinstance(version, Unknown):
        return Unsure(site, f"{name} depends on the version of {package}: {version.why}")
    if version.value < since:
        return Pass(site)
    moved = name.replace("uvicorn.workers.", "uvicorn_worker.")
    return Fail(site, {"name": name, "version": str(version.value), "instead": moved}, cause=cause, related=related)


def _gevent(stack: Stack, site: Site, related: tuple[Step, ...]) -> Verdict:
    version = stack.packages.version("gevent")
    if isinstance(version, Known):
        if version.value < GEVENT_NEEDED:
            values = {"name": "gevent", "version": str(version.value), "needed": str(GEVENT_NEEDED)}
            return Fail(site, values, cause="too-old", related=related)
        return Pass(site)
    gunicorn = stack.packages.requirement("gunicorn")
    if stack.packages.has("gevent") or (gunicorn is not None and "gevent" in gunicorn.fact.extras):
        return Pass(site)
    return _missing(stack, site, "gevent", "gevent", related)


def _missing(stack: Stack, site: Site, name: str, package: str, related: tuple[Step, ...]) -> Verdict:
    """A class whose package is not among the requirements, where these name gunicorn and so are whole."""
    if not stack.packages.has("gunicorn"):
        return Unsure(site, f"the requirements do not name gunicorn, so whether {package} is installed is not known")
    return Fail(site, {"name": name, "package": package}, cause="missing-package", related=related)


def _own(stack: Stack, site: Site, name: str, related: tuple[Step, ...]) -> Verdict:
    """A class of the project: what it is made from decides."""
    module_name, _, class_name = name.rpartition(".")
    module = stack.modules.find(module_name) if module_name else None
    if module is None or len(related) > 5:
        return Unsure(site, f"{name} is not part of the repository")
    symbol = stack.modules.resolve(module, class_name)
    if symbol is None:
        return Unsure(site, f"{class_name} was not found in {module.path}")
    if symbol.module is None:
        return _named(stack, site, symbol.name, related)
    if not isinstance(symbol.node, ir.ClassDef):
        return Unsure(site, f"{name} is no class")
    step = Step(symbol.module.place(symbol.node), f"{class_name} is made here")
    for base in symbol.node.bases:
        parent = stack.modules.resolve(symbol.module, dotted(base)) if dotted(base) else None
        if parent is not None and parent.module is None:
            return _named(stack, site, parent.name, (*related, step))
        if parent is not None and parent.module is not None:
            return _own(stack, site, f"{parent.module.name}.{dotted(base).rpartition('.')[2]}", (*related, step))
    return Unsure(site, f"what {name} is made from is not known")
