"""ASGI servers and the database connections of their requests."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.capacity.connections import counts, pools
from stackaudit.facts.nginx import Directive
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases, pooler, servers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def asgi_unbounded_connections(stack: Stack) -> Iterator[Verdict]:
    """Something limits how many database connections the requests in flight of an ASGI server open."""
    settings = stack.production
    if settings is None:
        return
    running = [process for process in servers(stack) if process.kind not in DEVELOPMENT_SERVERS]
    asgi = [process for process in together(running) if process.interface == "asgi"]
    for alias in aliases(settings) if asgi else ():
        if counts(settings, alias):
            yield _judged(stack, settings, alias, asgi)


def _judged(stack: Stack, settings: Settings, alias: str, asgi: list[Process]) -> Verdict:
    place: Place = settings.place_at("DATABASES", alias)
    site = Site(place, f"DATABASES[{alias}]: connections of requests in flight")
    engine = settings.at("DATABASES", alias, "ENGINE", default="")
    if isinstance(engine, Unknown):
        return Unsure(site, f"the engine is not known: {engine.why}")
    if pooler(stack, settings, alias):
        return Pass(site)
    for pool in pools(settings):
        if isinstance(pool, Unknown):
            return Unsure(site, pool.why)
        if pool.alias == alias:
            return Pass(site)
    for process in asgi:
        limit = process.setting("backpressure" if process.kind == "granian" else "limit_concurrency")
        if isinstance(limit, Known) and limit.value:
            continue
        if isinstance(limit, Unknown) and limit.places:
            return Unsure(site, f"the server's limit is not known: {limit.why}")
        if any(_limits(item.facts.directives) for item in stack.of_kind("nginx")):
            return Unsure(site, "nginx limits connections (limit_conn), and for whom depends on its key")
        return Fail(site, {"server": process.name, "alias": alias})
    return Pass(site)


def _limits(directives: tuple[Directive, ...], depth: int = 0) -> bool:
    return any(
        item.name == "limit_conn" or (item.block is not None and depth < 10 and _limits(item.block, depth + 1))
        for item in directives
    )
