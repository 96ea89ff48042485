"""Server-side cursors behind a pooler that changes the connection under them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts import python as ir
from stackaudit.facts.services import Service
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.settings.servers import databases, pooler
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_BOUNCER = re.compile(r"pgbouncer", re.IGNORECASE)
_MODES = frozenset({"POOL_MODE", "PGBOUNCER_POOL_MODE"})
_HOSTED = re.compile(r"-pooler\b.*\.neon\.tech$|\.pooler\.supabase\.com$")


def pgbouncer_server_side_cursors(stack: Stack) -> Iterator[Verdict]:
    """Each PostgreSQL behind a transaction pooler is asked without server-side cursors."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    found = databases(settings)
    if isinstance(found, Unknown):
        return
    for alias, _ in found:
        engine = settings.at("DATABASES", alias, "ENGINE", default="")
        if isinstance(engine, Known) and engine.value and not re.search("postgres|postgis", str(engine.value)):
            continue
        before = pooler(stack, settings, alias)
        if before:
            yield _judged(stack, settings, alias, before)


def _judged(stack: Stack, settings: Settings, alias: str, before: str) -> Verdict:
    value = settings.at("DATABASES", alias, "DISABLE_SERVER_SIDE_CURSORS", default=False)
    place = settings.place_at("DATABASES", alias, "DISABLE_SERVER_SIDE_CURSORS")
    site = Site(place, f"DATABASES.{alias}.DISABLE_SERVER_SIDE_CURSORS")
    if settings.doubt:
        return Unsure(site, settings.doubt)
    if isinstance(value, Unknown):
        return Unsure(site, value.why)
    if value.value:
        return Pass(site)
    mode = _mode(stack, settings, alias)
    if isinstance(mode, Unknown):
        return Unsure(site, mode.why)
    if mode.value == "session":
        return Pass(site)
    use = _use(stack, settings)
    values = {"alias": alias, "pooler": before, "mode": mode.value, "use": use.text if use is not None else ""}
    steps = tuple(Step(each, f"the pool's mode is {mode.value}") for each in mode.places[:1])
    return Fail(site, values, cause="" if use is not None else "unused", related=(*steps, *([use] if use else [])))


def _mode(stack: Stack, settings: Settings, alias: str) -> Value[str]:
    """The mode of the pool before a database: "session", "transaction" or "statement"."""
    host = settings.at("DATABASES", alias, "HOST", default="")
    port = settings.at("DATABASES", alias, "PORT", default="")
    name = str(host.value) if isinstance(host, Known) else ""
    if _HOSTED.search(name):
        if "supabase" in name and not (isinstance(port, Known) and str(port.value) == "6543"):
            return Known("session") if isinstance(port, Known) else Unknown(port.why)
        return Known("transaction")
    found: list[Value[str]] = []
    for item in stack.of_kind("compose"):
        for service in item.facts.services:
            if _is_bouncer(service) and (not name or service.name == name or name not in _names(item.facts.services)):
                found.append(_of_service(item.path, service))
    if not found:
        return Unknown("the mode of the pool is not in the repository")
    modes = {each.value for each in found if isinstance(each, Known)}
    unknown = next((each for each in found if isinstance(each, Unknown)), None)
    if unknown is not None or len(modes) > 1:
        return unknown or Unknown("there are several poolers with several modes")
    return found[0]


def _names(services: tuple[Service, ...]) -> set[str]:
    return {service.name for service in services}


def _is_bouncer(service: Service) -> bool:
    return bool(_BOUNCER.search(service.name) or (service.image and _BOUNCER.search(service.image.text)))


def _of_service(path: str, service: Service) -> Value[str]:
    for variable in service.environment:
        if variable.name in _MODES:
            place = Place(path, variable.region)
            if variable.value is None or variable.value.holes:
                return Unknown(f"the environment decides {variable.name} of {service.name}", (place,))
            return Known(variable.value.text.strip().lower(), (place,))
    if service.mounts or service.env_files or service.image is None:
        return Unknown(f"the configuration of {service.name} is not read")
    return Known("session", (Place(path, service.region),), "PgBouncer's default")


def _use(stack: Stack, settings: Settings) -> Step | None:
    """What opens a server-side cursor: the admin's and forms' choices of rows, and `.iterator()`."""
    for module in stack.modules:
        for node in nodes(module.facts.body):
            if isinstance(node, ir.Call) and isinstance(node.func, ir.Attribute) and node.func.attr == "iterator":
                return Step(module.place(node), "`.iterator()` opens a server-side cursor here")
    admin = items(settings, "INSTALLED_APPS").within("django.contrib.admin")
    if admin is not None and not admin.doubt:
        return Step(admin.place, "the admin's choices of related rows open server-side cursors")
    return None
