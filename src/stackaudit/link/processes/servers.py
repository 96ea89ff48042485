"""The settings of servers and workers other than gunicorn, in gunicorn's words where they mean the same.

Common names: workers, threads, reload, timeout, max_requests, max_requests_jitter, graceful_timeout, bind,
limit_concurrency, interface; celery has concurrency and pool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stackaudit.facts.services import Uwsgi
from stackaudit.link.processes.environment import Environment
from stackaudit.link.processes.options import Argument, Given, Option, Parsed, parse
from stackaudit.link.processes.server_options import (
    CELERY,
    CELERY_BEAT,
    CELERY_WORKER,
    DAPHNE,
    GRANIAN,
    HYPERCORN,
    UVICORN,
)
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class Server:
    """How a server is told its settings. `defaults` are of the versions named in `server_options`.

    `prefix` begins the environment variables that stand for flags ("UVICORN_"); `renames` maps its own names to common
    ones; `closed` says that every flag is known, so that any other is a mistake.
    """

    interface: str
    options: Sequence[Option]
    defaults: Mapping[str, object]
    renames: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    concurrency: bool = False
    prefixes: bool = False
    closed: bool = True


NUMBERS = frozenset(
    {"workers", "threads", "timeout", "max_requests", "max_requests_jitter", "graceful_timeout", "limit_concurrency"}
    | {"blocking_threads", "backlog", "keepalive", "concurrency"}
)
_WAITRESS = (
    Option("threads", ("--threads",)),
    Option("bind", ("--listen",), takes="append"),
    Option("call", ("--call",), "flag"),
)
_MOD_WSGI = (
    Option("workers", ("--processes",)),
    Option("threads", ("--threads",)),
    Option("reload", ("--reload-on-changes",), "flag"),
    Option("max_requests", ("--maximum-requests",)),
    Option("timeout", ("--request-timeout",)),
    Option("application_type", ("--application-type",)),
    Option("working_directory", ("--working-directory",)),
)
SERVERS: dict[str, Server] = {
    "uvicorn": Server(
        "asgi",
        UVICORN,
        {"workers": 1, "threads": 1, "reload": False, "max_requests": 0, "max_requests_jitter": 0, "interface": "auto"}
        | {"limit_concurrency": None, "timeout": None, "keepalive": 5},
        {"limit_max_requests": "max_requests", "limit_max_requests_jitter": "max_requests_jitter", "app_dir": "chdir"}
        | {"timeout_graceful_shutdown": "graceful_timeout", "timeout_keep_alive": "keepalive"},
        "UVICORN_",
        concurrency=True,
    ),
    "granian": Server(
        "",
        GRANIAN,
        {"workers": 1, "reload": False, "interface": "rsgi"},
        {"working_dir": "chdir", "blocking_threads": "threads"},
        "GRANIAN_",
    ),
    "hypercorn": Server(
        "asgi",
        HYPERCORN,
        {"workers": 1, "threads": 1, "reload": False, "max_requests": 0, "keepalive": 5},
        {"binds": "bind", "keep_alive": "keepalive"},
        prefixes=True,
    ),
    "daphne": Server("asgi", DAPHNE, {"workers": 1, "threads": 1, "reload": False}, prefixes=True),
    "waitress": Server("wsgi", _WAITRESS, {"workers": 1, "threads": 4, "reload": False}, closed=False),
    "mod_wsgi": Server("wsgi", _MOD_WSGI, {"workers": 1, "threads": 5, "reload": False}, closed=False),
    "runserver": Server("wsgi", (Option("settings", ("--settings",)),), {"workers": 1}, closed=False),
    "celery-worker": Server("", (*CELERY, *CELERY_WORKER), {"pool": "prefork"}, closed=False),
    "celery-beat": Server("", (*CELERY, *CELERY_BEAT), {"workers": 1}, closed=False),
}


def resolve(
    kind: str, arguments: tuple[Argument, ...], environment: Environment, vcpus: AnyValue
) -> tuple[dict[str, AnyValue], dict[str, tuple[Given, ...]], Parsed]:
    """The settings of a server, who gave them, and its command line."""
    server = SERVERS.get(kind, SERVERS["runserver"])
    parsed = parse(arguments, server.options, COMMAND_LINE, prefixes=server.prefixes)
    given: dict[str, list[Given]] = {}
    for option in server.options:
        name = server.renames.get(option.name, option.name)
        variable = f"{server.prefix}{option.name.upper()}"
        if server.prefix and environment.sets(variable):
            value = environment.get(variable)
            if value.places:
                given.setdefault(name, []).append(Given(value, value.places[0], variable))
        given.setdefault(name, []).extend(parsed.options.get(option.name, []))
    if server.concurrency and environment.sets("WEB_CONCURRENCY"):
        value = environment.get("WEB_CONCURRENCY")
        if value.places:
            given.setdefault("workers", []).insert(0, Given(value, value.places[0], "WEB_CONCURRENCY"))
    settings: dict[str, AnyValue] = {}
    for name, default in server.defaults.items():
        settings[name] = Known(default, (), f"{kind}'s default")
    for name, layers in given.items():
        if layers:
            settings[name] = number(name, layers[-1].value) if name in NUMBERS else layers[-1].value
    if parsed.open or (kind == "hypercorn" and "config" in given):
        why = f"more may be on the command line: {parsed.open}" if parsed.open else "hypercorn's own file may set it"
        for name in ("workers", "reload", "threads"):
            if not parsed.options.get(name) and name in settings:
                settings[name] = Unknown(why)
    if kind == "celery-worker":
        _celery(settings, vcpus)
    return settings, {name: tuple(layers) for name, layers in given.items() if layers}, parsed


def number(name: str, value: AnyValue) -> AnyValue:
    """A setting that is a number."""
    if isinstance(value, Known) and isinstance(value.value, str):
        text = value.value.strip()
        return Known(int(text), value.places, value.note) if text.isdigit() else Unknown(f"{text!r} is no number")
    return value


def _celery(settings: dict[str, AnyValue], vcpus: AnyValue) -> None:
    """celery's concurrency is the number of CPUs where nobody sets it (celery 5.7.0, billiard's cpu_count)."""
    concurrency = settings.get("concurrency")
    if isinstance(concurrency, Unknown) and "'auto'" in concurrency.why:
        concurrency = None
    if concurrency is None:
        scale = settings.get("autoscale")
        if isinstance(scale, Known):
            first = re.match(r"\d+", str(scale.value))
            concurrency = Known(int(first.group()), scale.places) if first else None
        else:
            concurrency = scale
    if concurrency is None:
        concurrency = (
            Known(vcpus.value, vcpus.places, "celery's default: the number of CPUs")
            if isinstance(vcpus, Known)
            else Unknown("celery takes as many as the machine has CPUs, and the host's vcpus are not told")
        )
    settings["concurrency"] = concurrency
    pool = settings.get("pool", Known("prefork"))
    prefork = isinstance(pool, Known) and pool.value in ("prefork", "processes", "default")
    settings["workers"] = concurrency if prefork else pool if isinstance(pool, Unknown) else Known(1, pool.places)
    settings["threads"] = concurrency if isinstance(pool, Known) and not prefork else Known(1)


def uwsgi(
    arguments: tuple[Argument, ...], file: Uwsgi | None, path: str, environment: Environment
) -> tuple[dict[str, AnyValue], str]:
    """uWSGI's settings from its command line and .ini file, and the application."""
    options: dict[str, AnyValue] = {}
    variables: list[AnyValue] = []

    def put(key: str, value: AnyValue) -> None:
        options[key.replace("_", "-")] = value
        if key == "env":  # each line of it sets one more
            variables.append(value)

    if file is not None:
        for option in file.options:
            place = Place(path, option.value.region)
            negated = [text for text in option.conditions if text.startswith("if-not-env")]
            if option.conditions and not negated:
                continue
            value: AnyValue = Known(option.value.text, (place,))
            if option.value.holes:
                value = environment.get(option.value.holes[0].name)
            if negated:
                value = Known(option.value.text, (place,), f"where {negated[0].partition('= ')[2]} is not set")
            put(option.key, value)
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        text = argument.value.value if isinstance(argument.value, Known) else ""
        if text.startswith("--"):
            key, sign, rest = text[2:].partition("=")
            if sign:
                put(key, Known(rest, (argument.place,)))
            elif index < len(arguments) and not _flag(arguments[index]):
                put(key, arguments[index].value)
                index += 1
            else:
                put(key, Known("true", (argument.place,)))
        elif text in ("-p", "-w", "-M", "-H") and index < len(arguments):
            options[{"-p": "processes", "-w": "module", "-M": "master", "-H": "home"}[text]] = arguments[index].value
            index += text != "-M"
    workers = options.get("processes", options.get("workers", Known("1", (), "uWSGI's default")))
    settings: dict[str, AnyValue] = {
        **options,
        "env": Known(tuple(variables)),
        "workers": number("workers", workers),
        "threads": number("threads", options.get("threads", Known("1", (), "uWSGI's default"))),
        "timeout": number("timeout", options.get("harakiri", Known(0))),
        "max_requests": number("max_requests", options.get("max-requests", Known(0))),
        "reload": Known("py-autoreload" in options or "python-autoreload" in options),
    }
    return settings, ""


def uwsgi_file(text: str) -> str:
    """The configuration file that a word of the command line names, "" where it names none."""
    name = text.partition("=")[2] if text.startswith("--") else text
    return name.partition(":")[0] if re.search(r"\.(ini|ya?ml|xml|json)(:\w+)?$", name) else ""


def _flag(argument: Argument) -> bool:
    return isinstance(argument.value, Known) and argument.value.value.startswith("-")
