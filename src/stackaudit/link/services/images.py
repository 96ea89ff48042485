"""Which container images run which service, and what they make of their variables."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackaudit.link.services.model import Kind
from stackaudit.model.values import Known, Unknown, Value

_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (
        re.compile(
            r"(postgres(ql)?|postgis|timescaledb(-ha)?|pgvector|pgautoupgrade|cloudnative-pg|percona-postgresql)"
        ),
        "postgres",
    ),
    (re.compile(r"pgbouncer"), "pgbouncer"),
    (re.compile(r"(redis(-stack(-server)?)?|valkey|keydb)"), "redis"),
)
_PLAIN = re.compile(
    r"((docker\.io|public\.ecr\.aws/docker|registry-1\.docker\.io)/)?(library/)?(postgres|redis)"
    r"|((docker\.io|ghcr\.io)/)?(postgis/postgis|pgvector/pgvector|valkey/valkey|imresamu/postgis|pgautoupgrade/pgautoupgrade)"
)


@dataclass(frozen=True, slots=True)
class Named:
    """An image: what it runs, whether it starts the service with its own defaults, and its release."""

    kind: Kind
    plain: bool
    version: Value[tuple[int, ...]]


def recognised(image: str) -> Named | None:
    """What an image name says; None where it is no service of ours."""
    name, _, tag = image.partition("@")[0].rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "")
    if not name:
        name, tag = tag, ""
    last = name.rpartition("/")[2]
    for pattern, kind in _KINDS:
        if pattern.fullmatch(last):
            return Named(kind, bool(_PLAIN.fullmatch(name)), release(tag))
    return None


def release(tag: str) -> Value[tuple[int, ...]]:
    """The release that a tag names: "16.2-alpine" is (16, 2), "pg16" is (16,)."""
    match = re.match(r"(?:v|pg)?(\d+(?:\.\d+)*)", tag)
    if match is None:
        return Unknown(f"the tag {tag} names no release" if tag else "the image has no tag")
    return Known(tuple(int(part) for part in match[1].split(".")))


def variable(name: str) -> str:
    """The setting that a variable of a PgBouncer image sets: POOL_MODE and PGBOUNCER_POOL_MODE are pool_mode."""
    return name.removeprefix("PGBOUNCER_").lower()
