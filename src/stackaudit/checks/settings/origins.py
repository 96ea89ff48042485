"""Forms that Django refuses because it does not know the address they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link import schemes
from stackaudit.link.nginx.backends import pages
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import Item, Items, items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

CSRF = "django.middleware.csrf.CsrfViewMiddleware"
ORIGINS = "CSRF_TRUSTED_ORIGINS"
_EXACT = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#*@]+", re.IGNORECASE)
_BELOW = re.compile(r"[a-z][a-z0-9+.-]*://\*[^/?#*@]+", re.IGNORECASE)
SINCE = (4, 0)
"""Django compares the Origin header, with its scheme, since 4.0."""


def csrf_trusted_origins(stack: Stack) -> Iterator[Verdict]:
    """One site for each entry that no origin can match, else one for nginx's TLS where Django does not see it."""
    settings = stack.production
    if settings is None or settings.version is None or settings.version < SINCE:
        return
    middleware = items(settings, "MIDDLEWARE")
    if middleware.find(CSRF) is None:
        return  # nobody asks
    given = items(settings, ORIGINS)
    bad = [each for each in given if not (_EXACT.fullmatch(each.name) or _BELOW.fullmatch(each.name))]
    for each in bad:
        yield _never(each)
    if not bad:
        yield from _behind_tls(stack, settings, given)


def _never(entry: Item) -> Verdict:
    """What is wrong with an entry that no origin equals."""
    site = Site(entry.place, f"{ORIGINS} {entry.name}")
    default = defaulted(entry.note)
    if not entry.name and default:
        return Fail(site, {"variable": default}, cause="empty")
    values = {"value": repr(entry.name), "wanted": _wanted(entry.name)}
    return Fail(site, values, cause="no-scheme" if "://" not in entry.name else "")


def _wanted(entry: str) -> str:
    """The entry as Django compares it."""
    scheme, mark, rest = entry.rpartition("://")
    host = re.split(r"[/?#]", rest)[0].removeprefix("*.") or "shop.example.com"
    below = "*." if rest.startswith(("*.", ".")) else ""
    return f"{scheme if mark else 'https'}://{below}{host.lstrip('.*')}"


def _behind_tls(stack: Stack, settings: Settings, given: Items) -> Iterator[Verdict]:
    """What a form gets that comes through nginx's TLS: its origin is https, whatever Django takes the request for."""
    site = Site(settings.place(ORIGINS), ORIGINS)
    redirects = settings.get("SECURE_SSL_REDIRECT")
    if isinstance(redirects, Known) and redirects.value:
        return  # the redirect that never ends is what visitors meet first
    answered: list[Verdict] = []
    for server in stack.nginx.servers:
        door = pages(stack, stack.nginx, server) if server.tls == Known(True) else None
        if door is None or door.target.by != "proxy_pass":
            continue
        names = [name for name in server.names if name not in ("_", "")]
        seen = schemes.seen(stack, settings, door).is_https
        if isinstance(seen, Unknown):
            answered.append(Unsure(site, seen.why))
        elif seen.value or (names and all(_is_trusted(name, given) for name in names)):
            answered.append(Pass(site))
        elif given.hole or not names or any("{" in name or "$" in name or "~" in name for name in names):
            answered.append(Unsure(site, given.hole or "the names of the server are not known"))
        else:
            host = next(name for name in names if not _is_trusted(name, given))
            step = Step(door.target.line.place, "nginx hands the request to Django here, without TLS")
            answered.append(Fail(site, {"host": host.lstrip("*.")}, cause="not-seen", related=(step,)))
    if answered:
        yield max(answered, key=lambda verdict: (isinstance(verdict, Fail), isinstance(verdict, Unsure)))
    elif settings.is_set(ORIGINS):
        yield Unsure(site, given.hole) if given.hole else Pass(site)


def _is_trusted(host: str, given: Items) -> bool:
    """Whether `https://host` is among the origins, as Django compares them."""
    host = host.lower()
    for each in given:
        scheme, _, name = each.name.lower().partition("://")
        if scheme != "https":
            continue
        if name == host or (name.startswith("*.") and (host == name[2:] or host.endswith(name[1:]))):
            return True
    return False
