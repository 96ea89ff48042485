"""Which names a server answers to."""

from __future__ import annotations

from stackaudit.link.nginx import Nginx
from stackaudit.link.nginx.servers import Server
from stackaudit.model.values import Known, Unknown, Value


def answers_any_name(nginx: Nginx, server: Server) -> Value[bool]:
    """Whether requests for names that no server has end up at `server`: it is the default one of a socket.

    That is the one with default_server, else the first of the socket; `server_name _` does not matter. Unknown where
    servers of files that are not there could come first.
    """
    if any("default_server" in listen.options or "default" in listen.options for listen in server.listens):
        return Known(True)
    if any(listen.hole for listen in server.listens) or server.level.gap_for("listen") is not None:
        return Unknown("nothing tells which sockets it listens on")
    first = False
    for listen in server.listens:
        sharing = [
            (other, theirs)
            for other in nginx.servers
            if other.http is server.http
            for theirs in other.listens
            if theirs.socket == listen.socket
        ]
        if any({"default_server", "default"} & theirs.options for _, theirs in sharing):
            continue
        first = first or sharing[0][0] is server
    if not first:
        return Known(False)
    gap = server.http.gap_for("server")
    return Known(True) if gap is None else Unknown(gap.why, (gap.place,))


def fixed_names(server: Server) -> tuple[str, ...] | None:
    """The names of a server where all are plain host names; None where one is no plain host name."""
    plain = all(name and not set(name) & set("*~$^{_") and not name.startswith(".") for name in server.names)
    return server.names if server.names and plain else None
