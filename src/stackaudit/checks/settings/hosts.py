"""Which host names Django answers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stackaudit.checks.settings.names import by_installation
from stackaudit.checks.settings.refused_names import refused_names
from stackaudit.link.folding.objects import Unset
from stackaudit.link.nginx.level import Level
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import servers
from stackaudit.link.settings.sources import given_by
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_NEVER = re.compile(r"://|/|[^:\]]:\d+$|\s")
"""What no Host header that Django compares can hold: a scheme, a path, a port, a blank (`validate_host`)."""


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
        if not settings.doubt and (hosts := _certain(value)):
            yield from refused_names(stack, settings, hosts)


def _certain(value: Known[Any]) -> list[str]:
    """The hosts, where all of them are in the repository and no environment variable replaces them."""
    items = list(value.value)
    notes = [value.note, *(item.note for item in items if isinstance(item, Known))]
    if any(notes) or any(not isinstance(item, Known) or not isinstance(item.value, str) for item in items):
        return []
    return [item.value for item in items]


def _judged(stack: Stack, settings: Settings, site: Site, value: Known[Any]) -> Verdict:
    hosts = [item.value for item in value.value if isinstance(item, Known) and isinstance(item.value, str)]
    hole = next((item.why for item in value.value if isinstance(item, Unknown)), "")
    notes = [value.note, *(item.note for item in value.value if isinstance(item, Known))]
    default = next(filter(None, map(defaulted, notes)), "")
    when = f"Where the environment variable {default} is not set, " if default else ""
    values = {"value": "'*'", "when": when, "variable": default, "path": settings.path}
    if "*" in hosts:
        if _guarded(stack):
            return Pass(site)
        if any("heroku" in note for note in notes):
            return Fail(site, values, cause="heroku")
        if any("dynaconf" in note for note in notes):
            return Fail(site, values, cause="dynaconf")
        star = next(item for item in value.value if isinstance(item, Known) and item.value == "*")
        if (given := given_by(stack, star)) and not default:
            variable, _, place = given
            fix = (
                f"Write the names that the site is reached by where {variable} is set, in {place.path}, line "
                f"{place.region.line}. What health checks ask for (localhost, an IP address) belongs to them, too."
            )
            return Fail(site, values, fix=fix, related=(Step(place, f"{variable} is set here"),))
        cause = "by-default" if default else ""
        return Fail(site, values, cause=cause, fix=by_installation(stack, settings, default))
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
