"""What starts a process: command lines, with what only a run can tell left open as holes.

Every kind of file that starts something (Procfile, systemd unit, Dockerfile, compose file, supervisor, shell script)
holds its commands in this form.
"""

from __future__ import annotations

import msgspec

from stackaudit.facts.files import Note
from stackaudit.facts.nginx import Inline
from stackaudit.model.source import Region

ARGUMENTS = "@"
"""The name of the hole `"$@"`, `$*`: the arguments of the script."""

OPEN = ""
"""The name of a hole that no variable fills: `$(command)`, `{{ cookiecutter.name }}`, arithmetic."""


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of `Text.text`, from `start` up to `end`, that a variable replaces.

    `default` stands in where the variable is unset (or empty); None: there is no default. `splits`: the value falls
    apart into several words at blanks (an unquoted `$NAME` of a shell). `alternative` marks `${NAME:+default}`, which
    uses `default` where the variable is set.
    """

    start: int
    end: int
    name: str
    default: Text | None
    splits: bool = False
    alternative: bool = False


class Text(msgspec.Struct, frozen=True, array_like=True):
    """A piece of text after quotes and escapes are taken away; `holes` in order, each with its source inside `text`."""

    text: str
    holes: tuple[Hole, ...]


class Word(Text, frozen=True, array_like=True):
    """One word of a command line, or one value, and where it stands (with its quotes)."""

    region: Region


class Variable(msgspec.Struct, frozen=True, array_like=True):
    """`NAME=value`; a value of None passes the variable through from outside (`environment: [NAME]`)."""

    name: str
    value: Text | None
    region: Region
    exported: bool = True


class Condition(msgspec.Struct, frozen=True, array_like=True):
    """Something a command depends on.

    `words` is the command that is tested (`[`, `"$1"`, `=`, `gunicorn`, `]`), or with `patterns` the one word of a
    `case`. Empty `words`: only `text` is there, for people (a loop, a template's `{% if %}`).
    """

    text: str
    words: tuple[Word, ...] = ()
    negated: bool = False
    patterns: tuple[Text, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """One simple command of a command line or a script, in the order of the text.

    No `words`: the step only assigns. `replaces`: it was written with `exec`. `function`: it stands in the body of that
    function and runs where the function is called. `inner`: the steps of the text given to `sh -c`.
    """

    words: tuple[Word, ...]
    region: Region
    assigns: tuple[Variable, ...] = ()
    conditions: tuple[Condition, ...] = ()
    replaces: bool = False
    background: bool = False
    piped: bool = False
    function: str = ""
    inner: tuple[Step, ...] = ()


class Command(msgspec.Struct, frozen=True):
    """A command line; `shell` tells that a shell runs it (then `steps` may be many), else it is one argument vector."""

    steps: tuple[Step, ...]
    shell: bool
    region: Region


class Entry(msgspec.Struct, frozen=True):
    """One line of a Procfile."""

    name: str
    command: Command
    region: Region


class Procfile(msgspec.Struct, frozen=True):
    """A Procfile, line by line."""

    entries: tuple[Entry, ...]
    notes: tuple[Note, ...] = ()


class Script(msgspec.Struct, frozen=True):
    """A shell script. `interpreter` is the program of its first line ("/bin/bash", "" where there is none).

    `nginx` are configurations that it writes with here-documents.
    """

    steps: tuple[Step, ...]
    interpreter: str = ""
    notes: tuple[Note, ...] = ()
    nginx: tuple[Inline, ...] = ()
