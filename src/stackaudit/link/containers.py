"""The containers of compose files: what each runs, which ports of the machine it takes, and whom it is for."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.facts.commands import Word
from stackaudit.facts.services import Compose, Dockerfile
from stackaudit.link.processes import audience
from stackaudit.link.processes.composed import MAIN, Part, chain, dotenv, launched
from stackaudit.link.processes.environment import Environment, expand
from stackaudit.link.processes.images import Tree
from stackaudit.link.processes.launches import Launch
from stackaudit.link.processes.model import Audience
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_PORT = re.compile(r"(?:(?P<address>\[[^\]]*\]|[^:\[\]]+):)?(?:(?P<published>[\d-]*):)?(?P<target>[\d-]+)(?:/\w+)?")
_LOOPBACK = re.compile(r"127\.|localhost$|\[?::1\]?$")


@dataclass(frozen=True, slots=True)
class Port:
    """A published port: `address` of the machine ("" is every one), `published` there ("" is any free one), `target`.

    https://docs.docker.com/reference/compose-file/services/#ports
    """

    address: str
    published: str
    target: str
    place: Place
    text: str

    @property
    def is_local(self) -> bool:
        """Whether only the machine itself reaches it."""
        return bool(_LOOPBACK.match(self.address))

    def reaches(self, number: int) -> bool:
        """Whether `number` of the container is among its targets."""
        first, _, last = self.target.partition("-")
        return int(first) <= number <= int(last or first)


@dataclass(frozen=True)
class Container:
    """One service of a compose file.

    `image` is its image, or the one that its Dockerfile builds on, without registry and tag; "" where that is not
    known. `words` are the words of its entrypoint and command that are known. `why` completes `audience`.
    """

    name: str
    path: str
    place: Place
    image: str
    ports: tuple[tuple[Place, Value[Port]], ...]
    environment: Mapping[str, AnyValue]
    words: tuple[str, ...]
    audience: Audience
    why: str

    @property
    def title(self) -> str:
        """Its file and name, for people and fingerprints."""
        return f"{self.path} {self.name}"


def resolve(stack: Stack) -> tuple[Container, ...]:
    """The containers of all compose files of `stack`."""
    return tuple(_containers(stack))


def _containers(stack: Stack) -> Iterator[Container]:
    files = stack.composes
    docker: dict[str, Dockerfile] = {item.path: item.facts for item in stack.of_kind("dockerfile")}
    tree = Tree(stack.files)
    for path, facts in files.items():
        of_file = _audience(stack, path, facts, files)
        for service in facts.services:
            parts = chain(service, path, files)
            build = next((part.build for _, part in reversed(parts) if part.build is not None), None)
            named = next((part.image for _, part in reversed(parts) if part.image is not None), None)
            launch = launched(stack, parts, named, build, facts.name, tree, docker)
            own = audience.of_profiles(service.profiles)
            who, why = own if own[0] != "unknown" else of_file
            yield Container(
                service.name,
                path,
                Place(path, service.region),
                _image(launch, named if build is None else None),
                tuple(_ports(stack, parts)),
                launch.environment.values,
                tuple(_words(launch)),
                who,
                why,
            )


def _audience(stack: Stack, path: str, facts: Compose, files: Mapping[str, Compose]) -> tuple[Audience, str]:
    """Whom a compose file is for: its name tells, else what it runs, else its neighbours."""
    for text in (path, facts.name):
        who, why = audience.of_path(text) if text else ("unknown", "")
        if who != "unknown":
            return who, why
    own = [process for process in stack.processes.all if process.origin.kind == "compose"]
    own = [process for process in own if process.origin.path == path]
    deciding = [process for process in own if process.is_server] or own
    for process in deciding:
        if process.audience == "production":
            folder = posixpath.dirname(path)
            rivals = [other for other in files if posixpath.dirname(other) == folder and other != path]
            real = next((other for other in rivals if audience.of_path(other)[0] == "production"), "")
            if posixpath.basename(path) in MAIN and real:
                return "unknown", f"{real} may be production's, and {path} the developers'"
            return "production", process.why
    if deciding:
        return deciding[0].audience, deciding[0].why
    return "unknown", f"{path} starts no server of the project, so nothing tells whether production runs it"


def _image(launch: Launch, named: Word | None) -> str:
    stages = launch.image.chain() if launch.image is not None else []
    if stages:
        text = launch.image.text(stages[-1].image, stages[-1]) if launch.image is not None else None
        return bare(text or "")
    return bare(named.text) if named is not None else ""


def bare(image: str) -> str:
    """The name of an image without registry, "library/", tag and digest."""
    name = image.partition("@")[0]
    head, slash, rest = name.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        name = rest
    name = re.sub(r":[^/]*$", "", name)
    return name.removeprefix("library/")


def _words(launch: Launch) -> Iterator[str]:
    for command in (launch.entrypoint, launch.command):
        for step in command[0].steps if command is not None else ():
            for inner in (step, *step.inner):
                yield from (word.text for word in inner.words)


def _ports(stack: Stack, parts: list[Part]) -> Iterator[tuple[Place, Value[Port]]]:
    for path, service in parts:
        outside = dotenv(stack, posixpath.join(posixpath.dirname(path), ".env").lstrip("/"))
        for word in service.ports:
            place = Place(path, word.region)
            yield place, _port(word, outside, place)


def _port(word: Word, outside: Environment, place: Place) -> Value[Port]:
    text = expand(word, outside)
    if isinstance(text, Unknown):
        return text
    match = _PORT.fullmatch(text.value.strip())
    if match is None:
        return Unknown(f"{text.value!r} is no port that is understood", (place,))
    address, published = match["address"] or "", match["published"]
    if published is None and address.replace("-", "").isdigit():
        address, published = "", address
    return Known(Port(address, published or "", match["target"], place, text.value), (place,), text.note)
