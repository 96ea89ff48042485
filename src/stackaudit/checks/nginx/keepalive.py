"""Whether nginx keeps its connections to the application open."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.listeners import endpoints
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

BY_DEFAULT = (1, 29, 7)
"""From this version on upstream blocks keep connections, proxied requests are HTTP/1.1 and carry no Connection."""

_KEEPS = frozenset({"gthread", "gevent", "tornado", "uvicorn.workers.UvicornWorker", "uvicorn_worker.UvicornWorker"})
_ASGI = frozenset({"uvicorn", "daphne", "hypercorn", "granian"})


def upstream_keepalive_off(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that hands requests to Django over TCP."""
    keeps = _server_keeps(stack)
    if keeps == Known(False) or _on_sockets_alone(stack):
        return
    http = [
        proxied
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by == "proxy_pass" and proxied.level is proxied.location.level
    ]
    yield from one_for_each_cause(
        once_for_each_place(_judge(stack, proxied, keeps) for proxied in http if _tcp(stack, proxied)),
        lambda fail: (fail.cause, tuple(fail.values.items()), fail.site.place.path),
    )


def _tcp(stack: Stack, proxied: Proxied) -> bool:
    addresses = stack.nginx.addresses(proxied.target)
    return bool(addresses) and not any(address.startswith("unix:") for address in addresses)


def _on_sockets_alone(stack: Stack) -> bool:
    """Whether the application listens on socket files and nowhere else: what goes to a port reaches somebody else."""
    found = [endpoints(stack, server) for server in stack.processes.production_servers]
    return bool(found) and all(
        isinstance(each, Known) and each.value and all(endpoint.is_file for endpoint in each.value) for each in found
    )


def _server_keeps(stack: Stack) -> Value[bool]:
    """Whether the application's server keeps connections at all: gunicorn's sync worker closes each one."""
    servers = stack.processes.production_servers
    if not servers:
        return Unknown("which server runs the application was not found, and gunicorn's sync worker keeps none")
    for server in servers:
        if server.kind in _ASGI:
            return Known(True)
        if server.kind == "gunicorn":
            worker = server.worker_class
            if isinstance(worker, Unknown):
                return worker
            if str(worker.value) in _KEEPS or not str(worker.value).endswith(("sync", "SyncWorker")):
                return Known(True)
    return Known(False)


def _judge(stack: Stack, proxied: Proxied, keeps: Value[bool]) -> Verdict:
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} upstream keep-alive")
    modern = at_least(stack.nginx.version, BY_DEFAULT)
    upstream = stack.nginx.upstreams.get(proxied.target.address)
    values = {"upstream": proxied.target.address}
    near = _is_near(stack, proxied)
    usual = "near" if near else ""
    if upstream is None and any(word.hole for word in proxied.target.line.words[:1]):
        return Unsure(site, f"the template fills in {proxied.target.line.words[0].hole}")
    if upstream is None:
        return (
            Unsure(site, keeps.why)
            if isinstance(keeps, Unknown)
            else Fail(site, values, cause="no-upstream-near" if near else "no-upstream")
        )
    lines = upstream.level.lines.get("keepalive", [])
    related = (Step(upstream.level.place, f"upstream {upstream.name}"),)
    if not lines:
        if modern:
            return _headers(stack, proxied, site, modern, related)
        if modern is None:
            return Unsure(site, "nginx 1.29.7 and later keep connections by default, and the version is not known")
        return Unsure(site, keeps.why) if isinstance(keeps, Unknown) else Fail(site, values, usual, related=related)
    if lines[-1].words and lines[-1].words[0].text == "0":
        return Fail(site, values, usual, related=related)
    return _headers(stack, proxied, site, modern, related)


def _is_near(stack: Stack, proxied: Proxied) -> bool:
    """Whether the application runs on nginx's own machine: on a loopback address, or in the same compose file."""
    services = {key.rpartition(" ")[2] for key in stack.processes.services}
    hosts = {address.rpartition(":")[0] or address for address in stack.nginx.addresses(proxied.target)}
    return bool(hosts) and all(host in ("localhost", "[::1]") or host.startswith("127.") or host in services
                               for host in hosts)  # fmt: skip


def _headers(stack: Stack, proxied: Proxied, site: Site, modern: bool | None, related: tuple[Step, ...]) -> Verdict:
    """Whether the requests allow what the upstream block offers: HTTP/1.1 and an empty Connection header."""
    level = proxied.level
    version = level.in_force("proxy_http_version")
    headers = level.in_force("proxy_set_header")
    for found in (version, headers):
        if isinstance(found, Unknown):
            return Unsure(site, found.why)
    assert isinstance(version, Known) and isinstance(headers, Known)
    number = version.value.lines[-1].words[0].text if version.value.lines else None
    connection = next(
        (line for line in headers.value.lines if line.words and line.words[0].text.lower() == "connection"), None
    )
    missing = []
    if number == "1.0" or (number is None and not modern):
        missing.append("proxy_http_version 1.1")
    if connection is None:
        if not modern:
            missing.append('proxy_set_header Connection ""')
    else:
        value = connection.words[1].text if len(connection.words) > 1 else ""
        closes = _closes(level, value)
        if isinstance(closes, Unknown):
            return Unsure(site, closes.why)
        if closes.value:
            step = Step(connection.place, f"Connection: {value}")
            return Fail(site, {"value": value}, cause="closes", related=(*related, step))
    if not missing:
        return Pass(site)
    if modern is None:
        return Unsure(site, "nginx before 1.29.7 needs " + " and ".join(missing) + ", and the version is not known")
    return Fail(site, {"missing": " and ".join(missing)}, cause="headers", related=related)


def _closes(level: Level, value: str) -> Value[bool]:
    """Whether a Connection header says close for plain requests; a map is asked for its empty key."""
    if "$" not in value:
        return Known(value.lower() == "close")
    if value == "$http_connection":
        return Known(False)
    for outer in level.outward():
        for block in outer.inside("map"):
            words = block.directive.args if block.directive is not None else ()
            if len(words) == 2 and words[1].text == value:
                lines = block.lines.get("", block.lines.get("default", []))
                return Known(bool(lines) and lines[-1].words[:1] != () and lines[-1].words[0].text.lower() == "close")
    return Unknown(f"what {value} holds is not in the repository")
