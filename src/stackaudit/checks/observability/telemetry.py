"""Whether anybody is told when something goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.observability.tools import METRICS, TRACERS, TRACKERS, imported, launched, package
from stackaudit.facts import python as py
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, plain
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

HEALTH = re.compile(
    r"(^|[/^_-])(health(z|check|_check|-check)?|livez?|readyz?|liveness|readiness|heartbeat|status)(/|\$|$)"
)


def no_telemetry(stack: Stack) -> Iterator[Verdict]:
    """An error tracker, mail to the admins, metrics or at least an address that says whether the site is well."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    site = Site(Place.line(settings.path, 1), "telemetry")
    found = package(stack, (*TRACKERS, *TRACERS, *METRICS)) or launched(stack) or imported(stack)
    if found:
        yield Pass(site)
        return
    admins = settings.get("ADMINS")
    if isinstance(admins, Known) and plain(admins):
        yield Pass(site)
    elif isinstance(admins, Unknown):
        yield Unsure(site, f"whether anybody gets Django's mails is not known: {admins.why}")
    elif _answers(stack) or _handled(settings):
        yield Pass(site)
    elif "default of" in admins.note:
        yield Unsure(site, f"ADMINS is empty unless the environment sets it ({admins.note})")
    elif settings.doubt:
        yield Unsure(site, settings.doubt)
    else:
        yield Fail(site)


def _answers(stack: Stack) -> bool:
    """Whether a URL of the site is there for whoever asks how it is."""
    return any(
        isinstance(node, py.Constant) and isinstance(node.value, str) and HEALTH.search(node.value)
        for module in stack.modules
        if module.path.rpartition("/")[2].startswith("urls") or "/urls/" in module.path
        for node in nodes(module.facts.body)
    )


def _handled(settings: Settings) -> bool:
    """Whether a handler of LOGGING sends errors away from the machine."""
    handlers = settings.at("LOGGING", "handlers", default=None)
    if not isinstance(handlers, Known) or not isinstance(handlers.value, dict):
        return isinstance(handlers, Unknown)
    for name in handlers.value:
        kind = settings.at("LOGGING", "handlers", name, "class", default="")
        text = str(kind.value) if isinstance(kind, Known) else ""
        if not text.startswith(("logging.", "django.utils.log.")) or "SMTPHandler" in text or "SysLog" in text:
            return True
    return False
