"""What runs each time before a server starts."""

from __future__ import annotations

from dataclasses import dataclass

from stackaudit.model.source import Place


@dataclass(frozen=True, slots=True)
class Chore:
    """A command of manage.py that ends by itself ("migrate") and runs before the server.

    `place` is where it is written; `conditions` are those around it that nobody could decide.
    """

    name: str
    place: Place
    conditions: tuple[str, ...]
