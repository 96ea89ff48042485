"""Both ends of a connection that speak different languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.servers import Server
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_UWSGI = {"socket": "uwsgi", "uwsgi-socket": "uwsgi", "http-socket": "http", "http": "http", "https": "https"}
_HERE = frozenset({"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "*", ""})
_VOID = re.compile(
    r"(proxy|uwsgi|fastcgi|scgi|grpc)_((read|send|connect)_timeout|buffering|buffers|buffer_size|busy_buffers_size)"
)


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens, and what it understands there: "http", "https" or "uwsgi"."""

    host: str
    port: str
    protocol: str

    @property
    def is_file(self) -> bool:
        """Whether it is a socket file, whose path is the host."""
        return self.host.startswith("/")


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
    listening = endpoints(process)
    for address in stack.nginx.addresses(proxied.target):
        host, _, port = address.rpartition(":") if not address.startswith("unix:") else ("", "", "")
        is_service = process.origin.kind == "compose" and (host or address) == process.origin.service
        if isinstance(listening, Unknown):
            if is_service:
                return listening
            continue
        for endpoint in listening.value:
            if endpoint.is_file:
                if address == f"unix:{endpoint.host}":
                    return Known(endpoint.protocol)
            elif endpoint.port == port and (is_service or _is_here(stack, host, endpoint, process)):
                return Known(endpoint.protocol)
    return Known("")


def _is_here(stack: Stack, host: str, endpoint: Endpoint, process: Process) -> bool:
    """Whether nginx and the process run on one machine without containers, and both name it."""
    return not stack.nginx.units and not process.contained and host in _HERE and endpoint.host in _HERE


def endpoints(process: Process) -> Value[list[Endpoint]]:
    """Where a server listens; none for a kind of server that nothing is known of."""
    named: list[tuple[str, AnyValue]] = []
    if process.kind == "uwsgi":
        wrapped = process.settings.get("protocol")
        changed = str(wrapped.value) if isinstance(wrapped, Known) and wrapped.value else ""
        named += [(_UWSGI[name], value) for name, value in process.settings.items() if name in _UWSGI]
        if changed.startswith("http"):
            named = [("http" if protocol == "uwsgi" else protocol, value) for protocol, value in named]
    elif process.kind == "gunicorn":
        wrapping = process.setting("protocol")
        certificate = process.setting("certfile")
        if isinstance(wrapping, Unknown) or isinstance(certificate, Unknown):
            return Unknown(f"what {process.kind} speaks is not known")
        plain = "uwsgi" if wrapping.value == "uwsgi" else "http"
        named = [("https" if certificate.value else plain, process.setting("bind"))]
    elif process.kind in ("uvicorn", "hypercorn", "granian", "daphne"):
        secure = any(_set(process.settings.get(name)) for name in ("ssl_certfile", "ssl_keyfile", "certfile"))
        host, port = process.settings.get("host", Known("")), process.settings.get("port", Known(8000))
        if isinstance(host, Unknown) or isinstance(port, Unknown):
            return Unknown(f"where {process.kind} listens is not known")
        told = process.settings.get("uds") or process.settings.get("bind")
        named = [("https" if secure else "http", told or Known(f"{host.value}:{port.value or 8000}"))]
    else:
        return Known([])
    result: list[Endpoint] = []
    for language, value in named:
        if isinstance(value, Unknown):
            return Unknown(f"where {process.kind} listens is not known: {value.why}")
        items = value.value if isinstance(value.value, (list, tuple)) else [value.value]
        for item in items:
            if isinstance(item, Unknown):
                return item
            result.append(_endpoint(str(item.value if isinstance(item, Known) else item), language))
    return Known(result)


def _set(value: AnyValue | None) -> bool:
    return value is not None and not (isinstance(value, Known) and not value.value)


def _endpoint(text: str, protocol: str) -> Endpoint:
    text = text.partition("://")[2] or text
    if text.startswith(("unix:", "/")):
        return Endpoint(text.removeprefix("unix:"), "", protocol)
    host, _, port = text.rpartition(":")
    return Endpoint(host, port, protocol)


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
