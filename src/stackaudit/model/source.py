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

    def holds(self, other: Place) -> bool:
        """Whether another place stands in this one, or is the same."""
        own, inner = self.region, other.region
        return self.path == other.path and (own.line, own.column) <= (inner.line, inner.column) <= (
            own.end_line,
            own.end_column,
        )


class Waiver(msgspec.Struct, frozen=True, gc=False):
    """A comment `stackaudit: ignore[rule, ...] reason`.

    `line` is the line the comment stands on; `covers` the line it speaks for (the next one where the comment stands
    alone on its line).
    """

    rules: tuple[str, ...]
    reason: str
    line: int
    covers: int
