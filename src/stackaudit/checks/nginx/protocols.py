"""Both ends of a connection that speak different languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.listeners import HERE, Endpoint, endpoints, socket_path
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.servers import Server
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_VOID = re.compile(
    r"(proxy|uwsgi|fastcgi|scgi|grpc)_((read|send|connect)_timeout|buffering|buffers|buffer_size|busy_buffers_size)"
)


def wrong_protocol(stack: Stack) -> Iterator[Verdict]:
    """One site for each hand-over to a server of the repository, each line without effect, each TLS port."""
    yield from once_for_each_place(
        (
            *(verdict for proxied in stack.nginx.proxied for verdict in _spoken(stack, proxied)),
            *(verdict for proxied in stack.nginx.proxied for verdict in _void(proxied)),
            *(verdict for server in stack.nginx.servers for verdict in _tls_port(server)),
        )
    )


def _spoken(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    spoken = {"uwsgi_pass": "uwsgi", "proxy_pass": proxied.target.scheme}.get(proxied.target.by)
    if spoken not in ("http", "https", "uwsgi"):
        return
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} protocol")
    heard: dict[str, Process] = {}
    for process in stack.processes.production_servers:
        found = _heard(stack, proxied, process)
        if isinstance(found, Unknown):
            yield Unsure(site, found.why)
            return
        if found.value:
            heard.setdefault(found.value, process)
    if len(heard) != 1:
        return
    protocol, process = next(iter(heard.items()))
    if protocol == spoken:
        yield Pass(site)
        return
    languages = {"spoken": _named(spoken), "heard": _named(protocol)}
    values = {"directive": proxied.target.by, "server": process.kind, **languages}
    yield Fail(site, values, related=(Step(process.place, f"{process.kind} is started here"),))


def _named(protocol: str) -> str:
    return {"uwsgi": "the uwsgi protocol", "http": "HTTP", "https": "HTTP over TLS"}[protocol]


def _heard(stack: Stack, proxied: Proxied, process: Process) -> Value[str]:
    """What a process understands at the address that nginx asks; "" where it listens elsewhere."""
    listening = endpoints(stack, process)
    for address in stack.nginx.addresses(proxied.target):
        host, _, port = address.rpartition(":") if not address.startswith("unix:") else ("", "", "")
        is_service = process.origin.kind == "compose" and (host or address) == process.origin.service
        if isinstance(listening, Unknown):
            if is_service:
                return listening
            continue
        for endpoint in listening.value:
            if endpoint.is_file:
                if address.startswith("unix:") and socket_path(address.removeprefix("unix:")) == endpoint.host:
                    return Known(endpoint.protocol)
            elif endpoint.port == port and (is_service or _is_here(stack, host, endpoint, process)):
                return Known(endpoint.protocol)
    return Known("")


def _is_here(stack: Stack, host: str, endpoint: Endpoint, process: Process) -> bool:
    """Whether nginx and the process run on one machine without containers, and both name it."""
    return not stack.nginx.units and not process.contained and host in HERE and endpoint.host in HERE


def _void(proxied: Proxied) -> Iterator[Verdict]:
    """Time limits and buffers of another family in the very location: nginx takes them and never asks for them."""
    family = proxied.target.by.removesuffix("_pass")
    wrong: list[Line] = []
    for name, lines in proxied.level.lines.items():
        match = _VOID.fullmatch(name)
        if match is not None and match[1] != family and f"{match[1]}_pass" not in proxied.level.lines:
            wrong += lines
    if wrong and proxied.level is proxied.location.level:
        names = ", ".join(dict.fromkeys(line.name for line in wrong))
        site = Site(wrong[0].place, f"{proxied.location.site.name} {wrong[0].name}")
        related = (Step(proxied.target.line.place, f"{proxied.target.by} is what hands the requests on"),)
        yield Fail(site, {"names": names, "directive": proxied.target.by, "family": family}, "void", related)


def _tls_port(server: Server) -> Iterator[Verdict]:
    """`listen 443` without `ssl`, although a certificate is there."""
    for listen in server.listens:
        if listen.port != "443" or listen.line is None or listen.hole or "quic" in listen.options:
            continue
        site = Site(listen.line.place, f"{server.title} listen {listen.address}:443")
        if listen.tls or _ssl_is_on(server):
            yield Pass(site)
        elif "ssl_certificate" not in server.level.lines:
            continue
        elif (gap := server.level.gap_for("ssl")) is not None:
            yield Unsure(site, gap.why)
        else:
            step = Step(server.level.lines["ssl_certificate"][0].place, "the certificate that nobody sees")
            yield Fail(site, {}, "plain", (step,))


def _ssl_is_on(server: Server) -> bool:
    """Whether `ssl on` (until nginx 1.25.0) is in force."""
    found = server.level.in_force("ssl")
    return isinstance(found, Known) and any(word.text == "on" for line in found.value.lines[-1:] for word in line.words)
