"""gunicorn's own loader against ours: the same file, environment and command line give the same settings."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackaudit.config import Config, Host
from stackaudit.facts.files import FileFacts
from stackaudit.link.processes.gunicorn_options import SETTINGS, VERSION
from stackaudit.link.stack import Stack
from stackaudit.lower import procfile
from stackaudit.lower import python as lower_python
from stackaudit.model.values import Known, plain

CHILD = """
import json, sys, os
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.config import KNOWN_SETTINGS

def shown(value):
    if callable(value) and not isinstance(value, type): return "<hook>"
    if isinstance(value, (str, int, float, bool, list, dict, type(None))): return value
    return int(value) if isinstance(value, int) else repr(value)

for line in sys.stdin:
    job = json.loads(line)
    os.chdir(job["folder"])
    for key in ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY"):
        os.environ.pop(key, None)
    os.environ.update(job["environment"])
    for setting in KNOWN_SETTINGS:
        if setting.name == "workers":
            setting.default = int(os.environ.get("WEB_CONCURRENCY", 1))
        if setting.name == "chdir":
            setting.default = job["folder"]
    sys.argv = ["gunicorn", *job["argv"]]
    app = WSGIApplication("%(prog)s", prog="gunicorn")
    out = {name: shown(item.get()) for name, item in app.cfg.settings.items()}
    out["app"] = app.app_uri
    out["effective_class"] = app.cfg.worker_class_str
    print(json.dumps(out), flush=True)
"""

OF_THE_MACHINE = {"user", "group", "chdir", "control_socket", "default_proc_name", "ssl_version", "config"}
HOOKS = {option.name for option in SETTINGS if option.type == "hook"}
DICTS = {option.name for option in SETTINGS if option.type == "dict"}


class Child:
    """A process that loads configurations with gunicorn itself, one after the other.

    It keeps no bytecode: of two files of one size and second it would take the first for both.
    """

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def load(self, folder: Path, environment: dict[str, str], argv: list[str]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        job = {"folder": str(folder), "environment": environment, "argv": argv}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    started = Child()
    with started.process:
        yield started
        started.process.stdin.close()  # type: ignore[union-attr]


def ours(files: dict[str, str], environment: dict[str, str], argv: list[str]) -> dict[str, Any]:
    assigns = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    line = f"web: {assigns} gunicorn {shlex.join(argv)}\n"
    facts = [FileFacts("Procfile", "procfile", procfile.lower(line.encode(), "Procfile"))]
    facts += [FileFacts(path, "python", lower_python.lower(text.encode(), path)) for path, text in files.items()]
    (process,) = Stack(facts, Config(host=Host(vcpus=os.cpu_count()))).processes.all
    found = {name: plain(value) if isinstance(value, Known) else value for name, value in process.settings.items()}
    found["app"] = plain(process.app)
    found["effective_class"] = plain(process.worker_class)
    return found


def compare(child: Child, folder: Path, files: dict[str, str], environment: dict[str, str], argv: list[str]) -> None:
    for old in folder.iterdir():
        old.unlink()
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")
    theirs = child.load(folder, environment, argv)
    mine = ours(files, environment, argv)
    mine["effective_class"] = {"gunicorn.workers.gthread.ThreadWorker": "gthread"}.get(
        str(mine["effective_class"]), mine["effective_class"]
    )
    skip = OF_THE_MACHINE | HOOKS | DICTS
    if "WEB_CONCURRENCY" not in environment and not _sets_workers(files, environment, argv):
        skip |= {"workers"}  # the platform may set it: ours is unknown, on purpose
    assert {k: v for k, v in mine.items() if k not in skip} == {k: v for k, v in theirs.items() if k not in skip}


def _sets_workers(files: dict[str, str], environment: dict[str, str], argv: list[str]) -> bool:
    told = " ".join([*files.values(), *environment.values(), *argv])
    return "workers =" in told or "-w" in told or "--workers" in told


CASES: list[tuple[str, dict[str, str], dict[str, str], list[str]]] = [
    ("nothing", {}, {"WEB_CONCURRENCY": "7"}, ["app:application"]),
    ("the file beats WEB_CONCURRENCY", {"gunicorn.conf.py": "workers = 5\n"}, {"WEB_CONCURRENCY": "7"}, ["app"]),
    (
        "GUNICORN_CMD_ARGS beats the file",
        {"gunicorn.conf.py": "workers = 5\n"},
        {"GUNICORN_CMD_ARGS": "--workers=3"},
        ["app"],
    ),
    (
        "the command line beats all",
        {"gunicorn.conf.py": "workers = 5\ntimeout = 9\n"},
        {"GUNICORN_CMD_ARGS": "-w 3 -t 8 --bind 127.0.0.1:1"},
        ["-w", "6", "app", "-b", "127.0.0.1:2", "--bind", "127.0.0.1:3"],
    ),
    (
        "a named file",
        {"prod.py": "threads = '4'\nworkers = 2\n", "gunicorn.conf.py": "workers = 9\n"},
        {},
        ["-c", "prod.py", "app"],
    ),
    ("named by the environment", {"prod.py": "workers = 2\n"}, {"GUNICORN_CMD_ARGS": "--config file:prod.py"}, ["app"]),
    ("a beginning of a flag", {}, {"WEB_CONCURRENCY": "2"}, ["--prel", "--max-requests-j", "50", "app"]),
    ("glued flags", {}, {}, ["-w4", "-kgthread", "-t60", "app"]),
    ("sync with threads is gthread", {}, {}, ["-w", "2", "--threads", "4", "app"]),
    ("the application in the file", {"gunicorn.conf.py": "wsgi_app = 'shop.wsgi:application'\nworkers = 1\n"}, {}, []),
    (
        "arithmetic, conditions, lists",
        {
            "gunicorn.conf.py": "import multiprocessing\nimport os\n\ncores = multiprocessing.cpu_count()\n"
            "workers = cores * 2 + 1\nbind = ['127.0.0.1:1', '127.0.0.1:2']\n"
            "if workers > 2:\n    keepalive = 5\nelse:\n"
            "    keepalive = 6\nloglevel = os.environ.get('LEVEL', 'warning')\nforwarded_allow_ips = '*'\n"
            "max_requests, max_requests_jitter = 1000, 50\n\n\ndef when_ready(server):\n    pass\n"
        },
        {},
        ["app"],
    ),
    ("wrong numbers stay out", {"gunicorn.conf.py": "worker = 4\nmax_request = 10\nworkers = 2\n"}, {}, ["app"]),
    (
        "flags that take nothing",
        {},
        {"WEB_CONCURRENCY": "1"},
        ["--no-sendfile", "-D", "--reuse-port", "--reload", "--proxy-protocol", "--", "app"],
    ),
]


def test_the_table_is_of_the_gunicorn_that_is_installed() -> None:
    assert version("gunicorn") == VERSION


@pytest.mark.parametrize(
    ("files", "environment", "argv"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_as_gunicorn_loads_it(
    child: Child, tmp_path: Path, files: dict[str, str], environment: dict[str, str], argv: list[str]
) -> None:
    compare(child, tmp_path, files, environment, argv)


_NUMBERS = st.integers(0, 40)
_FILE = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("workers", "threads", "timeout", "keepalive", "max_requests", "backlog"), _NUMBERS)
)
_FLAGS = {"workers": "--workers", "threads": "--threads", "timeout": "-t", "keepalive": "--keep-alive"}
_LINE = st.fixed_dictionaries({}, optional=dict.fromkeys(_FLAGS, _NUMBERS))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=_FILE, environment=_LINE, line=_LINE, concurrency=st.integers(1, 9), glued=st.booleans())
def test_every_mix_of_layers(
    child: Child,
    tmp_path: Path,
    file: dict[str, int],
    environment: dict[str, int],
    line: dict[str, int],
    concurrency: int,
    glued: bool,
) -> None:
    def flags(chosen: dict[str, int]) -> list[str]:
        words: list[str] = []
        for name, value in chosen.items():
            flag = _FLAGS[name]
            words += [f"{flag}={value}"] if glued and flag.startswith("--") else [flag, str(value)]
        return words

    files = {"gunicorn.conf.py": "".join(f"{name} = {value}\n" for name, value in file.items())} if file else {}
    variables = {"WEB_CONCURRENCY": str(concurrency)}
    if environment:
        variables["GUNICORN_CMD_ARGS"] = " ".join(flags(environment))
    compare(child, tmp_path, files, variables, [*flags(line), "shop.wsgi"])


def test_the_table_is_gunicorns() -> None:
    from gunicorn.config import KNOWN_SETTINGS

    theirs = {item.name: tuple(item.cli or ()) for item in KNOWN_SETTINGS}
    assert {option.name: option.flags for option in SETTINGS} == theirs


def test_the_defaults_are_gunicorns() -> None:
    from gunicorn.config import KNOWN_SETTINGS

    skip = OF_THE_MACHINE | HOOKS | DICTS | {"workers"}
    theirs = {item.name: item().value for item in KNOWN_SETTINGS if item.name not in skip}
    mine = {
        option.name: list(option.default) if isinstance(option.default, tuple) else option.default
        for option in SETTINGS
        if option.name not in skip
    }
    assert mine == {name: int(value) if name == "cert_reqs" else value for name, value in theirs.items()}
