"""Which reader and which facts belong to a kind of file; readers are imported when they are first needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Reader:
    """`lower` of the module `stackaudit.lower.<module>` turns bytes into a struct of `stackaudit.facts.<facts>`."""

    module: str
    facts: str
    struct: str

    def lower(self) -> Callable[[bytes, str], Any]:
        """The reading function; importing it may import a parser."""
        function: Callable[[bytes, str], Any] = importlib.import_module(f"stackaudit.lower.{self.module}").lower
        return function

    def type(self) -> type[Any]:
        """The struct of the facts; importing it imports no parser."""
        struct: type[Any] = getattr(importlib.import_module(f"stackaudit.facts.{self.facts}"), self.struct)
        return struct


KINDS: dict[str, Reader] = {
    "python": Reader("python", "python", "Module"),
    "template": Reader("template", "template", "Template"),
    "nginx": Reader("nginx", "nginx", "Nginx"),
    "manifest": Reader("inline", "nginx", "Manifest"),
    "procfile": Reader("procfile", "commands", "Procfile"),
    "shell": Reader("shell", "commands", "Script"),
    "crontab": Reader("crontab", "commands", "Script"),
    "systemd": Reader("systemd", "services", "Unit"),
    "dockerfile": Reader("dockerfile", "services", "Dockerfile"),
    "compose": Reader("compose", "services", "Compose"),
    "kubernetes": Reader("kubernetes", "services", "Workloads"),
    "platform": Reader("platforms", "services", "Workloads"),
    "supervisor": Reader("supervisor", "services", "Supervisor"),
    "uwsgi": Reader("uwsgi", "services", "Uwsgi"),
    "requirements": Reader("requirements", "packages", "PackageFile"),
    "pyproject": Reader("pyproject", "packages", "PackageFile"),
    "pipfile": Reader("pipfile", "packages", "PackageFile"),
    "setupcfg": Reader("setupcfg", "packages", "PackageFile"),
    "lock": Reader("locks", "packages", "PackageFile"),
    "runtime": Reader("runtime", "packages", "PackageFile"),
    "dotenv": Reader("dotenv", "dotenv", "Dotenv"),
    "postgresql": Reader("postgresql", "daemons", "Daemon"),
    "pgbouncer": Reader("pgbouncer", "daemons", "Daemon"),
    "redis": Reader("redisconf", "daemons", "Daemon"),
}


@cache
def reader(kind: str) -> Reader:
    """The reader of `kind`; KeyError where there is none."""
    return KINDS[kind]
