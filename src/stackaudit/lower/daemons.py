"""The lines of a daemon's configuration file, with what a template leaves open in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.lower.located import HOLE, decode
from stackaudit.lower.masks import masked
from stackaudit.model.source import Region

_REFERS = re.compile(r"\$\{?[A-Za-z_]\w*\}?|%\(\w+\)s|<%")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that says something: `text` without blanks around it, `number` and `column` from 1."""

    text: str
    number: int
    column: int

    @property
    def region(self) -> Region:
        """All of the line."""
        return Region(self.number, self.column, self.number, self.column + len(self.text))


def lines(data: bytes, comments: str) -> Iterator[Line]:
    """The lines of a file that are neither empty nor comments. Raises UnreadableError for what is no text."""
    text = masked(decode(data)).text
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and stripped[0] not in comments:
            yield Line(stripped, number, len(line) - len(line.lstrip()) + 1)


def refers(value: str) -> bool:
    """Whether a template or a variable fills a part of a value."""
    return HOLE in value or bool(_REFERS.search(value))
