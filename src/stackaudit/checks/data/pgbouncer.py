"""What PgBouncer takes from sessions, and what it opens at the database."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.mentions import meaning
from stackaudit.link.services import Instance
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases, pooler
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SESSION: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bpg_(try_)?advisory_lock(_shared)?\s*\(", re.IGNORECASE), "an advisory lock of the session"),
    (re.compile(r"^\s*LISTEN\s+\w", re.IGNORECASE), "LISTEN"),
    (
        re.compile(r"^\s*SET\s+(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)(SESSION\s+)?[\w.]+\s*(=|TO\b)", re.IGNORECASE),
        "SET",
    ),
    (
        re.compile(r"^\s*CREATE\s+(LOCAL\s+)?TEMP(ORARY)?\s+TABLE\b(?!.*\bON\s+COMMIT\s+DROP)", re.I | re.S),
        "a temporary table",
    ),
)
"""SQL that counts on the session that the next statement runs in."""
CALLS = {
    "django_pglocks.advisory_lock": "an advisory lock of the session",
    "pgpubsub.listen": "LISTEN",
    "pglock.advisory": "an advisory lock of the session",
}
RESERVED = 3


def pgbouncer_transaction_mode(stack: Stack) -> Iterator[Verdict]:
    """Django asks PgBouncer for nothing that its pool mode takes away."""
    settings = stack.production
    for instance in stack.services.production("pgbouncer"):
        aliases = list(_pooled(stack, settings)) if settings is not None else []
        yield from _modes(stack, instance)
        if settings is not None:
            for alias in aliases:
                yield from _startup(settings, instance, alias)
                yield from _prepared(settings, instance, alias)
        yield from _sizes(stack, instance)


def _pooled(stack: Stack, settings: Settings) -> Iterator[str]:
    """The databases that Django reaches through the pooler."""
    for alias in aliases(settings):
        if pooler(stack, settings, alias):
            yield alias


def _mode_of(instance: Instance) -> Iterator[tuple[str, AnyValue]]:
    """The pool mode of each database that has its own, and of the others ("")."""
    yield "", instance.setting("pool_mode")
    for name, value in instance.databases.items():
        if isinstance(value, Known):
            own = _parameter(value, "pool_mode")
            if own is not None:
                yield name, Known(own, value.places)


def _parameter(value: Known[str], name: str) -> str | None:
    """A parameter of a connection string: `host=db pool_size=7`."""
    match = re.search(rf"(?:^|\s){name}\s*=\s*'?([^\s']+)", value.value)
    return match[1] if match else None


def _modes(stack: Stack, instance: Instance) -> Iterator[Verdict]:
    for name, mode in _mode_of(instance):
        place = mode.places[0] if mode.places else instance.place
        site = Site(place, f"{instance.name}: pool_mode{f' of {name}' if name else ''}")
        if isinstance(mode, Unknown):
            yield Unsure(site, mode.why)
        elif mode.value == "statement":
            yield Fail(site, {"what": "", "mode": "statement"}, cause="statement")
        elif mode.value == "transaction":
            uses = list(_session_state(stack))
            if uses:
                related = tuple(Step(place, f"{what} in the session") for place, what in uses[:6])
                whats = ", ".join(dict.fromkeys(what for _, what in uses))
                yield Fail(site, {"what": whats, "mode": "transaction"}, related=related)
            else:
                yield Pass(site)
        else:
            yield Pass(site)


def _session_state(stack: Stack) -> Iterator[tuple[Place, str]]:
    """The statements of the project's code that count on their session."""
    for found in stack.mentions.named("execute", "raw", "executemany"):
        if isinstance(found.call.func, py.Attribute) and found.call.args:
            text = _text(found.call.args[0])
            what = next((what for pattern, what in SESSION if pattern.search(text)), "")
            if what:
                yield found.module.place(found.node), what
    for found in stack.mentions.named(*(name.rpartition(".")[2] for name in CALLS)):
        symbol = meaning(stack, found, found.call.func)
        if symbol is not None and symbol.name in CALLS:
            yield found.module.place(found.node), CALLS[symbol.name]


def _text(expr: py.Expr) -> str:
    """The text of a string, or the first words of an f-string."""
    if isinstance(expr, py.Constant) and isinstance(expr.value, str):
        return expr.value
    if isinstance(expr, py.JoinedStr):
        return "".join(_text(part) if isinstance(part, py.Constant) else "x" for part in expr.values)
    return ""


def _startup(settings: Settings, instance: Instance, alias: str) -> Iterator[Verdict]:
    """libpq's `options` is a startup parameter that PgBouncer refuses unless it is told to ignore it."""
    options = settings.at("DATABASES", alias, "OPTIONS", "options", default=None)
    if isinstance(options, Known) and not options.value:
        return
    place = settings.place_at("DATABASES", alias, "OPTIONS", "options")
    site = Site(place, f"DATABASES[{alias}].OPTIONS.options through {instance.name}")
    ignored = instance.setting("ignore_startup_parameters")
    if isinstance(options, Unknown):
        if "OPTIONS" in options.why or not options.places:
            return
        yield Unsure(site, options.why)
    elif isinstance(ignored, Unknown):
        yield Unsure(site, ignored.why)
    elif "options" in re.split(r"[,\s]+", str(ignored.value)):
        yield Pass(site)
    else:
        step = Step(instance.setting_place("ignore_startup_parameters"), "does not name `options`")
        yield Fail(site, {"what": str(options.value), "mode": ""}, cause="startup", related=(step,))


def _prepared(settings: Settings, instance: Instance, alias: str) -> Iterator[Verdict]:
    """Django turns prepared statements off; OPTIONS may turn them on."""
    threshold = settings.at("DATABASES", alias, "OPTIONS", "prepare_threshold", default=None)
    if not isinstance(threshold, Known) or threshold.value is None:
        return
    mode, kept = instance.setting("pool_mode"), instance.setting("max_prepared_statements")
    site = Site(settings.place_at("DATABASES", alias, "OPTIONS", "prepare_threshold"), f"{alias}: prepare_threshold")
    if isinstance(mode, Known) and mode.value == "session":
        yield Pass(site)
    elif isinstance(mode, Unknown):
        yield Unsure(site, mode.why)
    elif isinstance(kept, Unknown):
        yield Unsure(site, kept.why)
    elif str(kept.value) == "0":
        yield Fail(site, {"what": str(threshold.value), "mode": mode.value}, cause="prepared")
    else:
        yield Pass(site)


def _sizes(stack: Stack, instance: Instance) -> Iterator[Verdict]:
    """All pools together open fewer connections than the database that the repository shows takes."""
    servers = stack.services.production("postgres")
    if len(servers) != 1 or not instance.databases:
        return
    limit = servers[0].number("max_connections")
    size = instance.number("default_pool_size")
    site = Site(instance.setting_place("default_pool_size"), f"{instance.name}: pools")
    if isinstance(limit, Unknown) or isinstance(size, Unknown):
        return
    total, parts = 0.0, []
    for name, value in instance.databases.items():
        own = _parameter(value, "pool_size") if isinstance(value, Known) else None
        each = float(own) if own is not None and own.isdigit() else size.value
        total += each
        parts.append(f"{name} {each:.0f}")
    reserve = instance.number("reserve_pool_size")
    total += reserve.value * len(parts) if isinstance(reserve, Known) else 0
    values = {"what": " + ".join(parts), "mode": "", "total": round(total), "limit": round(limit.value)}
    if total > limit.value - RESERVED:
        step = Step(servers[0].setting_place("max_connections"), f"max_connections is {limit.value:.0f}")
        yield Fail(site, values, cause="sizes", related=(step,))
    else:
        yield Pass(site)
