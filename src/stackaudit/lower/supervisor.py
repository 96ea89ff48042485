"""Supervisor configurations -> programs (http://supervisord.org/configuration.html)."""

from __future__ import annotations

import re

from stackaudit.facts.commands import Command, Hole, Text, Variable, Word
from stackaudit.facts.files import Note
from stackaudit.facts.services import Program, Supervisor
from stackaudit.lower import shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.lower.sections import Pair, pairs
from stackaudit.lower.shellwords import words
from stackaudit.model.source import Region

_COMMENT = re.compile(r"[ \t];.*")
_EXPANSION = re.compile(r"%\((\w+)\)[sd]")


def lower(data: bytes, path: str) -> Supervisor:
    """The `[program:x]` sections. Raises UnreadableError for what is no text."""
    text = decode(data)
    notes: list[Note] = []
    source = Located(masked(text).text, line_starts(text))
    groups: dict[str, list[Pair]] = {}
    for pair in pairs(source, comments="#;", continued="indent", notes=notes):
        kind, _, name = pair.section.partition(":")
        if kind == "program" and name:
            groups.setdefault(name.strip(), []).append(pair)
    return Supervisor(tuple(program(name, group) for name, group in groups.items()), tuple(notes))


def program(name: str, group: list[Pair]) -> Program:
    """One program from its options; the last of equal keys counts."""
    command: Command | None = None
    environment: tuple[Variable, ...] = ()
    options: dict[str, Word] = {}
    for pair in group:
        value = uncommented(pair.value)
        if pair.key == "command":
            command = shell.vector(tuple(expanded(word) for word in words(value, "none")), value)
        elif pair.key == "environment":
            environment = variables(value)
        options[pair.key] = expanded(Word(value.text, (), value.region(0, len(value.text))))
    first = group[0].value
    line = first.region(0, 0).line
    return Program(name, Region(line, 1, line, 1), command, environment, options)


def uncommented(value: Located) -> Located:
    """The value without inline comments, which begin with a blank and a semicolon."""
    text = _COMMENT.sub(lambda match: " " * len(match.group()), value.text)
    return value.part(0, len(text), text).part(0, len(text.rstrip()))


def expanded(word: Word) -> Word:
    """`%(ENV_NAME)s` as the hole NAME; other expansions as open holes."""
    if "%" not in word.text:
        return word
    holes = list(word.holes)
    for match in _EXPANSION.finditer(word.text):
        name = match.group(1)
        holes.append(Hole(match.start(), match.end(), name[4:] if name.startswith("ENV_") else "", None))
    return Word(word.text.replace("%%", "%") if not holes else word.text, tuple(holes), word.region)


def variables(value: Located) -> tuple[Variable, ...]:
    """`A="b",C=d` as variables."""
    found = []
    for word in words(value.part(0, len(value.text), blank_commas(value.text)), "none"):
        name, sign, rest = word.text.partition("=")
        if sign:
            text = expanded(Word(rest, (), word.region))
            found.append(Variable(name, Text(text.text, text.holes), word.region))
    return tuple(found)


def blank_commas(text: str) -> str:
    """`text` with blanks for the commas outside quotes."""
    quote, parts = "", []
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        parts.append(" " if char == "," and not quote else char)
    return "".join(parts)
