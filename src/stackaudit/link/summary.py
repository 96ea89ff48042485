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
    django = stack.present("django")
    if isinstance(django, Known) and not django.value:
        yield Fact(label="Django", value="not found", why="no Python file imports django")
    else:
        version = stack.packages.django_version
        if isinstance(version, Known):
            yield Fact(label="Django", value=str(version.value), why=version.note)
        else:
            yield Fact(label="Django", value="version unknown", why=version.why)
    if stack.settings is not None:
        yield Fact(label="settings", value=stack.settings.module, why=stack.settings.why)
    elif not isinstance(django, Known) or django.value:
        yield Fact(label="settings", value="not found", why="no settings module is named or recognised")
    for server in stack.processes.servers:
        yield Fact(label=f"server ({server.audience})", value=server.name, why=server.place.path)
    nginx = stack.of_kind("nginx")
    if nginx:
        version = stack.nginx.version
        told = f"nginx {version.value}" if isinstance(version, Known) else "version unknown"
        yield Fact(label="nginx", value=", ".join(item.path for item in nginx), why=told)
    yield Fact(label="host", value=_host(stack) or "not described", why="" if stack.config.host else "stackaudit host")


def _host(stack: Stack) -> str:
    host = stack.config.host
    if host is None:
        return ""
    parts = [
        f"{host.vcpus} vCPU" if host.vcpus is not None else "",
        host.memory or "",
        f"with {', '.join(host.services)}" if host.services else "",
    ]
    return ", ".join(part for part in parts if part)
