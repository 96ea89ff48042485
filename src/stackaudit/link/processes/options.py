"""Command-line options: how a server's own parser reads its arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from stackaudit.facts.commands import Step
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

Takes: TypeAlias = Literal["value", "flag", "off", "append", "optional"]
Type: TypeAlias = Literal["text", "int", "bool", "list", "names", "dict", "hook"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option. `takes` tells how the command line gives it: "off" is a flag that sets False.

    `type` tells what a configuration file or the command line makes of its value; `default` is that of the
    program, `const` what a flag gives that stands without its optional value.
    """

    name: str
    flags: tuple[str, ...]
    takes: Takes = "value"
    type: Type = "text"
    default: Any = None
    const: Any = True


@dataclass(frozen=True, slots=True)
class Argument:
    """One word of an argument vector after variables are replaced, with its place.

    `inner` are the steps of a text that `sh -c` runs. `around` is what stands before and after the first thing that is
    not known, where the word is more than that: ("--bind=0.0.0.0:", ""), ("", ".wsgi"); `written` is all of it.
    """

    value: Value[str]
    place: Place
    inner: tuple[Step, ...] = ()
    around: tuple[str, str] = ("", "")
    written: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gives a setting; `source` says who ("the command line", "gunicorn.conf.py")."""

    value: AnyValue
    place: Place
    source: str


@dataclass
class Parsed:
    """What a command line says. `open` is why there may be more options than those seen ("" where not)."""

    options: dict[str, list[Given]] = field(default_factory=dict)
    positional: list[Argument] = field(default_factory=list)
    unknown: list[Argument] = field(default_factory=list)
    open: str = ""


def parse(
    arguments: Sequence[Argument], options: Sequence[Option], source: str, *, prefixes: bool, stop: bool = False
) -> Parsed:
    """Reads `arguments`. `prefixes`: a unique beginning of a long flag stands for it (argparse); `stop`: options end
    at the first positional argument.
    """
    table = {flag: option for option in options for flag in option.flags}
    parsed = Parsed()
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        value = argument.value
        if isinstance(value, Unknown):
            _unknown(argument, value, table, parsed, source)
            continue
        text = value.value
        if text == "--":
            parsed.positional += arguments[index:]
            break
        if not text.startswith("-") or text == "-":
            parsed.positional.append(argument)
            if stop:
                parsed.positional += arguments[index:]
                break
            continue
        option, attached = find(text, table, prefixes)
        if option is None:
            parsed.unknown.append(argument)
            continue
        given: AnyValue
        if option.takes in ("flag", "off") or (option.takes == "optional" and attached is None):
            given = Known(option.const if option.takes != "off" else False, (argument.place,))
        elif attached is not None:
            given = Known(attached, (argument.place,), value.note)
        elif index < len(arguments):
            follows = arguments[index]
            index += 1
            given = follows.value
            if isinstance(given, Known):
                given = Known(given.value, (argument.place, *given.places), given.note)
        else:
            given = Unknown(f"{text} is given no value", (argument.place,))
        parsed.options.setdefault(option.name, []).append(Given(given, argument.place, source))
    return parsed


def _unknown(argument: Argument, value: Unknown, table: dict[str, Option], parsed: Parsed, source: str) -> None:
    """Notes a word that is not known: the value of an option that is named, an argument, or anything."""
    before, after = argument.around
    name, sign, _ = before.partition("=")
    option = table.get(name if sign else before[:2]) if before.startswith("-") else None
    if option is not None and option.takes in ("value", "append") and (sign or not before.startswith("--")):
        parsed.options.setdefault(option.name, []).append(Given(value, argument.place, source))
    elif not before.startswith("-") and re.search(r"\w", before + after):
        parsed.positional.append(argument)
    else:
        parsed.open = parsed.open or value.why


def find(text: str, table: dict[str, Option], prefixes: bool) -> tuple[Option | None, str | None]:
    """The option that a word beginning with `-` names, and the value attached to it."""
    if text in table:
        return table[text], None
    name, sign, rest = text.partition("=")
    if sign and name in table:
        return table[name], rest
    if prefixes and text.startswith("--"):
        near = {id(option): option for flag, option in table.items() if flag.startswith(name)}
        if len(near) == 1:
            return next(iter(near.values())), rest if sign else None
    if not text.startswith("--") and text[:2] in table:
        option = table[text[:2]]
        if option.takes in ("value", "append"):
            return option, text[2:]
        if all(f"-{char}" in table for char in text[1:]):
            return option, None
    return None, None
