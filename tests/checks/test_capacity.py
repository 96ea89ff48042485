"""The arithmetic of the capacity rules, with the numbers that they print."""

from __future__ import annotations

from typing import Any

import pytest

from stackaudit.checks import capacity
from stackaudit.config import Config, Host
from stackaudit.discover import kind_of
from stackaudit.facts.files import FileFacts
from stackaudit.link.stack import Stack
from stackaudit.lower.kinds import reader
from stackaudit.model.verdict import Fail, Verdict

SETTINGS = {
    "manage.py": "import os\n\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "shop/__init__.py": "",
    "shop/settings.py": "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'shop'}}\n"
    "PASSWORD_HASHERS = ['django.contrib.auth.hashers.Argon2PasswordHasher']\n",
}


def stack_of(files: dict[str, str], host: Host) -> Stack:
    facts = []
    for path, text in files.items():
        kind = kind_of(path, text.encode())
        assert kind is not None
        facts.append(FileFacts(path, kind, reader(kind).lower()(text.encode(), path)))
    return Stack(facts, Config(host=host))


def failures(verdicts: Any) -> list[tuple[str, dict[str, Any]]]:
    found: list[Verdict] = list(verdicts)
    return [(item.cause, dict(item.values)) for item in found if isinstance(item, Fail)]


def test_the_memory_of_a_host() -> None:
    files = {**SETTINGS, "Procfile": "web: gunicorn a -w 5\nworker: celery -A a worker -c 2\nbeat: celery -A a beat\n"}
    host = Host(memory="1.8GiB", worker_memory="100MiB", services=("postgres", "redis"), postgres_max_connections=50)
    ((cause, values),) = failures(capacity.memory_overcommit(stack_of(files, host)))
    assert cause == "tight"
    assert values == {
        "sum": "web: 5 workers x 100 MiB = 500 MiB + web: gunicorn's master 30 MiB"
        " + worker: celery, (2 + its parent) x 100 MiB = 300 MiB + beat: celery-beat, 1 x 100 MiB = 100 MiB"
        " + system 200 MiB + Postgres 128 MiB + 50 connections x 5 MiB = 378 MiB + Redis at least 64 MiB"
        " + one login with Argon2 100 MiB",
        "total": "1.63 GiB",  # 500 + 30 + 300 + 100 + 200 + 378 + 64 + 100 = 1672 MiB
        "memory": "1.8 GiB",
        "percent": 91,
        "fits": 3,
        "workers": 5,
        "assumed": "",
        "whose": "host",
    }


@pytest.mark.parametrize(
    ("workers", "preload", "memory", "cause", "fits"),
    [
        (6, "", "1GiB", "", 4),  # 900 + 30 + 200 = 1130 MiB; 0.85 x 1024 - 230 = 640 -> 4
        (5, "", "1GiB", "tight", 4),
        (6, " --preload", "1GiB", None, 0),  # 150 x 15/36 + 6 x 150 x 21/36 = 587.5 + 230 = 817.5 MiB
    ],
)
def test_the_workers_that_fit(workers: int, preload: str, memory: str, cause: str | None, fits: int) -> None:
    files = {"Procfile": f"web: gunicorn a -w {workers}{preload}\n"}
    found = failures(capacity.memory_overcommit(stack_of(files, Host(memory=memory))))
    assert [(name, values["fits"]) for name, values in found] == ([] if cause is None else [(cause, fits)])


@pytest.mark.parametrize(
    ("line", "vcpus", "cause"),
    [
        ("gunicorn a -w 5", 2, None),
        ("gunicorn a -w 6", 2, "above-formula"),
        ("gunicorn a -w 8", 2, "above-formula"),
        ("gunicorn a -w 9", 2, ""),
        ("gunicorn a -w 2", 4, "idle-cores"),
        ("gunicorn a -w 1", 4, None),
        ("gunicorn a -w 3 --threads 4", 2, None),
        ("gunicorn a -w 4 --threads 4", 2, "threaded"),
        ("gunicorn a -w 2 --threads 9", 2, "threads"),
        ("uvicorn a:b --workers 2", 2, None),
        ("uvicorn a:b --workers 3", 2, "async"),
    ],
)
def test_workers_and_cores(line: str, vcpus: int, cause: str | None) -> None:
    found = failures(capacity.workers_vs_cores(stack_of({"Procfile": f"web: {line}\n"}, Host(vcpus=vcpus))))
    assert [name for name, _ in found] == ([] if cause is None else [cause])


@pytest.mark.parametrize(
    ("line", "total", "cause"),
    [
        ("web: gunicorn a -w 4 --threads 4\n", 16, None),
        ("web: gunicorn a -w 4 --threads 8\n", 32, "near"),
        ("web: gunicorn a -w 8 --threads 5\n", 40, ""),
        ("web: gunicorn a -w 8 --threads 4\nbeat: celery -A a beat\nwork: celery -A a worker -c 5\n", 38, ""),
        ("web: gunicorn a -w 2\nwork: celery -A a worker -P threads -c 20\n", 22, None),
    ],
)
def test_connections(line: str, total: int, cause: str | None) -> None:
    stack = stack_of({**SETTINGS, "Procfile": line}, Host(postgres_max_connections=40))
    found = failures(capacity.db_connections_exceed_max(stack))
    assert [(name, values["total"]) for name, values in found] == ([] if cause is None else [(cause, total)])
