"""systemd units -> commands and options (systemd.syntax(7), systemd.service(5))."""

from __future__ import annotations

from stackaudit.facts.commands import Command, Text, Variable, Word
from stackaudit.facts.files import Note
from stackaudit.facts.services import Option, Unit
from stackaudit.lower import shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.lower.sections import Pair, pairs
from stackaudit.lower.shellwords import filled, words

PREFIXES = "-@:+!|"


def lower(data: bytes, path: str) -> Unit:
    """A unit file or a drop-in. Raises UnreadableError for what is no text."""
    text = decode(data)
    notes: list[Note] = []
    options: list[Option] = []
    commands: list[Command] = []
    environment: list[Variable] = []
    env_files: list[Word] = []
    source = Located(masked(text).text, line_starts(text))
    for pair in pairs(source, comments="#;", continued="backslash", notes=notes):
        value = word_of(pair.value, "none")
        options.append(Option(pair.section, pair.key, value))
        if pair.section != "Service":
            continue
        match pair.key:
            case "ExecStart":
                if not value.text:
                    commands.clear()
                commands.extend(command for command in started(pair) if command.steps)
            case "Environment":
                if not value.text:
                    environment.clear()
                environment.extend(variables(pair.value))
            case "EnvironmentFile":
                if not value.text:
                    env_files.clear()
                else:
                    env_files.append(value)
    return Unit(tuple(options), tuple(commands), tuple(environment), tuple(env_files), tuple(notes))


def word_of(value: Located, style: str) -> Word:
    """A whole value as one word."""
    text: Text = filled(value.text, style)
    return Word(text.text, text.holes, value.region(0, len(value.text)))


def variables(value: Located) -> list[Variable]:
    """The assignments of `Environment=`."""
    found = []
    for word in words(value, "none"):
        name, sign, _ = word.text.partition("=")
        if sign:
            found.append(Variable(name, Text(word.text[len(name) + 1 :], ()), word.region))
    return found


def started(pair: Pair) -> list[Command]:
    """The commands of one `ExecStart=`: a lone `;` separates several."""
    groups: list[list[Word]] = [[]]
    for word in words(pair.value, "systemd"):
        if word.text == ";":
            groups.append([])
        else:
            groups[-1].append(word)
    found = []
    for group in groups:
        if not group:
            continue
        first = group[0]
        bare = first.text.lstrip(PREFIXES)
        taken = len(first.text) - len(bare)
        holes = tuple(
            type(hole)(hole.start - taken, hole.end - taken, hole.name, hole.default, hole.splits)
            for hole in first.holes
            if hole.start >= taken
        )
        region = first.region
        if taken and region.line == region.end_line:
            region = type(region)(region.line, region.column + taken, region.end_line, region.end_column)
        rest = group[1:]
        if "@" in first.text[:taken]:
            rest = rest[1:]
        found.append(shell.vector((Word(bare, holes, region), *rest), pair.value))
    return found
