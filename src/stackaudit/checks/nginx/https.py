"""Pages that go out in the clear beside a server that speaks TLS."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.servers import Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def https_redirect_missing(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that listens without TLS for a name that another socket serves with TLS."""
    for server in stack.nginx.servers:
        plain = [listen for listen in server.listens if not listen.tls and not listen.hole]
        plain = [listen for listen in plain if not listen.address.startswith("unix:")]
        twin = _twin(stack, server)
        if not plain or twin is None or server.level.directive is None:
            continue
        site = Site(server.place, f"{server.title} without TLS")
        found = answer(server, "/")
        if isinstance(found, Unknown):
            yield Unsure(site, found.why)
        elif found.value.kind == "return" or _redirects(server) or pages(stack, stack.nginx, server) is None:
            yield Pass(site)
        else:
            yield _by_django(stack, site, twin, server, plain[0].port)


def _twin(stack: Stack, server: Server) -> Server | None:
    """The server with TLS for the same name; it may be the same block."""
    for other in stack.nginx.servers:
        same = other is server or bool(set(other.names) & set(server.names)) or not (other.names or server.names)
        if other.http is server.http and same and other.tls == Known(True):
            return other
    return None


def _redirects(server: Server) -> bool:
    """Whether an `if` of the server, or its error page for plain requests, sends visitors to https."""
    lines = list(server.level.lines.get("error_page", []))
    for block in server.level.inside("if"):
        lines += block.lines.get("return", []) + block.lines.get("rewrite", [])
    return any("https://" in word.text for line in lines for word in line.words)


def _by_django(stack: Stack, site: Site, twin: Server, server: Server, port: str) -> Verdict:
    """SECURE_SSL_REDIRECT does the same one step later."""
    if stack.production is not None:
        redirect = stack.production.get("SECURE_SSL_REDIRECT")
        if isinstance(redirect, Unknown):
            return Unsure(site, redirect.why)
        if redirect.value:
            return Pass(site)
    related = () if twin is server else (Step(twin.place, "the server with TLS"),)
    return Fail(site, {"port": port, "name": server.names[0] if server.names else "every name"}, related=related)
