"""Words of a shell-like text: quotes, escapes, variables, operators, with the place of every word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts.commands import ARGUMENTS, OPEN, Hole, Text, Word
from stackaudit.lower.located import HOLE, Located

OPERATORS = ("&&", "||", ";;&", ";;", ";&", "|&", "&>>", "&>", "<<<", "<<-", "<<", ">>", ">&", "<&", ">|", "<>", "\n")
SINGLE = "|&;()<>"
NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
NAME = NAME_START | frozenset("0123456789")
DEPTH = 8


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or an operator (`word` is None). `bare`: no part of the word was quoted; `start`, `end` are offsets."""

    start: int
    end: int
    operator: str
    word: Word | None = None
    bare: bool = True


class Reader:
    """Reads one text.

    `operators=False` reads `&`, `|`, `;` and the like as ordinary characters and knows no comments (systemd, compose,
    supervisor split words without a shell). `variables` says which holes there are: "shell", "braces" (compose: `$$` is
    a dollar), "systemd" or "none".
    """

    def __init__(self, source: Located, *, operators: bool = True, variables: str = "shell") -> None:
        self.source = source
        self.text = source.text
        self.operators = operators
        self.variables = variables
        self.index = 0
        self.heredocs: list[tuple[str, bool]] = []

    def tokens(self) -> Iterator[Token]:
        """Every word and operator, in order. Line breaks are operators of their own in a shell."""
        text, size = self.text, len(self.text)
        while self.index < size:
            char = text[self.index]
            if char in " \t\r" or (char == "\n" and not self.operators):
                self.index += 1
            elif char == "\\" and text[self.index + 1 : self.index + 2] == "\n":
                self.index += 2
            elif char == "\\" and text[self.index + 1 : self.index + 3] == "\r\n":
                self.index += 3
            elif self.operators and char == "#":
                end = text.find("\n", self.index)
                self.index = size if end < 0 else end
            elif self.operators and (char == "\n" or char in SINGLE):
                yield self.operator()
            else:
                yield self.word()

    def operator(self) -> Token:
        """The operator at the index; a line break also passes over the here-documents that begin after it."""
        start = self.index
        sign = next((sign for sign in OPERATORS if self.text.startswith(sign, start)), self.text[start])
        self.index = start + len(sign)
        if sign in ("<<", "<<-"):
            self._delimiter(sign)
        if sign == "\n":
            for delimiter, tabs in self.heredocs:
                self._pass_document(delimiter, tabs)
            self.heredocs.clear()
        return Token(start, start + len(sign), sign)

    def _delimiter(self, sign: str) -> None:
        text = self.text
        while self.index < len(text) and text[self.index] in " \t":
            self.index += 1
        if self.index < len(text) and text[self.index] not in "\r\n" + SINGLE:
            word = self.word().word
            if word is not None and word.text:
                self.heredocs.append((word.text, sign == "<<-"))

    def _pass_document(self, delimiter: str, tabs: bool) -> None:
        while self.index < len(self.text):
            end = self.text.find("\n", self.index)
            line = self.text[self.index : len(self.text) if end < 0 else end].rstrip("\r")
            self.index = len(self.text) if end < 0 else end + 1
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return

    def word(self) -> Token:
        """The word at the index."""
        text, size, start = self.text, len(self.text), self.index
        parts: list[str] = []
        holes: list[Hole] = []
        length, bare = 0, True
        while self.index < size:
            char = text[self.index]
            if char in " \t\r\n" or (self.operators and char in SINGLE):
                break
            if char == "'" and self.variables != "none-quotes":
                bare = False
                end = text.find("'", self.index + 1)
                piece = text[self.index + 1 : size if end < 0 else end]
                self.index = size if end < 0 else end + 1
            elif char == '"':
                bare = False
                self.index += 1
                length = self.quoted(parts, holes, length)
                continue
            elif char == "\\":
                escaped = text[self.index + 1 : self.index + 2]
                self.index += 2
                if escaped == "\n":
                    continue
                bare = False
                piece = escaped
            elif char in ("$", "`", HOLE):
                hole, piece = self.hole(length, splits=self.operators or self.variables == "systemd")
                if hole is not None:
                    holes.append(hole)
            else:
                piece = char
                self.index += 1
            parts.append(piece)
            length += len(piece)
        if self.index == start:  # nothing else reads this character, and an endless loop would
            self.index += 1
        self.index = min(self.index, size)
        word = Word("".join(parts), tuple(holes), self.source.region(start, self.index))
        return Token(start, self.index, "", word, bare)

    def quoted(self, parts: list[str], holes: list[Hole], length: int) -> int:
        """The rest of a double-quoted stretch; returns the new length of the word."""
        text, size = self.text, len(self.text)
        while self.index < size:
            char = text[self.index]
            if char == '"':
                self.index += 1
                break
            if char == "\\" and self.index + 1 < size:
                escaped = text[self.index + 1]
                self.index += 2
                piece = escaped if escaped in '$`"\\' else "" if escaped == "\n" else "\\" + escaped
            elif char in ("$", "`", HOLE):
                hole, piece = self.hole(length, splits=False)
                if hole is not None:
                    holes.append(hole)
            else:
                piece = char
                self.index += 1
            parts.append(piece)
            length += len(piece)
        return length

    def hole(self, at: int, splits: bool) -> tuple[Hole | None, str]:
        """The variable or substitution at the index, which will stand at offset `at` of its word."""
        start, text = self.index, self.text
        if text[start] == HOLE:
            while self.index < len(text) and text[self.index] == HOLE:
                self.index += 1
            piece = "{{" + " " * (self.index - start - 4) + "}}" if self.index - start >= 4 else "?"
            return Hole(at, at + len(piece), OPEN, None), piece
        hole, end = variable(text, start, at, splits, self.variables)
        self.index = end
        piece = text[start:end]
        if piece == "$$" and self.variables in ("braces", "systemd"):
            piece = "$"
        return hole, piece


def variable(text: str, start: int, at: int, splits: bool, style: str, depth: int = 0) -> tuple[Hole | None, int]:
    """The hole that begins at `text[start]`, and where it ends; None where the character is only itself."""
    if text[start] == "`":
        if style != "shell":
            return None, start + 1
        end = text.find("`", start + 1)
        end = len(text) if end < 0 else end + 1
        return Hole(at, at + end - start, OPEN, None, splits), end
    following = text[start + 1 : start + 2]
    if style in ("none", "none-quotes") or not following:
        return None, start + 1
    if following == "$" and style in ("braces", "systemd"):
        return None, start + 2
    if following == "(" and style == "shell":
        end = closing(text, start + 1, "(", ")")
        return Hole(at, at + end - start, OPEN, None, splits), end
    if following == "{":
        end = closing(text, start + 1, "{", "}")
        return braces(text[start + 2 : end - 1], at, end - start, splits, style, depth), end
    if following in NAME_START:
        end = start + 2
        while end < len(text) and text[end] in NAME:
            end += 1
        return Hole(at, at + end - start, text[start + 1 : end], None, splits), end
    if style == "shell" and following in "@*":
        return Hole(at, at + 2, ARGUMENTS, None, splits or following == "@"), start + 2
    if style == "shell" and following in "0123456789":
        return Hole(at, at + 2, following, None, splits), start + 2
    if style == "shell" and following in "?#!$-":
        return Hole(at, at + 2, OPEN, None, splits), start + 2
    return None, start + 1


def braces(body: str, at: int, length: int, splits: bool, style: str, depth: int) -> Hole:
    """The hole `${body}`."""
    end = 0
    while end < len(body) and body[end] in NAME:
        end += 1
    name, rest = body[:end], body[end:]
    if body in ("@", "*"):
        return Hole(at, at + length, ARGUMENTS, None, True)
    if name and not rest:
        return Hole(at, at + length, name, None, splits)
    sign = rest[:2] if rest[:1] == ":" else rest[:1]
    if not name or depth >= DEPTH or sign not in (":-", "-", ":=", "=", ":+", "+", ":?", "?"):
        return Hole(at, at + length, OPEN, None, splits)
    if sign.endswith("?"):
        return Hole(at, at + length, name, None, splits)
    default = filled(rest[len(sign) :], style, depth + 1)
    return Hole(at, at + length, name, default, splits, alternative=sign.endswith("+"))


def filled(text: str, style: str, depth: int = 0) -> Text:
    """A text that may hold variables and is not split, as in the default of `${NAME:-default}`."""
    parts: list[str] = []
    holes: list[Hole] = []
    index, length = 0, 0
    while index < len(text):
        char = text[index]
        piece = char
        if char == "$" or (char == "`" and style == "shell"):
            hole, end = variable(text, index, length, False, style, depth)
            piece = "$" if hole is None and text[index:end] == "$$" else text[index:end]
            index = end
            if hole is not None:
                holes.append(hole)
        elif char == HOLE:
            end = index
            while end < len(text) and text[end] == HOLE:
                end += 1
            piece = "{{" + " " * max(0, end - index - 4) + "}}"
            holes.append(Hole(length, length + len(piece), OPEN, None))
            index = end
        elif char in "\"'" and style == "shell":
            piece = ""
            index += 1
        elif char == "\\" and style == "shell" and index + 1 < len(text):
            piece = text[index + 1]
            index += 2
        else:
            index += 1
        parts.append(piece)
        length += len(piece)
    return Text("".join(parts), tuple(holes))


def closing(text: str, start: int, opens: str, closes: str) -> int:
    """The offset after the bracket that closes the one at `start`, quotes respected; the end where none does."""
    depth, index, quote = 0, start, ""
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 2
            continue
        if quote:
            if char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == opens:
            depth += 1
        elif char == closes:
            depth -= 1
            if depth == 0:
                return index + 1
        index += 1
    return len(text)


def words(source: Located, variables: str) -> tuple[Word, ...]:
    """The words of a text that no shell reads."""
    reader = Reader(source, operators=False, variables=variables)
    return tuple(token.word for token in reader.tokens() if token.word is not None)
