"""nginx's times (https://nginx.org/en/docs/syntax.html)."""

from __future__ import annotations

import re

from stackaudit.link.nginx.level import Level
from stackaudit.model.values import Known, Unknown, Value

_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_PIECE = re.compile(r"(\d+)(ms|[smhdwMy]?)")


def seconds(text: str) -> float | None:
    """How many seconds a time such as "90", "1m 30s", "500ms" is; None where it is none."""
    bare = text.replace(" ", "")
    pieces = _PIECE.findall(bare)
    if not pieces or "".join(number + unit for number, unit in pieces) != bare:
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in pieces)


def time_in_force(level: Level, name: str, default: float) -> Value[float]:
    """A time in force at a level in seconds, or its default."""
    found = level.in_force(name)
    if isinstance(found, Unknown):
        return found
    if not found.value.lines:
        return Known(default, note="nginx's default")
    text = found.value.lines[-1].text(0)
    if isinstance(text, Unknown):
        return text
    value = seconds(text.value)
    return Unknown(f"{text.value} is no time", text.places) if value is None else Known(value, text.places)
