"""Crontabs -> the commands of their lines."""

from __future__ import annotations

import re

from stackaudit.facts.commands import Script, Step
from stackaudit.lower import shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked

_FIELD = r"[\d*/,\-A-Za-z~?L#]+"
_LINE = re.compile(rf"[ \t]*(?:@[a-z]+|{_FIELD}(?:[ \t]+{_FIELD}){{4}})[ \t]+(\S.*)")
"""Five fields or a word say when. What follows is the command, in a system's crontab behind a user."""


def lower(data: bytes, path: str) -> Script:
    """The steps that a crontab starts; lines that only assign variables start none. Raises UnreadableError."""
    text = decode(data)
    mask = masked(text)
    source = Located(mask.text, line_starts(text))
    steps: list[Step] = []
    offset = 0
    for line in mask.text.split("\n"):
        match = None if line.lstrip().startswith("#") else _LINE.fullmatch(line.rstrip())
        if match is not None:
            steps += shell.command(source.part(offset + match.start(1), offset + match.end(1)), mask).steps
        offset += len(line) + 1
    return Script(tuple(steps))
