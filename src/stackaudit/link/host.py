"""The machine that it all runs on, as the configuration describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackaudit.config import Host
from stackaudit.model.values import Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

WORKER_MEMORY = 150 * 1024**2
"""What one web worker is taken to use where nobody measured it, in bytes.

A worker of a small Django site with its admin and an API measured 36 MB of PSS after warm-up; this leaves room for what
real projects import.
"""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(b?)\s*", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True)
class HostSpec:
    """The `[host]` table, key by key; sizes in bytes. What is not given is Unknown."""

    vcpus: Value[int]
    memory: Value[int]
    disk: Value[int]
    services: Value[tuple[str, ...]]
    worker_memory: Value[int]
    daily_visitors: Value[int]
    database_rtt_ms: Value[float]
    postgres_max_connections: Value[int]


def resolve(stack: Stack) -> HostSpec:
    """The host of `stack`."""
    host = stack.config.host or Host()

    def value(key: str, given: Any) -> Any:
        if given is None:
            return Unknown(f"the [host] table has no {key}" if stack.config.host else "there is no [host] table")
        return Known(given, (), f"{key} of [host]")

    def bytes_of(key: str, given: str | None) -> Value[int]:
        if given is None:
            missing: Unknown = value(key, None)
            return missing
        number = size(given)
        return Known(number, (), f"{key} of [host]") if number else Unknown(f"{key} of [host] is no size: {given}")

    return HostSpec(
        vcpus=value("vcpus", host.vcpus),
        memory=bytes_of("memory", host.memory),
        disk=bytes_of("disk", host.disk),
        services=value("services", host.services),
        worker_memory=bytes_of("worker-memory", host.worker_memory)
        if host.worker_memory is not None
        else Known(WORKER_MEMORY, (), "not measured"),
        daily_visitors=value("daily-visitors", host.daily_visitors),
        database_rtt_ms=value("database-rtt-ms", host.database_rtt_ms),
        postgres_max_connections=value("postgres-max-connections", host.postgres_max_connections),
    )


def size(text: str, *, binary: bool = False) -> int | None:
    """`text` in bytes: "4GiB" is 4 * 1024**3, "4GB" and "4G" are 4 * 1000**3; None where it is no size.

    `binary` reads every unit as a power of 1024, as docker ("512m", "1gb") and systemd ("1G") do.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    number, unit, binary_mark, _ = match.groups()
    base = 1024 if binary or binary_mark else 1000
    return int(float(number) * base ** _POWER[unit.lower()])


def human(number: float) -> str:
    """A size in bytes for people: "150 MiB", "3.9 GiB"."""
    for unit, power in (("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if number >= 1024**power:
            return f"{number / 1024**power:.3g} {unit}" if power == 3 else f"{number / 1024**power:.0f} {unit}"
    return f"{number:.0f} B"
