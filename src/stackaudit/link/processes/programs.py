"""Which program an argument vector starts: wrappers taken off, servers and workers told apart."""

from __future__ import annotations

from dataclasses import dataclass

from stackaudit.link.processes.options import Argument
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown

PROGRAMS = {
    "gunicorn": "gunicorn",
    "uvicorn": "uvicorn",
    "daphne": "daphne",
    "hypercorn": "hypercorn",
    "granian": "granian",
    "uwsgi": "uwsgi",
    "waitress-serve": "waitress",
    "waitress": "waitress",
    "mod_wsgi-express": "mod_wsgi",
    "celery": "celery",
    "rq": "rq",
    "dramatiq": "dramatiq",
    "huey_consumer": "huey",
    "huey_consumer.py": "huey",
    "http.server": "http.server",
    "flask": "flask",
}
"""Commands and `python -m` modules."""

MANAGEMENT = {
    "runserver": "runserver",
    "runserver_plus": "runserver_plus",
    "testserver": "testserver",
    "rqworker": "rq",
    "rqworker-pool": "rq",
    "rundramatiq": "dramatiq",
    "run_huey": "huey",
    "djangohuey": "huey",
    "qcluster": "qcluster",
    "runworker": "channels-worker",
    "db_worker": "db_worker",
    "celery": "celery",
    "runworkers": "channels-worker",
}
"""Long-running commands of manage.py."""

STARTERS = frozenset({"python", "python3", "manage.py", "django-admin", "poetry", "uv", "pipenv"})
"""Programs that start those."""

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_TAKES_ONE = frozenset({"gosu", "su-exec", "s6-setuidgid", "setuidgid"})
_VALUED = {
    "env": frozenset({"-u", "--unset", "-C", "--chdir", "-S"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "chpst": frozenset({"-u", "-U", "-e", "-/", "-n", "-l", "-L", "-m", "-o", "-p"}),
    "sudo": frozenset({"-u", "-g", "-U", "--user", "--group"}),
    "runuser": frozenset({"-u", "-g", "--user"}),
    "timeout": frozenset({"-k", "-s"}),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "tini": frozenset({"-p", "-e"}),
    "dumb-init": frozenset({"--rewrite", "-r"}),
    "uv": frozenset(
        {"--with", "--extra", "--group", "--python", "-p", "--env-file", "--project", "--directory", "--package"}
    )
    | frozenset({"--with-requirements", "--index-url", "--no-group", "--only-group", "--no-extra"}),
    "poetry": frozenset({"-C", "--directory", "-P", "--project"}),
    "pdm": frozenset({"-p", "--project", "-e", "--env-file"}),
    "conda": frozenset({"-n", "--name", "-p", "--prefix"}),
    "opentelemetry-instrument": frozenset(
        {"--traces_exporter", "--metrics_exporter", "--logs_exporter", "--service_name", "--exporter_otlp_endpoint"}
    ),
    "python": frozenset({"-W", "-X"}),
    "flock": frozenset({"-w", "-E"}),
    "setpriv": frozenset({"--reuid", "--regid", "--groups"}),
}
_PLAIN = frozenset(
    {
        "dumb-init",
        "tini",
        "exec",
        "nohup",
        "setsid",
        "time",
        "ddtrace-run",
        "opentelemetry-instrument",
        "nice",
        "ionice",
    }
    | {"chpst", "stdbuf", "catchsegv", "sudo", "runuser", "setpriv", "with-contenv", "doppler", "chamber", "infisical"}
    | {"command", "start-stop-daemon", "unbuffer", "scl", "docker-entrypoint.sh", "catatonit"}
)
_RUNNERS = frozenset({"poetry", "pipenv", "uv", "pdm", "hatch", "rye", "conda", "doppler", "infisical", "dotenv"})
NOT_WRAPPERS = frozenset(
    {"echo", "printf", "pip", "pip3", "apt-get", "apt", "apk", "cp", "mv", "rm", "which", "pkill", "kill", "killall"}
    | {"grep", "pgrep", "type", "test", "[", "[[", "docker", "curl", "wget", "mkdir", "ln", "chown", "chmod", "install"}
    | {"systemctl", "service", "supervisorctl", "cd", "cat", "sed", "tail", "touch", "rsync", "git", "npm", "yarn"}
    | {"set", "read", "true", "false", "umask", "ulimit", "mkfifo", "tput", "date", "id", "uname", "useradd", "nginx"}
    | {"make", "trap", "wait", "sleep", "source", ".", "export", "ps", "hash", "tee", "ls", "find", "envsubst", "pipx"}
)


@dataclass(frozen=True)
class Program:
    """A program and its arguments. `variables` are what `env NAME=value` sets; `wrappers` the names taken off."""

    name: str
    kind: str
    word: Argument
    arguments: tuple[Argument, ...]
    variables: tuple[tuple[str, str, Place], ...] = ()
    wrappers: tuple[str, ...] = ()


def base(text: str) -> str:
    """The name of a program without its folder."""
    return text.rstrip("/").rpartition("/")[2]


def text_of(argument: Argument) -> str:
    """The text of an argument, "" where it is unknown."""
    return argument.value.value if isinstance(argument.value, Known) else ""


def program(arguments: tuple[Argument, ...]) -> Program | None:
    """The program behind all wrappers; its `kind` is "" where it is neither a server nor a worker."""
    variables: list[tuple[str, str, Place]] = []
    wrappers: list[str] = []
    rest = arguments
    for _ in range(20):
        if not rest or isinstance(rest[0].value, Unknown):
            return None
        name = base(rest[0].value.value)
        inner = unwrapped(name, rest, variables)
        if inner is None:
            return _recognised(name, rest, tuple(variables), tuple(wrappers))
        wrappers.append(name)
        rest = inner
    return None


def unwrapped(
    name: str, words: tuple[Argument, ...], variables: list[tuple[str, str, Place]]
) -> tuple[Argument, ...] | None:
    """What a wrapper starts; None where `name` is no wrapper."""
    rest = words[1:]
    if name in _TAKES_ONE:
        return rest[1:]
    if name == "env":
        rest = _after_flags(name, rest)
        while rest and "=" in text_of(rest[0]) and not text_of(rest[0]).startswith("="):
            key, _, value = text_of(rest[0]).partition("=")
            variables.append((key, value, rest[0].place))
            rest = rest[1:]
        return rest
    if name == "newrelic-admin":
        return rest[1:] if rest and text_of(rest[0]) == "run-program" else None
    if name in _RUNNERS:
        rest = _after_flags(name, rest)
        if rest and text_of(rest[0]) in ("run", "exec"):
            return _after_flags(name, rest[1:])
        return None
    if name == "chamber":
        marks = [index for index, word in enumerate(rest) if text_of(word) == "--"]
        return rest[marks[0] + 1 :] if marks else None
    if name == "timeout" or name == "flock":
        return _after_flags(name, rest)[1:]
    if name in _PLAIN:
        return _after_flags(name, rest)
    if name.startswith(("wait-for", "wait_for", "dockerize", "s6-")) or name in ("tini-static", "pgbouncer-wrap"):
        marks = [index for index, word in enumerate(rest) if text_of(word) == "--"]
        return rest[marks[0] + 1 :] if marks else None
    return None


def _after_flags(name: str, words: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """The words after the wrapper's own options."""
    valued = _VALUED.get(name, frozenset())
    rest = words
    while rest:
        text = text_of(rest[0])
        if text == "--":
            return rest[1:]
        if not text.startswith("-"):
            return rest
        rest = rest[2:] if text in valued else rest[1:]
    return rest


def _recognised(
    name: str,
    words: tuple[Argument, ...],
    variables: tuple[tuple[str, str, Place], ...],
    wrappers: tuple[str, ...],
) -> Program:
    word, rest = words[0], words[1:]
    if name.startswith(("python", "pypy")) and not name.endswith(".py"):
        valued = _VALUED["python"]
        while rest and text_of(rest[0]).startswith("-") and text_of(rest[0]) not in ("-m", "-c"):
            rest = rest[2:] if text_of(rest[0]) in valued else rest[1:]
        if rest and text_of(rest[0]) == "-m":
            rest = rest[1:]
        if not rest or text_of(rest[0]) == "-c":
            return Program(name, "", word, rest, variables, wrappers)
        word, rest = rest[0], rest[1:]
        name = base(text_of(word))
        wrappers = (*wrappers, "python")
    if name in ("manage.py", "manage", "django-admin", "django", "django-admin.py", "manage.pyc") and rest:
        options = [index for index, item in enumerate(rest) if not text_of(item).startswith("-")]
        command = text_of(rest[options[0]]) if options else ""
        kind = MANAGEMENT.get(command, "")
        if kind == "celery":
            return _celery("celery", word, rest[options[0] + 1 :], variables, wrappers)
        arguments = (*rest[: options[0]], *rest[options[0] + 1 :]) if options else rest
        return Program(command or name, kind, word, arguments, variables, (*wrappers, "manage.py"))
    kind = PROGRAMS.get(name, "")
    if kind == "celery":
        return _celery(name, word, rest, variables, wrappers)
    if kind == "rq" and not any(text_of(item) in ("worker", "worker-pool") for item in rest[:1]):
        kind = ""
    if kind == "flask":
        kind = "flask run" if any(text_of(item) == "run" for item in rest) else ""
    if kind == "mod_wsgi":
        kind = "mod_wsgi" if rest and text_of(rest[0]) == "start-server" else ""
        rest = rest[1:]
    if kind:
        return Program(name, kind, word, rest, variables, wrappers)
    return Program(name, "", word, rest, variables, wrappers)


def _celery(
    name: str,
    word: Argument,
    rest: tuple[Argument, ...],
    variables: tuple[tuple[str, str, Place], ...],
    wrappers: tuple[str, ...],
) -> Program:
    """The subcommand of celery is its first word that is no option's value."""
    valued = ("-A", "--app", "-b", "--broker", "--result-backend", "--loader", "--config", "--workdir")
    index = 0
    while index < len(rest):
        text = text_of(rest[index])
        if text in valued:
            index += 2
        elif text.startswith("-") or not text:
            index += 1
        else:
            break
    command = text_of(rest[index]) if index < len(rest) else ""
    kind = {"worker": "celery-worker", "beat": "celery-beat"}.get(command, "")
    return Program(name, kind, word, (*rest[:index], *rest[index + 1 :]), variables, wrappers)


def hidden(words: tuple[Argument, ...]) -> Program | None:
    """The server that a program of the project's own starts for its caller: `bin/start-nginx gunicorn app.wsgi`."""
    if not words or base(text_of(words[0])) in NOT_WRAPPERS or base(text_of(words[0])) in _SHELLS:
        return None
    for index, word in enumerate(words[1:], 1):
        name = base(text_of(word))
        if name in ("gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "celery"):
            found = program(words[index:])
            if found is not None and found.kind:
                return found
    return None
