"""Times that nginx and the application's server do not agree on."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.keepalive import upstream_keepalive_off
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.durations import time_in_force
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

READ_TIMEOUT = 60.0
"""proxy_read_timeout where nobody sets it, in seconds."""

IDLE = 60.0
"""How long an upstream block keeps an idle connection where nobody sets keepalive_timeout, in seconds."""

_FLAGS = {"gunicorn": "--keep-alive", "uvicorn": "--timeout-keep-alive", "hypercorn": "--keep-alive"}
_SYNC = frozenset({"sync", "SyncWorker"})


def timeout_mismatch(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that hands requests to gunicorn's sync workers, the only ones with a request time."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by == "proxy_pass"
        for verdict in _requests(stack, proxied)
    )
    yield from one_for_each_cause(
        verdicts, lambda fail: (fail.cause, fail.values["proxy"], fail.values["worker"], fail.site.place.path)
    )


def keepalive_timeout_mismatch(stack: Stack) -> Iterator[Verdict]:
    """One site for each location whose connections to Django nginx keeps."""
    kept = {verdict.site.place for verdict in upstream_keepalive_off(stack) if isinstance(verdict, Pass)}
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.line.place in kept
        for verdict in _idle(stack, proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.values["upstream"], fail.site.place.path))


def _server_behind(stack: Stack, proxied: Proxied) -> Value[Process]:
    """The server that a target leads to: the one of its service, else the only kind there is."""
    servers = stack.processes.production_servers
    if not servers:
        return Unknown("which server runs the application was not found")
    addresses = {(text.rpartition(":")[0] or text).lower() for text in stack.nginx.addresses(proxied.target)}
    named = [server for server in servers if server.origin.service and server.origin.service.lower() in addresses]
    if named:
        return Known(named[0], (named[0].place,))
    files = {server.origin.path for server in servers}
    if len(servers) == 1 or (len(files) == 1 and len({server.kind for server in servers}) == 1):
        return Known(servers[0], (servers[0].place,))
    return Unknown("several commands start a server, and nothing tells which of them nginx asks")


def _requests(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    server = _server_behind(stack, proxied)
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} proxy_read_timeout")
    if isinstance(server, Unknown):
        if any(item.kind == "gunicorn" for item in stack.processes.production_servers):
            yield Unsure(site, server.why)
        return
    process = server.value
    if process.kind != "gunicorn":
        return
    worker_class = process.worker_class
    if isinstance(worker_class, Unknown):
        yield Unsure(site, worker_class.why)
        return
    if str(worker_class.value).rpartition(".")[2] not in _SYNC:
        return  # gunicorn's timeout ends no request of other workers
    timeout = process.setting("timeout")
    proxy = time_in_force(proxied.level, "proxy_read_timeout", READ_TIMEOUT)
    for unknown in (timeout, proxy):
        if isinstance(unknown, Unknown):
            yield Unsure(site, unknown.why)
            return
    assert isinstance(timeout, Known) and isinstance(proxy, Known)
    place = proxy.places[0] if proxy.places else proxied.target.line.place
    site = Site(place, site.name)
    related = (Step(process.setting_place("timeout"), f"gunicorn's timeout is {timeout.value} s"),)
    values = {"proxy": f"{proxy.value:g}", "worker": timeout.value}
    if timeout.value == 0:
        yield Fail(site, values, cause="endless", related=related)
    elif proxy.value < timeout.value:
        yield Fail(site, values, related=related)
    else:
        yield Pass(site)


def _idle(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    server = _server_behind(stack, proxied)
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} idle connections")
    if isinstance(server, Unknown):
        yield Unsure(site, server.why)
        return
    process = server.value
    kept: AnyValue = process.setting("keepalive")
    upstream = stack.nginx.upstreams.get(proxied.target.address)
    level = upstream.level if upstream is not None else proxied.level
    own = level.lines.get("keepalive_timeout", []) if upstream is not None else []
    idle: Value[float] = time_in_force(level, "keepalive_timeout", IDLE) if own else Known(IDLE, note="nginx's default")
    for unknown in (kept, idle):
        if isinstance(unknown, Unknown):
            yield Unsure(site, unknown.why)
            return
    assert isinstance(kept, Known) and isinstance(idle, Known)
    if not isinstance(kept.value, (int, float)):
        yield Unsure(site, f"how long {process.kind} keeps connections is no number")
    elif kept.value > idle.value:
        yield Pass(site)
    else:
        step = Step(process.setting_place("keepalive"), f"{process.kind} closes idle connections after {kept.value} s")
        values = {
            "upstream": proxied.target.address,
            "idle": f"{idle.value:g}",
            "kept": kept.value,
            "server": process.kind,
            "setting": _FLAGS.get(process.kind, "keepalive"),
        }
        yield Fail(site, values, related=(step,))
