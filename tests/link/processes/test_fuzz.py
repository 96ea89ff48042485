"""Whatever the files of a deployment hold, linking and judging them ends without an error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stackaudit.checks import capacity, server
from stackaudit.config import Config, Host
from stackaudit.facts.files import FileFacts, UnreadableError
from stackaudit.link.stack import Stack
from stackaudit.lower.kinds import reader
from stackaudit.model.verdict import Fail, Pass, Unsure

WORDS = [
    "gunicorn", "uvicorn", "granian", "celery", "worker", "-A", "app", "app.wsgi", "app.asgi:application", "-w",
    "3", "0", "--workers", "--workers=x", "--threads", "-c", "gunicorn.conf.py", "python:conf", "$A", "${A:-2}",
    "\"$@\"", "$1", "./start.sh", "/start.sh", "exec", "env", "A=1", "&&", "||", ";", "|", "&", "\n", "if", "then",
    "fi", "[", "]", "-n", "sh", "-c", "'gunicorn app'", "manage.py", "runserver", "python", "-m", "tini", "--",
    "set", "source", "cd", "..", "uwsgi", "--ini", "u.ini", "-k", "eventlet", "uvicorn.workers.UvicornWorker",
    "$(nproc)", "--timeout", "-1", "f()", "{", "}", "f", "case", "in", ")", "esac", "*)", "poetry", "run",
    "--max-requests", "5", "--daemon", "GUNICORN_CMD_ARGS='",
]  # fmt: skip
STARTS = st.sampled_from(["", "gunicorn app.wsgi -w 2 ", "exec gunicorn ", "celery -A app worker "])
LINE = st.builds(str.__add__, STARTS, st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
KEYS = ["workers", "threads", "worker", "max_requests", "timeout", "worker_class", "bind", "preload_app"]
VALUES = [
    "3", "None", "'2'", "-1", "[1]", "cpu_count()", "os.environ['X']", "1.5", "True", "'a.b'", "workers", "x", "{}",
]  # fmt: skip
CONFIG = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=6)
OPTIONS = [
    "restart: always", "cpus: x", "mem_limit: 1g", "scale: 3", "scale: x", "deploy: {replicas: 0}",
    "stop_grace_period: 1m", "env_file: .env", "build: .", "image: x", "profiles: [dev]", "extends: web",
    "extends: {service: b, file: ../x.yml}", "working_dir: ..", "environment: [A, WEB_CONCURRENCY=2]",
    "volumes: ['.:/app', '..:/x']", "init: true",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    procfile=LINE,
    script=LINE,
    command=LINE,
    image=LINE,
    config=CONFIG,
    options=st.lists(st.sampled_from(OPTIONS), max_size=5, unique_by=lambda item: item.partition(":")[0]),
)
def test_anything_is_judged(
    procfile: str, script: str, command: str, image: str, config: list[tuple[str, str]], options: list[str]
) -> None:
    lines = "".join(f"    {option}\n" for option in options)
    quoted = command.replace("\n", " ").replace('"', "'")
    files = {
        "Procfile": ("procfile", f"web: {procfile}\n"),
        "start.sh": ("shell", f"#!/bin/bash\n{script}\n"),
        "compose.yml": ("compose", f'services:\n  web:\n    command: "{quoted}"\n{lines}  b:\n    extends: web\n'),
        "Dockerfile": ("dockerfile", f"FROM python\nCOPY . /\nENTRYPOINT {image}\nCMD {command}\n"),
        "gunicorn.conf.py": ("python", "import os\n" + "".join(f"{name} = {value}\n" for name, value in config)),
        "u.ini": ("uwsgi", "[uwsgi]\nprocesses = x\nthreads =\n"),
        "x.service": ("systemd", f"[Service]\nExecStart={procfile}\nRestart=x\nTimeoutStopSec=x\nCPUQuota=x%\n"),
    }
    facts = []
    for path, (kind, text) in files.items():
        try:
            facts.append(FileFacts(path, kind, reader(kind).lower()(text.encode(), path)))
        except UnreadableError:
            continue
    stack = Stack(facts, Config(host=Host(vcpus=2, memory="1GiB")))
    for area in (server, capacity):
        for name in area.__all__:
            for verdict in getattr(area, name)(stack):
                assert isinstance(verdict, (Pass, Fail, Unsure))
                assert verdict.site.place.path in stack.files
                assert verdict.site.place.region.line >= 1
