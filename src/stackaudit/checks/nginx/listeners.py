"""Where the application's servers listen, and what they understand there."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from stackaudit.facts.services import Unit
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, Value, defaulted

_UWSGI = {"socket": "uwsgi", "uwsgi-socket": "uwsgi", "http-socket": "http", "http": "http", "https": "https"}
_HANDED = frozenset({"fd", "file_descriptor", "socket_strings"})
"""Settings of uvicorn and daphne for sockets that somebody else opens, and daphne's endpoints of Twisted."""

HERE = frozenset({"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "*", ""})
"""Hosts by which the programs of one machine name it, or listen on all of it."""


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


def endpoints(stack: Stack, process: Process) -> Value[list[Endpoint]]:
    """Where a server listens; none for a kind of server that nothing is known of."""
    activated = _activated(stack, process)
    if activated is not None:
        return activated
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
        if any(_set(process.settings.get(name)) for name in _HANDED):
            return Unknown(f"{process.kind} is handed its socket, or told of it in words of another library")
        host, port = process.settings.get("host", Known("127.0.0.1")), process.settings.get("port", Known(8000))
        if isinstance(host, Unknown) or isinstance(port, Unknown):
            return Unknown(f"where {process.kind} listens is not known")
        told = next(
            (process.settings[name] for name in ("uds", "unix_socket", "bind") if name in process.settings), None
        )
        named = [("https" if secure else "http", told or Known(f"{host.value}:{port.value or 8000}"))]
    else:
        return Known([])
    result: list[Endpoint] = []
    for language, value in named:
        if isinstance(value, Unknown):
            return Unknown(f"where {process.kind} listens is not known: {value.why}")
        if defaulted(value.note):
            return Unknown(f"where {process.kind} listens is not known: it is the {value.note}, which may be set there")
        items = value.value if isinstance(value.value, (list, tuple)) else [value.value]
        for item in items:
            if isinstance(item, Unknown):
                return item
            endpoint = _endpoint(str(item.value if isinstance(item, Known) else item), language, process)
            if isinstance(endpoint, Unknown):
                return endpoint
            result.append(endpoint.value)
    return Known(result)


def _set(value: AnyValue | None) -> bool:
    return value is not None and not (isinstance(value, Known) and not value.value)


def _endpoint(text: str, protocol: str, process: Process) -> Value[Endpoint]:
    text = text.partition("://")[2] or text
    if text.startswith(("unix:", "/")):
        file = text.removeprefix("unix:")
        if not file.startswith("/"):
            folder = process.working_directory
            if isinstance(folder, Unknown):
                return Unknown(f"where the socket {file} lies is not known: {folder.why}")
            file = posixpath.join(folder.value, file)
        return Known(Endpoint(socket_path(file), "", protocol))
    host, _, port = text.rpartition(":")
    return Known(Endpoint(host, port, protocol))


def socket_path(path: str) -> str:
    """A socket file's path as the system knows it: /var/run is a link to /run on every distribution with systemd."""
    plain = "/" + posixpath.normpath(path).lstrip("/")
    return plain.removeprefix("/var") if plain.startswith("/var/run/") else plain


def _activated(stack: Stack, process: Process) -> Value[list[Endpoint]] | None:
    """The sockets that systemd opens for gunicorn, which then asks its own `bind` no more; None where it opens none.

    https://docs.gunicorn.org/en/stable/deploy.html#systemd
    """
    if process.kind != "gunicorn" or process.origin.kind != "systemd":
        return None
    service = process.origin.service
    for item in stack.of_kind("systemd"):
        name, _, rest = posixpath.basename(item.path).partition(".")
        unit: Unit = item.facts
        if rest.partition(".")[0] != "socket":
            continue
        asked = unit.option("Socket", "Service")
        if (asked.text.partition(".")[0] if asked is not None else name) == service:
            lines = [option.value.text for option in unit.options if option.key == "ListenStream"]
            if not lines or any("%" in line or "{" in line for line in lines):
                return Unknown(f"{item.path} opens the sockets")
            return Known([_stream(line) for line in lines])
    told = [value.value for name, value in process.origin.options.items()
            if name in ("Unit.Requires", "Service.Sockets", "Unit.Wants") and isinstance(value, Known)]  # fmt: skip
    return Unknown("systemd opens the sockets") if any(".socket" in text for text in told) else None


def _stream(line: str) -> Endpoint:
    """One ListenStream: a file, a port, or an address with a port (systemd.socket(5))."""
    if line.startswith("/"):
        return Endpoint(socket_path(line), "", "http")
    host, _, port = line.rpartition(":")
    return Endpoint(host, port, "http")
