"""What runs commands: containers, compose services, systemd units, supervisor programs, uWSGI files."""

from __future__ import annotations

import msgspec

from stackaudit.facts.commands import Command, Text, Variable, Word
from stackaudit.facts.files import Note
from stackaudit.facts.nginx import Inline
from stackaudit.model.source import Region


class Copy(msgspec.Struct, frozen=True):
    """`COPY` or `ADD`: `sources` as written, `target` with WORKDIR not yet applied, `stage` of `--from`."""

    sources: tuple[Text, ...]
    target: Text
    stage: str
    workdir: str
    region: Region


class Stage(msgspec.Struct, frozen=True):
    """One `FROM` of a Dockerfile, up to the next.

    `image` is the image or an earlier stage's name. `args` are the ARGs in scope with their defaults; `workdir`, `user`
    the last ones. `ports` are the words of EXPOSE, `runs` the commands of RUN.
    """

    name: str
    image: Word
    env: tuple[Variable, ...] = ()
    args: tuple[Variable, ...] = ()
    copies: tuple[Copy, ...] = ()
    workdir: Text | None = None
    user: Text | None = None
    ports: tuple[Word, ...] = ()
    cmd: Command | None = None
    entrypoint: Command | None = None
    healthcheck: Command | None = None
    stop_signal: Word | None = None
    runs: tuple[Command, ...] = ()


class Dockerfile(msgspec.Struct, frozen=True):
    """A Dockerfile; the last stage is what a build gives unless a target is named.

    `nginx` are configurations that it writes with here-documents.
    """

    stages: tuple[Stage, ...]
    notes: tuple[Note, ...] = ()
    nginx: tuple[Inline, ...] = ()


class Build(msgspec.Struct, frozen=True):
    """How compose builds an image; `context` is relative to the compose file."""

    context: Text
    dockerfile: Text | None = None
    target: Text | None = None
    args: tuple[Variable, ...] = ()


class Mount(msgspec.Struct, frozen=True):
    """A volume: `source` is empty for an anonymous one."""

    source: Text
    target: str
    region: Region


class Extends(msgspec.Struct, frozen=True):
    """Another service that this one starts from; `file` is empty for the same file."""

    service: str
    file: str = ""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service of a compose file, merge keys applied, `extends` not.

    `options` holds the scalar options that nothing else holds, by dotted path: "restart", "cpus", "mem_limit",
    "deploy.replicas", "deploy.resources.limits.memory", "scale", "stop_grace_period", "stop_signal", "user",
    "working_dir", "tmpfs" (or "tmpfs./tmp" for each of several), "init", "container_name", "network_mode", "platform",
    "pull_policy" ...
    An empty `command` (`command: []`) has no steps. `merges` are the services that its merge keys name (`<<: *web`).
    """

    name: str
    region: Region
    image: Word | None = None
    build: Build | None = None
    command: Command | None = None
    entrypoint: Command | None = None
    environment: tuple[Variable, ...] = ()
    env_files: tuple[Word, ...] = ()
    ports: tuple[Word, ...] = ()
    expose: tuple[Word, ...] = ()
    mounts: tuple[Mount, ...] = ()
    depends_on: tuple[tuple[str, str], ...] = ()
    profiles: tuple[str, ...] = ()
    healthcheck: Command | None = None
    extends: Extends | None = None
    options: dict[str, Word] = {}
    merges: tuple[str, ...] = ()


class Compose(msgspec.Struct, frozen=True):
    """A compose file. `name` is the project's; `includes` are paths relative to the file."""

    services: tuple[Service, ...]
    name: str = ""
    includes: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A container of a Kubernetes workload, or a process type of a platform's file (fly.toml, render.yaml ...).

    `entrypoint` and `command` are what takes the place of the image's ENTRYPOINT and CMD. `before` are the commands
    that run each time before it starts (init containers). `dockerfile` is the file that its image is built from, where
    that is told; `built` says that the platform builds the repository's own code. `outside` is why others may set
    variables, too; `maps` are the ConfigMaps whose entries become variables. `options` are scalars by dotted path:
    "replicas", "limits.cpu", "limits.memory", "tmpfs./tmp", "workingDir", "user", "terminationGracePeriodSeconds".
    """

    name: str
    region: Region
    entrypoint: Command | None = None
    command: Command | None = None
    before: tuple[Command, ...] = ()
    image: Word | None = None
    dockerfile: str = ""
    built: bool = False
    environment: tuple[Variable, ...] = ()
    maps: tuple[str, ...] = ()
    outside: str = ""
    options: dict[str, Word] = {}


class Workloads(msgspec.Struct, frozen=True):
    """What one file of a platform starts. `platform` is its name for people.

    `changed` maps names of workloads ("*": of all) to why their number is decided somewhere else (an autoscaler, a
    patch of kustomize); `maps` holds the variables of ConfigMaps. `nginx` are the configurations in its block texts.
    """

    platform: str
    workloads: tuple[Workload, ...] = ()
    changed: dict[str, str] = {}
    maps: dict[str, tuple[Variable, ...]] = {}
    notes: tuple[Note, ...] = ()
    nginx: tuple[Inline, ...] = ()


class Option(msgspec.Struct, frozen=True):
    """One `key = value` of a file of sections, in order; `section` is "Service", "program:web", "uwsgi"."""

    section: str
    key: str
    value: Word
    conditions: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True):
    """A systemd unit. `commands` holds what ExecStart= starts, after resets; `options` everything as written."""

    options: tuple[Option, ...]
    commands: tuple[Command, ...] = ()
    environment: tuple[Variable, ...] = ()
    env_files: tuple[Word, ...] = ()
    notes: tuple[Note, ...] = ()

    def option(self, section: str, key: str) -> Word | None:
        """The last value of a key; None where it is not set."""
        found = [option.value for option in self.options if option.section == section and option.key == key]
        return found[-1] if found else None


class Program(msgspec.Struct, frozen=True):
    """A `[program:x]` of supervisor."""

    name: str
    region: Region
    command: Command | None
    environment: tuple[Variable, ...]
    options: dict[str, Word]


class Supervisor(msgspec.Struct, frozen=True):
    """A supervisor configuration, or one of its included files."""

    programs: tuple[Program, ...]
    notes: tuple[Note, ...] = ()


class Uwsgi(msgspec.Struct, frozen=True):
    """A uWSGI .ini file; an option's `conditions` are the `if-env = NAME` blocks that it stands in."""

    options: tuple[Option, ...]
    notes: tuple[Note, ...] = ()
