"""Database connections: what all processes may open against what the server and the pools allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stackaudit.checks.capacity.neighbours import neighbours
from stackaudit.link.processes.celery import settled
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.services import Instance
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases, pooler, servers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

POOL_MIN = 4
"""psycopg_pool: min_size is 4, max_size is min_size, a wait ends after 30 s (measured: `"pool": True` is 4 to 4)."""
RESERVED = 3
"""superuser_reserved_connections."""
MAX_CONNECTIONS = 100
"""max_connections of a Postgres that nobody configured."""
SMALLEST = 20
"""What the smallest plans of hosted Postgres give; whoever told of fewer may set postgres-max-connections."""
COMFORTABLE = 0.8


@dataclass(frozen=True)
class Pool:
    """The native pool of one database. `most` and `least` are its sizes in each process."""

    alias: str
    most: Value[int]
    least: Value[int]
    place: Place
    default: bool


def _postgres(settings: Settings, alias: str) -> AnyValue:
    engine = settings.at("DATABASES", alias, "ENGINE", default="")
    return engine if isinstance(engine, Unknown) else Known("postg" in str(engine.value), engine.places)


def pools(settings: Settings) -> Iterator[Pool | Unknown]:
    """The native pools of the settings' databases (Django 5.1: OPTIONS["pool"] with psycopg 3)."""
    for alias in aliases(settings):
        value = settings.at("DATABASES", alias, "OPTIONS", "pool", default=None)
        place = settings.place_at("DATABASES", alias, "OPTIONS", "pool")
        if isinstance(value, Unknown):
            yield Unknown(f"the pool of {alias} is not known: {value.why}", (place,))
        elif value.value:
            yield _pool(alias, value, place)


def _pool(alias: str, value: Known[Any], place: Place) -> Pool:
    held = value.value if isinstance(value.value, dict) else {}
    least: Value[int] = held.get("min_size", Known(POOL_MIN))
    most: Value[int] = held.get("max_size", least)
    if isinstance(most, Known) and most.value is None:
        most = least
    if most.places:
        place = most.places[0]
    return Pool(alias, most, least, place, "max_size" not in held)


def pool_smaller_than_threads(stack: Stack) -> Iterator[Verdict]:
    """A pool holds a connection for each thread that may want one."""
    settings = stack.production
    if settings is None:
        return
    for pool in pools(settings):
        if isinstance(pool, Unknown):
            yield Unsure(Site(pool.places[0], "DATABASES: pool"), pool.why)
            continue
        site = Site(pool.place, f"DATABASES[{pool.alias}]: pool")
        if isinstance(pool.most, Unknown):
            yield Unsure(site, f"max_size is not known: {pool.most.why}")
            continue
        yield _against_threads(stack, site, pool, pool.most.value)


def _against_threads(stack: Stack, site: Site, pool: Pool, most: int) -> Verdict:
    running = [process for process in servers(stack) if process.kind not in DEVELOPMENT_SERVERS]
    if not running:
        return Unsure(site, "no command that starts production's server was found")
    doubt = ""
    for process in running:
        if process.interface != "wsgi":
            doubt = doubt or f"{process.name} opens a connection for each request in flight, however many there are"
            continue
        threads = process.setting("threads")
        if isinstance(threads, Unknown):
            doubt = doubt or f"the threads of {process.name} are not known: {threads.why}"
        elif threads.value > most:
            values = {"threads": threads.value, "most": most, "server": process.name}
            values["told"] = "psycopg_pool's default" if pool.default else "max_size"
            step = Step(process.setting_place("threads"), f"{threads.value} threads in each process")
            return Fail(site, values, related=(step,))
    return Unsure(site, doubt) if doubt else Pass(site)


def db_connections_exceed_max(stack: Stack) -> Iterator[Verdict]:
    """All processes together open fewer connections than the database takes."""
    settings = stack.production
    if settings is None:
        return
    counted = [alias for alias in aliases(settings) if counts(settings, alias)]
    if not counted:
        return
    everything = [
        process
        for process in settled(stack, stack.processes.all)
        if process.audience != "development" and process.kind not in DEVELOPMENT_SERVERS
    ]
    for path in sorted({process.origin.path for process in stack.processes.production_servers}):
        running = together(process for process in everything if process.origin.path == path)
        web = [process for process in running if process.is_server]
        if web:
            yield _summed(stack, settings, path, web[0], running, counted)


def counts(settings: Settings, alias: str) -> bool:
    """Whether a database is Postgres, or may be."""
    value = _postgres(settings, alias)
    return isinstance(value, Unknown) or bool(value.value)


def _limit(stack: Stack, settings: Settings, path: str, aliases: list[str]) -> Value[int]:
    told = stack.host.postgres_max_connections
    if isinstance(told, Known):
        return told
    instance = _server(stack, settings, path, aliases)
    if instance is not None:
        most = instance.number("max_connections")
        if isinstance(most, Known) and most.places:
            return Known(int(most.value), most.places, f"max_connections of {instance.name}")
        if isinstance(most, Unknown):
            return Unknown(most.why)
    if "postgres" in neighbours(stack, path):
        return Known(MAX_CONNECTIONS, (), "Postgres's default")
    return Unknown("max_connections of the database is not told: set postgres-max-connections in [host]")


def _server(stack: Stack, settings: Settings, path: str, aliases: list[str]) -> Instance | None:
    """The PostgreSQL of the repository that all databases live on, None where there is none or not one alone."""
    hosts = [settings.at("DATABASES", alias, "HOST", default="") for alias in aliases]
    names = {str(host.value) for host in hosts if isinstance(host, Known)}
    found = {each.name: each for name in names for each in stack.services.at("postgres", name)}
    if not found:
        found = {each.name: each for each in stack.services.production("postgres") if each.path == path}
    return next(iter(found.values())) if len(found) == 1 else None


def _pooler(stack: Stack) -> Instance | None:
    """The PgBouncer of the repository, None where there is none or not one alone."""
    found = stack.services.production("pgbouncer")
    return found[0] if len(found) == 1 else None


def _clients(stack: Stack, site: Site, parts: list[str], total: int, told: str) -> Verdict:
    """All processes together against the clients that a pooler takes; what it opens itself is counted elsewhere."""
    instance = _pooler(stack)
    if instance is None:
        return Unsure(site, f"a pooler stands before the database ({told}); its own limits decide")
    most = instance.number("max_client_conn")
    if isinstance(most, Unknown):
        return Unsure(site, most.why)
    if total <= most.value:
        return Pass(site)
    values = {"sum": " + ".join(parts), "total": total, "limit": int(most.value), "told": "", "usable": int(most.value)}
    step = Step(instance.setting_place("max_client_conn"), f"max_client_conn is {most.value:.0f}")
    return Fail(site, values, cause="clients", related=(step,))


def _summed(
    stack: Stack, settings: Settings, path: str, web: Process, running: list[Process], aliases: list[str]
) -> Verdict:
    site = Site(web.setting_place("workers"), f"{path}: database connections")
    for alias in aliases:
        engine = _postgres(settings, alias)
        if isinstance(engine, Unknown):
            return Unsure(site, f"the engine of {alias} is not known: {engine.why}")
    pooled = next((told for alias in aliases if (told := pooler(stack, settings, alias))), "")
    if pooled and _pooler(stack) is None:
        return Unsure(site, f"a pooler stands before the database ({pooled}); its own limits decide")
    sizes: dict[str, int] = {}
    for pool in pools(settings):
        if isinstance(pool, Unknown):
            return Unsure(site, pool.why)
        if isinstance(pool.most, Unknown):
            return Unsure(site, f"max_size of the pool of {pool.alias} is not known: {pool.most.why}")
        sizes[pool.alias] = pool.most.value
    parts: list[str] = []
    total = 0
    for process in running:
        count = process.processes
        if isinstance(count, Unknown):
            return Unsure(site, f"the number of processes of {process.name} is not known: {count.why}")
        for alias in aliases:
            each = _each(process, sizes.get(alias))
            if isinstance(each, Unknown):
                return Unsure(site, each.why)
            total += count.value * each.value
            name = process.origin.service or process.kind
            beside = "" if len(aliases) == 1 else f" to {alias}"
            parts.append(f"{name} {count.value} x {each.value}{beside}")
    if pooled:
        return _clients(stack, site, parts, total, pooled)
    limit = _limit(stack, settings, path, aliases)
    if isinstance(limit, Unknown) and total <= COMFORTABLE * SMALLEST:
        return Pass(site)
    if isinstance(limit, Unknown):
        return Unsure(site, f"{' + '.join(parts)} = {total} connections, and {limit.why}")
    usable = limit.value - RESERVED
    values = {
        "sum": " + ".join(parts),
        "total": total,
        "limit": limit.value,
        "told": f" ({limit.note})" if limit.note and "[host]" not in limit.note else "",
        "usable": usable,
    }
    if total > usable:
        return Fail(site, values)
    if total > COMFORTABLE * usable:
        return Fail(site, values, cause="near")
    return Pass(site)


def _each(process: Process, pool: int | None) -> Value[int]:
    """The connections that one process may hold to one database."""
    if process.kind == "celery-beat":
        return Known(1)
    if process.is_server and process.interface != "wsgi":
        if pool is not None:
            return Known(pool)
        return Unknown(f"{process.name} opens a connection for each request in flight, however many there are")
    if pool is not None:
        return Known(pool)
    threads = process.setting("threads")
    if isinstance(threads, Unknown):
        if "has no setting" in threads.why:
            return Known(1)
        return Unknown(f"the threads of {process.name} are not known: {threads.why}")
    return Known(max(1, int(threads.value)))
