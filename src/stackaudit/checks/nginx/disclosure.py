"""What nginx tells of itself and of its folders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from stackaudit.checks.nginx.served import block_of, media_path
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_doubt_for_each_file, one_for_each_cause
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.servers import Server, target_of
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def server_tokens(stack: Stack) -> Iterator[Verdict]:
    """One site for each place that decides: the line in force, or the block that could hold one.

    Servers that hand requests on go first: what only answers a certificate's challenge is not what people know.
    """
    handing = {proxied.location.server for proxied in stack.nginx.proxied}
    servers = [server for server in stack.nginx.servers if server.level.directive is not None]
    servers.sort(key=lambda server: server not in handing)
    verdicts = once_for_each_place(_tokens(server) for server in servers)
    fragments = {server.place: posixpath.dirname(server.place.path) for server in servers if not server.http.directive}
    yield from one_doubt_for_each_file(
        one_for_each_cause(verdicts, lambda fail: fragments.get(fail.site.place, fail.site.place.path))
    )


def _tokens(server: Server) -> Verdict:
    place, name = block_of(server)
    word = server.level.word("server_tokens", server.version)
    if isinstance(word, Known) and word.places:
        place = word.places[0]
    site = Site(place, f"{name}: server_tokens")
    if _replaces_server(server.level):
        return Pass(site)
    if isinstance(word, Unknown):
        return Unsure(site, word.why)
    return Fail(site) if word.value in ("on", "build") else Pass(site)


def _replaces_server(level: Level) -> bool:
    """Whether the headers-more module takes the Server header away or writes another."""
    return any(
        word.text.lower().startswith("server")
        for outer in level.outward()
        for name in ("more_clear_headers", "more_set_headers")
        for line in outer.lines.get(name, [])
        for word in line.words
    )


@dataclass
class _Listing:
    """A line `autoindex on` and the folders that it opens to everybody."""

    line: Line
    name: str
    media: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    doubt: str = ""


def autoindex(stack: Stack) -> Iterator[Verdict]:
    """One site for each line of autoindex."""
    listings: dict[Place, _Listing] = {}
    for server in stack.nginx.servers:
        for level, name, path in _levels(server):
            found = level.in_force("autoindex")
            if not isinstance(found, Known) or not found.value.lines:
                continue
            line = found.value.lines[-1]
            listing = listings.setdefault(line.place, _Listing(line, f"{name} autoindex"))
            closed = guarded(level)
            if target_of(level) is not None or "return" in level.lines or closed == Known(True):
                continue
            listing.doubt = listing.doubt or (closed.why if isinstance(closed, Unknown) else "")
            listing.others.append(path)
            listing.media += [media for media in media_path(stack) if _answers(server, level, media)]
    for place, listing in listings.items():
        yield _listed(Site(place, listing.name), listing)


def _listed(site: Site, listing: _Listing) -> Verdict:
    word = listing.line.text(0)
    if isinstance(word, Unknown):
        return Unsure(site, word.why)
    if word.value != "on" or not listing.others:
        return Pass(site)
    if listing.doubt:
        return Unsure(site, listing.doubt)
    if listing.media:
        return Fail(site, {"path": listing.media[0]})
    return Fail(site, {"path": listing.others[0]}, cause="folder")


def _levels(server: Server) -> Iterator[tuple[Level, str, str]]:
    """The levels that requests reach, with a name and a path."""
    root = answer(server, "/")
    if isinstance(root, Known) and root.value.level is server.level:
        if root.value.kind == "return":
            return  # the server answers by itself, before any location
        yield server.level, server.title, "/"
    for location in server.every_location:
        found = None if location.is_regex else answer(server, location.pattern)
        if not isinstance(found, Known) or found.value.level is location.level:
            yield location.level, location.site.name, location.pattern


def _answers(server: Server, level: Level, path: str) -> bool:
    """Whether the listing of a folder comes from a level."""
    found = answer(server, path)
    return isinstance(found, Known) and found.value.kind == "files" and found.value.level is level


def guarded(level: Level) -> Value[bool]:
    """Whether not everybody gets in: a password, another's word, addresses, or nginx's own redirects only."""
    if "internal" in level.lines:
        return Known(True)
    for name in ("auth_basic", "auth_request", "auth_jwt", "deny"):
        for outer in level.outward():
            lines = outer.lines.get(name)
            if lines and lines[-1].words and lines[-1].words[0].text != "off":
                return Known(True)
            if lines:
                break
            gap = outer.gap_for(name)
            if gap is not None and outer.kind != "http":
                return Unknown(gap.why, (gap.place,))
    return Known(False)
