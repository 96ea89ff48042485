"""The services of a compose file that nobody starts again, beside those that run the site."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts.services import Service
from stackaudit.link.stack import Stack

_PROXY = re.compile(r"(.*/)?(nginx|openresty|traefik|caddy|caddy-docker-proxy|nginx-proxy|swag|haproxy|envoy|varnish)")
"""Images that stand before a site and run for as long as it does."""


def left_down(stack: Stack, path: str, name: str) -> list[str]:
    """The services of a compose file, other than `name`, that stay down when they end, although the site needs them.

    These are databases and caches, proxies, what publishes ports and what the site's services wait for as it is
    published, all without a restart. What runs the project itself is told of on its own.
    """
    compose = stack.composes.get(path)
    own = {process.origin.service for process in stack.processes.all if process.origin.path == path}
    heirs = {service for service, _ in merging(stack, path)}
    stores = {
        instance.service.name
        for instance in stack.services.of("postgres", "pgbouncer", "redis")
        if instance.path == path and instance.service is not None
    }
    proxies = {
        container.name for container in stack.containers if container.path == path and _PROXY.fullmatch(container.image)
    }
    services = compose.services if compose is not None else ()
    awaited = {
        other
        for service in services
        if service.name in own
        for other, condition in service.depends_on
        if condition != "service_completed_successfully"
    }
    return [
        service.name
        for service in services
        if service.name not in own | heirs | {name}
        and not service.profiles
        and _is_left_down(service)
        and (
            service.name in stores | proxies
            or service.ports
            or (service.name in awaited and service.build is None and service.command is None)
        )
    ]


def merging(stack: Stack, path: str) -> Iterator[tuple[str, str]]:
    """Services that set no restart, with each service whose mapping they merge."""
    compose = stack.composes.get(path)
    for service in compose.services if compose is not None else ():
        if _is_left_down(service):
            for anchor in service.merges:
                yield service.name, anchor


def _is_left_down(service: Service) -> bool:
    """Whether nothing starts a service again; what it extends may say more, and swarm restarts what ends."""
    return service.extends is None and not any(
        name == "restart" or (name.startswith("deploy.") and not name.startswith("deploy.resources"))
        for name in service.options
    )
