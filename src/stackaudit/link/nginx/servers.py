"""Servers, locations and upstreams over the tree of levels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from stackaudit.link.nginx.directives import DEFAULTS, HANDLERS
from stackaudit.link.nginx.level import Gap, Level, Line
from stackaudit.link.nginx.version import Version
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Site

_ADDRESS = re.compile(r"(?:[^/?#$]|\$(?!\{?(?:uri|document_uri|request_uri|is_args|args)\b))*")
"""What stands before the path of a target, which begins with a slash or with a variable that does."""

_MODIFIERS = ("=", "^~", "~", "~*")


@dataclass(frozen=True, slots=True)
class Listen:
    """One socket: `address` is "*", an IP or "unix:/path"; `hole` says that a template fills it in."""

    address: str
    port: str
    options: frozenset[str]
    line: Line | None
    hole: str = ""

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS (or QUIC)."""
        return bool(self.options & {"ssl", "quic"})

    @property
    def socket(self) -> tuple[str, str]:
        """What tells it from other sockets."""
        return (self.address, self.port)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a location hands requests to: `address` is the upstream's or host's name, or "unix:/path".

    `uri` is what follows it, None where nothing does: then the request's path goes on unchanged. `by` is the directive.
    """

    by: str
    scheme: str
    address: str
    uri: str | None
    line: Line

    @property
    def host(self) -> str:
        """The address without a port."""
        if self.address.startswith(("unix:", "[")):
            return self.address
        return self.address.rpartition(":")[0] or self.address


@dataclass(eq=False)
class Location:
    """A location; `modifier` is "", "=", "^~", "~", "~*" or "@"."""

    level: Level
    server: Server
    parent: Location | None
    modifier: str
    pattern: str
    hole: str = ""

    @cached_property
    def locations(self) -> list[Location]:
        """The locations nested in this one, in the order of the file."""
        return _locations(self.level, self.server, self)

    @property
    def is_regex(self) -> bool:
        """Whether its pattern is a regular expression."""
        return self.modifier in ("~", "~*")

    @property
    def title(self) -> str:
        """As it is written, for people."""
        return (
            f"location {self.modifier} {self.pattern}" if self.modifier not in ("", "@") else f"location {self.pattern}"
        )

    @property
    def site(self) -> Site:
        """Where a rule finds it."""
        return Site(self.level.place, f"{self.server.title} {self.title}")


@dataclass(eq=False)
class Server:
    """A server block. `http` is the level around it, `version` the nginx that reads it."""

    level: Level
    http: Level
    version: Value[Version]

    @cached_property
    def locations(self) -> list[Location]:
        """Its locations, in the order of the file, without the nested ones."""
        return _locations(self.level, self, None)

    @property
    def every_location(self) -> Iterator[Location]:
        """All its locations, nested ones after the one around them."""
        pending = list(reversed(self.locations))
        while pending:
            location = pending.pop()
            yield location
            pending.extend(reversed(location.locations))

    @cached_property
    def listens(self) -> tuple[Listen, ...]:
        """Its sockets; port 80 where it names none."""
        lines = self.level.lines.get("listen", [])
        return tuple(_listen(line) for line in lines) or (Listen("*", "80", frozenset(), None),)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Its names as written, placeholders included."""
        return tuple(word.text for line in self.level.lines.get("server_name", []) for word in line.words)

    @property
    def tls(self) -> Value[bool]:
        """Whether it speaks TLS on any socket."""
        if any(listen.tls for listen in self.listens):
            return Known(True)
        unsure = next((listen for listen in self.listens if listen.hole), None)
        if unsure is not None and unsure.line is not None and len(unsure.line.words) == 1 and self._has_certificate:
            return Unknown(f"the template fills in {unsure.hole}", (unsure.line.place,))
        gap = self.level.gap_for("listen")
        if gap is not None and not self.level.lines.get("listen"):
            return Unknown(gap.why, (gap.place,))
        return Known("ssl" in self.level.lines and self.level.lines["ssl"][-1].texts() == Known(("on",)))

    def value(self, name: str) -> Value[str]:
        """The first argument of a directive in force at this server, or its default."""
        if name not in DEFAULTS and not any(name in level.lines for level in self.level.outward()):
            return Unknown(f"{name} is not set here, and its default is not one that is known")
        return self.level.word(name, self.version)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.level.place

    @property
    def name(self) -> str:
        """Its title."""
        return self.title

    @property
    def _has_certificate(self) -> bool:
        return "ssl_certificate" in self.level.lines

    @property
    def title(self) -> str:
        """Its first name and its ports: what people know it by, and what a fingerprint may rest on."""
        name = self.names[0] if self.names else "_"
        ports = ",".join(dict.fromkeys(listen.port or listen.address for listen in self.listens))
        return f"server {name} ({ports})"

    @property
    def site(self) -> Site:
        """Where a rule finds it."""
        return Site(self.level.place, self.title)


@dataclass(frozen=True)
class Upstream:
    """An upstream block."""

    name: str
    level: Level
    addresses: tuple[str, ...] = field(default_factory=tuple)


def target_of(level: Level) -> Value[Target] | None:
    """What the handler in force at a level hands requests to; None where it has none."""
    for name in HANDLERS:
        found = level.in_force(name)
        if isinstance(found, Unknown):
            if level.kind == "location" and _gap_says_nothing(level, found):
                continue
            return found
        if found.value.lines:
            return _target(found.value.lines[-1])
    return None


def _gap_says_nothing(level: Level, found: Unknown) -> bool:
    """Whether the only riddle is an include beside a handler of another kind, or beside files' directives."""
    return any(level.lines.get(name) for name in (*HANDLERS, "alias", "root", "return", "try_files"))


def _target(line: Line) -> Value[Target]:
    if not line.words:
        return Unknown(f"{line.name} has no argument", (line.place,))
    word = line.words[0]
    scheme, _, rest = word.text.partition("://")
    if not rest or scheme == "unix":
        scheme, rest = ("uwsgi" if line.name == "uwsgi_pass" else "http"), word.text
    if rest.startswith("unix:"):
        path, _, uri = rest[len("unix:") :].partition(":")
        address, tail = socket_file(path), uri or None  # a colon with nothing behind it is no URI (nginx 1.22)
    else:
        match = _ADDRESS.match(rest)
        address = match[0] if match else rest
        tail = rest[len(address) :] or None
    if word.hole and word.hole in address and address.partition(":")[0].strip() == word.hole:
        return Known(Target(line.name, scheme, address, tail, line), (line.place,), note="filled in by the template")
    return Known(Target(line.name, scheme, address, tail, line), (line.place,))


def socket_file(path: str) -> str:
    """The address of a socket file: `unix:///run/a.sock` of uWSGI's own documentation is `unix:/run/a.sock`."""
    return "unix:" + (f"/{path.lstrip('/')}" if path.startswith("/") else path)


def _locations(level: Level, server: Server, parent: Location | None) -> list[Location]:
    result = []
    for child in level.inside("location"):
        words = child.directive.args if child.directive is not None else ()
        if not words:
            continue
        modifier, pattern = modifier_and_pattern([word.text for word in words])
        hole = next((word.hole for word in words if word.hole), "")
        result.append(Location(child, server, parent, modifier, pattern, hole))
    return result


def modifier_and_pattern(words: list[str]) -> tuple[str, str]:
    """Modifier and pattern of the words of a `location`; `~^/x` and `=/x` may be written together."""
    if len(words) >= 2 and words[0] in _MODIFIERS:
        return words[0], words[1]
    first = words[0]
    if first.startswith("@"):
        return "@", first
    for modifier in ("=", "^~", "~*", "~"):
        if first.startswith(modifier):
            return modifier, first[len(modifier) :]
    return "", first


def _listen(line: Line) -> Listen:
    if not line.words:
        return Listen("*", "80", frozenset(), line)
    word = line.words[0]
    options = frozenset(option.text.partition("=")[0] for option in line.words[1:])
    text = word.text
    if word.hole:
        return Listen(text, "", options, line, word.hole)
    if text.startswith("unix:"):
        return Listen(text, "", options, line)
    if text.isdigit():
        return Listen("*", text, options, line)
    if text.startswith("["):
        address, _, port = text.partition("]")
        return Listen(address + "]", port.lstrip(":") or "80", options, line)
    address, _, port = text.partition(":")
    return Listen(address, port or "80", options, line)


def server_gap(server: Server) -> Gap | None:
    """A riddle of the server's own level that may hold locations."""
    return server.level.gap_for("location")
