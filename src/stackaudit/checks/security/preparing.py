"""What an image does and mounts before its server may run as a user of its own."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts.commands import Script, Step
from stackaudit.facts.services import Compose, Mount, Service
from stackaudit.link.folding.objects import ROOT
from stackaudit.link.processes.images import under
from stackaudit.link.processes.model import Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known

_DAEMONS = frozenset({"apache2", "cron", "crond", "httpd", "nginx", "rsyslogd", "sshd", "supervisord", "syslogd"})
"""What is started as root and takes users of its own for its work."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """A script of the `image` (its Dockerfile) that does what wants to be root (`work`, for people) before `process`.

    `starts` says that the script names the program itself; else it hands `"$@"` on.
    """

    image: str
    script: str
    process: Process
    work: tuple[str, ...]
    starts: bool


def started_from(stack: Stack, path: str) -> list[Process]:
    """The processes whose user the Dockerfile at `path` decides."""
    return [
        process
        for process in stack.processes.all
        if process.login is not None and process.login.by == "image" and process.login.place.path == path
    ]


def preparation(stack: Stack, path: str) -> Preparation | None:
    """What a script of the image of a Dockerfile does as root before it starts a process; None where none needs that.

    A script that only waits, migrates or collects files can do so as any user who owns the folders.
    """
    for process in started_from(stack, path):
        for script in dict.fromkeys((process.place.path, *(chore.place.path for chore in process.chores))):
            item = stack.files.get(script)
            if item is None or not isinstance(item.facts, Script):
                continue
            starts = script == process.place.path
            before = [step for step in item.facts.steps if not starts or step.region.line < process.place.region.line]
            work = dict.fromkeys(name for step in before for name in _as_root(step))
            if work:
                chores = [chore.name for chore in process.chores if chore.name == "collectstatic"]
                return Preparation(path, script, process, (*work, *chores), starts)
    return None


def _as_root(step: Step) -> Iterator[str]:
    words = [word.text for word in step.words]
    name = posixpath.basename(words[0]) if words else ""
    if name == "service" and words[2:3] == ["start"]:
        name = words[1]
    elif name == "chown":
        yield name
    if name in _DAEMONS and not {*words} & {"-t", "-T", "-v", "-V", "-s"}:
        yield name


def targets(stack: Stack, path: str) -> list[str]:
    """The folders in containers of the Dockerfile at `path` that keep what its processes write.

    Named volumes, and whatever is mounted as STATIC_ROOT or MEDIA_ROOT. A compose file that runs the image under the
    name by which it is published is known by these two.
    """
    processes = started_from(stack, path)
    own = {(process.origin.path, process.origin.service) for process in processes}
    workdirs = {each.working_directory.value for each in processes if isinstance(each.working_directory, Known)}
    roots = {folder for kind in ("STATIC", "MEDIA") for folder in root_folders(stack, kind, workdirs)}
    found: set[str] = set()
    for at, compose in stack.composes.items():
        for service in compose.services:
            ours = (at, service.name) in own
            served = [mount for mount in service.mounts if posixpath.normpath(mount.target) in roots]
            if not ours and (service.build is not None or service.extends is not None or not served):
                continue
            found.update(mount.target for mount in served)
            found.update(
                mount.target
                for mount in service.mounts
                if not mount.source.text.startswith((".", "/", "~", "$"))
                and (ours or any(folder != "/" and under(mount.target, folder) for folder in workdirs))
                and not _configures(compose, service, mount)
            )
    return sorted(found)


def root_folders(stack: Stack, kind: str, workdirs: set[str]) -> set[str]:
    """What STATIC_ROOT or MEDIA_ROOT is called in containers that start in one of `workdirs`."""
    value = stack.settings.get(f"{kind}_ROOT") if stack.settings is not None else None
    if not isinstance(value, Known) or not isinstance(value.value, str) or not value.value:
        return set()
    root = value.value
    if root.startswith(ROOT + "/"):
        return {posixpath.normpath(folder + root[len(ROOT) :]) for folder in workdirs if folder}
    return {posixpath.normpath(root)} if root.startswith("/") else set()


def _configures(compose: Compose, service: Service, mount: Mount) -> bool:
    """Whether another service reads a volume as its configuration: who may write that rules the other."""
    return bool(mount.source.text) and any(
        other.source.text == mount.source.text and under(other.target, "/etc")
        for each in compose.services
        if each.name != service.name
        for other in each.mounts
    )
