"""What was found and chosen, for the header of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackaudit.link.stack import Stack
from stackaudit.model.result import Fact, StackSummary
from stackaudit.model.values import Known


def summary(stack: Stack, files: Mapping[str, int], left_out: Mapping[str, int]) -> StackSummary:
    """The header: `files` counts what was read by kind, `left_out` what was not by reason."""
    return StackSummary(
        root=".", files=dict(sorted(files.items())), left_out=dict(sorted(left_out.items())), facts=tuple(_facts(stack))
    )


def _facts(stack: Stack) -> Iterator[Fact]:
    for label, tell in (
        ("Django", _django),
        ("versions", _versions),
        ("settings", _settings),
        ("server", _servers),
        ("nginx", _nginx),
        ("host", _host),
    ):
        try:
            yield from tell(stack)
        except Exception as error:
            yield Fact(label=label, value="could not be linked", why=f"{type(error).__name__}: {error}")


def _uses_django(stack: Stack) -> bool:
    django = stack.present("django")
    return not isinstance(django, Known) or django.value


def _django(stack: Stack) -> Iterator[Fact]:
    if not _uses_django(stack):
        yield Fact(label="Django", value="not found", why="no Python file imports django")
        return
    version = stack.packages.django_version
    if isinstance(version, Known):
        yield Fact(label="Django", value=str(version.value), why=version.note)
    else:
        yield Fact(label="Django", value="version unknown", why=version.why)


GATED = (
    "psycopg", "psycopg2", "psycopg2-binary", "redis", "django-redis", "gunicorn", "uvicorn", "celery",
    "djangorestframework",
)  # fmt: skip
"""Packages whose releases differ in what the rules look at."""


def _versions(stack: Stack) -> Iterator[Fact]:
    """What production installs of them, as far as it is pinned."""
    found = [(name, stack.packages.version(name)) for name in GATED if stack.packages.has(name)]
    pinned = [f"{name} {version.value}" for name, version in found if isinstance(version, Known)]
    loose = [name for name, version in found if not isinstance(version, Known)]
    if found:
        why = f"not pinned: {', '.join(loose)}" if loose and pinned else ", ".join(loose)
        yield Fact(label="versions", value=", ".join(pinned) or "not pinned", why=why)


def _settings(stack: Stack) -> Iterator[Fact]:
    if stack.settings is not None:
        why = "; ".join(filter(None, (stack.settings.why, stack.settings.doubt)))
        yield Fact(label="settings", value=stack.settings.module, why=why)
    elif _uses_django(stack):
        yield Fact(label="settings", value="not found", why="no settings module is named or recognised")


def _servers(stack: Stack) -> Iterator[Fact]:
    facts = (
        Fact(label=f"server ({server.audience})", value=server.name, why=server.place.path)
        for server in stack.processes.servers
    )
    yield from dict.fromkeys(facts)


def _nginx(stack: Stack) -> Iterator[Fact]:
    files = stack.of_kind("nginx")
    if files:
        version = stack.nginx.version
        told = f"nginx {version.value}" if isinstance(version, Known) else f"version unknown: {version.why}"
        yield Fact(label="nginx", value=", ".join(item.path for item in files), why=told)


def _host(stack: Stack) -> Iterator[Fact]:
    host = stack.config.host
    if host is None:
        yield Fact(label="host", value="not described", why="write one with: stackaudit host")
        return
    parts = [
        f"{host.vcpus} vCPU" if host.vcpus is not None else "",
        host.memory or "",
        f"with {', '.join(host.services)}" if host.services else "",
    ]
    yield Fact(label="host", value=", ".join(part for part in parts if part))
