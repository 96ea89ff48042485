"""What the services of compose files start."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from stackaudit.facts.commands import OPEN, Command, Hole, Word
from stackaudit.facts.services import Build, Compose, Dockerfile, Mount, Service
from stackaudit.link.host import size
from stackaudit.link.processes.environment import Environment, expand
from stackaudit.link.processes.images import Image, Tree, joined
from stackaudit.link.processes.launches import Launch, from_image, whole
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

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


def compose(stack: Stack, tree: Tree) -> Iterator[Launch]:
    """The services of compose files. A file that only changes services of the main file next to it is merged first."""
    files = stack.composes
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
