"""Whether browsers are told to come back over TLS only."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.cdn import cdn_in_front
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.headers import added
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.servers import Server
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

HEADER = "Strict-Transport-Security"
_MIDDLEWARE = "django.middleware.security.SecurityMiddleware"


def hsts_missing(stack: Stack) -> Iterator[Verdict]:
    """One site for each server that brings Django's pages over TLS."""
    verdicts = once_for_each_place(verdict for server in stack.nginx.servers for verdict in _judge(stack, server))
    yield from one_for_each_cause(verdicts, lambda fail: fail.site.place.path)


def _judge(stack: Stack, server: Server) -> Iterator[Verdict]:
    proxied = pages(stack, stack.nginx, server)
    if server.tls != Known(True) or proxied is None or server.level.directive is None:
        return
    site = Site(server.place, f"{server.title} {HEADER}")
    header = added(proxied.level, HEADER)
    if isinstance(header, Known) and header.value is not None:
        yield Pass(Site(header.value.place, site.name))
        return
    if _lost(proxied.level):
        return  # nginx/add-header-inheritance tells of it
    by_django = sent_by_django(stack)
    if isinstance(by_django, Known) and by_django.value:
        yield Pass(site)
    elif isinstance(header, Unknown):
        yield Unsure(site, header.why)
    elif isinstance(by_django, Unknown):
        yield Unsure(site, by_django.why)
    elif (sign := cdn_in_front(stack, proxied.level)) is not None:
        yield Unsure(site, f"a CDN stands in front ({sign}) and may send it")
    else:
        yield Fail(site, {"name": server.names[0] if server.names else "every name", "again": _again(server)})


def _again(server: Server) -> str:
    """A sentence on the locations that inherit no header of the server, because they add their own; "" without any."""
    own = dict.fromkeys(
        f"`{location.title}`" + (f" inside `{location.parent.title}`" if location.parent is not None else "")
        for location in server.every_location
        if "add_header" in location.level.lines
    )
    if not own:
        return ""
    shown = " and ".join(list(own)[:3]) + (" and others" if len(own) > 3 else "")
    return f" Repeat it in {shown}: a location with an add_header of its own inherits none."


def _lost(level: Level) -> bool:
    """Whether an outer level sets the header, and the add_header of an inner one has taken it away."""
    lines = (line for outer in level.outward() for line in outer.lines.get("add_header", []) if len(line.words) > 1)
    return any(line.words[0].text.lower() == HEADER.lower() and line.words[1].text for line in lines)


def sent_by_django(stack: Stack) -> Value[bool]:
    """Whether SecurityMiddleware sends the header."""
    if stack.production is None:
        return Unknown("there is no settings module that tells whether Django sends the header")
    seconds, middleware = stack.production.get("SECURE_HSTS_SECONDS"), stack.production.get("MIDDLEWARE")
    if isinstance(seconds, Known) and not seconds.value:
        return Known(False, seconds.places)
    if isinstance(seconds, Unknown):
        return seconds
    if isinstance(middleware, Unknown) or not isinstance(middleware.value, (list, tuple)):
        return Unknown("whether MIDDLEWARE holds SecurityMiddleware is not known")
    items = [item.value if isinstance(item, Known) else item for item in middleware.value]
    if _MIDDLEWARE not in items and any(not isinstance(item, str) for item in items):
        return Unknown("MIDDLEWARE is not fully known")
    has = any(isinstance(item, str) and item.endswith("SecurityMiddleware") for item in items)
    return Known(has, seconds.places)
