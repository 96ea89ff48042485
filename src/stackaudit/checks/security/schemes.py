"""HTTPS as Django sees it: redirects that never end, and headers that anybody may send."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link import schemes
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations, pages
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SECURITY = "django.middleware.security.SecurityMiddleware"


def ssl_redirect_loop(stack: Stack) -> Iterator[Verdict]:
    """One site, SECURE_SSL_REDIRECT where it is on: what comes through nginx's TLS must look encrypted to Django."""
    settings = stack.production
    if settings is None or not settings.is_set("SECURE_SSL_REDIRECT"):
        return
    value = settings.get("SECURE_SSL_REDIRECT")
    site = Site(settings.place("SECURE_SSL_REDIRECT"), "SECURE_SSL_REDIRECT")
    if isinstance(value, Known) and not value.value:
        return
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
        return
    middleware = items(settings, "MIDDLEWARE")
    if middleware.find(SECURITY) is None:
        if middleware.hole:
            yield Unsure(site, middleware.hole)
        return  # nobody reads the setting
    doors = [
        found
        for server in stack.nginx.servers
        if server.tls == Known(True) and (found := pages(stack, stack.nginx, server))
    ]
    verdicts = [_through(stack, settings, site, door) for door in doors if door.target.by == "proxy_pass"]
    if verdicts:
        yield max(verdicts, key=lambda verdict: (isinstance(verdict, Fail), isinstance(verdict, Unsure)))
    else:
        yield Unsure(site, "what ends TLS before Django is not in the repository")


def _through(stack: Stack, settings: Settings, site: Site, door: Proxied) -> Verdict:
    """What a visitor who comes through the TLS of `door` gets."""
    seen = schemes.seen(stack, settings, door)
    told, title = seen.told, _title(seen.name)
    if told is not None and told.said == "passed-on":
        return Unsure(site, f"nginx hands on the {title} of whoever stands before it")
    if told is not None and told.said == "other":
        return Unsure(site, f"what nginx sends as {title} is not followed")
    if isinstance(seen.is_https, Unknown):
        return Unsure(site, seen.is_https.why)
    if seen.is_https.value or told is None:
        return Pass(site)
    values = {"header": title, "said": told.text, "upstream": door.target.address, "wanted": seen.wanted}
    place = Step(told.place, "nginx hands the request to Django here")
    misspelt = schemes.misspelt_header(settings)
    if told.said == "nothing":
        return Fail(site, values, cause="not-sent", related=(place,))
    if seen.by_setting:
        return Fail(site, values, cause="value", related=(place,))
    return Fail(site, {**values, **misspelt}, cause="misspelt" if misspelt else "", related=(place,))


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def proxy_ssl_header_spoofable(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that hands requests to Django, where Django believes a header about the scheme."""
    settings = stack.production
    if settings is None:
        return
    own = schemes.django_header(settings)
    if isinstance(own, Unknown):
        yield Unsure(Site(settings.place("SECURE_PROXY_SSL_HEADER"), "SECURE_PROXY_SSL_HEADER"), own.why)
        return
    if own.value is None:
        return
    name = own.value[0]
    step = Step(settings.place("SECURE_PROXY_SSL_HEADER"), f"Django believes {_title(name)}")
    judged = False
    for door, is_django in django_locations(stack):
        if is_django and door.target.by == "proxy_pass":
            judged = True
            yield from _door(stack, door, name, step)
    if not judged:
        site = Site(step.place, "SECURE_PROXY_SSL_HEADER")
        yield Unsure(site, settings.doubt or f"which proxy sends {_title(name)} is not in the repository")


def _door(stack: Stack, door: Proxied, name: str, step: Step) -> Iterator[Verdict]:
    found = schemes.header(door, name)
    label = f"{door.location.site.name} {name}"
    if isinstance(found, Unknown):
        yield Unsure(Site(door.target.line.place, label), found.why)
        return
    told = found.value
    site = Site(told.place, label)
    server = door.location.server
    inner = all(listen.address.startswith(("unix:", "127.", "[::1]")) for listen in server.listens)
    if told.said not in ("passed-on", "nothing") or inner:
        yield Pass(site)
        return
    if told.said == "nothing" and server.tls == Known(True) and not schemes.tells_any_scheme(door):
        return  # nginx/proxy-headers tells of it
    values = {"header": _title(name), "said": told.text}
    fail = Fail(site, values, cause="" if told.said == "passed-on" else "not-set", related=(step,))
    unclear = _tls_ends_before(stack, door)
    if unclear is None:
        yield fail
    elif unclear:
        yield Unsure(site, unclear)
    else:
        yield Pass(site)


def _tls_ends_before(stack: Stack, door: Proxied) -> str | None:
    """Why the header may be that of a proxy in front; "" where it surely is, None where visitors come straight here."""
    server = door.location.server
    behind = door.level.in_force("set_real_ip_from")
    if isinstance(behind, Known) and behind.value.lines:
        return ""  # it knows the proxy that stands before it
    if isinstance(server.tls, Unknown):
        return server.tls.why
    if any(other.http is server.http and other.tls == Known(True) for other in stack.nginx.servers):
        return None
    return "a proxy that ends TLS before this server may be the one that writes the header"
