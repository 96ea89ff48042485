"""What a file says about Python packages: requirements files, pyproject.toml, Pipfile, setup.cfg, locks, runtimes."""

from __future__ import annotations

from typing import Literal

import msgspec

from stackaudit.facts.files import Note
from stackaudit.model.source import Region


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """A package that somebody asks for.

    `name` is as written, `key` as PEP 503 compares it. `specifier` is a PEP 440 specifier ("" for any version);
    Poetry's carets and tildes are translated. `group` is "" for what is always installed, otherwise the name of the
    extra or the dependency group. `via` names what pulled it in, where a compiler of requirements says so
    ("-r requirements.in" for a file). `region` spans the requirement without its comment.
    """

    name: str
    key: str
    region: Region
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    group: str = ""
    url: str = ""
    editable: bool = False
    hashes: int = 0
    via: tuple[str, ...] = ()


class Include(msgspec.Struct, frozen=True):
    """`-r path` or `-c path`; `path` is as written, relative to the file that says it."""

    kind: Literal["requirements", "constraints"]
    path: str
    region: Region


class GroupInclude(msgspec.Struct, frozen=True):
    """`group` (an extra or dependency group) takes in everything of `included`."""

    group: str
    included: str


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """One package of a lock file. `dependencies` are keys of packages; `groups` is empty where the lock tells none.

    `registry` is False for what does not come from a package index (the project itself, git, a path).
    """

    name: str
    key: str
    region: Region
    version: str
    dependencies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    registry: bool = True


class Python(msgspec.Struct, frozen=True):
    """The Python that a file asks for, as a specifier (">=3.11") or a version ("3.11.7"), as written."""

    wanted: str
    region: Region


class PackageFile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one file says about packages.

    `project` is the distribution that the file describes, where it does; `compiled` tells that a tool wrote the file
    from another one (pip-compile, `uv export`), so that it names what is merely pulled in too. `dynamic` are files that
    a pyproject.toml or setup.cfg takes its requirements from; `default_groups` the groups that uv installs unasked.
    """

    requirements: tuple[Requirement, ...] = ()
    includes: tuple[Include, ...] = ()
    group_includes: tuple[GroupInclude, ...] = ()
    locked: tuple[Locked, ...] = ()
    python: Python | None = None
    project: str = ""
    compiled: bool = False
    dynamic: tuple[str, ...] = ()
    default_groups: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
