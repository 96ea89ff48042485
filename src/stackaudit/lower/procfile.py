"""Procfile -> entries."""

from __future__ import annotations

import re

from stackaudit.facts.commands import Entry, Procfile
from stackaudit.facts.files import Note
from stackaudit.lower import shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.model.source import Region

_ENTRY = re.compile(r"([A-Za-z0-9_-]+):[ \t]*(.*\S)?")


def lower(data: bytes, path: str) -> Procfile:
    """The process types of a Procfile; their commands are shell command lines. Raises UnreadableError."""
    text = decode(data)
    mask = masked(text)
    source = Located(mask.text, line_starts(text))
    entries: list[Entry] = []
    notes: list[Note] = []
    offset = 0
    for number, line in enumerate(mask.text.split("\n"), 1):
        start, offset = offset, offset + len(line) + 1
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        match = _ENTRY.match(line, indent)
        if match is None or not match.group(2):
            notes.append(Note("not a line `name: command`", number))
            continue
        command = shell.command(source.part(start + match.start(2), start + match.end(2)), mask)
        name_end = indent + len(match.group(1))
        entries.append(Entry(match.group(1), command, Region(number, indent + 1, number, name_end + 1)))
    return Procfile(tuple(entries), tuple(notes))
