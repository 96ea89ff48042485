"""From compose services, images, units and files to instances."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from stackaudit.facts.commands import Text, Word
from stackaudit.facts.daemons import Directive
from stackaudit.facts.services import Mount, Service
from stackaudit.link.processes import audience, composed, launches
from stackaudit.link.processes.environment import argument_list, expand
from stackaudit.link.processes.images import Image, Tree
from stackaudit.link.processes.launches import Launch
from stackaudit.link.processes.model import Audience
from stackaudit.link.processes.options import Argument
from stackaudit.link.services import images
from stackaudit.link.services.arguments import Started, started
from stackaudit.link.services.files import FILES, Told, read
from stackaudit.link.services.model import Instance, Kind, Services
from stackaudit.model.source import Place, Region
from stackaudit.model.values import Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

CONFIGS: dict[Kind, tuple[str, ...]] = {
    "postgres": (
        "/var/lib/postgresql/data/postgresql.conf",
        "/var/lib/postgresql/data/postgresql.auto.conf",
        "/usr/share/postgresql/postgresql.conf.sample",
        "/bitnami/postgresql/conf/postgresql.conf",
    ),
    "pgbouncer": (
        "/etc/pgbouncer/pgbouncer.ini",
        "/opt/bitnami/pgbouncer/conf/pgbouncer.ini",
        "/bitnami/pgbouncer/conf/pgbouncer.ini",
    ),
    "redis": ("/opt/bitnami/redis/mounted-etc/redis.conf",),
}
"""The files that an image reads without being told to."""

Origin = Literal["compose", "dockerfile", "systemd", "supervisor", "procfile", "file"]
_ORIGINS: dict[str, Origin] = {
    "compose": "compose",
    "dockerfile": "dockerfile",
    "systemd": "systemd",
    "supervisor": "supervisor",
    "procfile": "procfile",
}


def resolve(stack: Stack) -> Services:
    """Every instance of `stack`."""
    return Services(tuple(_Resolver(stack).instances()))


class _Resolver:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.tree = Tree(stack.files)
        self.read: set[str] = set()
        self.launches = list(self._launches())
        self.mounting = {launch.path for launch in self.launches if launch.source_mounted}
        self.built = {launch.image.path for launch in self.launches if launch.image and launch.kind == "compose"}

    def instances(self) -> Iterator[Instance]:
        """The instances, those of containers and units first; files that none of them reads stand alone."""
        found = [instance for launch in self.launches if (instance := self._launched(launch)) is not None]
        merged = {
            part
            for instance in found
            if instance.service is not None and instance.audience != "development"
            for part in self._parts(instance)[:-1]
        }
        for instance in found:
            self.read.update(instance.configs)
            if instance.service is None or (instance.path, instance.service.name) not in merged:
                yield instance
        for kind, name in FILES.items():
            paths = [item.path for item in self.stack.of_kind(name)]
            included = self._mounted() | {
                each for path in paths for each in read(self.stack, self.tree, kind, path).paths[1:]
            }
            for path in paths:
                if path not in self.read and path not in included:
                    yield self._alone(kind, path)

    def _launches(self) -> Iterator[Launch]:
        yield from composed.compose(self.stack, self.tree)
        yield from launches.dockerfiles(self.stack, self.tree)
        yield from launches.units(self.stack)
        yield from launches.programs(self.stack)
        yield from launches.procfiles(self.stack)

    def _parts(self, instance: Instance) -> list[tuple[str, str]]:
        assert instance.service is not None
        chain = composed.chain(instance.service, instance.path, self.stack.composes)
        return [(path, service.name) for path, service in chain]

    def _launched(self, launch: Launch) -> Instance | None:
        image = launch.image or Image()
        base = self._base(launch, image)
        named = images.recognised(base)
        run = self._run(launch, named.kind if named is not None else None)
        if run is None and (named is None or _runs_something_else(launch, image)):
            return None
        kind = run.kind if run is not None else named.kind if named is not None else None
        if kind is None or (launch.kind == "dockerfile" and launch.path in self.built):
            return None
        told = Told()
        self._configured(kind, launch, image, run, told)
        given = {**told.given, **(run.given if run is not None else {})}
        if kind == "pgbouncer" and launch.kind in ("compose", "dockerfile"):
            for name, value in launch.environment.values.items():
                given.setdefault(images.variable(name), value)
        who, why = self._audience(launch)
        service = self._service(launch)
        return Instance(
            kind=kind,
            name=" ".join(part for part in (launch.path, launch.service) if part),
            place=self._place(launch, service, run),
            path=launch.path,
            audience=who,
            why=why,
            origin=_ORIGINS[launch.kind],
            image=base,
            version=named.version if named is not None else Unknown("its version is not told"),
            given=given,
            open=told.open or _open(launch, kind, named, run),
            memory=launch.memory,
            environment=launch.environment.values,
            service=service,
            hosts=_hosts(launch),
            mounts=self._mounts(service, launch.path) if service is not None else (),
            options=launch.options,
            databases=told.databases,
            configs=tuple(told.paths),
        )

    def _base(self, launch: Launch, image: Image) -> str:
        """The image that an instance is made from, without the variables of its name that nobody tells."""
        chain = image.chain()
        word: Word | None
        if chain:
            word, known = chain[-1].image, image.text(chain[-1].image, chain[-1])
        else:
            service = self._service(launch)
            parts = composed.chain(service, launch.path, self.stack.composes) if service is not None else []
            word = next((part.image for _, part in reversed(parts) if part.image is not None), None)
            if word is None:
                return ""
            outside = composed.dotenv(self.stack, posixpath.join(posixpath.dirname(launch.path), ".env"))
            value = expand(word, outside)
            known = value.value if isinstance(value, Known) else None
        return known or (_known_part(word) if word is not None else "")

    def _run(self, launch: Launch, image: Kind | None) -> Started | None:
        commands = [pair for pair in (launch.entrypoint, launch.command) if pair is not None]
        environment = launch.environment
        if launch.entrypoint is not None and launch.command is not None and not launch.command[0].shell:
            command, path = launch.command
            words: tuple[Argument, ...] = ()
            if command.steps:
                words = argument_list(command.steps[0], path, environment)
            entry, entry_path = launch.entrypoint
            found = started(entry, entry_path, environment, None, words)
            if found is not None:
                return found
        for command, path in reversed(commands):
            found = started(command, path, environment, image)
            if found is not None:
                return found
        return None

    def _configured(self, kind: Kind, launch: Launch, image: Image, run: Started | None, told: Told) -> None:
        """Reads the configuration file that the instance starts with."""
        contained = launch.kind in ("compose", "dockerfile")
        if run is not None and run.config is not None:
            if isinstance(run.config, Unknown):
                told.open = f"its configuration file is not known: {run.config.why}"
                return
            location = str(run.config.value)
            path = image.lookup(posixpath.join(launch.directory or "/", location), self.tree) if contained else None
            path = path or self._similar(kind, location)
            if path is None:
                told.open = f"its configuration file {location} is not in the repository"
            else:
                read(self.stack, self.tree, kind, path, told)
        elif contained:
            for location in CONFIGS[kind]:
                path = image.lookup(location, self.tree)
                if path is not None and self.stack.files[path].kind == FILES[kind]:
                    read(self.stack, self.tree, kind, path, told)
        elif kind == "postgres":
            told.open = "the postgresql.conf of its data directory is not in the repository"

    def _similar(self, kind: Kind, location: str) -> str | None:
        path = self.tree.similar(location)
        return path if path is not None and self.stack.files[path].kind == FILES[kind] else None

    def _mounted(self) -> set[str]:
        """The files that are mounted into containers: whether they are read is for the container's command to say."""
        return {
            source
            for launch in self.launches
            if launch.image is not None and launch.kind == "compose"
            for _, source in launch.image.mounts
        }

    def _service(self, launch: Launch) -> Service | None:
        services = self.stack.composes[launch.path].services if launch.kind == "compose" else ()
        return next((service for service in services if service.name == launch.service), None)

    def _mounts(self, service: Service, path: str) -> tuple[tuple[Mount, str], ...]:
        return tuple(
            (mount, part_path)
            for part_path, part in composed.chain(service, path, self.stack.composes)
            for mount in part.mounts
        )

    def _place(self, launch: Launch, service: Service | None, run: Started | None) -> Place:
        if service is not None:
            chain = composed.chain(service, launch.path, self.stack.composes)
            image = next(((path, part.image) for path, part in reversed(chain) if part.image is not None), None)
            if image is not None and image[1] is not None:
                return Place(image[0], image[1].region)
            return Place(launch.path, service.region)
        if run is not None:
            return run.place
        assert launch.image is not None
        return Place(launch.path, launch.image.chain()[-1].image.region)

    def _audience(self, launch: Launch) -> tuple[Audience, str]:
        for who, why in (
            audience.of_profiles(launch.profiles),
            audience.of_path(launch.path),
            audience.of_path(launch.project) if launch.project else ("unknown", ""),
        ):
            if who != "unknown":
                return who, why
        if launch.kind == "compose" and (mounting := self._mounts_source(launch.path)):
            return "development", f"{mounting} mounts the source code into a container"
        beside = [process for process in self.stack.processes.all if process.origin.path == launch.path]
        for wanted in ("production", "development"):
            for process in beside:
                if process.audience == wanted:
                    return process.audience, process.why
        if launch.kind in ("systemd", "supervisor", "procfile"):
            return "production", f"{launch.path} is what {launch.kind} runs"
        return "unknown", f"nothing says whom {launch.path} is for"

    def _mounts_source(self, path: str) -> str:
        """The file that mounts the source code where this compose file is used: itself, or the override beside it.

        Compose adds an override by itself; where another file of the folder is named for production, the base is too.
        """
        if path in self.mounting:
            return path
        folder, name = posixpath.split(path)
        beside = [each for each in self.stack.composes if posixpath.dirname(each) == folder and each != path]
        if name not in composed.MAIN or any(audience.of_path(each)[0] == "production" for each in beside):
            return ""
        return next((each for each in beside if each in self.mounting and ".override." in each), "")

    def _alone(self, kind: Kind, path: str) -> Instance:
        told = read(self.stack, self.tree, kind, path)
        directives: tuple[Directive, ...] = self.stack.files[path].facts.directives
        who, why = audience.of_path(path)
        return Instance(
            kind=kind,
            name=path,
            place=Place(path, directives[0].region if directives else Region(1, 1, 1, 1)),
            path=path,
            audience=who,
            why=why or f"nothing says whom {path} is for",
            origin="file",
            given=told.given,
            open=told.open or self._partial(kind, path),
            databases=told.databases,
            configs=tuple(told.paths),
        )

    def _partial(self, kind: Kind, path: str) -> str:
        """Why a file that stands alone may not be all: PostgreSQL reads conf.d/*.conf beside its postgresql.conf."""
        whole = kind != "postgres" or posixpath.basename(path).startswith("postgresql.conf")
        return "" if whole else f"{path} is a part of a configuration whose rest is not in the repository"


def _runs_something_else(launch: Launch, image: Image) -> bool:
    """Whether an instance's image is used for a program of its own, as a backup that wants pg_dump."""
    if launch.own_command:
        return launch.command is not None or launch.entrypoint is not None
    return image.command() != (None, None)


def _known_part(text: Text) -> str:
    """A text without the variables that nobody tells."""
    cut = {index for hole in text.holes for index in range(hole.start, hole.end)}
    return "".join(char for index, char in enumerate(text.text) if index not in cut)


def _open(launch: Launch, kind: Kind, named: images.Named | None, run: Started | None) -> str:
    """Why an instance may have settings that the repository does not show, "" where it shows all."""
    if named is not None and not named.plain and kind != "pgbouncer":
        return f"what the image {launch.image_name or named.kind} sets by itself is not known"
    if kind == "pgbouncer" and launch.environment.open:
        return f"{launch.environment.open} may set more"
    return run.open if run is not None else ""


def _hosts(launch: Launch) -> frozenset[str]:
    """The names by which other containers of its file reach an instance."""
    if launch.kind != "compose":
        return frozenset()
    names = {launch.service}
    for option in ("container_name", "hostname"):
        value = launch.options.get(option)
        if isinstance(value, Known):
            names.add(value.value)
    return frozenset(names)
