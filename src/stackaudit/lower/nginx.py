"""Reads nginx configurations: crossplane's lexer over a text that was masked and mended, with every word located.

crossplane opens one temporary file and nothing else: its parser's includes are never followed.
"""

from __future__ import annotations

import os
import re
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import crossplane

from stackaudit.facts.files import Note, UnreadableError
from stackaudit.facts.nginx import Directive, Nginx, Word
from stackaudit.lower.nginx_mask import Masked, mask
from stackaudit.lower.nginx_mend import mend
from stackaudit.model.source import Region

DEEPEST = 64
"""How deep blocks may nest; nginx's own contexts nest six deep, locations rarely more than three."""

NOTES = 20
"""How many oddities of one file are told."""

UNENDED = "a directive has no ; at its end"
_OPENERS = frozenset({"location", "server", "upstream", "if", "http", "events"})

_ESCAPE = re.compile(r"\\([\"'\\trn])")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}


def lower(data: bytes, path: str) -> Nginx:
    """The directives of one file. Raises UnreadableError for what is no text or nests too deeply."""
    if b"\0" in data:
        raise UnreadableError("it holds NUL bytes, so it is not a text in an encoding that nginx reads")
    text = data.decode("utf-8", errors="replace")
    masked = mask(text)
    mended = mend(masked)
    reader = _Reader(text, masked, mended)
    directives = reader.read()
    return Nginx(tuple(directives), tuple(dict.fromkeys(masked.notes))[:NOTES])


@dataclass
class _Open:
    """A block whose end has not come yet."""

    name: Word | None
    args: list[Word]
    inner: list[Directive] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str, masked: Masked, mended: str) -> None:
        self.text = text
        self.mended = mended
        self.notes = masked.notes
        self.holes = sorted(masked.holes, key=lambda span: span.start)
        self.hole_starts = [span.start for span in self.holes]
        self.conditions = sorted(masked.conditions, key=lambda span: span.end - span.start)
        self.lines = [0, *(match.end() for match in re.finditer(r"\n|\r(?!\n)", text))]

    def read(self) -> list[Directive]:
        stack = [_Open(None, [])]
        words: list[Word] = []
        for start, end, mark in self._tokens():
            if not mark:
                words.append(self._word(start, end))
            elif mark == ";":
                self._close_statement(stack, words)
                words = []
            elif mark == "{":
                if len(stack) > DEEPEST:
                    raise UnreadableError(f"its blocks nest more than {DEEPEST} deep", self._region(start, end).line)
                words = self._without_unended(stack, words)
                stack.append(_Open(words[0] if words else None, words[1:]))
                words = []
            else:
                if words:
                    self.notes.append(Note("a directive has no ; before the }", words[0].region.line))
                    self._close_statement(stack, words)
                    words = []
                if len(stack) > 1:
                    done = stack.pop()
                    stack[-1].inner.append(self._directive(done.name, done.args, tuple(done.inner)))
        return stack[0].inner

    def _without_unended(self, stack: list[_Open], words: list[Word]) -> list[Word]:
        """The words of a block, without a directive before it that lacks its semicolon: that one is closed first."""
        for index in range(len(words) - 1, 0, -1):
            begins = words[index].region.line > words[index - 1].region.line and words[index].text in _OPENERS
            if begins and words[0].text not in _OPENERS and not words[index].quoted:
                self.notes.append(Note(UNENDED, words[0].region.line))
                self._close_statement(stack, words[:index])
                return words[index:]
        return words

    def _close_statement(self, stack: list[_Open], words: list[Word]) -> None:
        if words:
            stack[-1].inner.append(self._directive(words[0], words[1:], None))

    def _directive(self, name: Word | None, args: list[Word], block: tuple[Directive, ...] | None) -> Directive:
        if name is None:
            return Directive("", Region(1, 1, 1, 1), (), block)
        if name.text == "if" and args:
            args = _without_parentheses(args)
        last = args[-1].region if args else name.region
        region = Region(name.region.line, name.region.column, last.end_line, last.end_column)
        offset = self.lines[name.region.line - 1] + name.region.column - 1
        maybe = next((span.text for span in self.conditions if span.start <= offset < span.end), "")
        return Directive("" if name.hole else name.text, region, tuple(args), block, name.hole, maybe)

    def _tokens(self) -> Iterator[tuple[int, int, str]]:
        """Where each token of crossplane's stands: start, end and, for `{`, `}` and `;`, which."""
        at = 0
        for token, _line, quoted in _lex(self.mended):
            if token.startswith("#") and not quoted:
                at = self.mended.index("#", at) + len(token)
                continue
            while self.mended[at] in " \t\n":
                at += 1
            start = at
            if quoted:
                at = self._end_of_quoted(start)
            else:
                at += len(token)
            yield start, at, token if token in ("{", "}", ";") and not quoted else ""

    def _end_of_quoted(self, start: int) -> int:
        quote = self.mended[start]
        at = start + 1
        while self.mended[at] != quote:
            at += 2 if self.mended[at] == "\\" else 1
        return at + 1

    def _word(self, start: int, end: int) -> Word:
        quoted = self.mended[start] in "\"'"
        raw = self.text[start + 1 : end - 1] if quoted else self.text[start:end]
        text = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), raw) if "\\" in raw else raw
        first = bisect_right(self.hole_starts, start - 1)
        hole = self.holes[first].text if first < len(self.holes) and self.holes[first].start < end else ""
        return Word(text, self._region(start, end), hole, quoted)

    def _region(self, start: int, end: int) -> Region:
        end = min(end, len(self.text))
        first, last = bisect_right(self.lines, start), bisect_right(self.lines, end)
        return Region(first, start - self.lines[first - 1] + 1, last, end - self.lines[last - 1] + 1)


def _lex(text: str) -> Iterator[tuple[str, int, bool]]:
    """crossplane's tokens of `text`."""
    handle, name = tempfile.mkstemp(suffix=".conf")
    try:
        with os.fdopen(handle, "w", encoding="ascii", newline="\n") as stream:
            stream.write(text)
        yield from crossplane.lex(name)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise UnreadableError(
            f"crossplane gave up: {getattr(error, 'strerror', None) or type(error).__name__}",
            getattr(error, "lineno", None) or 0,
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)


def _without_parentheses(args: list[Word]) -> list[Word]:
    """The words of a condition without the parentheses around all of it."""
    first, last = args[0], args[-1]
    if not (first.text.startswith("(") and last.text.endswith(")") and not last.quoted):
        return args
    inner = list(args)
    inner[0] = _cut(inner[0], 1, 0)
    inner[-1] = _cut(inner[-1], 0, 1)
    return [word for word in inner if word.text]


def _cut(word: Word, front: int, back: int) -> Word:
    """`word` with that many characters less at its ends."""
    at = word.region
    region = Region(at.line, at.column + front, at.end_line, at.end_column - back)
    return Word(word.text[front : len(word.text) - back], region, word.hole, word.quoted)
