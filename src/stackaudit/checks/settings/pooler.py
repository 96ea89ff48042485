"""Server-side cursors behind a pooler that changes the connection under them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts import python as ir
from stackaudit.link.services import Instance
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.settings.servers import aliases, pooled, pooler
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_HOSTED = re.compile(r"-pooler\b.*\.neon\.tech$|\.pooler\.supabase\.com$")


def pgbouncer_server_side_cursors(stack: Stack) -> Iterator[Verdict]:
    """Each PostgreSQL behind a transaction pooler is asked without server-side cursors."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    for alias in aliases(settings):
        engine = settings.at("DATABASES", alias, "ENGINE", default="")
        if isinstance(engine, Known) and engine.value and not re.search("postgres|postgis", str(engine.value)):
            continue
        before = pooler(stack, settings, alias)
        if before and not _goes_around(stack, settings, alias):
            yield _judged(stack, settings, alias, before)


def _goes_around(stack: Stack, settings: Settings, alias: str) -> bool:
    """Whether a database is reached by the name of another service than the poolers that the repository shows."""
    host = settings.at("DATABASES", alias, "HOST", default="")
    port = settings.at("DATABASES", alias, "PORT", default="")
    name = str(host.value) if isinstance(host, Known) else ""
    if not name or pooled(name, str(port.value) if isinstance(port, Known) else ""):
        return False
    return not stack.services.at("pgbouncer", name)


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
    bouncers = stack.services.at("pgbouncer", name) or (() if name else stack.services.production("pgbouncer"))
    if not bouncers and isinstance(host, Unknown):
        bouncers = stack.services.production("pgbouncer")
    modes = [_of_instance(each) for each in bouncers]
    unknown = next((each for each in modes if isinstance(each, Unknown)), None)
    if not modes or unknown is not None:
        return unknown or Unknown("the mode of the pool is not in the repository")
    if len({each.value for each in modes if isinstance(each, Known)}) > 1:
        return Unknown("there are several poolers with several modes")
    return modes[0]


def _of_instance(bouncer: Instance) -> Value[str]:
    """`pool_mode` of a PgBouncer; one of its databases may have another."""
    value = bouncer.setting("pool_mode")
    if any("pool_mode" in str(each.value) for each in bouncer.databases.values() if isinstance(each, Known)):
        return Unknown(f"{bouncer.name} gives its databases modes of their own")
    if isinstance(value, Unknown):
        return value
    return Known(str(value.value).strip().lower(), (bouncer.setting_place("pool_mode"),), value.note)


def _use(stack: Stack, settings: Settings) -> Step | None:
    """What opens a server-side cursor: the admin's and forms' choices of rows, and `.iterator()`."""
    for found in stack.mentions.named("iterator"):
        if isinstance(found.call.func, ir.Attribute):
            return Step(found.module.place(found.node), "`.iterator()` opens a server-side cursor here")
    admin = items(settings, "INSTALLED_APPS").within("django.contrib.admin")
    if admin is not None and not admin.doubt:
        return Step(admin.place, "the admin's choices of related rows open server-side cursors")
    return None
