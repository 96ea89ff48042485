"""Where something stands in a file."""

from __future__ import annotations

import msgspec


class Region(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A stretch of one file: from 1, in Unicode code points, with an exclusive end (as in SARIF)."""

    line: int
    column: int
    end_line: int
    end_column: int


class Place(msgspec.Struct, frozen=True, gc=False, order=True):
    """A region of a file; `path` is relative to the root and uses forward slashes."""

    path: str
    region: Region

    @classmethod
    def line(cls, path: str, line: int, text: str = "") -> Place:
        """A whole line: from its first column past the end of `text` (without its line break)."""
        return cls(path, Region(line, 1, line, len(text) + 1))


class Waiver(msgspec.Struct, frozen=True, gc=False):
    """A comment `stackaudit: ignore[rule, ...] reason`.

    `line` is the line the comment stands on; `covers` the line it speaks for (the next one where the comment stands
    alone on its line).
    """

    rules: tuple[str, ...]
    reason: str
    line: int
    covers: int
