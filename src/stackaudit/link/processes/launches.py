"""What each deployment file starts, before anything is followed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackaudit.facts.commands import Command, Procfile
from stackaudit.facts.services import Dockerfile, Supervisor, Unit
from stackaudit.link.host import size
from stackaudit.link.processes.environment import Environment
from stackaudit.link.processes.images import Image, Tree, context_of
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

PLATFORM = "the platform may set WEB_CONCURRENCY (Heroku does)"


@dataclass
class Launch:
    """One thing that a deployment file starts. `entrypoint` and `command` come with the file they stand in, and so do
    those that run `before` it each time.

    `home` is the folder that relative paths start from where there is no container. `hints` are (audience, why) pairs
    that the file itself gives, the strongest first.
    """

    kind: str
    path: str
    service: str
    environment: Environment
    entrypoint: tuple[Command, str] | None = None
    command: tuple[Command, str] | None = None
    before: tuple[tuple[Command, str], ...] = ()
    image: Image | None = None
    home: str = ""
    directory: str | None = None
    platform: str = ""
    options: Mapping[str, Value[str]] = field(default_factory=dict)
    image_name: str = ""
    replicas: Value[int] = field(default_factory=lambda: Known(1))
    cpus: AnyValue = field(default_factory=lambda: Known(None))
    memory: AnyValue = field(default_factory=lambda: Known(None))
    profiles: tuple[str, ...] = ()
    source_mounted: bool = False
    project: str = ""
    own_command: bool = True


def procfiles(stack: Stack) -> Iterator[Launch]:
    """The process types of Procfiles, without `release`, which runs once."""
    for item in stack.of_kind("procfile"):
        facts: Procfile = item.facts
        for entry in facts.entries:
            if entry.name != "release":
                yield Launch(
                    "procfile",
                    item.path,
                    entry.name,
                    Environment(open="the platform"),
                    command=(entry.command, item.path),
                    home=posixpath.dirname(item.path),
                    platform=PLATFORM,
                )


def units(stack: Stack) -> Iterator[Launch]:
    """What systemd units start."""
    for item in stack.of_kind("systemd"):
        facts: Unit = item.facts
        environment = Environment(open="an EnvironmentFile" if facts.env_files else "")
        environment.assign(facts.environment, item.path)
        options: dict[str, Value[str]] = {
            f"{option.section}.{option.key}": Known(option.value.text, (Place(item.path, option.value.region),))
            for option in facts.options
        }
        folder = facts.option("Service", "WorkingDirectory")
        for command in facts.commands:
            yield Launch(
                "systemd",
                item.path,
                posixpath.basename(item.path).partition(".")[0],
                environment.copy(),
                command=(command, item.path),
                directory=folder.text.lstrip("-") if folder is not None else None,
                options=options,
                cpus=_quota(facts),
                memory=_memory_max(facts, item.path),
                platform="an EnvironmentFile of the unit may set WEB_CONCURRENCY" if facts.env_files else "",
            )


def _quota(unit: Unit) -> AnyValue:
    quota = unit.option("Service", "CPUQuota")
    if quota is None or not quota.text.endswith("%"):
        return Known(None)
    try:
        return Known(float(quota.text[:-1]) / 100)
    except ValueError:
        return Unknown(f"CPUQuota is {quota.text}")


def _memory_max(unit: Unit, path: str) -> AnyValue:
    limit = unit.option("Service", "MemoryMax") or unit.option("Service", "MemoryLimit")
    if limit is None or limit.text == "infinity":
        return Known(None)
    number = size(limit.text, binary=True)
    place = Place(path, limit.region)
    return Known(number, (place,)) if number else Unknown(f"MemoryMax is {limit.text}", (place,))


def programs(stack: Stack) -> Iterator[Launch]:
    """What supervisor runs."""
    for item in stack.of_kind("supervisor"):
        facts: Supervisor = item.facts
        for program in facts.programs:
            if program.command is None:
                continue
            environment = Environment()
            environment.assign(program.environment, item.path)
            options: dict[str, Value[str]] = {
                key: Known(word.text, (Place(item.path, word.region),)) for key, word in program.options.items()
            }
            folder = program.options.get("directory")
            number = program.options.get("numprocs")
            yield Launch(
                "supervisor",
                item.path,
                program.name,
                environment,
                command=(program.command, item.path),
                directory=folder.text if folder is not None and not folder.holes else None,
                options=options,
                replicas=whole(Known(number.text), "numprocs") if number is not None else Known(1),
            )


def whole(value: Value[str], name: str) -> Value[int]:
    """A number of processes."""
    if isinstance(value, Unknown):
        return value
    return Known(int(value.value), value.places) if value.value.strip().isdigit() else Unknown(f"{name} is no number")


def dockerfiles(stack: Stack, tree: Tree) -> Iterator[Launch]:
    """What the last stage of each Dockerfile runs by default."""
    for item in stack.of_kind("dockerfile"):
        facts: Dockerfile = item.facts
        if facts.stages:
            image = Image(item.path, facts, len(facts.stages) - 1, context_of(item.path, facts, tree))
            yield from_image(Launch("dockerfile", item.path, "", Environment(), own_command=False), image)


_DASH = re.compile(r"(^|/)(python|debian|ubuntu|pypy|buildpack-deps|uv)(:|$)|slim|bookworm|bullseye|trixie|jammy|noble")
_BASH = re.compile(r"(^|/)(centos|fedora|rockylinux|almalinux|amazonlinux|oraclelinux|ubi\d)")


def default_shell(launch: Launch) -> str:
    """What /bin/sh is where the launch runs: "sh" (dash), "bash", "?" where nobody knows."""
    if launch.kind != "dockerfile" and (launch.image is None or launch.image.file is None):
        return "sh"
    chain = launch.image.chain() if launch.image is not None else []
    name = chain[-1].image.text if chain else ""
    if "alpine" in name or not name:
        return "?"
    return "bash" if _BASH.search(name) else "sh" if _DASH.search(name) else "?"


def from_image(launch: Launch, image: Image) -> Launch:
    """The launch with what its image gives where the launch itself gives nothing."""
    entrypoint, cmd = image.command()
    launch.image = image
    outer = image.environment()
    outer.values.update(launch.environment.values)
    outer.open = launch.environment.open
    launch.environment = outer
    if launch.entrypoint is None:
        launch.entrypoint = (entrypoint, image.path) if entrypoint is not None else None
        if launch.command is None and cmd is not None:
            launch.command = (cmd, image.path)
    launch.directory = launch.directory or image.workdir()
    return launch
