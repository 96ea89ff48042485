"""Which host names Django answers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stackaudit.link.folding.objects import Unset
from stackaudit.link.nginx.level import Level
from stackaudit.link.settings import Settings
from stackaudit.link.settings.readers import Readers
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_NEVER = re.compile(r"://|/|[^:\]]:\d+$|\s")
"""What no Host header that Django compares can hold: a scheme, a path, a port, a blank (`validate_host`)."""
_DEFAULT = re.compile(r"default of env (\w+)")


def allowed_hosts(stack: Stack) -> Iterator[Verdict]:
    """ALLOWED_HOSTS of production names the hosts that it serves."""
    settings = stack.production
    if settings is None or settings.broken:
        return
    value = settings.get("ALLOWED_HOSTS")
    site = Site(settings.place("ALLOWED_HOSTS"), "ALLOWED_HOSTS")
    if isinstance(value, Unset) and value.fallback is None and not settings.is_set("ALLOWED_HOSTS"):
        return
    elif isinstance(value, Unknown):
        yield Unsure(site, value.why)
    elif isinstance(value.value, str):
        yield Fail(site, {"value": repr(value.value), "when": ""}, cause="text")
    elif not isinstance(value.value, (list, tuple)):
        yield Unsure(site, "ALLOWED_HOSTS is no list")
    else:
        yield _judged(stack, settings, site, value)


def _judged(stack: Stack, settings: Settings, site: Site, value: Known[Any]) -> Verdict:
    hosts = [item.value for item in value.value if isinstance(item, Known) and isinstance(item.value, str)]
    hole = next((item.why for item in value.value if isinstance(item, Unknown)), "")
    notes = [value.note, *(item.note for item in value.value if isinstance(item, Known))]
    default = next((found[1] for note in notes if (found := _DEFAULT.search(note))), "")
    when = f"Where the environment variable {default} is not set, " if default else ""
    values = {"value": "'*'", "when": when, "variable": default, "path": settings.path}
    if "*" in hosts:
        if _guarded(stack):
            return Pass(site)
        if any("dynaconf" in note for note in notes):
            return Fail(site, values, cause="dynaconf")
        cause = "by-default" if default else ""
        return Fail(site, values, cause=cause, fix=_by_installation(stack, settings, default))
    bad = [host for host in hosts if _NEVER.search(host.strip())]
    if hole:
        return Unsure(site, hole)
    if bad and len(bad) == len(hosts):
        return Fail(site, {"value": ", ".join(map(repr, bad)), "when": when}, cause="never-matches")
    if any(hosts):
        return Pass(site)
    return _empty(stack, settings, site, default)


def _empty(stack: Stack, settings: Settings, site: Site, default: str) -> Verdict:
    """No host at all: Django answers 400 to everything unless DEBUG is on."""
    debug = settings.get("DEBUG")
    if default:
        return Unsure(site, f"the environment variable {default} decides it and the repository does not set it")
    if isinstance(debug, Unknown):
        return Unsure(site, debug.why)
    if settings.absent:
        return Unsure(site, f"{next(iter(settings.absent))}, which is not in the repository, may set it")
    if debug.value:
        return Pass(site)
    if not servers(stack):
        return Unsure(site, "no command starts a server with these settings, so they may be those of development")
    return Fail(site, {"value": "", "when": ""}, cause="empty")


def _guarded(stack: Stack) -> bool:
    """Whether nginx turns away hosts that it does not know before they reach the application.

    That is so where a default server answers by itself and none of the servers that hand requests on is a default one,
    or where each of these compares `$host` before anything else.
    """
    handing = {item.location.server for item in stack.nginx.proxied}
    if handing and all(any(map(_compares_host, server.level.inside("if"))) for server in handing):
        return True
    defaults = {
        server
        for server in stack.nginx.servers
        if any(listen.options & {"default_server", "default"} for listen in server.listens)
    }
    named = all(server.names and "_" not in server.names for server in handing)
    return bool(handing) and bool(defaults) and named and not handing & defaults


def _compares_host(block: Level) -> bool:
    """Whether a block is `if ($host != "...") { return ...; }`."""
    words = [word.text for word in block.directive.args] if block.directive is not None else []
    return words[:2] in (["$host", "!="], ["$host", "!~"], ["$host", "!~*"]) and bool(block.lines.get("return"))


def _by_installation(stack: Stack, settings: Settings, default: str) -> str:
    """The names that each installation has, where the settings that win read the environment; "" where they do not."""
    readers = Readers(stack, settings.path)
    inside = _health_checks(stack)
    named = f"urlsplit({readers.site}).hostname" if readers.site else readers.domain
    imported = " (`from urllib.parse import urlsplit`)" if readers.site else ""
    held = ", ".join([named, *(f'"{name}"' for name in inside)])
    told = f" {' and '.join(inside)} is what a health check of the repository asks for." if inside else ""
    if default:
        if not named:
            return ""
        reading = Readers(stack, settings.place("ALLOWED_HOSTS").path).reading("ALLOWED_HOSTS", default)
        if reading is not None and reading.is_text:
            parts = ",".join([f"{{{named}}}", *inside])
            held = f'f"{parts}"' if inside else named
        else:
            held = f"[{held}]"
        return (
            f"Make the default of {default} `{held}`{imported} instead of every name: installations that set the "
            f"variable stay as they are.{told}"
        )
    if named:
        below = readers.site or readers.domain
        return (
            f"Each installation has names of its own, and {below} knows it: `ALLOWED_HOSTS = [{held}]`{imported} in "
            f"{settings.path}, below {below}. What other services ask for by name belongs to the list too.{told}"
        )
    listing = readers.listing("ALLOWED_HOSTS")
    if not listing:
        return ""
    added = f" + [{', '.join(f'{chr(34)}{name}{chr(34)}' for name in inside)}]" if inside else ""
    return (
        f"Read the names of each installation as the other settings of {settings.path} are read: `ALLOWED_HOSTS = "
        f"{listing}{added}`. Installations have to set the variable first; until then Django answers 400.{told}"
    )


def _health_checks(stack: Stack) -> list[str]:
    """The names of the own machine that health checks of containers put into their requests."""
    texts = [
        word.text
        for item in stack.of_kind("dockerfile", "compose")
        for holder in (item.facts.stages if item.kind == "dockerfile" else item.facts.services)
        if holder.healthcheck is not None
        for step in holder.healthcheck.steps
        for word in step.words
    ]
    return [name for name in ("localhost", "127.0.0.1") if any(f"//{name}" in text for text in texts)]
