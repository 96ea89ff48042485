"""What the configuration files of PostgreSQL, PgBouncer and Redis say."""

from __future__ import annotations

import msgspec

from stackaudit.facts.files import Note
from stackaudit.model.source import Region


class Directive(msgspec.Struct, frozen=True):
    """One directive, in order; later ones of the same name win unless the service says otherwise.

    `values` are its words with quotes taken away: one for PostgreSQL and PgBouncer, any number for Redis. `section` is
    PgBouncer's ("pgbouncer", "databases"). `refers` tells that a template or a variable fills a part of the value:
    then `values` are only its source.
    """

    name: str
    values: tuple[str, ...]
    region: Region
    section: str = ""
    refers: bool = False


class Daemon(msgspec.Struct, frozen=True):
    """One file. Its includes are directives too ("include", "include_dir", "include_if_exists", "%include")."""

    directives: tuple[Directive, ...]
    notes: tuple[Note, ...] = ()
