"""Locations that no request ever reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx.expressions import expression
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_EVERYTHING = frozenset(
    {"/", "^/", "^", ".", ".*", "^.*", "^/.*", "^/.*$", "^.*$", "^/(.*)", "^/(.*)$", "(.*)", "^(.*)", "^(.*)$", ".+"}
)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


def location_unreachable(stack: Stack) -> Iterator[Verdict]:
    """One site for each location; what only templates and other locations lead to is left out."""
    verdicts = once_for_each_place(
        verdict for server in stack.nginx.servers for verdict in _of_server(server) if server.level.directive
    )
    yield from one_for_each_cause(
        verdicts, lambda fail: fail.related[0].place if fail.cause == "server-return" else fail.site.place
    )


def _of_server(server: Server) -> Iterator[Verdict]:
    returned = _returned(server)
    for location in server.every_location:
        if location.modifier == "@":
            continue
        site = Site(location.level.place, location.site.name)
        if location.hole:
            if not location.level.maybe:
                yield Unsure(site, f"the template fills in {location.hole}")
            continue
        yield _judge(server, location, site, returned)


def _judge(server: Server, location: Location, site: Site, returned: Line | None) -> Verdict:
    quoted = f'"{location.pattern}"' if set(location.pattern) & set("{};") else location.pattern
    values = {"location": location.title, "path": location.pattern, "expression": f"location ~ {quoted}"}
    if returned is not None:
        step = Step(returned.place, "answers every request before a location is looked for")
        return Fail(
            site,
            {**values, "answer": f"{returned.name} {returned.words[0].text}"},
            cause="server-return",
            related=(step,),
        )
    if not location.is_regex:
        odd = _never_a_path(location.pattern)
        merging = location.level.in_force("merge_slashes")
        if odd == "slashes" and isinstance(merging, Unknown):
            return Unsure(site, merging.why)
        if odd and not (odd == "slashes" and isinstance(merging, Known) and merging.value.lines):
            return Fail(site, values, cause=odd)
    taken = _taken_by(server, location)
    if taken is not None:
        step = Step(taken.level.place, f"{taken.title} answers instead")
        cause = "same" if taken.is_regex and location.is_regex and taken.pattern == location.pattern else ""
        return Fail(site, {**values, "by": taken.title}, cause=cause, related=(step,))
    return Pass(site)


def _returned(server: Server) -> Line | None:
    """The server's own unconditional `return`, or its redirect of every path."""
    if any(block.lines.get("break") for block in server.level.inside("if")) or server.level.lines.get("break"):
        return None
    lines = [line for line in server.level.lines.get("return", []) if line.words]
    lines += [line for line in server.level.lines.get("rewrite", []) if _redirects_all(line)]
    return lines[0] if lines and not lines[0].maybe else None


def _redirects_all(line: Line) -> bool:
    words = [word.text for word in line.words]
    away = words[1:2] != [] and words[1].startswith(("http://", "https://", "$scheme://"))
    return bool(words) and words[0] in _EVERYTHING and (away or words[2:3] in (["permanent"], ["redirect"]))


def _never_a_path(pattern: str) -> str:
    """Why no decoded path is or begins with `pattern`; "" where one may."""
    if pattern.startswith("^"):
        return "no-tilde"
    if not pattern.startswith("/"):
        return "no-slash"
    if "?" in pattern:
        return "query"
    if _ENCODED.search(pattern):
        return "encoded"
    return "slashes" if "//" in pattern else ""


def _taken_by(server: Server, location: Location) -> Location | None:
    """The expression that comes first for every path of `location`."""
    siblings = location.parent.locations if location.parent is not None else server.locations
    if location.modifier in ("=", "^~"):
        return None
    if location.is_regex:
        earlier = siblings[: siblings.index(location)]
        return next((other for other in earlier if other.is_regex and _covers_regex(other, location)), None)
    if location.locations:
        return None
    return next((other for other in siblings if other.is_regex and _covers_prefix(other, location.pattern)), None)


def _usable(other: Location) -> bool:
    return not other.hole and not other.level.maybe


def _covers_regex(other: Location, location: Location) -> bool:
    if not _usable(other):
        return False
    same_case = other.modifier == "~*" or location.modifier == "~"
    if other.pattern == location.pattern:
        return same_case
    if other.pattern in _EVERYTHING:
        return True
    first, second = expression(other.pattern), expression(location.pattern)
    if not (isinstance(first, Known) and isinstance(second, Known) and first.value.is_literal):
        return False
    return same_case and _begins(second.value.literal, first.value.literal, other.modifier)


def _covers_prefix(other: Location, prefix: str) -> bool:
    if not _usable(other):
        return False
    if other.pattern in _EVERYTHING:
        return True
    told = expression(other.pattern)
    return isinstance(told, Known) and told.value.is_literal and _begins(prefix, told.value.literal, other.modifier)


def _begins(prefix: str, literal: str, modifier: str) -> bool:
    if not literal:
        return False
    return prefix.lower().startswith(literal.lower()) if modifier == "~*" else prefix.startswith(literal)
