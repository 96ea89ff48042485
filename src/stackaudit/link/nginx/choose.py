"""Which location answers a path, and which file it is."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Location, Server, server_gap
from stackaudit.model.values import Known, Unknown, Value

_INLINE = re.compile(r"\(\?<([A-Za-z_]\w*)>")
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{\d+,\d*\})")


@dataclass(frozen=True)
class Choice:
    """The level that answers: a location, or the server itself where no location matches."""

    level: Level
    location: Location | None
    match: re.Match[str] | None = None


def choose(server: Server, path: str) -> Value[Choice]:
    """What answers `path` (decoded, starting with a slash) once the server's own rewrites are done.

    Unknown where a template, a missing include or an expression that Python cannot read could decide otherwise.
    """
    found = _among(server.locations, path)
    if isinstance(found, Unknown):
        return found
    location, match, _ = found.value
    gap = server_gap(server)
    if gap is not None and (location is None or location.pattern == "/"):
        return Unknown(gap.why, (gap.place,))
    return Known(Choice(location.level if location else server.level, location, match))


_Found: TypeAlias = "tuple[Location | None, re.Match[str] | None, bool]"
"""A location, what its expression matched, and whether no expression of an outer level can take it away."""


def _among(locations: list[Location], path: str) -> Value[_Found]:
    best: Location | None = None
    for location in locations:
        if location.modifier == "@":
            continue
        if location.level.maybe or location.hole:
            if not location.is_regex and not location.hole and not path.startswith(location.pattern):
                continue
            reason = location.level.maybe or location.hole
            return Unknown(f"{location.title} depends on {reason} of the template", (location.level.place,))
        if location.modifier == "=" and location.pattern == path:
            return Known((location, None, True))
        is_prefix = location.modifier in ("", "^~") and path.startswith(location.pattern)
        if is_prefix and (best is None or len(location.pattern) > len(best.pattern)):
            best = location
    result: _Found = (best, None, False)
    if best is not None and best.locations:
        inner = _among(best.locations, path)
        if isinstance(inner, Unknown) or inner.value[2]:
            return inner
        if inner.value[0] is not None:
            result = inner.value
    if best is not None and best.modifier == "^~":
        return Known(result)
    for location in locations:
        if not location.is_regex:
            continue
        expression = compiled(location.pattern, ignore_case=location.modifier == "~*")
        if isinstance(expression, Unknown):
            return expression
        match = expression.value.search(path)
        if match is not None:
            inner = _among(location.locations, path)
            if isinstance(inner, Unknown):
                return inner
            nested, nested_match, _ = inner.value
            return Known((nested, nested_match, True) if nested is not None else (location, match, True))
    return Known(result)


@lru_cache(maxsize=2048)
def compiled(pattern: str, *, ignore_case: bool) -> Value[re.Pattern[str]]:
    """A PCRE pattern as Python's; Unknown where Python cannot read it or might need very long for it."""
    text = _INLINE.sub(r"(?P<\1>", pattern)
    if len(text) > 1000 or _REPEATED_GROUP.search(text):
        return Unknown(f"the regular expression {pattern!r} is too involved to follow")
    try:
        return Known(re.compile(text, re.IGNORECASE if ignore_case else 0))
    except (re.error, RecursionError, OverflowError):
        return Unknown(f"the regular expression {pattern!r} is not one that can be followed")


def file_of(choice: Choice, path: str) -> Value[str]:
    """The file that nginx would open for `path`, where the choice serves files. Relative paths start at its prefix."""
    level = choice.level
    for outer in level.outward():
        for name in ("alias", "root"):
            lines = outer.lines.get(name)
            if lines:
                text = lines[-1].text(0)
                if isinstance(text, Unknown):
                    return text
                if name == "root":
                    return _plain(text.value.rstrip("/") + path)
                return _aliased(outer, choice, text.value, path)
        gap = outer.gap_for("root")
        if gap is not None:
            return Unknown(gap.why, (gap.place,))
    return Known("html" + path)


def _aliased(outer: Level, choice: Choice, alias: str, path: str) -> Value[str]:
    location = choice.location
    while location is not None and location.level is not outer:
        location = location.parent
    if location is None:
        return Unknown("alias stands outside of a location")
    if not location.is_regex:
        return _plain(alias + path[len(location.pattern) :])
    match = choice.match if choice.location is location else None
    if match is None:
        return Unknown(f"{location.title} maps names by its expression")
    result = alias
    for index, group in enumerate(match.groups(), 1):
        result = result.replace(f"${index}", group or "")
    for name, group in match.groupdict().items():
        result = result.replace(f"${{{name}}}", group or "").replace(f"${name}", group or "")
    return _plain(result)


def _plain(path: str) -> Value[str]:
    if "$" in path:
        return Unknown(f"the path {path} holds a variable")
    return Known(posixpath.normpath(path))
