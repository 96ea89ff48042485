"""Files of `[section]`s with `key = value` lines: systemd units, supervisor and uWSGI configurations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts.files import Note
from stackaudit.lower.located import Located


@dataclass(frozen=True, slots=True)
class Pair:
    """One option; `value` is located, with continued lines joined by blanks of the same length."""

    section: str
    key: str
    value: Located
    line: int


def pairs(source: Located, *, comments: str, continued: str, notes: list[Note]) -> Iterator[Pair]:
    """The options in order.

    `comments` are the characters that begin a comment line. `continued` tells how a value goes on: "backslash"
    (systemd: a line that ends with a backslash), "indent" (supervisor: indented lines) or "none".
    """
    lines = source.text.split("\n")
    section, index, offset = "", 0, 0
    while index < len(lines):
        number, start, line = index + 1, offset, lines[index]
        index, offset = index + 1, offset + len(line) + 1
        stripped = line.strip()
        if not stripped or stripped[0] in comments:
            continue
        if stripped.startswith("[") and "]" in stripped:
            section = stripped[1 : stripped.index("]")].strip()
            continue
        sign = line.find("=")
        if sign < 0:
            if continued == "none":
                yield Pair(section, stripped, source.part(start + len(line), start + len(line)), number)
            else:
                notes.append(Note("not a line `key = value`", number))
            continue
        pieces = [line[sign + 1 :]]
        if continued == "backslash":
            while pieces[-1].rstrip("\r").endswith("\\") and index < len(lines):
                tail = len(pieces[-1]) - len(pieces[-1].rstrip("\r"))
                pieces[-1] = pieces[-1].rstrip("\r")[:-1] + " " * (1 + tail)
                following = lines[index]
                index, offset = index + 1, offset + len(following) + 1
                while following.strip()[:1] in tuple(comments) and index < len(lines):
                    pieces.append(" " * len(following))
                    following = lines[index]
                    index, offset = index + 1, offset + len(following) + 1
                pieces.append(following)
            joined = " ".join(pieces)
        elif continued == "indent":
            while index < len(lines) and lines[index][:1] in (" ", "\t") and lines[index].strip():
                following = lines[index]
                index, offset = index + 1, offset + len(following) + 1
                pieces.append(" " * len(following) if following.strip()[0] in comments else following)
            joined = "\n".join(pieces)
        else:
            joined = pieces[0]
        lead = len(joined) - len(joined.lstrip())
        begin = start + sign + 1 + lead
        value = joined[lead:].rstrip()
        yield Pair(section, line[:sign].strip(), source.part(begin, begin + len(value), value), number)
