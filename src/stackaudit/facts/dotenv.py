"""What a .env file says."""

from __future__ import annotations

import msgspec

from stackaudit.facts.files import Note
from stackaudit.model.source import Region


class Entry(msgspec.Struct, frozen=True):
    """`NAME=value`, with quotes and comments taken away; `region` covers both.

    `refers` tells that the value stands for something else (`${OTHER}`, `$(command)`, a template's `{{ ... }}`): then
    `value` is only its source.
    """

    name: str
    value: str
    region: Region
    refers: bool = False


class Dotenv(msgspec.Struct, frozen=True):
    """The entries in order; a later one of the same name wins."""

    entries: tuple[Entry, ...]
    notes: tuple[Note, ...] = ()
