"""The web servers and workers that run with production's settings, and the services the settings point at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.settings import Settings
    from stackaudit.link.stack import Stack

_POOLER = re.compile(r"pgbouncer|(^|[.-])pooler[.-]|pgcat|supavisor|odyssey|-pooler\b", re.IGNORECASE)


def servers(stack: Stack) -> tuple[Process, ...]:
    """The servers of production that run with the chosen settings; development servers do not count."""
    settings = stack.settings
    assert settings is not None
    return tuple(
        server
        for server in stack.processes.production_servers
        if server.kind not in DEVELOPMENT_SERVERS and _uses(server, settings.module)
    )


def _uses(process: Process, module: str) -> bool:
    named = process.settings_module
    return not isinstance(named, Known) or named.value == module or not _is_other(str(named.value), module)


def _is_other(named: str, module: str) -> bool:
    """Whether two dotted names mean different modules, seen from whatever source root."""
    return not (named.endswith(f".{module}") or module.endswith(f".{named}") or named == module)


def workers(stack: Stack) -> tuple[Process, ...]:
    """The processes of production that run tasks in the background (Celery, RQ and the like)."""
    return tuple(
        process
        for process in stack.processes.all
        if not process.is_server and process.audience == "production" and process.kind not in ("celery-beat",)
    )


def process_count(stack: Stack) -> Value[int]:
    """How many processes of production run with the settings and share no memory: web servers and task workers."""
    count = stack.processes.web_process_count
    background = workers(stack)
    if isinstance(count, Unknown):
        if background and servers(stack):
            return Known(2, (background[0].place,), f"with {background[0].name}")
        return count
    if not background:
        return count
    return Known(count.value + len(background), (*count.places, background[0].place), f"with {background[0].name}")


def databases(settings: Settings) -> Iterator[tuple[str, AnyValue]] | Unknown:
    """The aliases of DATABASES with their entries; Unknown where not even the aliases are known."""
    value = settings.get("DATABASES")
    if isinstance(value, Unknown):
        return value
    held: Any = value.value
    if not isinstance(held, dict):
        return Unknown("DATABASES is no dict", value.places)
    why: str = getattr(held, "open", "")
    if why and not held:
        return Unknown(why, value.places)
    return iter([(str(alias), entry) for alias, entry in held.items()])


def aliases(settings: Settings) -> Iterator[str]:
    """The aliases of DATABASES as far as they are known; none where not even they are."""
    found = databases(settings)
    return iter(()) if isinstance(found, Unknown) else (alias for alias, _ in found)


def pooler(stack: Stack, settings: Settings, alias: str) -> str:
    """What tells that a connection pooler stands before a database ("" where nothing does)."""
    host = settings.at("DATABASES", alias, "HOST", default="")
    port = settings.at("DATABASES", alias, "PORT", default="")
    told = pooled(
        str(host.value) if isinstance(host, Known) else "", str(port.value) if isinstance(port, Known) else ""
    )
    if told:
        return told
    for name, image in stack.processes.services.items():
        if _POOLER.search(image) or _POOLER.search(name.rpartition(" ")[2]):
            return f"{name} runs one"
    return ""


def pooled(host: str, port: str) -> str:
    """What in an address tells that a pooler listens there, "" where nothing does."""
    if _POOLER.search(host):
        return f"HOST is {host}"
    return "PORT is 6432" if port == "6432" else ""


def pool(settings: Settings, alias: str) -> AnyValue:
    """The native connection pool of a database: Known with a false value where there is none."""
    return settings.at("DATABASES", alias, "OPTIONS", "pool", default=None)


def told(value: Known[Any]) -> str:
    """A value and what it rests on, for a message: `60 (default of env CONN_MAX_AGE)`."""
    return f"{value.value!r} ({value.note})" if value.note else f"{value.value!r}"
