"""Reads .env files as python-dotenv, django-environ and compose agree on: NAME=value, quotes, comments, `export`."""

from __future__ import annotations

import re

from stackaudit.facts.dotenv import Dotenv, Entry
from stackaudit.facts.files import Note
from stackaudit.lower.located import decode
from stackaudit.model.source import Region

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*")
_REFERS = re.compile(r"\$\{|\$[A-Za-z_(]|\{\{|<%|`")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "'": "'"}


def lower(data: bytes, path: str) -> Dotenv:
    """The entries of a .env file. Raises UnreadableError for what is no text."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    entries: list[Entry] = []
    notes: list[Note] = []
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        found = _NAME.match(line)
        if found is None:
            stripped = line.strip()
            if stripped and not stripped.startswith(("#", "{%", "{#")) and "=" not in stripped:
                notes.append(Note("a line that sets nothing was passed over", index + 1))
            index += 1
            continue
        rest = line[found.end() :]
        value, refers, last, column = _value(rest, lines, index, found.end())
        region = Region(index + 1, found.start(1) + 1, last + 1, column + 1)
        entries.append(Entry(found[1], value, region, refers))
        index = last + 1
    return Dotenv(tuple(entries), tuple(notes[:5]))


def _value(rest: str, lines: list[str], line: int, column: int) -> tuple[str, bool, int, int]:
    """The value that starts at `rest`: its text, whether it refers elsewhere, its last line and its end there."""
    quote = rest[:1]
    if quote in ("'", '"') and quote:
        body: list[str] = []
        at, index = 1, line
        current, shift = rest, column
        while True:
            while at < len(current):
                char = current[at]
                if char == "\\" and quote == '"' and at + 1 < len(current):
                    body.append(_ESCAPES.get(current[at + 1], "\\" + current[at + 1]))
                    at += 2
                    continue
                if char == quote:
                    text = "".join(body)
                    refers = (quote == '"' and bool(_REFERS.search(text))) or "{{" in text
                    return text, refers, index, shift + at + 1
                body.append(char)
                at += 1
            if index + 1 >= len(lines) or index - line > 200:
                break
            index, at, shift = index + 1, 0, 0
            current = lines[index]
            body.append("\n")
    text = re.split(r"[ \t]#|^#", rest, maxsplit=1)[0].rstrip()
    return text, bool(_REFERS.search(text)), line, column + len(text)
