"""pgbouncer.ini -> directives (libusual's cfparser: sections, `key = value` to the end of the line)."""

from __future__ import annotations

from stackaudit.facts.daemons import Daemon, Directive
from stackaudit.facts.files import Note
from stackaudit.lower.daemons import lines, refers


def lower(data: bytes, path: str) -> Daemon:
    """The directives of a pgbouncer.ini. Raises UnreadableError for what is no text."""
    directives: list[Directive] = []
    notes: list[Note] = []
    section = ""
    for line in lines(data, "#;"):
        text = line.text
        if text.startswith("["):
            section = text[1:].partition("]")[0].strip()
        elif text.startswith("%include"):
            target = text.removeprefix("%include").strip()
            directives.append(Directive("%include", (target,), line.region, section, refers(target)))
        elif "=" in text:
            name, _, value = (part.strip() for part in text.partition("="))
            directives.append(Directive(name, (value,), line.region, section, refers(value)))
        else:
            notes.append(Note("not a line `key = value`", line.number))
    return Daemon(tuple(directives), tuple(notes[:5]))
