"""The services beside Django: each instance with its effective settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stackaudit.facts.services import Mount, Service
from stackaudit.link.processes.model import Audience
from stackaudit.link.services.defaults import default
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

Kind: TypeAlias = Literal["postgres", "pgbouncer", "redis"]

_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_POSTGRES_SIZES = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}
_REDIS_SIZES = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_POSTGRES_UNITS = {
    "shared_buffers": 8192, "effective_cache_size": 8192, "work_mem": 1024, "maintenance_work_mem": 1024,
    "temp_buffers": 8192, "wal_buffers": 8192,
}  # fmt: skip
"""What one unit of a setting without a unit is, in bytes (pg_settings.unit of PostgreSQL 15)."""
_TIMES = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TRUE = ("on", "true", "yes", "1")
_FALSE = ("off", "false", "no", "0")


@dataclass(frozen=True)
class Instance:
    """One PostgreSQL, PgBouncer or Redis (Valkey, KeyDB) that the repository shows.

    `name` is a logical name ("docker-compose.yml db"), `place` where the instance is declared, `image` its container
    image ("" where it runs without one or builds its own), `version` its release as far as the image's tag tells.
    `given` are the settings that somebody gives, as text; `open` is why others may be set too ("" where not).
    `memory` is its limit in bytes, Known(None) where there is none. `environment` are the variables of its container.
    `service` is the compose service and `mounts` all its volumes with the files they stand in, empty for what is no
    container. `databases` are PgBouncer's, as connection strings. `configs` are the configuration files that it reads.
    """

    kind: Kind
    name: str
    place: Place
    path: str
    audience: Audience
    why: str
    origin: Literal["compose", "dockerfile", "systemd", "supervisor", "procfile", "file"]
    image: str = ""
    version: Value[tuple[int, ...]] = field(default_factory=lambda: Unknown("its version is not told"))
    given: Mapping[str, AnyValue] = field(default_factory=dict)
    open: str = ""
    memory: AnyValue = field(default_factory=lambda: Known(None))
    environment: Mapping[str, AnyValue] = field(default_factory=dict)
    service: Service | None = None
    hosts: frozenset[str] = frozenset()
    mounts: tuple[tuple[Mount, str], ...] = ()
    options: Mapping[str, Value[str]] = field(default_factory=dict)
    databases: Mapping[str, AnyValue] = field(default_factory=dict)
    configs: tuple[str, ...] = ()

    def setting(self, name: str) -> AnyValue:
        """The effective text of a setting: what somebody gives, else the service's default, without a place."""
        found = self.given.get(name)
        if found is not None:
            return found
        if self.open:
            return Unknown(f"{name} of {self.name} may be set elsewhere: {self.open}")
        return default(self.kind, name, self.version)

    def setting_place(self, name: str) -> Place:
        """Where a setting was decided; the instance's place where it has its default."""
        value = self.given.get(name)
        return value.places[0] if value is not None and value.places else self.place

    def on(self, name: str) -> Value[bool]:
        """A setting that is on or off."""
        value = self.setting(name)
        if isinstance(value, Unknown):
            return value
        text = str(value.value).strip().lower()
        if text in _TRUE or text in _FALSE:
            return value.map(lambda _: text in _TRUE)
        return Unknown(f"{name} is {value.value!r}", value.places)

    def number(self, name: str) -> Value[float]:
        """A setting that is a plain number."""
        value = self.setting(name)
        if isinstance(value, Unknown):
            return value
        match = _NUMBER.fullmatch(str(value.value))
        if match is None or match[2]:
            return Unknown(f"{name} is {value.value!r}", value.places)
        return value.map(lambda _: float(match[1]))

    def size(self, name: str) -> Value[int]:
        """A setting that is a size, in bytes. Redis counts 1k as 1000 and 1kb as 1024, PostgreSQL knows kB and up."""
        value = self.setting(name)
        if isinstance(value, Unknown):
            return value
        match = _NUMBER.fullmatch(str(value.value))
        sizes = _REDIS_SIZES if self.kind == "redis" else {"": _POSTGRES_UNITS.get(name, 1), **_POSTGRES_SIZES}
        if match is None or match[2].lower() not in sizes:
            return Unknown(f"{name} is {value.value!r}", value.places)
        return value.map(lambda _: int(float(match[1]) * sizes[match[2].lower()]))

    def milliseconds(self, name: str) -> Value[float]:
        """A setting of PostgreSQL that is a time; without a unit it counts milliseconds."""
        value = self.setting(name)
        if isinstance(value, Unknown):
            return value
        match = _NUMBER.fullmatch(str(value.value))
        if match is None or (match[2] or "ms").lower() not in _TIMES:
            return Unknown(f"{name} is {value.value!r}", value.places)
        return value.map(lambda _: float(match[1]) * _TIMES[(match[2] or "ms").lower()])

    @property
    def contained(self) -> bool:
        """Whether it runs in a container."""
        return self.origin in ("compose", "dockerfile")


@dataclass(frozen=True)
class Services:
    """The instances that the repository shows; none of them is a hosted service's."""

    instances: tuple[Instance, ...] = ()

    def of(self, *kinds: Kind) -> tuple[Instance, ...]:
        """The instances of `kinds`."""
        return tuple(instance for instance in self.instances if instance.kind in kinds)

    def production(self, *kinds: Kind) -> tuple[Instance, ...]:
        """Those that production runs, or may run where nothing is known to be production's."""
        found = self.of(*kinds)
        return tuple(item for item in found if item.audience == "production") or tuple(
            item for item in found if item.audience == "unknown"
        )

    def at(self, kind: Kind, host: str) -> tuple[Instance, ...]:
        """The instances of production that a client reaches as `host`: a service of compose, or the local machine."""
        return tuple(reachable(self.production(kind), host))


def reachable(instances: Iterable[Instance], host: str) -> Iterable[Instance]:
    """Those of `instances` that answer to `host`."""
    local = host in ("", "localhost", "127.0.0.1", "::1") or host.startswith("/")
    for instance in instances:
        if host in instance.hosts or (local and instance.origin != "compose"):
            yield instance
