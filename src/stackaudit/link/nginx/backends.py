"""Which of the servers behind nginx is the Django application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.link.nginx import Nginx, Proxied
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.servers import Server, Target
from stackaudit.model.values import Known

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_OTHER = re.compile(
    r"(?i)flower|minio|\bs3\b|amazonaws|googleapis|blob\.core|frontend|\bfront\b|\bui\b|node|vite|webpack|next|nuxt|react"
    r"|angular|\bvue|svelte|grafana|prometheus|kibana|elastic|opensearch|solr|rabbit|redis|memcache|anubis|matomo|plausible"
    r"|umami|jupyter|imgproxy|thumbor|imaginary|pgadmin|adminer|mailhog|mailpit|mailcatcher|keycloak|oauth|authelia|varnish"
    r"|php|fpm|wordpress|sentry|portainer|centrifugo|collabora|onlyoffice|docs?server|storybook|mkdocs|netdata|loki|jaeger"
)
_DJANGO = re.compile(
    r"(?i)django|gunicorn|uwsgi|wsgi|asgi|uvicorn|daphne|hypercorn|granian|\bweb\b|\bapp\b|backend|api|python"
)
_SERVERS = frozenset({"gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "runserver", "waitress"})


def is_django(stack: Stack, target: Target) -> bool | None:
    """Whether `target` is the Django application; None where nothing tells.

    Told by the service that it names, else by names that speak for themselves, else because it is the only one left or
    the one that answers "/".
    """
    nginx = stack.nginx
    named = _by_name(stack, target)
    if named is not None:
        return named
    own = set(nginx.addresses(target))
    if any(own & set(nginx.addresses(other.target)) and _by_name(stack, other.target) for other in nginx.proxied):
        return True
    others = {proxied.target.address for proxied in nginx.proxied if not _OTHER.search(proxied.target.address)}
    if others == {target.address}:
        return True
    for server in nginx.servers:
        root = answer(server, "/")
        if isinstance(root, Known):
            end = root.value.fallback or root.value
            if end.target is not None and end.target.address == target.address:
                return True
    return None


def _by_name(stack: Stack, target: Target) -> bool | None:
    """What the names of a target and of the servers behind it tell."""
    addresses = stack.nginx.addresses(target)
    hosts = {address.rpartition(":")[0] or address for address in addresses} | {target.host}
    if any(_is_another_nginx(stack.nginx, address) for address in addresses):
        return False
    if hosts & _services(stack):
        return True
    labels = " ".join((target.address, *addresses))
    if target.by in ("fastcgi_pass", "grpc_pass", "memcached_pass") or _OTHER.search(labels):
        return False
    return True if target.by == "uwsgi_pass" or _DJANGO.search(labels) else None


def _is_another_nginx(nginx: Nginx, address: str) -> bool:
    """Whether the container of an address holds an nginx of its own that listens on that very port."""
    host, _, port = address.rpartition(":")
    files = {path for unit in nginx.units if unit.name == (host or address) for path in unit.installed.values()}
    return any(
        listen.port == (port if host else "80")
        for server in nginx.servers
        if server.level.place.path in files
        for listen in server.listens
    )


def django_locations(stack: Stack, server: Server | None = None) -> Iterator[tuple[Proxied, bool | None]]:
    """What hands requests to Django, or may do so (None); of one server, or of all."""
    for proxied in stack.nginx.proxied:
        if server is None or proxied.location.server is server:
            verdict = is_django(stack, proxied.target)
            if verdict is not False:
                yield proxied, verdict


def _services(stack: Stack) -> frozenset[str]:
    """The names of the services that run a Python web server."""
    try:
        processes = stack.processes.servers
    except ImportError:
        return frozenset()
    return frozenset(
        service
        for process in processes
        if process.kind in _SERVERS and (service := getattr(process.origin, "service", ""))
    )


def pages(stack: Stack, nginx: Nginx, server: Server) -> Proxied | None:
    """The location of `server` that brings Django's pages: the one of "/" where that is Django's, else the first."""
    found = [proxied for proxied, is_it in django_locations(stack, server) if is_it]
    return next((proxied for proxied in found if proxied.location.pattern == "/"), found[0] if found else None)
