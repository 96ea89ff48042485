"""Where the project lies on the machine that runs it, and which folders of nginx's containers stay empty."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts.packages import PackageFile
from stackaudit.link.folding.objects import ROOT
from stackaudit.link.nginx.deploy import Unit
from stackaudit.link.nginx.servers import Server
from stackaudit.link.processes import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown

_FILLED_IN = frozenset("%{}$<>")
"""Signs of a path that a template or systemd completes."""


@dataclass(frozen=True)
class Home:
    """`folder` of the machine or container of `process` holds what `repository` holds here ("" is the whole)."""

    process: Process
    folder: str
    repository: str


def homes(stack: Stack) -> Iterator[Home]:
    """Where each server of production finds the project: its settings are imported from the folder that it looks in.

    None where the project is a package that pip installs: then the folder may be anything.
    """
    if stack.settings is None or _is_package(stack, stack.settings.module.partition(".")[0]):
        return
    module, path = stack.settings.module, stack.settings.path
    depth = module.count(".") + 1 + path.endswith("__init__.py")
    base = "/".join(path.split("/")[:-depth])
    for process in stack.processes.production_servers:
        folder = _imports_from(process)
        if folder.startswith("/") and not folder.startswith(ROOT) and not _FILLED_IN & set(folder):
            yield Home(process, posixpath.normpath(folder), base)


def _is_package(stack: Stack, top: str) -> bool:
    """Whether a file describes a distribution of the settings' own name, or a setup.py some distribution."""
    described = {
        _distribution(item.facts.project)
        for item in stack.files.values()
        if isinstance(item.facts, PackageFile) and item.facts.project
    }
    return _distribution(top) in described or any(path.rpartition("/")[2] == "setup.py" for path in stack.files)


def _distribution(name: str) -> str:
    return name.lower().replace("_", "-")


def _imports_from(process: Process) -> str:
    """The folder that a server's imports begin in: its working directory, or what is put before that; "" if unknown."""
    directory = process.working_directory
    if isinstance(directory, Unknown) or "PYTHONPATH" in process.environment:
        return ""
    before = process.settings.get("pythonpath", Known(None))
    if isinstance(before, Unknown) or not before.value:
        return "" if isinstance(before, Unknown) else directory.value
    if not isinstance(before.value, str) or "," in before.value:
        return ""
    return posixpath.join(directory.value, before.value)


def own_containers(stack: Stack, server: Server) -> list[Unit]:
    """The services of compose files that hold nothing but nginx, and read the file of `server`.

    None where something else reads it, too, or where what a service is, or mounts, is told by one that it extends.
    """
    units = [unit for unit in stack.nginx.units if server.level.place.path in unit.installed.values()]
    names = {unit.name for unit in units}
    extended = any(
        service.extends for compose in stack.composes.values() for service in compose.services if service.name in names
    )
    return units if not extended and all(unit.has_stock_image and unit.in_compose for unit in units) else []


@dataclass(frozen=True)
class Absence:
    """Nothing brings files to a folder of the container `unit`; `volume` is mounted there and stays empty."""

    unit: str
    volume: str = ""


def absent(stack: Stack, server: Server, folder: str) -> Absence | None:
    """Why a folder of nginx's own container holds no files; None where it may hold some, or the container is not known.

    Any compose file may add to a service of another, so all that mounts anything into a service of the name counts.
    """
    units = own_containers(stack, server)
    if not units or any(compose.includes for compose in stack.composes.values()):
        return None
    namesakes = [unit for unit in stack.nginx.units if unit.name in {each.name for each in units}]
    reaching = [(unit, path) for unit in namesakes for path in unit.filled if _meet(path, folder)]
    if not reaching:
        return Absence(units[0].name)
    volumes = {unit.volumes.get(path, "") for unit, path in reaching}
    if "" in volumes or not any(process.origin.path == units[0].path for process in stack.processes.servers):
        return None
    mounted = {
        mount.source.text
        for compose in stack.composes.values()
        for service in compose.services
        if service.name not in {unit.name for unit in namesakes}
        for mount in service.mounts
    }
    return Absence(units[0].name, min(volumes)) if not volumes & mounted else None


def _meet(path: str, folder: str) -> bool:
    """Whether one lies in the other."""
    return path in ("/", folder) or folder.startswith(path + "/") or path.startswith(folder + "/")
