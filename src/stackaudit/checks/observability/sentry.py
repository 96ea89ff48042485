"""What Sentry is asked to collect."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.celery.constants import constant
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.processes import audience
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

RATES = ("traces_sample_rate", "profiles_sample_rate", "profile_session_sample_rate")
SAMPLERS = {"traces_sample_rate": "traces_sampler", "profiles_sample_rate": "profiles_sampler"}


def sentry_full_sampling(stack: Stack) -> Iterator[Verdict]:
    """Sentry gets a sample of the traffic, and no more of the people behind it than was decided."""
    for found in stack.mentions.named("init"):
        if audience.of_settings(found.module.name)[0] != "development" and _starts(stack, found):
            yield from _judged(stack, found.module, found.call)


def _starts(stack: Stack, found: Found) -> bool:
    symbol = meaning(stack, found, found.call.func)
    return symbol is not None and symbol.name == "sentry_sdk.init"


def _judged(stack: Stack, module: SourceModule, call: py.Call) -> Iterator[Verdict]:
    given = {keyword.name: keyword.value for keyword in call.keywords}
    values = {name: _value(stack, module, given[name]) for name in (*RATES, "send_default_pii") if name in given}
    name = f"{module.name}: sentry_sdk.init"
    if not values:
        if None in given:
            yield Unsure(Site(module.place(call), name), "its arguments come from elsewhere")
        else:
            yield Pass(Site(module.place(call), name))
        return
    traces = values.get("traces_sample_rate")
    for key, value in values.items():
        site = Site(module.place(given[key]), f"{name}({key})")
        if isinstance(value, Unknown):
            yield Unsure(site, value.why)
        elif key == "send_default_pii":
            yield Fail(site, {"name": key, "value": "True"}, cause="pii") if value.value is True else Pass(site)
        elif not isinstance(value.value, (int, float)) or not _full(key, value.value, traces):
            yield Pass(site)
        elif "default of" in value.note:
            yield Unsure(site, f"everything is collected unless the environment says otherwise ({value.note})")
        else:
            yield Fail(site, {"name": key, "value": f"{value.value:g}"})


def _full(key: str, rate: float, traces: AnyValue | None) -> bool:
    """Whether everything is collected. Profiles are taken of what is traced: a tenth of the traces is a tenth."""
    if key == "profiles_sample_rate" and not (isinstance(traces, Known) and traces.value == 1):
        return False
    return rate >= 1


def _value(stack: Stack, module: SourceModule, expr: py.Expr) -> AnyValue:
    """The value of an argument; a name of the settings module as production has it."""
    settings = stack.settings
    if isinstance(expr, py.Name) and settings is not None and settings.is_set(expr.id):
        return settings.get(expr.id)
    found = constant(stack, module, expr)
    if isinstance(found, Unknown):
        return Unknown(f"{found.why}: {dotted(expr) or 'an expression'}", found.places)
    return found
