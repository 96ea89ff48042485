"""Which TLS versions a server really accepts."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Nginx
from stackaudit.link.nginx.servers import Server
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

BY_NAME = (1, 29, 2)
"""From this version on ssl_protocols is in force by server name; before, that of a socket's default server is."""

OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")


def tls_protocols(stack: Stack) -> Iterator[Verdict]:
    """One site for each place that decides: a line of ssl_protocols, or a TLS server without any."""
    yield from once_for_each_place(verdict for server in stack.nginx.servers for verdict in _judge(stack.nginx, server))


def _judge(nginx: Nginx, server: Server) -> Iterator[Verdict]:
    tls = server.tls
    if server.level.directive is None or (isinstance(tls, Known) and not tls.value):
        return
    own = server.level.all_words("ssl_protocols", nginx.version)
    site = Site(_place(own, server), f"{server.title} ssl_protocols")
    if isinstance(tls, Unknown):
        if "ssl_protocols" in server.level.lines:
            yield from _verdict(site, own)
        else:
            yield Unsure(site, tls.why)
        return
    governing = next(nginx.on_socket(server), server)
    if governing is server or governing.level.maybe:
        yield from _verdict(site, own)
        return
    theirs = governing.level.all_words("ssl_protocols", nginx.version)
    by_name = at_least(nginx.version, BY_NAME)
    if by_name:
        yield from _verdict(site, own)
    elif by_name is None:
        ours, others = next(_verdict(site, own)), next(_verdict(site, theirs))
        if type(ours) is type(others):
            yield ours
        else:
            yield Unsure(site, f"nginx before 1.29.2 takes those of {governing.title}, and its version is not known")
    else:
        verdict = next(_verdict(site, theirs))
        if isinstance(verdict, Fail) and isinstance(next(_verdict(site, own)), Pass):
            step = Step(_place(theirs, governing), f"those of {governing.title}, the socket's default, are in force")
            verdict = Fail(site, verdict.values, verdict.cause, (step,))
        yield verdict


def _place(words: Value[tuple[str, ...]], server: Server) -> Place:
    return words.places[0] if isinstance(words, Known) and words.places else server.level.place


def _verdict(site: Site, protocols: Value[tuple[str, ...]]) -> Iterator[Verdict]:
    if isinstance(protocols, Unknown):
        yield Unsure(site, protocols.why)
        return
    origin = "" if protocols.places else f" ({protocols.note})"
    old = [name for name in protocols.value if name in OLD]
    if old:
        yield Fail(site, {"old": ", ".join(old), "origin": origin})
    elif "TLSv1.3" not in protocols.value:
        yield Fail(site, {"listed": " ".join(protocols.value), "origin": origin}, cause="no-tls-1.3")
    else:
        yield Pass(site)
