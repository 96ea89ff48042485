"""Who answers for names that no server has."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Value, plain
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_ANY = frozenset({"_", "", "localhost", "$hostname", "127.0.0.1", "*"})


def default_server_missing(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that answers for all other names on one of its sockets, and brings Django's pages.

    Where Django believes any name, nginx/host-header tells of it.
    """
    if _takes_any_host(stack):
        return
    yield from once_for_each_place(
        _judge(stack, server, port)
        for http in stack.nginx.https
        for server, port in _defaults([server for server in stack.nginx.servers if server.http is http])
        if pages(stack, stack.nginx, server) is not None and server.level.directive is not None
    )


def _defaults(servers: list[Server]) -> Iterator[tuple[Server, str]]:
    """The server that nginx takes for unknown names, by socket: the marked one, else the first in the files."""
    first: dict[tuple[str, str], Server] = {}
    marked: dict[tuple[str, str], Server] = {}
    for server in servers:
        for listen in server.listens:
            if not listen.hole and not listen.address.startswith("unix:"):
                first.setdefault(listen.socket, server)
                if listen.options & {"default_server", "default"}:
                    marked[listen.socket] = server
    yield from ((marked.get(socket, server), socket[1]) for socket, server in first.items())


def _judge(stack: Stack, server: Server, port: str) -> Verdict:
    site = Site(server.place, f"{server.title} for other names")
    if any(listen.options & {"default_server", "default"} for listen in server.listens):
        return Pass(site)
    lines = server.level.lines.get("server_name", [])
    hole = next((word.hole for line in lines for word in line.words if word.hole), "")
    if not hole and all(name in _ANY or name.startswith("~") for name in server.names):
        return Pass(site)
    root = answer(server, "/")
    if (isinstance(root, Known) and root.value.kind == "return") or _guards(server.level):
        return Pass(site)
    if hole:
        return Unsure(site, f"the template fills in {hole}")
    gap = server.http.gap_for("server") or server.level.gap_for("server_name")
    if gap is not None:
        return Unsure(site, f"{gap.why}: another server may be the default one")
    if port == "80" and any(unit.has_stock_main and _keeps_default(unit.installed) for unit in stack.nginx.units):
        return Unsure(site, "the image's own default.conf may answer for other names")
    return Fail(site, {"name": server.names[0], "port": port})


def _keeps_default(installed: dict[str, str]) -> bool:
    return "/etc/nginx/conf.d/default.conf" not in installed


def _guards(level: Level) -> bool:
    """Whether an `if` of the server looks at the name that was asked for."""
    conditions = [block.directive.args for block in level.inside("if") if block.directive is not None]
    return any(words and words[0].text in ("$host", "$http_host", "$server_name") for words in conditions)


def _takes_any_host(stack: Stack) -> bool:
    if stack.production is None:
        return False
    hosts: Value[object] = stack.production.get("ALLOWED_HOSTS")
    return isinstance(hosts, Known) and isinstance(hosts.value, (list, tuple)) and "*" in plain(list(hosts.value))
