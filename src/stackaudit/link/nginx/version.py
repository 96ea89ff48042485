"""nginx versions: numbers, gates and what image tags tell."""

from __future__ import annotations

import re

from stackaudit.model.values import Unknown, Value


class Version(tuple[int, ...]):
    """Its numbers, two or three of them; str() writes them with dots."""

    __slots__ = ()

    def __str__(self) -> str:
        return ".".join(map(str, self))


_NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])")


def parse(text: str) -> Version | None:
    """The version that `text` begins with ("1.25.3-alpine" -> 1.25.3); None where it begins with none."""
    match = _NUMBERS.match(text.strip())
    return Version(int(number) for number in match.groups() if number is not None) if match else None


def at_least(version: Value[Version], gate: tuple[int, ...]) -> bool | None:
    """Whether the version has what came with `gate`; None where that cannot be told ("1.27" and a gate of 1.27.3)."""
    if isinstance(version, Unknown):
        return None
    known = version.value
    if len(known) < len(gate) and tuple(known) == gate[: len(known)]:
        return None
    return tuple(known) >= gate
