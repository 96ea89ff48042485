"""Which of a repository's files about packages production installs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackaudit.facts.packages import PackageFile
from stackaudit.link.packages.installs import DEVELOPMENT, PRODUCTION, Install, installs

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

KINDS = ("requirements", "pyproject", "pipfile", "setupcfg", "lock", "runtime")
_PROJECTS = ("pyproject.toml", "Pipfile", "setup.cfg")
_PLAIN = ("requirements.txt", "requirements.in", "requirements/requirements.txt", "requirements/base.txt")
_MAIN_GROUPS = frozenset({"", "main"})

Part = tuple[str, str]
"""A file and one of its groups ("" for what is always installed)."""


@dataclass
class Chosen:
    """What was chosen, and why; `broken` could not be read.

    `sources` holds, for a compiled file, the names that its source asks for.
    """

    facts: Mapping[str, PackageFile]
    broken: frozenset[str] = frozenset()
    production: list[Part] = field(default_factory=list)
    development: list[Part] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    installs: tuple[Install, ...] = ()
    sources: dict[str, frozenset[str]] = field(default_factory=dict)
    project: str = ""
    why: str = ""


def choose(stack: Stack) -> Chosen:
    """The files that production installs: those that its images install, else by their place and name."""
    facts = {item.path: item.facts for item in stack.of_kind(*KINDS) if isinstance(item.facts, PackageFile)}
    broken = frozenset(item.path for item in stack.unread(*KINDS))
    chosen = Chosen(facts, broken=broken, installs=installs(stack.of_kind("dockerfile")))
    home = _home(stack.files)
    _from_installs(chosen, home)
    if not any(_asks(chosen, part) for part in chosen.production):
        chosen.production.clear()
        _by_name(chosen, home)
    _follow_includes(chosen)
    _sources_of_compiled(chosen)
    taken = {path for path, _ in chosen.production}
    chosen.locks = _locks(chosen, taken)
    chosen.project = next((facts[path].project for path in taken if facts[path].project), "") or next(
        (item.project for path, item in facts.items() if item.project and _folder(path) == home), ""
    )
    known = set(chosen.production)
    chosen.development = [part for path in facts for part in _parts(path, facts[path]) if part not in known]
    return chosen


def _home(files: Iterable[str]) -> str:
    """The folder of the manage.py nearest to the root, "" where there is none."""
    found = sorted((path.count("/"), path) for path in files if path.rpartition("/")[2] == "manage.py")
    return _folder(found[0][1]) if found else ""


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _parts(path: str, facts: PackageFile) -> list[Part]:
    return [(path, group) for group in dict.fromkeys(item.group for item in facts.requirements)]


def _asks(chosen: Chosen, part: Part) -> bool:
    return any(item.group == part[1] for item in chosen.facts[part[0]].requirements)


def _from_installs(chosen: Chosen, home: str) -> None:
    """What the images install, without what a development group adds (another rule is about that)."""
    for install in chosen.installs:
        folder = _folder(install.place.path)
        for written in install.files:
            path = _nearest(written, (path for path in chosen.facts if not path.endswith(".toml")), folder)
            if path is not None and not DEVELOPMENT.search(path):
                _take(chosen, [(path, "")], f"{install.place.path} installs it")
        if install.project or install.groups:
            path = _project(chosen, (folder, home, ""))
            if path is not None:
                wanted = _groups(install, chosen.facts[path])
                _take(chosen, [(path, group) for group in wanted], f"{install.place.path} installs it")


def _groups(install: Install, facts: PackageFile) -> list[str]:
    names = dict.fromkeys(item.group for item in facts.requirements)
    found = ["", *(name for name in names if PRODUCTION.search(name))] if install.project and install.main else []
    if install.extras == ("*",):
        found += [name for name in names if name and not DEVELOPMENT.search(name)]
    found += [name for name in (*install.extras, *install.groups) if name in names and not DEVELOPMENT.search(name)]
    return list(dict.fromkeys(found))


def _take(chosen: Chosen, parts: Iterable[Part], why: str) -> None:
    fresh = [part for part in parts if part not in chosen.production]
    if fresh and not chosen.why:
        chosen.why = why
    chosen.production += fresh


def _nearest(written: str, paths: Iterable[str], folder: str) -> str | None:
    """The file that a command means: the same ending of the path, as long as possible, near the command's own file."""
    wanted = [part for part in written.split("/") if part not in ("", ".")]
    best: tuple[tuple[int, int, int], str] | None = None
    for path in paths:
        parts = path.split("/")
        common = 0
        while common < min(len(parts), len(wanted)) and parts[-1 - common] == wanted[-1 - common]:
            common += 1
        if common:
            rank = (common, len(posixpath.commonpath([folder, _folder(path)])) if folder else 0, -len(parts))
            if best is None or rank > best[0]:
                best = (rank, path)
    return best[1] if best else None


def _project(chosen: Chosen, folders: Iterable[str]) -> str | None:
    """The pyproject.toml, Pipfile or setup.cfg with requirements in one of `folders` or above it.

    None where a file that could not be read comes first: whatever lies above it belongs to something else.
    """
    for start in folders:
        folder = start
        while True:
            for name in _PROJECTS:
                path = posixpath.join(folder, name)
                if path in chosen.broken:
                    return None
                if path in chosen.facts and chosen.facts[path].requirements:
                    return path
            if not folder:
                break
            folder = _folder(folder)
    return None


def _by_name(chosen: Chosen, home: str) -> None:
    """No image tells: the project file beside manage.py or above, and a requirements file by its name."""
    facts = chosen.facts
    project = _project(chosen, (home,))
    if project is not None:
        groups = [group for _, group in _parts(project, facts[project])]
        wanted = [group for group in groups if group in _MAIN_GROUPS or PRODUCTION.search(group)]
        _take(chosen, [(project, group) for group in wanted], "the project's own dependencies")
    named = [path for path, item in facts.items() if item.requirements or item.includes]
    named = [path for path in named if path.rpartition("/")[2] not in _PROJECTS and not path.endswith(".lock")]
    usable = [path for path in named if not DEVELOPMENT.search(path) and "constraints" not in path]
    usable.sort(key=lambda path: (_distance(path, home), path.count("/"), path))
    production = [path for path in usable if PRODUCTION.search(path)]
    plain = [path for path in usable if path.endswith(_PLAIN)]
    picked = production or plain or usable[:1]
    if picked and (not chosen.production or facts[picked[0]].compiled or production):
        same = [path for path in picked if _stem(path) == _stem(picked[0])]
        _take(chosen, [(path, "") for path in same], "its name" if production else "the plain requirements file")


def _stem(path: str) -> str:
    """The path without its ending: requirements.in and requirements.txt are one."""
    return path.rpartition(".")[0]


def _distance(path: str, home: str) -> int:
    """How many folders lie between a file and the project's folder."""
    folder = _folder(path)
    if folder == home or folder == posixpath.join(home, "requirements"):
        return 0
    common = posixpath.commonpath([folder, home]) if folder and home else ""
    return len(posixpath.relpath(folder or ".", common or ".").split("/")) + (1 if common != home else 0)


def _follow_includes(chosen: Chosen) -> None:
    """Adds the files and groups that what was chosen takes in."""
    queue = list(chosen.production)
    while queue:
        path, group = queue.pop(0)
        facts = chosen.facts[path]
        found: list[Part] = []
        for include in facts.includes:
            target = posixpath.normpath(posixpath.join(_folder(path), include.path))
            if target in chosen.facts and include.kind == "requirements":
                found.append((target, ""))
            elif target in chosen.facts and target not in chosen.constraints:
                chosen.constraints.append(target)
        found += [(path, item.included) for item in facts.group_includes if item.group == group]
        for name in facts.dynamic:
            target = posixpath.normpath(posixpath.join(_folder(path), name))
            if target in chosen.facts:
                found.append((target, ""))
        fresh = [part for part in dict.fromkeys(found) if part not in chosen.production]
        chosen.production += fresh
        queue += fresh


def _sources_of_compiled(chosen: Chosen) -> None:
    """A compiled requirements.txt beside its requirements.in: the latter tells what was asked for."""
    for path, _ in chosen.production:
        source = _stem(path) + ".in"
        if chosen.facts[path].compiled and source in chosen.facts and source != path:
            names = {item.key for item in chosen.facts[source].requirements}
            folder = _folder(source)
            for include in chosen.facts[source].includes:
                other = posixpath.normpath(posixpath.join(folder, include.path))
                if other in chosen.facts and other.endswith(".in"):
                    names |= {item.key for item in chosen.facts[other].requirements}
            chosen.sources[path] = frozenset(names)


def _locks(chosen: Chosen, taken: set[str]) -> list[str]:
    """The lock files beside the chosen project files, or in the nearest folder above (a workspace has one lock)."""
    found: list[str] = []
    locks = {path for path, item in chosen.facts.items() if item.locked}
    for path in sorted(taken):
        if path.rpartition("/")[2] not in _PROJECTS:
            continue
        folder = _folder(path)
        while True:
            here = sorted(lock for lock in locks if _folder(lock) == folder)
            if here or not folder:
                found += [lock for lock in here if lock not in found]
                break
            folder = _folder(folder)
    return found
