"""Names by which nginx knows the site and Django does not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.servers import Server
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Site, Step, Verdict

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_PLACEHOLDER = re.compile(
    r"(^|\.)(example(\.(com|org|net|edu))?|test|invalid|localhost|local|internal|(your|my)[a-z0-9-]*\.[a-z]+|domain\.[a-z]+)$"
)
"""Names of nobody (RFC 2606), and those that stand for what each installation fills in."""

_VISITORS = frozenset({"$host", "$http_host", "${host}", "${http_host}"})
_COMMON = "django.middleware.common.CommonMiddleware"


def refused_names(stack: Stack, settings: Settings, hosts: Collection[str]) -> Iterator[Verdict]:
    """A site for each server of nginx some of whose names ALLOWED_HOSTS lacks, where the visitor's host is handed on.

    CommonMiddleware asks for the host on each request, so each is a DisallowedHost.
    """
    forwarded = settings.get("USE_X_FORWARDED_HOST")
    middleware = settings.get("MIDDLEWARE")
    if not isinstance(middleware, Known) or not isinstance(forwarded, Known) or forwarded.value:
        return
    if not any(isinstance(item, Known) and item.value == _COMMON for item in middleware.value or ()):
        return
    seen: set[Place] = set()
    for proxied, is_it in django_locations(stack):
        server = proxied.location.server
        if not is_it or server.level.place in seen or not _hands_on_the_host(server, proxied):
            continue
        seen.add(server.level.place)
        names = [name for name in _names(server) if not allows(hosts, name)]
        if names:
            line = server.level.lines["server_name"][0]
            site = Site(line.place, f"{server.title} and ALLOWED_HOSTS")
            step = Step(settings.place("ALLOWED_HOSTS"), "ALLOWED_HOSTS is set here")
            shown = ", ".join(repr(host) for host in hosts)
            yield Fail(site, {"names": ", ".join(names), "value": shown}, cause="refused", related=(step,))


def allows(hosts: Collection[str], name: str) -> bool:
    """What `django.http.request.validate_host` says of a name in lower case."""
    return any(
        pattern == "*"
        or pattern == name
        or (pattern.startswith(".") and (name.endswith(pattern) or name == pattern[1:]))
        for pattern in (host.lower() for host in hosts)
    )


def _names(server: Server) -> list[str]:
    """The server's plain names that are somebody's, but for those that an `if` of its own treats apart."""
    apart = " ".join(
        word.text
        for block in server.level.inside("if")
        if block.directive is not None and any("host" in word.text.lower() for word in block.directive.args)
        for word in block.directive.args
    )
    if re.search(r"[~!]", apart):
        return []
    names = [name.lower() for name in server.names]
    return [name for name in names if _NAME.fullmatch(name) and not _PLACEHOLDER.search(name) and name not in apart]


def _hands_on_the_host(server: Server, proxied: Proxied) -> bool:
    """Whether "/" is Django's there and Django sees the name that the visitor asked for."""
    root = answer(server, "/")
    if not isinstance(root, Known) or any(
        word.hole for line in server.level.lines.get("server_name", []) for word in line.words
    ):
        return False
    end = root.value.fallback or root.value
    if end.target is None or end.target.line.place != proxied.target.line.place:
        return False
    headers = proxied.level.in_force("proxy_set_header")
    if not isinstance(headers, Known):
        return False
    return any(
        len(line.words) > 1 and line.words[0].text.lower() == "host" and line.words[1].text.lower() in _VISITORS
        for line in headers.value.lines
    )
