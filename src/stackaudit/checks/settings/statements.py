"""SQL that is written down for every query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackaudit.facts import python as ir
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

LOGGERS = ("django.db.backends", "django.db")
"""The loggers that Django's queries go through; the second passes its level on to the first."""
LOUD = ("DEBUG", "NOTSET", 10, 0)
SWITCH = "force_debug_cursor"
NEVER_SERVED = ("/tests/", "/test_", "/management/commands/", "conftest.py", "/migrations/")


def sql_logging(stack: Stack) -> Iterator[Verdict]:
    """Production does not write every SQL statement to a log, nor keep it in memory."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    for name in LOGGERS:
        level = settings.at("LOGGING", "loggers", name, "level", default="")
        if settings.is_set("LOGGING") and (isinstance(level, Unknown) or level.value != ""):
            yield _logger(settings, name, level)
            break
    yield from _forced(stack)
    yield from _by_server(settings)


def _logger(settings: Settings, name: str, level: AnyValue) -> Verdict:
    site = Site(settings.place_at("LOGGING", "loggers", name, "level"), f"LOGGING.loggers.{name}")
    debug = settings.get("DEBUG")
    if settings.doubt:
        return Unsure(site, settings.doubt)
    if isinstance(level, Unknown):
        return Unsure(site, level.why) if not isinstance(debug, Known) or debug.value else Pass(site)
    loud = level.value in LOUD or (isinstance(level.value, str) and level.value.upper() in LOUD)
    if not loud or (isinstance(debug, Known) and not debug.value):
        return Pass(site)  # Django's cursors log only while DEBUG is on or force_debug_cursor is set
    if isinstance(debug, Unknown):
        return Unsure(site, debug.why)
    if defaulted(debug.note):  # the default is what is wrong, and settings/debug-true says so
        return Unsure(site, f"DEBUG is on by default only ({debug.note})")
    step = Step(settings.place("DEBUG"), "DEBUG is on here, without which nothing would be logged")
    return Fail(site, {"logger": name}, related=(step,))


def _forced(stack: Stack) -> Iterator[Verdict]:
    """`connection.force_debug_cursor = True` where every process comes past: at the top of a module, or in ready()."""
    for module in stack.modules:
        if any(part in f"/{module.path}" for part in NEVER_SERVED):
            continue
        for statement in _at_start(module.facts.body):
            if (
                isinstance(statement, ir.Assign)
                and isinstance(statement.value, ir.Constant)
                and statement.value.value is True
                and any(isinstance(each, ir.Attribute) and each.attr == SWITCH for each in statement.targets)
            ):
                yield Fail(Site(module.place(statement), f"{module.name}: {SWITCH}"), {}, cause="forced")


def _at_start(body: Sequence[ir.Stmt]) -> Iterator[ir.Stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ir.ClassDef):
            for member in statement.body:
                if isinstance(member, ir.FunctionDef) and member.name == "ready":
                    yield from member.body


def _by_server(settings: Settings) -> Iterator[Verdict]:
    """Connections that make PostgreSQL log each statement."""
    for alias in aliases(settings):
        options = settings.at("DATABASES", alias, "OPTIONS", "options", default="")
        if not isinstance(options, Known) or "log_statement" not in str(options.value):
            continue
        site = Site(settings.place_at("DATABASES", alias, "OPTIONS", "options"), f"DATABASES.{alias}.OPTIONS.options")
        text = str(options.value).replace(" ", "")
        yield Fail(site, {"alias": alias}, cause="server") if "log_statement=all" in text else Pass(site)
