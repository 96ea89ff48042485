"""The envelope that the facts of every kind of file travel in."""

from __future__ import annotations

from typing import Any

import msgspec

from stackaudit.model.source import Waiver


class Note(msgspec.Struct, frozen=True, array_like=True):
    """Something odd in a file that was read all the same; `line` is 0 where no line can be named."""

    text: str
    line: int = 0


class UnreadableError(Exception):
    """A file that gives no facts: `why` completes "could not be read: ..."; `line` is 0 where none can be named."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


class FileFacts(msgspec.Struct, frozen=True):
    """One file: its facts (a struct of the module named after `kind`), or why there are none."""

    path: str
    kind: str
    facts: Any = None
    unread: Note | None = None
    notes: tuple[Note, ...] = ()
    waivers: tuple[Waiver, ...] = ()
