"""Where collectstatic puts files, and how that folder is called where nginx runs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from stackaudit.checks.nginx.installed import homes
from stackaudit.link.folding.objects import ROOT
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value


@dataclass(frozen=True)
class Folders:
    """STATIC_ROOT or MEDIA_ROOT (`name`), and `seen_as`: the folders that nginx may know it by.

    `sources` are the folders of STATICFILES_DIRS, which collectstatic copies from. `home` is where nginx's machine has
    the project, `placed` the whole path of the folder there; "" where that is not known.
    """

    name: str
    root: Value[str]
    seen_as: frozenset[str] = frozenset()
    in_containers: bool = False
    places: tuple[Place, ...] = ()
    sources: tuple[str, ...] = ()
    home: str = ""
    placed: str = ""

    @property
    def shown(self) -> str:
        """For people."""
        if self.placed:
            return self.placed
        return self.root.value.replace(ROOT, "<project>") if isinstance(self.root, Known) else "unknown"

    def compare(self, folder: str) -> Value[bool]:
        """Whether nginx's `folder` is the one that the setting names; Unknown where paths cannot be compared."""
        if isinstance(self.root, Unknown):
            return self.root
        if folder in self.seen_as or folder in (self.root.value, self.placed):
            return Known(True)
        if self.home and folder.startswith(self.home + "/"):
            return Known(False)
        if self.root.value.startswith(ROOT + "/"):
            return self._compare_below_root(folder)
        if self.in_containers and not self.seen_as:
            return Unknown("nginx runs in a container of its own, and no volume tells which folder it shares")
        if not posixpath.isabs(self.root.value) or not posixpath.isabs(folder):
            return Unknown(f"{self.name} is relative to where the project is installed")
        return Known(False)

    def _compare_below_root(self, folder: str) -> Value[bool]:
        """The project may be installed anywhere: only the end of the path can be compared."""
        assert isinstance(self.root, Known)
        below = self.root.value[len(ROOT) :]
        if folder.endswith(below):
            return Known(True)
        sources = [source[len(ROOT) :] for source in self.sources if source.startswith(ROOT + "/")]
        if not self.in_containers and any(folder.endswith(source) for source in sources):
            return Known(False)
        return Unknown(f"{self.name} lies below the project, and nothing tells where that is installed")


def folders(stack: Stack, kind: str) -> Folders:
    """What is known of STATIC_ROOT (`kind` "STATIC") or MEDIA_ROOT ("MEDIA")."""
    name = f"{kind}_ROOT"
    assert stack.production is not None
    value = stack.production.get(name)
    containers = any(unit.brings_nginx for unit in stack.nginx.units)
    if isinstance(value, Unknown):
        return Folders(name, value, in_containers=containers)
    if not value.value:
        return Folders(name, Unknown(f"{name} is not set"), in_containers=containers, places=value.places)
    root = str(value.value).rstrip("/") or "/"
    sources = _sources(stack) if kind == "STATIC" else ()
    home, placed = _placed(stack, root, containers)
    shared = _shared(stack, root)
    return Folders(name, Known(root, value.places), shared, containers, value.places, sources, home, placed)


def _placed(stack: Stack, root: str, containers: bool) -> tuple[str, str]:
    """Where the project and `root` lie, if nginx runs on the machine, or in the container, of the application."""
    if containers or not root.startswith(ROOT + "/"):
        return "", ""
    found: set[tuple[str, str]] = set()
    for home in homes(stack):
        below = f"{ROOT}/{home.repository}".rstrip("/")
        if home.process.contained or not root.startswith(below + "/"):
            return "", ""
        found.add((home.folder, home.folder + root[len(below) :]))
    return found.pop() if len(found) == 1 else ("", "")


def _sources(stack: Stack) -> tuple[str, ...]:
    """The folders of STATICFILES_DIRS that are known."""
    assert stack.production is not None
    value = stack.production.get("STATICFILES_DIRS")
    if isinstance(value, Unknown) or not isinstance(value.value, (list, tuple)):
        return ()
    return tuple(str(item.value).rstrip("/") for item in value.value if isinstance(item, Known))


def _shared(stack: Stack, root: str) -> frozenset[str]:
    """What nginx's containers call a folder of the application's, by volumes that both mount and what a build takes."""
    result: set[str] = set()
    for unit in stack.nginx.units:
        for target, source in unit.taken.items():
            if source == root or (root.startswith(ROOT + "/") and source.endswith(root[len(ROOT) :])):
                result.add(target)
        for target, volume in unit.volumes.items():
            for compose in stack.composes.values():
                for service in compose.services:
                    for mount in service.mounts:
                        inside = mount.target.rstrip("/")
                        if service.name == unit.name or mount.source.text != volume:
                            continue
                        if _is_below(root, inside):
                            result.add(posixpath.normpath(target + root[len(inside) :]))
                        elif root.startswith(ROOT + "/") and inside.endswith(root[len(ROOT) :]):
                            result.add(target)
    return frozenset(result)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
