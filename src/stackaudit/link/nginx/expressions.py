"""Which characters the parts of a PCRE expression can match: its groups, and the whole of it where it is anchored."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from stackaudit.model.values import Known, Unknown, Value

Alphabet: TypeAlias = frozenset[str]

BEYOND = "\x80"
"""Stands for every character beyond ASCII."""

EVERY: Alphabet = frozenset(chr(code) for code in range(1, 128)) | {BEYOND}
"""All that a decoded path can hold: nginx refuses NUL."""

DOT = EVERY - {"\n"}
"""What `.` matches in PCRE as nginx compiles it: a bare CR, but no LF."""

_WORD = frozenset(string.ascii_letters + string.digits + "_")
_DIGIT = frozenset(string.digits)
_SPACE = frozenset(" \t\n\r\v\f")
_CLASSES: dict[str, Alphabet] = {
    "d": _DIGIT, "D": EVERY - _DIGIT, "w": _WORD, "W": EVERY - _WORD, "s": _SPACE, "S": EVERY - _SPACE,
    "h": frozenset(" \t"), "H": EVERY - frozenset(" \t"), "N": DOT, "R": frozenset("\r\n\v\f"),
    "v": frozenset("\n\r\v\f"), "V": EVERY - frozenset("\n\r\v\f"),
}  # fmt: skip
_POSIX: dict[str, Alphabet] = {
    "alpha": frozenset(string.ascii_letters), "digit": _DIGIT, "alnum": frozenset(string.ascii_letters + string.digits),
    "lower": frozenset(string.ascii_lowercase), "upper": frozenset(string.ascii_uppercase), "space": _SPACE,
    "xdigit": frozenset(string.hexdigits), "word": _WORD, "punct": frozenset(string.punctuation),
}  # fmt: skip
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_NAMED = re.compile(r"\?P?<([A-Za-z_]\w*)>|\?'([A-Za-z_]\w*)'")
_PLAIN_GROUP = re.compile(r"\?(?:[:>|]|[a-z]*(?:-[a-z]+)?:)")
_LOOK = re.compile(r"\?<?[=!]")
_COUNT = re.compile(r"\{\d+(?:,\d*)?\}")
_HEX = re.compile(r"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Expression:
    """`groups` by number and by name; `whole` is what the subject can hold, None where the expression leaves ends open.

    `literal` is the text that every match begins with at the start of the subject, "" where it is not anchored or
    begins with anything else; `is_literal` says that nothing else follows.
    """

    groups: dict[str, Alphabet]
    whole: Alphabet | None
    literal: str = ""
    is_literal: bool = False


@lru_cache(maxsize=2048)
def expression(pattern: str) -> Value[Expression]:
    """What `pattern` can match. Unknown for what is not understood (conditions, recursion, broken expressions)."""
    try:
        reader = _Reader(pattern)
        everything = reader.alternatives()
        if reader.at < len(pattern):
            raise _OddError
    except (_OddError, IndexError, RecursionError):
        return Unknown(f"the regular expression {pattern!r} is not one that can be followed")
    split = reader.splits_at_top
    begins = pattern.startswith(("^", "\\A")) and not split
    ends = pattern.endswith(("$", "\\z", "\\Z")) and not pattern.endswith("\\$") and not split
    literal, complete = _literal(pattern) if begins else ("", False)
    whole = everything if begins and ends else None
    return Known(Expression(reader.groups, whole, literal, complete))


class _OddError(Exception):
    """Something that the reader does not know."""


@dataclass
class _Reader:
    pattern: str
    at: int = 0
    groups: dict[str, Alphabet] = field(default_factory=dict)
    count: int = 0
    depth: int = 0
    splits_at_top: bool = False
    dot: Alphabet = DOT

    def alternatives(self) -> Alphabet:
        found: Alphabet = frozenset()
        while True:
            found |= self._sequence()
            if self.pattern[self.at : self.at + 1] != "|":
                return found
            self.splits_at_top |= self.depth == 0
            self.at += 1

    def _sequence(self) -> Alphabet:
        found: Alphabet = frozenset()
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            found |= self._atom()
            self._quantifier()
        return found

    def _quantifier(self) -> None:
        match = _COUNT.match(self.pattern, self.at)
        if match is not None:
            self.at = match.end()
        elif self.pattern[self.at : self.at + 1] in ("*", "+", "?") and self.at < len(self.pattern):
            self.at += 1
        else:
            return
        if self.pattern[self.at : self.at + 1] in ("?", "+"):
            self.at += 1

    def _atom(self) -> Alphabet:
        char = self.pattern[self.at]
        self.at += 1
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape()
        if char == ".":
            return self.dot
        return frozenset() if char in "^$" else frozenset({char if ord(char) < 128 else BEYOND})

    def _group(self) -> Alphabet:
        names: list[str] = []
        flags = re.compile(r"\?([a-z]+)(?:-[a-z]+)?\)").match(self.pattern, self.at)
        if flags is not None:
            self.at = flags.end()
            if "s" in flags[1]:
                self.dot = EVERY
            return frozenset()
        look = _LOOK.match(self.pattern, self.at)
        named = _NAMED.match(self.pattern, self.at)
        plain = _PLAIN_GROUP.match(self.pattern, self.at)
        if look is not None and named is None:
            self.at = look.end()
        elif plain is not None:
            self.at = plain.end()
            if "s" in plain[0].partition("-")[0]:
                self.dot = EVERY
        elif self.pattern[self.at] == "?" and named is None:
            raise _OddError
        else:
            self.count += 1
            names.append(str(self.count))
            if named is not None:
                self.at = named.end()
                names.append(named[1] or named[2])
        self.depth += 1
        found = self.alternatives()
        self.depth -= 1
        if self.pattern[self.at] != ")":
            raise _OddError
        self.at += 1
        for name in names:
            self.groups[name] = self.groups.get(name, frozenset()) | found
        return frozenset() if look is not None and named is None else found

    def _escape(self) -> Alphabet:
        char = self.pattern[self.at]
        hexadecimal = _HEX.match(self.pattern, self.at)
        if hexadecimal is not None:
            self.at = hexadecimal.end()
            code = int(hexadecimal[1] or hexadecimal[2], 16)
            return frozenset({chr(code) if code < 128 else BEYOND})
        self.at += 1
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _CONTROL:
            return frozenset({_CONTROL[char]})
        if char in "AzZbBGK":
            return frozenset()
        if char.isalnum():
            raise _OddError
        return frozenset({char if ord(char) < 128 else BEYOND})

    def _set(self) -> Alphabet:
        negated = self.pattern[self.at] == "^"
        self.at += negated
        found: set[str] = set()
        first = True
        while self.pattern[self.at] != "]" or first:
            first = False
            posix = re.compile(r"\[:(\^?)(\w+):\]").match(self.pattern, self.at)
            if posix is not None:
                self.at = posix.end()
                members = _POSIX.get(posix[2])
                if members is None:
                    raise _OddError
                found |= EVERY - members if posix[1] else members
                continue
            low = self._member()
            if self.pattern[self.at] == "-" and self.pattern[self.at + 1] != "]" and len(low) == 1:
                self.at += 1
                high = self._member()
                start, end = ord(next(iter(low))), ord(next(iter(high)))
                found |= {chr(code) for code in range(start, min(end, 128) + 1)}
            else:
                found |= low
        self.at += 1
        return EVERY - found if negated else frozenset(found)

    def _member(self) -> Alphabet:
        char = self.pattern[self.at]
        self.at += 1
        if char == "\\":
            if self.pattern[self.at] == "b":
                self.at += 1
                return frozenset({"\b"})
            return self._escape()
        return frozenset({char if ord(char) < 128 else BEYOND})


_LITERAL_STEP = re.compile(r"\\([^A-Za-z0-9])|([^\\.^$*+?()\[\]{}|])")


def _literal(pattern: str) -> tuple[str, bool]:
    """The plain text behind the start mark, and whether that is all there is."""
    at = 2 if pattern.startswith("\\A") else 1
    text = ""
    while (match := _LITERAL_STEP.match(pattern, at)) is not None:
        if pattern[match.end() : match.end() + 1] in ("*", "?", "{") and match.end() < len(pattern):
            break
        text += match[1] or match[2]
        if pattern[match.end() : match.end() + 1] == "+":
            return text, False
        at = match.end()
    rest = pattern[at:]
    return text, rest in ("", ".*", "(.*)", ".*$", "(.*)$")
