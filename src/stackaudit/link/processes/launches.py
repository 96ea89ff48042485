"""What each deployment file starts, before anything is followed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackaudit.facts.commands import Command, Procfile, Script, Step, Word
from stackaudit.facts.services import Dockerfile, Supervisor, Unit
from stackaudit.link.host import size
from stackaudit.link.processes.audience import default_stage
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
    """What systemd units start, with their drop-ins."""
    parts: dict[str, list[tuple[str, Unit]]] = {}
    for item in sorted(stack.of_kind("systemd"), key=lambda item: ".service.d/" in item.path):
        parts.setdefault(_unit_of(item.path, parts), []).append((item.path, item.facts))
    for path, several in parts.items():
        yield from _unit(path, several)


def _unit_of(path: str, units: Iterable[str]) -> str:
    """The unit that a drop-in (`web.service.d/limits.conf`) changes; a unit stands for itself."""
    folder, sign, _ = path.rpartition(".service.d/")
    if not sign:
        return path
    name = f"{folder}.service"
    named = [unit for unit in units if posixpath.basename(unit) == posixpath.basename(name)]
    return name if name in named else named[0] if len(named) == 1 else path


def _unit(path: str, parts: list[tuple[str, Unit]]) -> Iterator[Launch]:
    commands: list[tuple[Command, str]] = []
    environment = Environment()
    for source, unit in parts:
        if any(option.key == "ExecStart" and not option.value.text for option in unit.options):
            commands.clear()
        commands += [(command, source) for command in unit.commands]
        environment.assign(unit.environment, source)
        environment.open = "an EnvironmentFile" if unit.env_files else environment.open
    options: dict[str, Value[str]] = {
        f"{option.section}.{option.key}": Known(option.value.text, (Place(source, option.value.region),))
        for source, unit in parts
        for option in unit.options
    }
    folder = options.get("Service.WorkingDirectory")
    for command in commands:
        yield Launch(
            "systemd",
            path,
            posixpath.basename(path).partition(".")[0],
            environment.copy(),
            command=command,
            directory=folder.value.lstrip("-") if isinstance(folder, Known) else None,
            options=options,
            cpus=_quota(options.get("Service.CPUQuota")),
            memory=_memory_max(options.get("Service.MemoryMax") or options.get("Service.MemoryLimit")),
            platform="an EnvironmentFile of the unit may set WEB_CONCURRENCY" if environment.open else "",
        )


def _quota(quota: Value[str] | None) -> AnyValue:
    if not isinstance(quota, Known) or not quota.value.endswith("%"):
        return Known(None)
    try:
        return Known(float(quota.value[:-1]) / 100)
    except ValueError:
        return Unknown(f"CPUQuota is {quota.value}")


def _memory_max(limit: Value[str] | None) -> AnyValue:
    if not isinstance(limit, Known) or limit.value == "infinity":
        return Known(None)
    number = size(limit.value, binary=True)
    return Known(number, limit.places) if number else Unknown(f"MemoryMax is {limit.value}", limit.places)


def programs(stack: Stack, tree: Tree | None = None) -> Iterator[Launch]:
    """What supervisor runs; with `tree` in the image that its configuration is copied into, where there is one."""
    images = [
        Image(item.path, item.facts, default_stage(item.facts.stages), context_of(item.path, item.facts, tree))
        for item in stack.of_kind("dockerfile")
        if item.facts.stages and tree is not None
    ]
    for item in stack.of_kind("supervisor"):
        facts: Supervisor = item.facts
        around = [image for image in images if image.copies(item.path)]
        image = around[0] if len(around) == 1 else None
        for program in facts.programs:
            if program.command is None:
                continue
            environment = image.environment() if image is not None else Environment()
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
                image=image,
                directory=_folder(folder, image),
                options=options,
                replicas=whole(Known(number.text), "numprocs") if number is not None else Known(1),
            )


def _folder(word: Word | None, image: Image | None) -> str | None:
    """`directory`, or the folder that supervisor itself starts in."""
    if word is not None:
        return None if word.holes else word.text
    return image.workdir() if image is not None else None


def scripts(stack: Stack, followed: Collection[str]) -> Iterator[Launch]:
    """Scripts that nothing of the repository starts, as somebody may: a platform's dashboard, a unit on the machine."""
    for item in stack.of_kind("shell"):
        facts: Script = item.facts
        if item.path not in followed and any(_serves(step) for step in facts.steps):
            yield Launch(
                "shell",
                item.path,
                "",
                Environment(open="whoever starts it"),
                command=(Command(facts.steps, True, facts.steps[0].region), item.path),
                platform="whoever starts the script may set WEB_CONCURRENCY",
            )


def _serves(step: Step) -> bool:
    """Whether a step starts a server for visitors, with whatever stands before it."""
    names = {word.text.rpartition("/")[2] for word in step.words}
    return bool(names & {"gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "waitress-serve"})


def whole(value: Value[str], name: str) -> Value[int]:
    """A number of processes."""
    if isinstance(value, Unknown):
        return value
    return Known(int(value.value), value.places) if value.value.strip().isdigit() else Unknown(f"{name} is no number")


def dockerfiles(stack: Stack, tree: Tree) -> Iterator[Launch]:
    """What each Dockerfile runs by default."""
    for item in stack.of_kind("dockerfile"):
        facts: Dockerfile = item.facts
        if facts.stages:
            image = Image(item.path, facts, default_stage(facts.stages), context_of(item.path, facts, tree))
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
