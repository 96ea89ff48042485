"""HTTP/2: whether it is on, and in the form that the version of nginx knows."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.cdn import cdn_in_front
from stackaudit.checks.nginx.config_errors import HTTP2_DIRECTIVE
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.servers import Listen, Server
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def http2_off(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that brings pages over TLS: its first TLS socket."""
    yield from once_for_each_place(_off(stack, server, listen) for server, listen in _speaking(stack))


def _speaking(stack: Stack) -> Iterator[tuple[Server, Listen]]:
    for server in stack.nginx.servers:
        listen = next((listen for listen in server.listens if "ssl" in listen.options and listen.line), None)
        if listen is None or server.level.directive is None:
            continue
        root = answer(server, "/")
        if not isinstance(root, Known) or root.value.kind != "return":
            yield server, listen


def _off(stack: Stack, server: Server, listen: Listen) -> Verdict:
    assert listen.line is not None
    site = Site(listen.line.place, f"{server.title} HTTP/2")
    on = _is_on(stack, server)
    if isinstance(on, Known) and on.value:
        return Pass(site)
    sign = cdn_in_front(stack, server.level)
    if sign is not None:
        return Unsure(site, f"a CDN stands in front ({sign}) and speaks to browsers in its own way")
    return Unsure(site, on.why) if isinstance(on, Unknown) else Fail(site)


def _is_on(stack: Stack, server: Server) -> Value[bool]:
    """Whether browsers are offered HTTP/2: `listen ... http2` of any server of the socket, or `http2 on` (1.25.1)."""
    if any("http2" in listen.options for other in stack.nginx.on_socket(server) for listen in other.listens):
        return Known(True)
    directive = server.level.switched_on("http2", server.version)
    if isinstance(directive, Known) and directive.value:
        return directive
    gap = server.http.gap_for("server") or server.level.gap_for("listen")
    if gap is not None:
        return Unknown(gap.why, (gap.place,))
    return directive


def http2_syntax(stack: Stack) -> Iterator[Verdict]:
    """One site for each `listen ... http2`; `http2 on` before 1.25.1 is nginx/config-error's."""
    verdicts = once_for_each_place(verdict for server in stack.nginx.servers for verdict in _written(stack, server))
    yield from one_for_each_cause(verdicts, lambda fail: (fail.cause, fail.site.place.path))


def _written(stack: Stack, server: Server) -> Iterator[Verdict]:
    knows = at_least(stack.nginx.version, HTTP2_DIRECTIVE)
    line = next((listen.line for listen in server.listens if "http2" in listen.options and listen.line), None)
    directive = server.level.lines.get("http2", [])
    if line is None:
        if directive and knows:
            yield Pass(Site(directive[-1].place, f"{server.title} http2"))
        return
    site = Site(line.place, f"{server.title} listen http2")
    if directive and directive[-1].text(0) == Known("off", (directive[-1].place,)) and knows:
        related = (Step(directive[-1].place, "http2 off"),)
        yield Fail(site, {"version": _version(stack)}, cause="off-without-effect", related=related)
    elif knows is None:
        yield Unsure(
            site, "it is the only way before nginx 1.25.1 and deprecated from then on, and the version is not known"
        )
    else:
        yield Fail(site, {"version": _version(stack)}) if knows else Pass(site)


def _version(stack: Stack) -> str:
    version = stack.nginx.version
    return str(version.value) if isinstance(version, Known) else ""
