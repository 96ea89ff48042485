"""Which ciphers a server takes for TLS 1.2, and whether a visitor who comes back is spared the full handshake."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Nginx
from stackaudit.link.nginx.servers import Server
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SESSIONS_BY_SOCKET = (1, 29, 2)
"""Before this version the session cache and the tickets of a socket's default server hold for every name on it."""

_WEAK = {
    "RC4": re.compile(r"(^|[-+])A?RC4"),
    "3DES": re.compile(r"3DES|DES-CBC3"),
    "single DES": re.compile(r"(^|[-+])DES($|\+|-CBC-)"),
    "export ciphers": re.compile(r"^EXP"),
    "no encryption": re.compile(r"e?NULL$|(^|-)NULL-"),
    "anonymous servers": re.compile(r"^(aNULL|ADH|AECDH)"),
    "LOW": re.compile(r"^LOW$"),
}
_KILLED_BY = {"anonymous servers": ("aNULL",), "no encryption": ("eNULL", "NULL"), "export ciphers": ("EXP", "EXPORT"),
              "single DES": ("DES", "LOW"), "3DES": ("3DES",), "RC4": ("RC4",), "LOW": ("LOW",)}  # fmt: skip
_STATIC_RSA = re.compile(r"(AES|CAMELLIA|ARIA|SEED|IDEA|RC4|DES)[A-Z0-9]*(-[A-Z0-9]+)+|k?RSA(\+[A-Z0-9]+)*")


def tls_ciphers(stack: Stack) -> Iterator[Verdict]:
    """One site for each line of ssl_ciphers, or each TLS server without any; none where only http could hold one."""
    yield from once_for_each_place(
        _ciphers(server)
        for server in stack.nginx.servers
        if _speaks_tls(server) and not server.level.hangs_on_http("ssl_ciphers")
    )


def _speaks_tls(server: Server) -> bool:
    return server.tls == Known(True) and server.level.directive is not None


def _ciphers(server: Server) -> Verdict:
    found = server.level.in_force("ssl_ciphers")
    site = Site(server.place, f"{server.title} ssl_ciphers")
    if isinstance(found, Unknown):
        return Unsure(site, found.why)
    if not found.value.lines:
        return Pass(site)
    line = found.value.lines[-1]
    site = Site(line.place, site.name)
    text = line.text(0)
    if isinstance(text, Unknown):
        return Unsure(site, text.why)
    tokens = [token for token in re.split(r"[:, ]+", text.value) if token]
    wanted = [token for token in tokens if token[0] not in "!-+@"]
    if "@SECLEVEL=0" in tokens:
        return Fail(site, {}, cause="seclevel")
    if wanted and all(token.startswith("TLS_") for token in wanted):
        return Fail(site, {}, cause="only-tls-1.3")
    if wanted and all(_STATIC_RSA.fullmatch(token) or token.startswith("TLS_") for token in wanted):
        return Fail(site, {"list": text.value})
    weak = _weak(wanted, {token[1:] for token in tokens if token[0] == "!"})
    return Fail(site, {"weak": ", ".join(weak)}, cause="weak-names") if weak else Pass(site)


def _weak(wanted: list[str], killed: set[str]) -> list[str]:
    """What the list names that nobody should offer, unless it forbids the same for good."""
    return [
        name
        for name, pattern in _WEAK.items()
        if any(pattern.search(token) for token in wanted) and not killed & set(_KILLED_BY[name])
    ]


def tls_session_resumption(stack: Stack) -> Iterator[Verdict]:
    """One site for each line about tickets, or each TLS server without one; none where only http could hold one."""
    yield from once_for_each_place(
        _resumption(stack.nginx, server)
        for server in stack.nginx.servers
        if _speaks_tls(server) and not server.level.hangs_on_http("ssl_session_tickets")
    )


def _resumption(nginx: Nginx, server: Server) -> Verdict:
    tickets = server.level.in_force("ssl_session_tickets")
    place = tickets.value.places[0] if isinstance(tickets, Known) and tickets.value.lines else server.place
    site = Site(place, f"{server.title} session resumption")
    governing = next(nginx.on_socket(server), server)
    own = _resumes(server, server)
    if isinstance(own, Unknown):
        return Unsure(site, own.why)
    if governing is server or governing.level.maybe or at_least(server.version, SESSIONS_BY_SOCKET):
        return Pass(site) if own.value else Fail(site)
    theirs = _resumes(server, governing)
    if isinstance(theirs, Unknown):
        return Unsure(site, theirs.why)
    if theirs.value == own.value:
        return Pass(site) if own.value else Fail(site)
    if at_least(server.version, SESSIONS_BY_SOCKET) is None:
        return Unsure(
            site, f"nginx before 1.29.2 asks {governing.title} for its sessions, and its version is not known"
        )
    if theirs.value:
        return Pass(site)
    step = Step(governing.place, f"the sessions of {governing.title}, the socket's default, are in force")
    return Fail(site, related=(step,))


def _resumes(server: Server, governing: Server) -> Value[bool]:
    """Whether sessions are resumed: from the cache of the governing server, or with tickets of both."""
    cache = governing.level.words("ssl_session_cache", governing.version)
    if isinstance(cache, Unknown):
        return cache
    if any(word not in ("off", "none") for word in cache.value):
        return Known(True)
    for asked in (server, governing):
        tickets = asked.level.switched_on("ssl_session_tickets", asked.version)
        if isinstance(tickets, Unknown) or not tickets.value:
            return tickets
    return Known(True)
