"""SQLite behind several processes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import databases, process_count, servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, all_defaulted, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_WAL = re.compile(r"journal_mode\s*[=(]\s*['\"]?wal", re.IGNORECASE)


def sqlite_multiworker(stack: Stack) -> Iterator[Verdict]:
    """Several processes do not write to one SQLite file, unless it is tuned for that."""
    settings = stack.settings
    if settings is None or not servers(stack):
        return
    found = databases(settings)
    if isinstance(found, Unknown):
        yield Unsure(Site(settings.place("DATABASES"), "DATABASES"), found.why)
        return
    for alias, _ in found:
        yield _judged(stack, settings, alias)


def _in_wal(stack: Stack) -> bool:
    """Whether code or a script of the project switches SQLite's file to write-ahead logging, which the file keeps."""
    if any(_WAL.search(repr(item.facts)) for item in stack.of_kind("shell")):
        return True
    # A settings module speaks of one database, in its options.
    return any("DATABASES" not in found.module.names for found in stack.mentions.written(_WAL.search))


def _judged(stack: Stack, settings: Settings, alias: str) -> Verdict:
    engine = settings.at("DATABASES", alias, "ENGINE", default="")
    site = Site(settings.place_at("DATABASES", alias, "ENGINE"), f"DATABASES.{alias}")
    if settings.doubt:
        return Unsure(site, settings.doubt)
    if isinstance(engine, Unknown):
        return Unsure(site, engine.why)
    if not str(engine.value).endswith(("sqlite3", "spatialite")):
        return Pass(site)
    name = settings.at("DATABASES", alias, "NAME", default="")
    if isinstance(name, Known) and str(name.value) == ":memory:":
        return Pass(site)
    mode = settings.at("DATABASES", alias, "OPTIONS", "transaction_mode", default="")
    commands = settings.at("DATABASES", alias, "OPTIONS", "init_command", default="")
    given = any(isinstance(part, Known) and part.value for part in (mode, commands))
    if given and settings.version is not None and settings.version[:2] < (5, 1):
        return Unsure(site, "Django before 5.1 does not know the options of SQLite that are set")
    if isinstance(mode, Known) and str(mode.value).upper() in ("IMMEDIATE", "EXCLUSIVE"):
        return Pass(site)
    if isinstance(commands, Known) and "wal" in str(commands.value).lower():
        return Pass(site)
    count = process_count(stack)
    if isinstance(count, Unknown):
        return Unsure(site, count.why)
    if count.value < 2 or _in_wal(stack):
        return Pass(site)
    for part in (mode, commands):
        if isinstance(part, Unknown):
            return Unsure(site, part.why)
    server = servers(stack)[0]
    step = Step(server.setting_place("workers"), f"{count.value} processes share the file ({server.name})")
    values = {"alias": alias, "count": count.value, "note": engine.note}
    if not defaulted(engine.note):
        return Fail(site, values, related=(step,))
    return Fail(site, {**values, **_chosen(settings, engine)}, cause="by-default", related=(step,))


def _chosen(settings: Settings, engine: Known[str]) -> dict[str, str]:
    """By which variables a database is chosen, in words: to set one of them to SQLite is a choice, too."""
    whole = settings.get("DATABASES")
    notes = (whole.note if isinstance(whole, Known) else "", engine.note)
    *first, last = dict.fromkeys(name for note in notes for name in all_defaulted(note))
    return {
        "missing": f"{', '.join(first)} and {last} are missing" if first else f"{last} is missing",
        "one": "one of them" if first else "it",
        "engine": str(engine.value).rpartition(".")[2],
    }
