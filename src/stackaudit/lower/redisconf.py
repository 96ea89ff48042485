"""redis.conf (and those of Valkey and KeyDB) -> directives (config.c and sds.c of Redis: words with quotes)."""

from __future__ import annotations

import re

from stackaudit.facts.daemons import Daemon, Directive
from stackaudit.facts.files import Note
from stackaudit.lower.daemons import lines, refers

_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)""")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}


def lower(data: bytes, path: str) -> Daemon:
    """The directives of a redis.conf. Raises UnreadableError for what is no text."""
    directives: list[Directive] = []
    notes: list[Note] = []
    for line in lines(data, "#"):
        words = split(line.text)
        if not words:
            notes.append(Note("quotes that do not close", line.number))
            continue
        name, *values = words
        directives.append(
            Directive(name.lower(), tuple(values), line.region, refers=any(refers(value) for value in values))
        )
    return Daemon(tuple(directives), tuple(notes[:5]))


def split(text: str) -> list[str]:
    """The words of a line; none where a quote does not close. A `#` behind a value is a word like any other."""
    found: list[str] = []
    index = 0
    while text[index:].strip():
        match = _WORD.match(text, index)
        if match is None:
            return []
        index = match.end()
        double, single, bare = match.groups()
        if double is not None:
            found.append(re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), double))
        else:
            found.append(bare if bare is not None else single.replace("\\'", "'"))
    return found
