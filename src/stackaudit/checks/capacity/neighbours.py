"""What else runs on the machine of the site."""

from __future__ import annotations

import re

from stackaudit.link.stack import Stack
from stackaudit.model.values import Known

_IMAGES = (
    (re.compile(r"(^|/)(postgres|postgis|timescaledb|pgvector)[^/]*$"), "postgres"),
    (re.compile(r"(^|/)(mysql|mariadb|percona)[^/]*$"), "mysql"),
    (re.compile(r"(^|/)(redis|valkey|keydb)[^/]*$"), "redis"),
    (re.compile(r"(^|/)nginx[^/]*$"), "nginx"),
    (re.compile(r"(^|/)rabbitmq[^/]*$"), "rabbitmq"),
    (re.compile(r"(^|/)(elasticsearch|opensearch)[^/]*$"), "elasticsearch"),
)
_WORDS = {"postgresql": "postgres", "mariadb": "mysql", "valkey": "redis"}


def by_name(stack: Stack, path: str) -> frozenset[str]:
    """The same services by the names that people know them by: "mariadb", which the others count as a MySQL."""
    found = neighbours(stack, path)
    images = [image for key, image in stack.processes.services.items() if key.partition(" ")[0] == path]
    told = isinstance(stack.host.services, Known)
    if told or not any("mariadb" in image for image in images) or any("/mysql" in f"/{image}" for image in images):
        return found
    return frozenset("mariadb" if name == "mysql" else name for name in found)


def neighbours(stack: Stack, path: str) -> frozenset[str]:
    """The services beside the processes that the file at `path` starts: those of `[host] services`, or, where the table
    does not tell, the images of the same compose file.
    """
    told = stack.host.services
    if isinstance(told, Known):
        return frozenset(_WORDS.get(name.lower(), name.lower()) for name in told.value)
    found: set[str] = set()
    for key, image in stack.processes.services.items():
        if key.partition(" ")[0] == path:
            found.update(name for pattern, name in _IMAGES if pattern.search(image.partition("@")[0]))
    return frozenset(found)
