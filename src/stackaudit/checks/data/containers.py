"""Databases in containers: whether their data outlives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from stackaudit.facts.services import Mount
from stackaudit.link.host import human, size
from stackaudit.link.services import Instance
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

OLD = "/var/lib/postgresql/data"
"""PGDATA and the volume of the official image up to 17."""
NEW = "/var/lib/postgresql"
"""The volume of the official image since 18; PGDATA lies below it in a folder of the release."""
SHARED_MEMORY = 64 * 1024**2
"""Docker's default for /dev/shm."""
HASH = 2
"""hash_mem_multiplier since PostgreSQL 15: a parallel hash may take so many times work_mem in each process."""


def postgres_container(stack: Stack) -> Iterator[Verdict]:
    """The data of a database lies in a volume that is there after the container is gone."""
    for instance in stack.services.production("postgres", "redis"):
        if instance.origin != "compose":
            continue
        if instance.kind == "postgres":
            yield _data(instance)
            yield from _tag(instance)
            yield from _shared_memory(instance)
        elif isinstance(kept := instance.on("appendonly"), Known) and kept.value:
            yield _appended(instance)


def _persistent(instance: Instance) -> list[Mount]:
    """The mounts that have a name or a folder; an anonymous volume is left behind with its container."""
    return [mount for mount, _ in instance.mounts if mount.source.text]


def _under(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _at(mount: Mount, instance: Instance) -> Place:
    path = next((path for each, path in instance.mounts if each is mount), instance.path)
    return Place(path, mount.region)


def _data(instance: Instance) -> Verdict:
    mounts = _persistent(instance)
    site = Site(instance.place, f"{instance.name}: data")
    values = {"name": instance.name, "target": OLD, "version": "", "folder": ""}
    told = instance.environment.get("PGDATA")
    if isinstance(told, Unknown):
        return Unsure(site, f"PGDATA is not known: {told.why}")
    near = [mount for mount in mounts if _near(mount.target, str(told.value) if told else OLD)]
    if not near:
        if instance.audience != "production":
            return Unsure(site, f"{instance.why}, and for production the data would be lost")
        return Fail(site, values)
    if told is not None or "\x20" in near[0].target or not instance.image:
        return Pass(site)
    major = instance.version.value[0] if isinstance(instance.version, Known) else 0
    target = str(PurePosixPath(near[0].target))
    values = {**values, "version": str(major), "folder": target}
    if major >= 18 and _under(target, OLD):
        return Fail(Site(_at(near[0], instance), site.name), values, cause="eighteen")
    if 0 < major < 18 and target == NEW:
        return Fail(Site(_at(near[0], instance), site.name), values, cause="parent")
    return Pass(site)


def _near(target: str, data: str) -> bool:
    """Whether a mount may hold the data: it is the folder, holds it, or lies where every image keeps it."""
    return _under(data, target) or _under(target, NEW) or "postgresql" in target or "pgdata" in target.lower()


def _tag(instance: Instance) -> Iterator[Verdict]:
    name = instance.image.partition("@")[0]
    tag = name.rpartition("/")[2].partition(":")[2]
    built = instance.service is None or instance.service.build is not None
    if name and not built and tag in ("", "latest") and "@" not in instance.image:
        values = {"name": instance.name, "target": "", "version": "", "folder": name}
        yield Fail(Site(instance.place, f"{instance.name}: tag"), values, cause="latest")


def _shared_memory(instance: Instance) -> Iterator[Verdict]:
    """A parallel hash join keeps its table in /dev/shm."""
    work, workers = instance.size("work_mem"), instance.number("max_parallel_workers_per_gather")
    given = instance.options.get("shm_size")
    if not (isinstance(work, Known) and isinstance(workers, Known)) or not work.places or isinstance(given, Unknown):
        return
    room = size(given.value, binary=True) if given is not None else SHARED_MEMORY
    need = work.value * HASH * (workers.value + 1)
    if room and need > room:
        values = {"name": instance.name, "target": human(need), "version": "", "folder": human(room)}
        yield Fail(Site(instance.setting_place("work_mem"), f"{instance.name}: shm_size"), values, cause="shm")


def _appended(instance: Instance) -> Verdict:
    site = Site(instance.setting_place("appendonly"), f"{instance.name}: data")
    folder = instance.setting("dir") if "dir" in instance.given else Known("/data")
    path = str(folder.value) if isinstance(folder, Known) else "/data"
    if any(_under(path, mount.target) or _under(mount.target, path) for mount in _persistent(instance)):
        return Pass(site)
    return Fail(site, {"name": instance.name, "target": path, "version": "", "folder": ""}, cause="redis")
