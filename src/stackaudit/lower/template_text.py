"""The text of a template before any tag is read: its encoding, its lines, and what would hold Django's lexer up."""

from __future__ import annotations

import re
from bisect import bisect_right

from stackaudit.facts.files import Note
from stackaudit.model.source import Region

LONGEST_TAG = 20_000
LONG_LINE = 5_000


def decode(data: bytes) -> tuple[str, tuple[Note, ...]]:
    """The text with plain line ends; what is not UTF-8 is read as Latin-1, which Django would refuse."""
    notes: tuple[Note, ...] = ()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text, notes = data.decode("latin-1"), (Note("is not UTF-8: read as Latin-1", line),)
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


class Lines:
    """Turns offsets into regions."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line(self, offset: int) -> int:
        """The line that `offset` lies on, from 1."""
        return bisect_right(self.starts, offset)

    def region(self, start: int, end: int) -> Region:
        """The region from `start` up to `end`."""
        first, last = self.line(start), self.line(end)
        return Region(first, start - self.starts[first - 1] + 1, last, end - self.starts[last - 1] + 1)


def without_open_ends(text: str) -> str:
    """`text` with blanks for what opens a tag on a long line that never closes it again.

    Such an opening is plain text to Django's lexer, but its regular expression walks to the end of the line for each of
    them, so a line of a million braces would take hours.
    """
    lines = text.split("\n")
    if max(map(len, lines)) <= LONG_LINE:
        return text
    for index, line in enumerate(lines):
        if len(line) > LONG_LINE:
            for opening, closing in (("{%", "%}"), ("{{", "}}"), ("{#", "#}")):
                at = line.rfind(closing) + 1
                line = line[:at] + line[at:].replace(opening, "  ")
            lines[index] = line
    return "\n".join(lines)
