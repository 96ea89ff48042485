"""The configuration files of the services: their directives with what they include."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackaudit.facts.daemons import Daemon, Directive
from stackaudit.link.processes.images import Tree, joined
from stackaudit.link.services.model import Kind
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

FILES: dict[Kind, str] = {"postgres": "postgresql", "pgbouncer": "pgbouncer", "redis": "redis"}
"""The kind of file that configures each kind of service."""
_INCLUDES = frozenset({"include", "include_if_exists", "include_dir", "%include"})
_REPEATED = frozenset({"save", "client-output-buffer-limit", "rename-command", "user", "loadmodule"})
"""Directives of Redis that add up."""
DEPTH = 8


@dataclass
class Told:
    """What a file and its includes give; `open` is why there may be more ("" where not)."""

    given: dict[str, AnyValue] = field(default_factory=dict)
    databases: dict[str, AnyValue] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    open: str = ""


def read(stack: Stack, tree: Tree, kind: Kind, path: str, told: Told | None = None, depth: int = 0) -> Told:
    """The settings of the configuration file at `path`."""
    told = told or Told()
    item = stack.files.get(path)
    if item is None or item.kind != FILES[kind] or depth > DEPTH:
        told.open = told.open or f"{path} is not in the repository"
        return told
    if item.unread is not None:
        told.open = told.open or f"{path} could not be read: {item.unread.text}"
        return told
    told.paths.append(path)
    facts: Daemon = item.facts
    for directive in facts.directives:
        if directive.name in _INCLUDES:
            _include(stack, tree, kind, path, directive, told, depth)
            continue
        place = Place(path, directive.region)
        text = " ".join(directive.values)
        value: AnyValue = (
            Unknown(f"{path} is a template that leaves {directive.name} open", (place,))
            if directive.refers
            else Known(text, (place,))
        )
        if directive.section == "databases":
            told.databases[directive.name] = value
        elif directive.section in ("", "pgbouncer"):
            before = told.given.get(directive.name)
            if directive.name in _REPEATED and isinstance(before, Known) and isinstance(value, Known) and text:
                value = Known(f"{before.value} {text}", (place, *before.places))
            told.given[directive.name] = value
    return told


def _include(stack: Stack, tree: Tree, kind: Kind, path: str, directive: Directive, told: Told, depth: int) -> None:
    target = directive.values[0] if directive.values else ""
    found = list(_targets(tree, path, directive.name, target))
    for each in found:
        read(stack, tree, kind, each, told, depth + 1)
    if not found and directive.name != "include_if_exists":
        told.open = told.open or f"{path} includes {target}, which is not in the repository"


def _targets(tree: Tree, path: str, name: str, target: str) -> Iterator[str]:
    folder = posixpath.dirname(path)
    if name == "include_dir":
        place = joined(folder, target) if not target.startswith("/") else ""
        yield from sorted(
            each
            for each in tree.paths
            if place
            and posixpath.dirname(each) == place
            and each.endswith(".conf")
            and not posixpath.basename(each).startswith(".")
        )
        return
    if not target.startswith("/") and joined(folder, target) in tree.paths:
        yield joined(folder, target)
    elif (found := tree.similar(target)) is not None:
        yield found
