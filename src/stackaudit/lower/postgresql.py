"""postgresql.conf -> directives (guc-file.l: `name [=] value [# comment]`, names in any case)."""

from __future__ import annotations

import re

from stackaudit.facts.daemons import Daemon, Directive
from stackaudit.facts.files import Note
from stackaudit.lower.daemons import lines, refers
from stackaudit.lower.located import HOLE

_LINE = re.compile(
    rf"([A-Za-z_][\w$.]*)\s*=?\s*(?:'((?:[^'\\]|\\.|'')*)'|([^\s#'=][^\s#']*|{HOLE}+\w*))?\s*(?:\#.*)?", re.DOTALL
)
_ESCAPE = re.compile(r"''|\\(.)")


def lower(data: bytes, path: str) -> Daemon:
    """The directives of a postgresql.conf. Raises UnreadableError for what is no text."""
    directives: list[Directive] = []
    notes: list[Note] = []
    for line in lines(data, "#"):
        found = _LINE.fullmatch(line.text)
        if found is None or (found[2] is None and found[3] is None):
            notes.append(Note("not a line `name = value`", line.number))
            continue
        value = _ESCAPE.sub(lambda match: match[1] or "'", found[2]) if found[2] is not None else found[3]
        directives.append(Directive(found[1].lower(), (value,), line.region, refers=refers(value)))
    return Daemon(tuple(directives), tuple(notes[:5]))
