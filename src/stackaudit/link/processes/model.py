"""What runs: processes with their effective settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stackaudit.link.processes.chores import Chore
from stackaudit.link.processes.options import Argument, Given
from stackaudit.link.processes.users import Login
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

Audience: TypeAlias = Literal["production", "development", "unknown"]

WSGI_SERVERS = frozenset({"gunicorn", "uwsgi", "waitress", "mod_wsgi"})
ASGI_SERVERS = frozenset({"uvicorn", "daphne", "hypercorn"})
DEVELOPMENT_SERVERS = frozenset({"runserver", "runserver_plus", "http.server", "testserver", "flask run"})
SERVERS = WSGI_SERVERS | ASGI_SERVERS | DEVELOPMENT_SERVERS | {"granian"}
WORKERS = frozenset({"celery-worker", "celery-beat", "rq", "dramatiq", "huey", "qcluster", "channels-worker"}) | {
    "db_worker"
}
SYNC = frozenset({"sync", "gunicorn.workers.sync.SyncWorker"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What starts a process: the kind and path of the file, and the service, unit, program or process type in it."""

    kind: str
    path: str
    service: str
    image: str = ""
    options: Mapping[str, Value[str]] = field(default_factory=dict)

    def option(self, name: str) -> Value[str] | None:
        """An option of the service as written ("restart", "stop_grace_period", "Service.KillMode")."""
        return self.options.get(name)


@dataclass(frozen=True)
class Process:
    """A long-running program.

    `kind` is one of SERVERS or WORKERS. `interface` is "wsgi", "asgi" or "". `place` is the program's own word in its
    command line, `name` a logical name ("docker-compose.yml web: gunicorn"). `audience` is who it runs for, `why` tells
    why. `settings` are the effective ones, `given` who gave what, the weakest first. `config_path` is the configuration
    file that is read, "" where none is. `cpus`, `memory` (bytes) are limits; Known(None) where there is none.
    `conditions` are the conditions of the script around it that nobody could decide. `shell` is the shell that waits
    for it ("" where there is none, "?" where nobody knows), `supervised` says that something before it passes signals
    on, `init` is a first process that passes them to its child alone. `growth` maps settings that follow the number of
    processors to "capped" or "unbounded". `login` is the user that it runs as, None where a platform decides. `chores`
    are the commands of manage.py that run first each time it starts.
    """

    kind: str
    interface: str
    app: Value[str]
    settings_module: Value[str]
    place: Place
    name: str
    origin: Origin
    audience: Audience
    why: str
    environment: Mapping[str, AnyValue]
    settings: Mapping[str, AnyValue]
    given: Mapping[str, tuple[Given, ...]]
    arguments: tuple[Argument, ...]
    unknown_flags: tuple[Argument, ...] = ()
    more: str = ""
    config_path: str = ""
    working_directory: Value[str] = field(default_factory=lambda: Unknown("its working directory is not known"))
    replicas: Value[int] = field(default_factory=lambda: Known(1))
    cpus: AnyValue = field(default_factory=lambda: Known(None))
    memory: AnyValue = field(default_factory=lambda: Known(None))
    conditions: tuple[str, ...] = ()
    shell: str = ""
    supervised: bool = False
    init: str = ""
    background: bool = False
    piped: bool = False
    growth: Mapping[str, str] = field(default_factory=dict)
    login: Login | None = None
    chores: tuple[Chore, ...] = ()

    def setting(self, name: str) -> AnyValue:
        """The effective value of a setting."""
        found = self.settings.get(name)
        return found if found is not None else Unknown(f"{self.kind} has no setting {name}")

    def setting_place(self, name: str) -> Place:
        """Where a setting was decided; the program's word where it has its default."""
        value = self.settings.get(name)
        return value.places[0] if value is not None and value.places else self.place

    @property
    def is_server(self) -> bool:
        """Whether it answers HTTP requests."""
        return self.kind in SERVERS

    @property
    def contained(self) -> bool:
        """Whether it runs in a container."""
        return self.origin.kind in ("compose", "dockerfile", "kubernetes")

    @property
    def worker_class(self) -> AnyValue:
        """gunicorn's worker class as it is used: sync with several threads is gthread."""
        value, threads = self.setting("worker_class"), self.setting("threads")
        if isinstance(value, Known) and value.value in SYNC:
            if isinstance(threads, Unknown):
                return Unknown(threads.why, threads.places)
            if threads.value > 1:
                return Known("gthread", (*threads.places, *value.places), "sync with several threads")
        return value

    @property
    def processes(self) -> Value[int]:
        """How many processes of it run that share nothing: workers times replicas."""
        workers = self.setting("workers")
        if isinstance(workers, Unknown):
            return workers
        if isinstance(self.replicas, Unknown):
            return self.replicas
        return Known(max(1, workers.value) * self.replicas.value, (*workers.places, *self.replicas.places))


@dataclass(frozen=True)
class Processes:
    """Everything that is started. `opaque` are commands that start something which could not be followed."""

    all: tuple[Process, ...]
    opaque: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    loaded_configs: frozenset[str] = frozenset()

    @property
    def servers(self) -> tuple[Process, ...]:
        """The processes that answer HTTP requests."""
        return tuple(process for process in self.all if process.is_server)

    @property
    def production_servers(self) -> tuple[Process, ...]:
        """The servers that production runs, or may run where nothing is known to."""
        certain = tuple(process for process in self.servers if process.audience == "production")
        return certain or tuple(process for process in self.servers if process.audience == "unknown")

    @property
    def web_process_count(self) -> Value[int]:
        """How many web processes that share nothing production has.

        The servers of one file run together and add up; several files are several ways to deploy, and the largest
        counts.
        """
        servers = together(server for server in self.production_servers if server.kind not in DEVELOPMENT_SERVERS)
        if not servers:
            return Unknown("no command that starts a web server was found")
        sums: dict[str, Known[int]] = {}
        for server in servers:
            count = server.processes
            if isinstance(count, Unknown):
                return count
            before = sums.get(server.origin.path, Known(0))
            sums[server.origin.path] = Known(before.value + count.value, (*before.places, *count.places))
        return max(sums.values(), key=lambda count: count.value)


def together(processes: Iterable[Process]) -> list[Process]:
    """Those that run at the same time: of the branches of one script that start the same program, the first."""
    found: list[Process] = []
    for process in processes:
        twin = any(
            other.kind == process.kind
            and (other.origin.path, other.origin.service) == (process.origin.path, process.origin.service)
            and other.conditions
            and process.conditions
            for other in found
        )
        if not twin:
            found.append(process)
    return found
