"""Text together with where each of its characters stands in the file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from stackaudit.facts.files import UnreadableError
from stackaudit.model.source import Region

LIMIT = 1_000_000
"""Files of commands longer than this many bytes are not read: nobody wrote them by hand."""

HOLE = "\ue000"
"""Stands, repeated to the same length, for a template's `{{ ... }}` in masked text; YAML accepts it as a letter."""


def decode(data: bytes) -> str:
    """The text of a small hand-written file. Raises UnreadableError for what is none."""
    if len(data) > LIMIT:
        raise UnreadableError(f"larger than {LIMIT // 1_000_000} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("not UTF-8 text", data[: error.start].count(b"\n") + 1) from None
    if "\0" in text:
        raise UnreadableError("holds NUL characters", text[: text.index("\0")].count("\n") + 1)
    return text


def line_starts(text: str) -> list[int]:
    """The offset at which each line starts."""
    starts, found = [0], text.find("\n")
    while found >= 0:
        starts.append(found + 1)
        found = text.find("\n", found + 1)
    return starts


class Located:
    """`text`, each character of which stands at an offset of a file: `base + i`, or `offsets[i]` where given."""

    def __init__(self, text: str, starts: list[int], base: int = 0, offsets: Sequence[int] | None = None) -> None:
        self.text = text
        self.starts = starts
        self.base = base
        self.offsets = offsets

    def at(self, index: int) -> int:
        """The file's offset of a character; the end of the text is one past its last character."""
        if self.offsets is None:
            return self.base + index
        if index < len(self.offsets):
            return self.offsets[index]
        return (self.offsets[-1] + 1) if self.offsets else self.base

    def region(self, start: int, end: int) -> Region:
        """Where the characters from `start` up to `end` stand."""
        first = self.at(start)
        last = self.at(end - 1) + 1 if end > start else first
        return self.span(first, max(first, last))

    def span(self, first: int, last: int) -> Region:
        """The region between two offsets of the file."""
        line, end = bisect_right(self.starts, first), bisect_right(self.starts, last)
        return Region(line, first - self.starts[line - 1] + 1, end, last - self.starts[end - 1] + 1)

    def part(self, start: int, end: int, text: str | None = None) -> Located:
        """A stretch of this text; `text` of the same length may replace it."""
        piece = self.text[start:end] if text is None else text
        if self.offsets is None:
            return Located(piece, self.starts, self.base + start)
        return Located(piece, self.starts, self.base, self.offsets[start:end])


def aligned(value: str, source: str, starts: list[int], start: int, end: int) -> Located:
    """`value` as it was read from `source[start:end]`, which may hold quotes, escapes, indentation and folded lines.

    Each character of `value` is looked for in the source in order; blanks match blanks.
    """
    offsets: list[int] = []
    index = start
    for char in value:
        if index >= end:
            offsets.append(max(start, end - 1))
            continue
        if char.isspace():
            if source[index].isspace() or source[index] == "\\":
                offsets.append(index)
                index += 1
                while index < end and source[index] in " \t\r\n" and char == " " and source[index - 1] in "\r\n \t":
                    index += 1
                continue
            offsets.append(index)
            continue
        found = source.find(char, index, end)
        if found < 0:
            offsets.append(index)
            continue
        offsets.append(found)
        index = found + 1
    return Located(value, starts, start, offsets)
