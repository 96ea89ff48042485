"""PostgreSQL's own settings: what keeps data, what uses the memory, what ends a query that nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackaudit.link.host import human
from stackaudit.link.services import Instance
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases, servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

GIB = 1024**3
SMALL = 2 * GIB
"""Below this the default of 128 MB is a fair share."""
DEFAULT_BUFFERS = 128 * 1024**2
MOST = 0.40
SORTS = 0.25
MANY = 200


def postgres_tuning(stack: Stack) -> Iterator[Verdict]:
    """PostgreSQL keeps what it acknowledged, and uses the memory that it has."""
    for instance in stack.services.production("postgres"):
        if instance.open and not instance.given:
            yield Unsure(Site(instance.place, f"{instance.name}: settings"), instance.open)
            continue
        yield _durability(instance)
        yield from _switches(instance)
        yield from _buffers(stack, instance)
        yield from _sorts(stack, instance)
        yield from _crowd(stack, instance)


def _site(instance: Instance, name: str) -> Site:
    return Site(instance.setting_place(name), f"{instance.name}: {name}")


def _values(**more: Any) -> dict[str, Any]:
    return {"name": "", "value": "", "memory": "", "target": "", "share": "", "sum": "", **more}


def _durability(instance: Instance) -> Verdict:
    for name in ("fsync", "full_page_writes"):
        value = instance.on(name)
        if isinstance(value, Unknown):
            return Unsure(_site(instance, name), value.why)
        if not value.value:
            return Fail(_site(instance, name), _values(name=name), cause="durability")
    return Pass(_site(instance, "fsync"))


def _switches(instance: Instance) -> Iterator[Verdict]:
    for name, cause in (("autovacuum", "autovacuum"), ("synchronous_commit", "asynchronous")):
        value = instance.on(name)
        if isinstance(value, Known) and not value.value:
            yield Fail(_site(instance, name), _values(name=name), cause=cause)


def _ram(stack: Stack, instance: Instance) -> AnyValue:
    """The memory that the instance may use: its own limit, or the host's."""
    limit = instance.memory
    return limit if isinstance(limit, Unknown) or limit.value is not None else stack.host.memory


def _buffers(stack: Stack, instance: Instance) -> Iterator[Verdict]:
    value, ram = instance.size("shared_buffers"), _ram(stack, instance)
    site = _site(instance, "shared_buffers")
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
        return
    if isinstance(ram, Unknown):
        yield Unsure(site, f"the memory that it may use is not known: {ram.why}")
        return
    share = value.value / ram.value
    values = _values(
        value=human(value.value),
        memory=human(ram.value),
        share=f"{share:.0%}",
        target=f"{human(0.15 * ram.value)} to {human(0.25 * ram.value)}",
    )
    if value.value <= DEFAULT_BUFFERS and ram.value >= SMALL:
        yield Fail(site, values)
    elif share > MOST:
        yield Fail(site, values, cause="greedy")
    else:
        yield Pass(site)


def _sorts(stack: Stack, instance: Instance) -> Iterator[Verdict]:
    """Every connection may sort in work_mem, several times over."""
    each, most, ram = instance.size("work_mem"), instance.number("max_connections"), _ram(stack, instance)
    if isinstance(each, Known) and isinstance(most, Known) and isinstance(ram, Known) and each.places:
        total = each.value * most.value
        if total > SORTS * ram.value:
            text = f"{human(each.value)} x {most.value:.0f} connections = {human(total)}"
            yield Fail(
                _site(instance, "work_mem"),
                _values(sum=text, memory=human(ram.value), share=f"{total / ram.value:.0%}"),
                cause="sorts",
            )


def _crowd(stack: Stack, instance: Instance) -> Iterator[Verdict]:
    most = instance.number("max_connections")
    pooled = bool(stack.services.production("pgbouncer"))
    if isinstance(most, Known) and most.value > MANY and not pooled:
        yield Fail(_site(instance, "max_connections"), _values(value=f"{most.value:.0f}"), cause="crowd")


def postgres_timeouts(stack: Stack) -> Iterator[Verdict]:
    """A query that nobody waits for any more is ended by the database."""
    settings = stack.production
    if settings is None or settings.broken or not servers(stack):
        return
    for alias in aliases(settings):
        engine = settings.at("DATABASES", alias, "ENGINE", default="")
        if isinstance(engine, Known) and "postg" in str(engine.value):
            yield _timed(stack, settings, alias)


def _timed(stack: Stack, settings: Settings, alias: str) -> Verdict:
    site = Site(settings.place_at("DATABASES", alias, "OPTIONS", "options"), f"DATABASES[{alias}]: statement_timeout")
    options = settings.at("DATABASES", alias, "OPTIONS", "options", default="")
    if isinstance(options, Unknown):
        return Unsure(site, options.why)
    if "statement_timeout" in str(options.value):
        return Pass(site)
    instance = _behind(stack, settings, alias)
    if instance is None:
        if _set_by_code(stack):
            return Pass(site)
        return Unsure(site, "the database is not in the repository, and a role may have its own statement_timeout")
    timeout = instance.milliseconds("statement_timeout")
    if isinstance(timeout, Unknown):
        return Unsure(site, timeout.why)
    if timeout.value or _set_by_code(stack):
        return Pass(site)
    script = next((mount for mount, _ in instance.mounts if "docker-entrypoint-initdb.d" in mount.target), None)
    if script is not None:
        return Unsure(site, "a script that sets up the database may give the role a statement_timeout")
    step = Step(instance.setting_place("statement_timeout"), "statement_timeout is 0: a query may run for ever")
    return Fail(site, {"alias": alias}, related=(step,))


def _behind(stack: Stack, settings: Settings, alias: str) -> Instance | None:
    """The PostgreSQL of the repository that a database is, None where it is none of them."""
    host = settings.at("DATABASES", alias, "HOST", default="")
    found = stack.services.at("postgres", str(host.value)) if isinstance(host, Known) else ()
    if not found and isinstance(host, Known) and stack.services.at("pgbouncer", str(host.value)):
        found = stack.services.production("postgres")
    return found[0] if len(found) == 1 else None


def _set_by_code(stack: Stack) -> bool:
    """Whether a text of the project's code names statement_timeout, as a receiver of connection_created does."""
    return any(stack.mentions.written(lambda text: "statement_timeout" in text))
