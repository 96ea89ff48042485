"""Addresses that nginx asks and on which no server of the repository listens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.installed import own_containers
from stackaudit.checks.nginx.listeners import HERE, Endpoint, endpoints, socket_path
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import is_django
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_PLAIN = re.compile(r"unix:/[\w./@+-]+|(?P<host>[A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\])(:(?P<port>\d+))?")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_FOLLOWED = re.compile(r": (\S*/)?supervisord$")
"""A program that was not followed, but whose own files tell what it starts."""


@dataclass(frozen=True)
class _Heard:
    """A server and where it listens; `closed`: it is the right port, on an address that nginx cannot reach."""

    process: Process
    endpoint: Endpoint
    closed: bool = False


def nobody_listens(stack: Stack) -> Iterator[Verdict]:
    """One site for each hand-over to Django at an address whose servers are all in the repository."""
    verdicts: list[Verdict] = []
    for proxied in stack.nginx.proxied:
        if proxied.target.by in ("proxy_pass", "uwsgi_pass") and is_django(stack, proxied.target):
            verdict = _judge(stack, proxied)
            if verdict is not None:
                verdicts.append(verdict)
    yield from once_for_each_place(verdicts)


def _judge(stack: Stack, proxied: Proxied) -> Verdict | None:
    """None where the repository does not hold the servers that could be meant."""
    addresses = stack.nginx.addresses(proxied.target)
    alone = _alone_in_its_container(stack, proxied)
    site = Site(_place(stack, proxied), f"{proxied.location.server.title} asks {proxied.target.address}")
    nearest: list[_Heard] = []
    for address in addresses:
        match = _PLAIN.fullmatch(address)
        if match is None:
            return None
        port = match["port"] or ("443" if proxied.target.scheme == "https" else "80")
        if match["host"] and match["host"] not in HERE:
            found = _in_service(stack, match["host"], port)
        elif match["host"] and alone:
            found = _in_another_container(stack, port)
        else:
            found = _on_the_machine(stack, address, port)
        if found is None:
            return None
        if isinstance(found, Unknown):
            return Unsure(site, found.why)
        if found.value is None:
            return Pass(site)
        nearest.append(found.value)
    if not nearest:
        return None
    first = nearest[0]
    step = Step(first.process.setting_place("bind"), f"{first.process.kind} listens on {_own(first.endpoint)}")
    values = {
        "asked": addresses[0],
        "server": first.process.kind,
        "heard": _own(first.endpoint),
        "right": _for_nginx(first),
        "port": first.endpoint.port,
        "service": first.process.origin.service,
    }
    cause = "loopback" if first.closed else "own-container" if alone and _is_loopback(addresses[0]) else ""
    return Fail(site, {**values, "unit": alone}, cause=cause, related=(step,))


def _is_loopback(address: str) -> bool:
    return (address.rpartition(":")[0] or address) in _LOOPBACK


def _place(stack: Stack, proxied: Proxied) -> Place:
    """Where the address is written: in the upstream block, or in the hand-over itself."""
    upstream = stack.nginx.upstreams.get(proxied.target.address)
    lines = upstream.level.lines.get("server", []) if upstream is not None else []
    return lines[0].place if lines else proxied.target.line.place


def _in_service(stack: Stack, host: str, port: str) -> Value[_Heard | None] | None:
    """Known(None) where a server of the compose service listens on `port`, else one that listens elsewhere."""
    servers = [
        process
        for process in stack.processes.servers
        if process.origin.kind == "compose" and process.origin.service == host
    ]
    if not servers or _is_more_than_a_server(stack, host):
        return None
    closed: _Heard | None = None
    other: _Heard | None = None
    for process in servers:
        listening = endpoints(stack, process)
        if isinstance(listening, Unknown):
            return Unknown(listening.why)
        if not listening.value:
            return None
        for endpoint in listening.value:
            if endpoint.port == port and endpoint.host not in _LOOPBACK:
                return Known(None)
            if endpoint.port == port:
                closed = _Heard(process, endpoint, closed=True)
            other = other or _Heard(process, endpoint)
    return Known(closed or other)


def _alone_in_its_container(stack: Stack, proxied: Proxied) -> str:
    """The service whose container is nginx's image and nothing else, with a network of its own; "" where none is."""
    units = own_containers(stack, proxied.location.server)
    return units[0].name if units and not _is_in_another_network(stack, {unit.name for unit in units}) else ""


def _is_in_another_network(stack: Stack, services: set[str]) -> bool:
    """Whether the network of one of the services is not its own: the machine's, another container's, or none."""
    return any(
        "network_mode" in service.options
        for compose in stack.composes.values()
        for service in compose.services
        if service.name in services
    )


def _in_another_container(stack: Stack, port: str) -> Value[_Heard | None] | None:
    """The server of another service that `port` of nginx's own container is mistaken for."""
    if any(listen.port == port for server in stack.nginx.servers for listen in server.listens):
        return None
    for process in stack.processes.production_servers:
        listening = endpoints(stack, process)
        if process.origin.kind == "compose" and isinstance(listening, Known) and listening.value:
            same = [endpoint for endpoint in listening.value if endpoint.port == port]
            if same:
                return Known(_Heard(process, same[0]))
    return None


def _is_more_than_a_server(stack: Stack, service: str) -> bool:
    """Whether nginx stands inside a service, a program there was not followed, or its network is another one."""
    if any(unit.name == service for unit in stack.nginx.units):
        return True
    followed = not any(f" {service}: " in text for text in stack.processes.opaque)
    return not followed or _is_in_another_network(stack, {service})


def _on_the_machine(stack: Stack, address: str, port: str) -> Value[_Heard | None] | None:
    """The same for a machine, or one container, that systemd or supervisor fills with nginx and the application.

    Where some hand-over finds its server, others may lead to programs that the repository says nothing of.
    """
    servers = stack.processes.production_servers
    if not servers or any(unit.brings_nginx for unit in stack.nginx.units):
        return None
    if any(process.origin.kind not in ("systemd", "supervisor") for process in servers):
        return None
    if any(not _FOLLOWED.search(text) for text in stack.processes.opaque):
        return None
    nearest: _Heard | None = None
    for process in stack.processes.servers:
        listening = endpoints(stack, process)
        if isinstance(listening, Unknown):
            return Unknown(listening.why)
        if not listening.value or any("%" in each.host + each.port for each in listening.value):
            return None
        if any(_answers(endpoint, address, port) for endpoint in listening.value):
            return Known(None)
        if process in servers:
            nearest = nearest or _Heard(process, listening.value[0])
    return None if nearest is None or _some_find_theirs(stack) else Known(nearest)


def _some_find_theirs(stack: Stack) -> bool:
    for proxied in stack.nginx.proxied:
        for address in stack.nginx.addresses(proxied.target):
            port = address.rpartition(":")[2]
            for process in stack.processes.servers:
                listening = endpoints(stack, process)
                if isinstance(listening, Known) and any(_answers(each, address, port) for each in listening.value):
                    return True
    return False


def _answers(endpoint: Endpoint, address: str, port: str) -> bool:
    if endpoint.is_file:
        return address.startswith("unix:") and socket_path(address.removeprefix("unix:")) == endpoint.host
    return not address.startswith("unix:") and endpoint.port == port


def _own(endpoint: Endpoint) -> str:
    """An endpoint as its server writes it."""
    return f"unix:{endpoint.host}" if endpoint.is_file else f"{endpoint.host}:{endpoint.port}"


def _for_nginx(heard: _Heard) -> str:
    """The address by which nginx reaches an endpoint."""
    endpoint = heard.endpoint
    if endpoint.is_file:
        return f"unix:{endpoint.host}"
    host = heard.process.origin.service if heard.process.origin.kind == "compose" else endpoint.host
    return f"{'127.0.0.1' if host in HERE else host}:{endpoint.port}"
