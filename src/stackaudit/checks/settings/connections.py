"""How long a connection to the database lives, against the server that opens it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.processes.model import Process
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import databases, pool, pooler, servers, told
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

UNPOOLED = re.compile(r"sqlite|spatialite|dummy|snowflake|bigquery")
"""Engines of which a connection costs nothing, or is none."""
COOPERATIVE = re.compile(r"gevent|eventlet", re.IGNORECASE)
FEW_VISITORS = 500
"""Visitors a day below which a connection for each request is nothing to look at."""


def _sites(settings: Settings) -> Iterator[tuple[str, Site, AnyValue]]:
    """Each database that a server reaches over a connection: its alias, its site and its ENGINE."""
    found = databases(settings)
    if isinstance(found, Unknown):
        yield "", Site(settings.place("DATABASES"), "DATABASES"), found
        return
    for alias, entry in found:
        engine = settings.at("DATABASES", alias, "ENGINE", default="")
        if isinstance(engine, Known) and (not engine.value or UNPOOLED.search(str(engine.value))):
            continue
        place = settings.place_at("DATABASES", alias, "CONN_MAX_AGE")
        unknown = entry if isinstance(entry, Unknown) else engine
        yield alias, Site(place, f"DATABASES.{alias}"), unknown


def conn_max_age_asgi(stack: Stack) -> Iterator[Verdict]:
    """No database keeps persistent connections where an ASGI server runs the settings."""
    settings = stack.settings
    if settings is None:
        return
    asgi = [server for server in servers(stack) if server.interface == "asgi"]
    if not asgi:
        return
    for alias, site, entry in _sites(settings):
        if not alias:
            yield Unsure(site, entry.why if isinstance(entry, Unknown) else "its entries are not known")
            continue
        yield _asgi(stack, settings, alias, site, asgi[0])


def _asgi(stack: Stack, settings: Settings, alias: str, site: Site, server: Process) -> Verdict:
    age = settings.at("DATABASES", alias, "CONN_MAX_AGE", default=0)
    if settings.doubt:
        return Unsure(site, settings.doubt)
    if isinstance(age, Unknown):
        return Unsure(site, age.why)
    if age.value == 0:
        return Pass(site)
    engine = settings.at("DATABASES", alias, "ENGINE", default="")
    if isinstance(engine, Unknown) and not isinstance(settings.get("DATABASES"), Unknown) and age.note == "default":
        return Unsure(site, engine.why)
    before = pooler(stack, settings, alias)
    values = {"alias": alias, "age": told(age), "server": server.kind, "pooler": before}
    related = (Step(server.place, f"{server.name} serves these settings with ASGI"),)
    return Fail(site, values, cause="pooler" if before else "", related=related)


def no_connection_reuse(stack: Stack) -> Iterator[Verdict]:
    """A WSGI server keeps the connections to a database on the network."""
    settings = stack.settings
    if settings is None:
        return
    found = servers(stack)
    wsgi = [server for server in found if server.interface == "wsgi"]
    if not wsgi or any(server.interface == "asgi" for server in found):
        return
    for alias, site, entry in _sites(settings):
        if not alias:
            yield Unsure(site, entry.why if isinstance(entry, Unknown) else "its entries are not known")
            continue
        verdict = _reuse(stack, settings, alias, site, wsgi)
        if verdict is not None:
            yield verdict


def _reuse(stack: Stack, settings: Settings, alias: str, site: Site, wsgi: list[Process]) -> Verdict | None:
    age = settings.at("DATABASES", alias, "CONN_MAX_AGE", default=0)
    host = settings.at("DATABASES", alias, "HOST", default="")
    held = pool(settings, alias)
    if settings.doubt:
        return Unsure(site, settings.doubt)
    if isinstance(host, Known) and (not host.value or str(host.value).startswith("/")):
        if not defaulted(host.note):
            return None
        return Pass(site) if _is_kept(age) else Unsure(site, f"HOST is empty only by default ({host.note})")
    if isinstance(held, Known) and held.value:
        return Pass(site)
    if isinstance(age, Unknown):
        return Unsure(site, age.why)
    if age.value is None:
        return _forever(settings, alias, site)
    if age.value != 0 or pooler(stack, settings, alias):
        return Pass(site)
    if isinstance(held, Unknown):
        return Unsure(site, held.why)
    keeping = [server for server in wsgi if not _is_cooperative(server)]
    if not keeping:
        return None
    worker = keeping[0].worker_class if keeping[0].kind == "gunicorn" else Known("")
    if isinstance(worker, Unknown):
        return Unsure(site, f"the worker class is not known: {worker.why}")
    if isinstance(host, Unknown):
        return Unsure(site, host.why)
    visitors = stack.host.daily_visitors
    if isinstance(visitors, Known) and visitors.value < FEW_VISITORS:
        return Pass(site)
    related = (Step(keeping[0].place, f"{keeping[0].name} serves these settings"),)
    shown = f"{host.value} ({host.note})" if host.note else host.value
    values = {"alias": alias, "host": shown, "server": keeping[0].kind}
    return Fail(site, values, related=related)


def _is_kept(age: AnyValue) -> bool:
    return isinstance(age, Known) and age.value != 0


def _is_cooperative(server: Process) -> bool:
    """Whether a server runs requests in greenlets, each of which has a connection of its own."""
    if server.kind == "uwsgi":
        return isinstance(server.setting("gevent"), Known)
    worker = server.worker_class if server.kind == "gunicorn" else Known("")
    return isinstance(worker, Known) and bool(COOPERATIVE.search(str(worker.value)))


def _forever(settings: Settings, alias: str, site: Site) -> Verdict:
    """Connections that are never closed; Django checks them since 4.1, and before nothing could be set."""
    if settings.version is not None and settings.version[:2] < (4, 1):
        return Pass(site)
    checks = settings.at("DATABASES", alias, "CONN_HEALTH_CHECKS", default=False)
    if isinstance(checks, Unknown):
        return Unsure(site, checks.why)
    return Pass(site) if checks.value else Fail(site, {"alias": alias}, cause="no-health-checks")
