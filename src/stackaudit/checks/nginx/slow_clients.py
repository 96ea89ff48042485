"""Whether slow visitors hold Django's workers."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.directives import FAMILY
from stackaudit.link.nginx.level import Line
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_ASYNC = frozenset({"uvicorn", "daphne", "hypercorn", "granian"})


def buffering_off(stack: Stack) -> Iterator[Verdict]:
    """One site for each line that switches buffering off for what Django answers."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by in FAMILY
        for verdict in _judge(stack, proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.site.place.path, fail.values["upstream"]))


def _judge(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    family = FAMILY[proxied.target.by]
    for name in (f"{family}_buffering", f"{family}_request_buffering"):
        found = proxied.level.in_force(name)
        if isinstance(found, Unknown) or not found.value.lines:
            continue
        line = found.value.lines[-1]
        if line.text(0) != Known("off", (line.place,)):
            continue
        site = Site(line.place, f"{proxied.location.site.name} {name}")
        yield _of_line(stack, proxied, site, line, name)


def _of_line(stack: Stack, proxied: Proxied, site: Site, line: Line, name: str) -> Verdict:
    if proxied.location.pattern not in ("/", "") and proxied.location.modifier != "@":
        return Pass(site)  # a path of its own: what is sent there is meant to stream
    held = blocked_by_slow_clients(stack.processes.production_servers)
    if isinstance(held, Unknown):
        return Unsure(site, held.why)
    if not held.value:
        return Pass(site)
    values = {"line": f"{name} off", "upstream": proxied.target.address, "worker": held.note}
    cause = "request" if "request" in name else ""
    related = tuple(Step(place, f"the workers are {held.note}") for place in held.places[:1])
    return Fail(site, values, cause=cause, related=related)


def blocked_by_slow_clients(servers: tuple[Process, ...]) -> Value[bool]:
    """Whether a worker of the application serves one visitor at a time; `note` names what kind of worker it is."""
    for server in servers:
        if server.kind == "gunicorn":
            worker = server.worker_class
            if isinstance(worker, Unknown):
                return Unknown(f"worker_class is not known: {worker.why}")
            name = str(worker.value).rpartition(".")[2]
            if name in ("sync", "SyncWorker", "gthread", "ThreadWorker"):
                return Known(True, (server.place,), f"gunicorn's {name}")
            return Known(False)
        if server.kind == "uwsgi":
            return Known(True, (server.place,), "uWSGI's")
        if server.kind in _ASYNC:
            return Known(False)
    return Unknown("which server runs the application was not found")
