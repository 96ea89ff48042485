"""What each deployment file starts, before anything is followed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from stackaudit.facts.commands import OPEN, Command, Hole, Procfile, Word
from stackaudit.facts.services import Build, Compose, Dockerfile, Mount, Service, Supervisor, Unit
from stackaudit.link.host import size
from stackaudit.link.processes.environment import Environment, expand
from stackaudit.link.processes.images import Image, Tree, context_of, joined
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

PLATFORM = "the platform may set WEB_CONCURRENCY (Heroku does)"

MAIN = (
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
    "docker-compose.base.yml",
    "compose.base.yml",
    "docker-compose.common.yml",
)
"""The compose files that others of the same folder change."""


@dataclass
class Launch:
    """One thing that a deployment file starts. `entrypoint` and `command` come with the file they stand in.

    `home` is the folder that relative paths start from where there is no container. `hints` are (audience, why) pairs
    that the file itself gives, the strongest first.
    """

    kind: str
    path: str
    service: str
    environment: Environment
    entrypoint: tuple[Command, str] | None = None
    command: tuple[Command, str] | None = None
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


def compose(stack: Stack, tree: Tree) -> Iterator[Launch]:
    """The services of compose files. A file that only changes services of the main file next to it is merged first."""
    files: dict[str, Compose] = {item.path: item.facts for item in stack.of_kind("compose")}
    docker: dict[str, Dockerfile] = {item.path: item.facts for item in stack.of_kind("dockerfile")}
    for path, facts in files.items():
        built = {
            service.image.text: service.build
            for service in facts.services
            if service.image is not None and service.build is not None
        }
        for service in facts.services:
            parts = chain(service, path, files)
            build = next((part.build for _, part in reversed(parts) if part.build is not None), None)
            image = next((part.image for _, part in reversed(parts) if part.image is not None), None)
            if build is None and image is not None:
                build = built.get(image.text)
            if image is not None or build is not None:
                yield launched(stack, parts, image, build, facts.name, tree, docker)


Part = tuple[str, Service]


def chain(service: Service, path: str, files: Mapping[str, Compose], depth: int = 0) -> list[Part]:
    """The service with its path, after what it extends or what the main compose file of its folder says of it."""
    folder = posixpath.dirname(path)
    bases: list[tuple[str, str]] = []
    if service.extends is not None:
        bases.append((joined(folder, service.extends.file) if service.extends.file else path, service.extends.service))
    elif service.image is None and service.build is None:
        bases += [(joined(folder, name), service.name) for name in MAIN if joined(folder, name) != path]
    for base_path, name in bases:
        services = files[base_path].services if base_path in files else ()
        base = next((item for item in services if item.name == name), None)
        if base is not None and base is not service and depth <= 5:
            return [*chain(base, base_path, files, depth + 1), (path, service)]
    return [(path, service)]


def launched(
    stack: Stack,
    parts: list[Part],
    image_name: Word | None,
    build: Build | None,
    project: str,
    tree: Tree,
    docker: Mapping[str, Dockerfile],
) -> Launch:
    """One compose service from its parts, the last of which has the last word."""
    path, service = parts[-1]
    folder = posixpath.dirname(path)
    outside = dotenv(stack, joined(folder, ".env"))
    environment, missing = Environment(), ""
    options: dict[str, Value[str]] = {}
    mounts: list[tuple[str, str]] = []
    entrypoint: tuple[Command, str] | None = None
    command: tuple[Command, str] | None = None
    for part_path, part in parts:
        part_folder = posixpath.dirname(part_path)
        for word in part.env_files:
            value = expand(word, outside)
            file = joined(part_folder, value.value) if isinstance(value, Known) else ""
            if file in stack.files and stack.files[file].unread is None:
                environment.values.update(dotenv(stack, file).values)
            else:
                missing = f"{word.text}, which is not in the repository,"
        for key, word in part.options.items():
            value = expand(word, outside)
            at = Place(part_path, word.region)
            options[key] = Known(value.value, (at,), value.note) if isinstance(value, Known) else value
        mounts += _mounts(part.mounts, part_folder, outside)
        if part.entrypoint is not None:
            entrypoint, command = (filled(part.entrypoint, outside), part_path), None
        if part.command is not None:
            command = (filled(part.command, outside), part_path)
    environment.open = missing
    for part_path, part in parts:
        environment.assign(part.environment, part_path, outside)
    directory = options.get("working_dir")
    launch = Launch(
        "compose",
        path,
        service.name,
        environment,
        entrypoint=entrypoint,
        command=command,
        home=folder,
        directory=directory.value if isinstance(directory, Known) else None,
        options=options,
        image_name=image_name.text if image_name is not None else "",
        replicas=_replicas(options),
        cpus=_cpus(options),
        memory=_memory(options),
        profiles=next((part.profiles for _, part in reversed(parts) if part.profiles), ()),
        project=project,
        platform=f"{missing} may set WEB_CONCURRENCY" if missing else "",
        own_command=entrypoint is not None or command is not None,
        source_mounted=any(_holds_code(source, stack) for _, source in mounts),
    )
    image = _image(build, folder, outside, docker, tuple(mounts))
    if image is None:
        launch.image = Image(mounts=tuple(mounts))
        return launch
    return from_image(launch, image)


def filled(command: Command, outside: Environment) -> Command:
    """The command with compose's own variables replaced; those that nobody knows stay open.

    The container's environment never fills them: compose replaces them before there is a container.
    """
    steps = [
        msgspec.structs.replace(step, words=tuple(_filled(word, outside) for word in step.words))
        for step in command.steps
    ]
    return Command(tuple(steps), command.shell, command.region)


def _filled(word: Word, outside: Environment) -> Word:
    value = expand(word, outside)
    if isinstance(value, Known):
        return Word(value.value, (), word.region)
    return msgspec.structs.replace(word, holes=tuple(Hole(hole.start, hole.end, OPEN, None) for hole in word.holes))


def dotenv(stack: Stack, path: str) -> Environment:
    """The variables of a .env file of the repository."""
    environment = Environment()
    item = stack.files.get(path)
    if item is None or item.kind != "dotenv" or item.unread is not None:
        return environment
    for entry in item.facts.entries:
        place = Place(path, entry.region)
        environment.values[entry.name] = (
            Unknown(f"{path} sets {entry.name} to something else's value", (place,))
            if entry.refers
            else Known(entry.value, (place,))
        )
    return environment


def _mounts(mounts: tuple[Mount, ...], folder: str, outside: Environment) -> Iterator[tuple[str, str]]:
    """(folder in the container, folder of the repository) of what is mounted from below the root."""
    for mount in mounts:
        source = expand(mount.source, outside)
        if not isinstance(source, Known) or not mount.target or not source.value.startswith("."):
            continue
        place = posixpath.normpath(posixpath.join(folder, source.value))
        if not place.startswith(".."):
            yield mount.target, "" if place == "." else place


def _holds_code(folder: str, stack: Stack) -> bool:
    """Whether Python code lies below a folder that is mounted."""
    prefix = f"{folder}/" if folder else ""
    return any(item.path.startswith(prefix) and item.kind == "python" for item in stack.of_kind("python"))


def _image(
    build: Build | None,
    folder: str,
    outside: Environment,
    docker: Mapping[str, Dockerfile],
    mounts: tuple[tuple[str, str], ...],
) -> Image | None:
    if build is None:
        return None
    context = expand(build.context, outside)
    if not isinstance(context, Known):
        return None
    place = joined(folder, context.value)
    name = expand(build.dockerfile, outside) if build.dockerfile is not None else Known("Dockerfile")
    path = joined(place, name.value) if isinstance(name, Known) else ""
    file = docker.get(path)
    if file is None or not file.stages:
        return Image(path, None, -1, place, mounts=mounts)
    index = len(file.stages) - 1
    target = expand(build.target, outside) if build.target is not None else None
    if isinstance(target, Known):
        index = next((at for at, stage in enumerate(file.stages) if stage.name == target.value), index)
    arguments = Environment()
    arguments.assign(build.args, path, outside)
    given = {key: str(value.value) for key, value in arguments.values.items() if isinstance(value, Known)}
    return replace(Image(path, file, index, place, given), mounts=mounts)


def _replicas(options: Mapping[str, Value[str]]) -> Value[int]:
    for key in ("deploy.replicas", "scale"):
        if key in options:
            return whole(options[key], key)
    return Known(1)


def _cpus(options: Mapping[str, Value[str]]) -> AnyValue:
    for key in ("deploy.resources.limits.cpus", "cpus"):
        value = options.get(key)
        if isinstance(value, Unknown):
            return value
        if value is not None:
            try:
                return Known(float(value.value), value.places)
            except ValueError:
                return Unknown(f"{key} is no number", value.places)
    return Known(None)


def _memory(options: Mapping[str, Value[str]]) -> AnyValue:
    for key in ("deploy.resources.limits.memory", "mem_limit"):
        value = options.get(key)
        if isinstance(value, Unknown):
            return value
        if value is not None:
            number = size(value.value, binary=True)
            return Known(number, value.places) if number else Unknown(f"{key} is no size", value.places)
    return Known(None)
