"""Lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def in_words(names: Sequence[str], last: str = " and ", most: int = 0) -> str:
    """Names as a sentence has them: "a, b and c"; of more than `most` (0: no limit) the first, "a, b, c and so on"."""
    if most and len(names) > most:
        return ", ".join(names[:most]) + " and so on"
    return last.join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
