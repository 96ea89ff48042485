"""Application servers that answer past the proxy that stands before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.containers import Container
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import is_django
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_PROXY = re.compile(r"(.*/)?(nginx|openresty|traefik|caddy|haproxy|httpd|envoy|swag)([-_].*)?")
_LOCAL = re.compile(r"127\.|localhost(:|$)|\[?::1\]?(:|$)|unix:|/|@|fd://|fd@")
_PORT = re.compile(r":(\d+)$")


def app_port_exposed(stack: Stack) -> Iterator[Verdict]:
    """One site for each server of production: whether visitors get past the proxy."""
    for server in stack.processes.production_servers:
        if server.kind in DEVELOPMENT_SERVERS or server.audience != "production":
            continue
        if server.origin.kind == "compose":
            yield from _in_compose(stack, server)
        elif server.origin.kind in ("systemd", "supervisor"):
            yield from _on_the_machine(stack, server)


def _in_compose(stack: Stack, server: Process) -> Iterator[Verdict]:
    own = [item for item in stack.containers if (item.path, item.name) == (server.origin.path, server.origin.service)]
    for container in own:
        if container.audience == "development":
            continue
        proxy = _proxy(stack, container)
        for place, port in container.ports:
            site = Site(place, f"{place.path} {container.name}: ports")
            if isinstance(port, Unknown):
                yield Unsure(site, port.why)
                continue
            if not _is_web(server, port.value.target):
                continue
            if port.value.is_local:
                yield Pass(site)
            elif proxy is None:
                yield Unsure(site, "no proxy is in the repository: these may be the doors of the site")
            else:
                values = {
                    "port": port.value.text,
                    "server": server.kind,
                    "proxy": proxy.text,
                    "service": container.name,
                }
                yield Fail(site, values, related=(proxy,))
        if not container.ports:
            network = server.origin.option("network_mode")
            site = Site(container.place, f"{container.title}: ports")
            if isinstance(network, Known) and network.value == "host":
                yield from _on_the_machine(stack, server)
            else:
                yield Pass(site)


def _is_web(server: Process, target: str) -> bool:
    """Whether a port of the container is the one that the server answers on; every one where that is not known."""
    numbers = {match[1] for address in _addresses(server) or () if (match := _PORT.search(address))}
    return not numbers or target in numbers


def _proxy(stack: Stack, container: Container) -> Step | None:
    """What stands before the application in the same file and publishes ports of its own."""
    for other in stack.containers:
        beside = other.path == container.path and other.name != container.name and other.ports
        if beside and _PROXY.fullmatch(other.image):
            return Step(other.place, f"{other.name} is the door that visitors are meant to use")
    for proxied in stack.nginx.proxied:
        hosts = {address.partition(":")[0] for address in stack.nginx.addresses(proxied.target)} | {proxied.target.host}
        if container.name in hosts:
            return Step(proxied.target.line.place, "nginx is the door that visitors are meant to use")
    return None


def _on_the_machine(stack: Stack, server: Process) -> Iterator[Verdict]:
    """A server of systemd or supervisor: on which addresses it listens, and whether nginx stands before it."""
    value = _bind(server)
    site = Site(value.places[0] if value is not None and value.places else server.place, f"{server.name} bind")
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
        return
    addresses = _addresses(server)
    if addresses is None:
        yield Unsure(site, "the address that it listens on is not known")
        return
    opened = [address for address in addresses if not _LOCAL.match(address)]
    if not opened:
        yield Pass(site)
        return
    before = [
        proxied
        for proxied in stack.nginx.proxied
        if is_django(stack, proxied.target) and not _in_containers(stack, proxied)
    ]
    if not before:
        yield Unsure(site, "no nginx of the repository stands before it: this may be the door of the site")
        return
    step = Step(before[0].target.line.place, "nginx is the door that visitors are meant to use")
    number = _PORT.search(opened[0])
    values = {
        "port": opened[0],
        "server": server.kind,
        "own": f"127.0.0.1:{number[1]}" if number else "127.0.0.1",
        "nginx": before[0].target.line.place.path,
        "socket": _socket(server),
    }
    yield Fail(site, values, cause="bind", related=(step,))


def _in_containers(stack: Stack, proxied: Proxied) -> bool:
    """Whether nginx reaches the application by the name of a compose service, so that it stands before no unit."""
    names = {service.name for compose in stack.composes.values() for service in compose.services}
    hosts = {address.partition(":")[0] for address in stack.nginx.addresses(proxied.target)} | {proxied.target.host}
    return bool(names & hosts)


def _socket(server: Process) -> str:
    """Where the unit may put a socket that nginx sees, as half a sentence; "" where nothing makes it a folder."""
    folder, hidden = (server.origin.option(f"Service.{name}") for name in ("RuntimeDirectory", "TemporaryFileSystem"))
    if not isinstance(folder, Known) or not folder.value or hidden is not None:
        return ""
    name = folder.value.split()[0]
    return f", or to `unix:/run/{name}/{server.kind}.sock`,"


def _bind(server: Process) -> AnyValue | None:
    for name in ("bind", "uds", "fd", "host", "http-socket", "http", "socket", "listen"):
        value = server.settings.get(name)
        if value is not None and not (isinstance(value, Known) and value.value in (None, "", [])):
            return value
    return None


def _addresses(server: Process) -> tuple[str, ...] | None:
    """What a server listens on, as `host:port`; None where that is not known."""
    value = _bind(server)
    if value is None:
        return ("127.0.0.1:8000",) if server.kind in ("uvicorn", "granian", "daphne", "hypercorn") else None
    if isinstance(value, Unknown):
        return None
    held = value.value
    items = list(held) if isinstance(held, (list, tuple)) else [held]
    if any(isinstance(item, Unknown) for item in items):
        return None
    texts = [str(item.value if isinstance(item, Known) else item) for item in items]
    port = server.settings.get("port")
    number = str(port.value) if isinstance(port, Known) and port.value else ""
    named = server.settings.get("host")
    if named is not None and value is named:
        texts = [f"{text}:{number}" if number else text for text in texts]
    return tuple(texts)
