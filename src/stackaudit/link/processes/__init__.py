"""What is started, by what, for whom, and with which effective settings."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stackaudit.facts.services import Uwsgi
from stackaudit.link.fold import World, fold_file
from stackaudit.link.processes import composed, gunicorn, launches, platforms, servers
from stackaudit.link.processes.environment import Environment
from stackaudit.link.processes.follow import Follower, Frame, Invocation
from stackaudit.link.processes.images import Tree, joined
from stackaudit.link.processes.launches import Launch, default_shell
from stackaudit.link.processes.model import Origin, Process, Processes
from stackaudit.link.processes.options import Argument, Given, Parsed
from stackaudit.link.processes.programs import Program, text_of
from stackaudit.link.processes.scripted import served
from stackaudit.link.processes.settle import settled
from stackaudit.link.processes.users import login
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value, plain

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

__all__ = ["Given", "Launch", "Origin", "Process", "Processes", "resolve"]

DEFAULT_CONFIG = "gunicorn.conf.py"


def resolve(stack: Stack) -> Processes:
    """Everything that the repository starts."""
    tree = Tree(stack.files)
    resolver = _Resolver(stack, tree)
    for launch in _launches(stack, tree):
        resolver.launch(launch)
    if not any(process.is_server for _, process in resolver.found):
        for launch in launches.scripts(stack, resolver.followed):
            resolver.launch(launch)
    return settled(resolver.found, resolver.opaque, resolver.services, resolver.configs)


def _launches(stack: Stack, tree: Tree) -> Iterator[Launch]:
    yield from launches.procfiles(stack)
    yield from launches.units(stack)
    yield from launches.programs(stack, tree)
    yield from composed.compose(stack, tree)
    yield from platforms.workloads(stack, tree)
    yield from launches.dockerfiles(stack, tree)


class _Resolver:
    def __init__(self, stack: Stack, tree: Tree) -> None:
        self.stack = stack
        self.tree = tree
        self.scripts = {item.path: item.facts for item in stack.of_kind("shell")}
        self.found: list[tuple[Launch, Process]] = []
        self.opaque: list[str] = []
        self.services: dict[str, str] = {}
        self.configs: set[str] = set()
        self.followed: set[str] = set()
        self.folded: dict[tuple[str, str], gunicorn.ConfigFile] = {}

    def launch(self, launch: Launch) -> None:
        """Follows one launch and notes its processes."""
        shell = default_shell(launch)
        follower = Follower(self.tree, self.scripts, launch.image, launch.home, shell, self._served)
        for command, path in launch.before:
            follower.start(command, (), Frame(path, launch.environment.copy(), None, launch.directory))
        follower.found.clear()
        self._start(follower, launch)
        self.followed |= follower.read
        if launch.image_name:
            self.services[f"{launch.path} {launch.service}"] = launch.image_name
        for invocation in follower.found:
            self.found.append((launch, self._process(follower, launch, invocation)))
        if not follower.found:
            self.opaque += [f"{launch.path} {launch.service}: {name}" for name in follower.opaque[-1:]]

    def _served(self, path: str) -> Program | None:
        return served(self.stack.modules, path)

    def _start(self, follower: Follower, launch: Launch) -> None:
        directory = launch.directory
        if launch.entrypoint is None:
            if launch.command is not None:
                command, path = launch.command
                follower.start(command, (), Frame(path, launch.environment.copy(), None, directory))
            return
        entrypoint, path = launch.entrypoint
        frame = Frame(path, launch.environment.copy(), None, directory)
        extra: tuple[Argument, ...] = ()
        if launch.command is not None and not entrypoint.shell:
            command, command_path = launch.command
            if command.shell:
                place = Place(command_path, command.region)
                words = ("/bin/sh", "-c", "")
                extra = tuple(Argument(Known(word), place, command.steps if not word else ()) for word in words)
            elif command.steps:
                extra = follower.vector(command, (), Frame(command_path, launch.environment.copy(), None, directory))
        follower.start(entrypoint, extra, frame)

    def _process(self, follower: Follower, launch: Launch, invocation: Invocation) -> Process:
        kind = invocation.program.kind
        config_path = ""
        config_growth: Mapping[str, gunicorn.Growth] = {}
        unknown: tuple[Argument, ...] = ()
        given: dict[str, tuple[Given, ...]] = {}
        app: AnyValue | None = None
        parsed = Parsed()
        environment = invocation.environment
        if kind == "gunicorn":
            resolved, config = self._gunicorn(follower, launch, invocation)
            config_path = config.path if isinstance(config, gunicorn.ConfigFile) else ""
            config_growth = config.growth if isinstance(config, gunicorn.ConfigFile) else {}
            settings, given, app, parsed = resolved.settings, resolved.given, resolved.app, resolved.parsed
            unknown = (*parsed.unknown, *resolved.environment_arguments.unknown)
            environment = _with_raw_env(environment, settings["raw_env"])
        elif kind == "uwsgi":
            settings, config_path = self._uwsgi(follower, invocation)
            environment = _with_raw_env(environment, settings.get("env", Known(None)))
            app = settings.get("module", settings.get("wsgi-file"))
        else:
            server = servers.SERVERS.get(kind)
            settings, given, parsed = servers.resolve(
                kind, invocation.program.arguments, environment, self.stack.host.vcpus
            )
            if kind == "celery-worker" or kind == "celery-beat":
                app = settings.get("app")
            elif parsed.positional and kind not in ("runserver", "runserver_plus"):
                app = parsed.positional[0].value
            unknown = tuple(parsed.unknown) if server is not None and server.closed else ()
        word = invocation.program.word
        name = " ".join(part for part in (launch.path, launch.service) if part)
        return Process(
            kind=kind,
            interface=_interface(kind, settings),
            app=app if app is not None else Unknown("no application is named"),
            settings_module=_settings_module(environment, invocation.program.arguments),
            place=word.place,
            name=f"{name}: {kind}",
            origin=Origin(launch.kind, launch.path, launch.service, launch.image_name, launch.options),
            audience="unknown",
            why="",
            environment=environment.values,
            settings=settings,
            given=given,
            arguments=invocation.program.arguments,
            unknown_flags=tuple(unknown),
            more=parsed.open,
            config_path=config_path,
            working_directory=Known(invocation.directory)
            if invocation.directory
            else Unknown("its working directory is not known"),
            replicas=launch.replicas,
            cpus=launch.cpus,
            memory=launch.memory,
            conditions=invocation.conditions,
            growth=_growth_of(kind, given, config_growth, settings),
            shell=invocation.shell,
            supervised=invocation.supervised,
            init=invocation.init or ("docker's init" if _has_init(launch) else ""),
            background=invocation.background,
            piped=invocation.piped,
            login=login(launch, invocation.program.wrappers, _own_user(kind, settings), word.place),
            chores=tuple(follower.chores),
        )

    # gunicorn

    def _gunicorn(
        self, follower: Follower, launch: Launch, invocation: Invocation
    ) -> tuple[gunicorn.Resolved, gunicorn.ConfigFile | Unknown | None]:
        line = gunicorn.command_line(invocation.program.arguments)
        from_environment = gunicorn.environment_arguments(invocation.environment)
        config = self._config(follower, launch, invocation, line, from_environment)
        return gunicorn.resolve(line, from_environment, invocation.environment, config, launch.platform), config

    def _config(
        self, follower: Follower, launch: Launch, invocation: Invocation, line: Parsed, from_environment: Parsed
    ) -> gunicorn.ConfigFile | Unknown | None:
        named = gunicorn.config_location(line, from_environment)
        if named is not None:
            if isinstance(named.value, Unknown):
                return Unknown(f"the configuration file is not known: {named.value.why}", (named.place,))
            location = str(named.value.value)
            if location.startswith("python:"):
                module = self.stack.modules.find(location[len("python:") :])
                path = module.path if module is not None else None
            else:
                path = follower.locate(location.removeprefix("file:"), invocation.directory)
            if path is None or path not in self.stack.files:
                return Unknown(f"{location} is not in the repository", (named.place,))
            return self._folded(path, invocation.environment)
        if line.open or from_environment.open:
            return Unknown("the configuration file may be named on a part of the command line that is not known")
        return self._default_config(follower, launch, invocation, line)

    def _default_config(
        self, follower: Follower, launch: Launch, invocation: Invocation, line: Parsed
    ) -> gunicorn.ConfigFile | Unknown | None:
        """./gunicorn.conf.py of the folder that gunicorn starts in."""
        candidates = self.tree.by_name.get(DEFAULT_CONFIG, [])
        if not candidates:
            return None
        image = launch.image
        if image is not None and image.file is not None:
            whole = posixpath.join(invocation.directory or "/", DEFAULT_CONFIG)
            found = image.lookup(whole, self.tree)
            if found is not None:
                return self._folded(found, invocation.environment)
            if invocation.directory is not None and image.copies_folders():
                return None
        folder = self._home(launch, line)
        if folder is None:
            return Unknown(
                f"the folder that gunicorn starts in is not known, and with it whether {candidates[0]} is read"
            )
        path = joined(folder, DEFAULT_CONFIG)
        return self._folded(path, invocation.environment) if path in self.tree.paths else None

    def _home(self, launch: Launch, line: Parsed) -> str | None:
        """The folder of the repository that a server starts in, from which its application is imported."""
        if launch.kind in ("procfile", "platform"):
            return launch.home
        app = text_of(line.positional[0]).partition(":")[0] if line.positional else ""
        return self.tree.application(app) if app else None

    def _folded(self, path: str, environment: Environment) -> gunicorn.ConfigFile | Unknown:
        item = self.stack.files[path]
        self.configs.add(path)
        if item.unread is not None or item.kind != "python":
            why = item.unread.text if item.unread is not None else "it is no Python file"
            return Unknown(f"{path} could not be read: {why}")
        key = (path, repr(sorted(environment.values.items(), key=lambda pair: pair[0])))
        if key not in self.folded:
            names = fold_file(item.facts, path, self._world(environment, self.stack.host.vcpus))
            self.folded[key] = gunicorn.ConfigFile(path, names, names.open, self._growth(path, environment))
        return self.folded[key]

    def _world(self, environment: Environment, vcpus: AnyValue) -> World:
        return World(
            environment=environment.values,
            find=self.stack.modules.find,
            exists=lambda name: name in self.tree.paths or None,
            vcpus=vcpus,
        )

    def _growth(self, path: str, environment: Environment) -> dict[str, gunicorn.Growth]:
        """Which names follow the number of processors: the file is folded for small and for very large machines."""
        facts = self.stack.files[path].facts
        few, many, most = (fold_file(facts, path, self._world(environment, Known(number))) for number in (2, 512, 4096))
        growth: dict[str, gunicorn.Growth] = {}
        for name in gunicorn.BY_NAME:
            values = [plain(item) for names in (few, many, most) if isinstance(item := names.get(name), Known)]
            if len(values) == 3 and values[0] != values[1]:
                growth[name] = "unbounded" if values[1] != values[2] else "capped"
        return growth

    # uWSGI

    def _uwsgi(self, follower: Follower, invocation: Invocation) -> tuple[dict[str, AnyValue], str]:
        arguments = invocation.program.arguments
        named = [name for argument in arguments if (name := servers.uwsgi_file(text_of(argument)))]
        path = follower.locate(named[-1], invocation.directory) or "" if named else ""
        item = self.stack.files.get(path)
        file: Uwsgi | None = item.facts if item is not None and item.kind == "uwsgi" and item.unread is None else None
        settings, _ = servers.uwsgi(arguments, file, path, invocation.environment)
        others = [text for argument in arguments if (text := text_of(argument)).startswith(("--emperor", "--json"))]
        if (named or others) and file is None:
            for name in ("workers", "threads", "timeout", "max_requests"):
                settings[name] = Unknown(f"uWSGI's configuration {(named or others)[-1]} is not in the repository")
        return settings, path


def _has_init(launch: Launch) -> bool:
    """Whether compose puts docker's own init, which is tini, before the container's command."""
    init = launch.options.get("init")
    return isinstance(init, Known) and init.value == "true"


def _interface(kind: str, settings: dict[str, AnyValue]) -> str:
    if kind == "gunicorn":
        value = settings["worker_class"]
        text = str(value.value) if isinstance(value, Known) else ""
        if "uvicorn" in text.lower() or text == "asgi" or "hypercorn" in text.lower():
            return "asgi"
        return "wsgi" if "." not in text or text.startswith("gunicorn.workers.") else ""
    if kind == "granian":
        value = settings.get("interface", Known("rsgi"))
        text = str(value.value) if isinstance(value, Known) else ""
        return "asgi" if text.startswith("asgi") else "wsgi" if text == "wsgi" else ""
    if kind == "uvicorn":
        value = settings.get("interface", Known("auto"))
        return "wsgi" if isinstance(value, Known) and value.value == "wsgi" else "asgi"
    if kind in ("uwsgi", "runserver", "runserver_plus"):
        return "wsgi"
    return servers.SERVERS[kind].interface if kind in servers.SERVERS else ""


def _own_user(kind: str, settings: Mapping[str, AnyValue]) -> AnyValue:
    """The user that a program changes to once it runs; Known(None) for those that stay who they are."""
    name = {"gunicorn": "user", "uwsgi": "uid", "celery-worker": "uid", "celery-beat": "uid"}.get(kind, "")
    return settings.get(name, Known(None))


def _growth_of(
    kind: str,
    given: Mapping[str, tuple[Given, ...]],
    config: Mapping[str, gunicorn.Growth],
    settings: Mapping[str, AnyValue],
) -> dict[str, str]:
    """The settings of a process that follow the number of processors: in its configuration, by $(nproc), by default."""
    found: dict[str, str] = {}
    for name in ("workers", "threads"):
        layers = given.get(name, ())
        if layers and isinstance(layers[-1].value, Unknown) and "nproc" in layers[-1].value.why:
            found[name] = "unbounded"
        elif name in config and layers and layers[-1].source not in (gunicorn.COMMAND_LINE, gunicorn.CMD_ARGS):
            found[name] = config[name]
    if kind == "celery-worker" and not given.get("concurrency") and not given.get("autoscale"):
        found["concurrency"] = "unbounded"
    return found


def _with_raw_env(environment: Environment, raw: AnyValue) -> Environment:
    """The environment with what `gunicorn --env NAME=value`, or `env` of uWSGI, sets."""
    if not isinstance(raw, Known) or not raw.value:
        return environment
    environment = environment.copy()
    for item in raw.value:
        if isinstance(item, Known) and "=" in str(item.value):
            name, _, value = str(item.value).partition("=")
            environment.values[name] = Known(value, item.places)
    return environment


def _settings_module(environment: Environment, arguments: tuple[Argument, ...]) -> Value[str]:
    """DJANGO_SETTINGS_MODULE, or `--settings`, of a process."""
    for index, argument in enumerate(arguments):
        text = text_of(argument)
        if text.startswith("--settings="):
            return Known(text.partition("=")[2], (argument.place,))
        if text == "--settings" and index + 1 < len(arguments):
            return arguments[index + 1].value
    if environment.sets("DJANGO_SETTINGS_MODULE"):
        return environment.get("DJANGO_SETTINGS_MODULE")
    return Unknown("no DJANGO_SETTINGS_MODULE is set for it")
