"""Configurations that stand inside other files, as files of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stackaudit.facts.commands import Script
from stackaudit.facts.files import FileFacts
from stackaudit.facts.nginx import Manifest, Nginx
from stackaudit.facts.services import Dockerfile, Workloads


@dataclass(frozen=True)
class Inside:
    """One configuration: the file around it, its first line there, where it lands and what it says."""

    path: str
    line: int
    target: str
    file: Nginx

    @property
    def lands(self) -> bool:
        """Whether its place on the machine is known."""
        return self.target.startswith("/")


def inside_others(files: Iterable[FileFacts]) -> dict[str, Inside]:
    """The configurations inside `files`, by a name that no file has: "deploy.sh:/etc/nginx/sites-available/app"."""
    found: dict[str, Inside] = {}
    for item in files:
        if not isinstance(item.facts, (Dockerfile, Script, Manifest, Workloads)):
            continue
        for inline in item.facts.nginx:
            name = f"{item.path}:{inline.target or 'nginx.conf'}"
            if name in found:
                name = f"{item.path}:{inline.line}:{inline.target or 'nginx.conf'}"
            found[name] = Inside(item.path, inline.line, inline.target, inline.file)
    return found
