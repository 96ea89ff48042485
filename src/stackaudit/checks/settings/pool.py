"""Django's own connection pool."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases, pool, told
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

POOLED = re.compile(r"postgresql|postgis|oracle")
OTHERS = frozenset({"django.db.backends.sqlite3", "django.db.backends.mysql", "django.contrib.gis.db.backends.mysql"})


def pool_misconfigured(stack: Stack) -> Iterator[Verdict]:
    """A pool that DATABASES asks for can be opened."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    for alias in aliases(settings):
        held = pool(settings, alias)
        site = Site(settings.place_at("DATABASES", alias, "OPTIONS", "pool"), f"DATABASES.{alias}.OPTIONS.pool")
        if settings.doubt:
            if isinstance(held, Unknown) or held.value:
                yield Unsure(site, settings.doubt)
        elif isinstance(held, Unknown):
            options = settings.at("DATABASES", alias, "OPTIONS", default=None)
            if not isinstance(options, Unknown):
                yield Unsure(site, held.why)
        elif held.value:
            yield _judged(stack, settings, alias, site)


def _judged(stack: Stack, settings: Settings, alias: str, site: Site) -> Verdict:
    age = settings.at("DATABASES", alias, "CONN_MAX_AGE", default=0)
    engine = settings.at("DATABASES", alias, "ENGINE", default="")
    values = {"alias": alias, "age": "", "engine": "", "version": ""}
    if isinstance(engine, Unknown):
        return Unsure(site, engine.why)
    values["engine"] = str(engine.value)
    if engine.value in OTHERS:
        return Fail(site, values, cause="engine")
    if isinstance(age, Unknown):
        return Unsure(site, age.why)
    if age.value != 0:
        values["age"] = told(age)
        return Fail(site, values)
    if settings.version is not None and settings.version[:2] < (5, 1):
        values["version"] = ".".join(map(str, settings.version))
        return Fail(site, values, cause="version")
    if not POOLED.search(str(engine.value)):
        return Unsure(site, f"whether {engine.value} has a pool is not known")
    if "oracle" in str(engine.value):
        return Pass(site)
    return _drivers(stack, site, values)


def _drivers(stack: Stack, site: Site, values: dict[str, str]) -> Verdict:
    packages = stack.packages
    if packages.has("psycopg"):
        if packages.has("psycopg-pool") or _has_extra(stack):
            return Pass(site)
        return Fail(site, values, cause="no-pool-package")
    if packages.has("psycopg2") or packages.has("psycopg2-binary"):
        return Fail(site, values, cause="psycopg2")
    return Unsure(site, "which driver of PostgreSQL is installed is not known")


def _has_extra(stack: Stack) -> bool:
    """Whether psycopg is asked for as `psycopg[pool]`."""
    return any("pool" in item.fact.extras for item in stack.packages.declared.get("psycopg", ()))
