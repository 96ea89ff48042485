"""The tables behind the limits of tasks, held against what is installed."""

from __future__ import annotations

import ftplib
import http.client
import imaplib
import inspect
import smtplib
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from celery.concurrency import gevent, prefork, solo, thread
from kombu.transport import redis

from stackaudit.checks.data.limits import ENFORCING, VISIBILITY, celery_no_time_limit
from stackaudit.checks.data.waiting import UNTIMED
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

CALLS: dict[str, Any] = {
    "urllib.request.urlopen": urllib.request.urlopen,
    "smtplib.SMTP": smtplib.SMTP,
    "ftplib.FTP": ftplib.FTP,
    "socket.create_connection": socket.create_connection,
    "imaplib.IMAP4": imaplib.IMAP4,
    "http.client.HTTPConnection": http.client.HTTPConnection,
}


@pytest.mark.parametrize("name", CALLS)
def test_where_the_timeout_stands(name: str) -> None:
    parameters = [
        parameter.name
        for parameter in inspect.signature(CALLS[name]).parameters.values()
        if parameter.kind != inspect.Parameter.KEYWORD_ONLY
    ]
    found = parameters.index("timeout") if "timeout" in parameters else 99
    assert found == UNTIMED[name]


def test_without_a_timeout_a_socket_waits_for_ever() -> None:
    assert socket.getdefaulttimeout() is None


def test_redis_delivers_again_after_an_hour() -> None:
    assert redis.Channel.visibility_timeout == VISIBILITY["redis"]


def test_which_pools_end_a_task_at_its_limit() -> None:
    # prefork's billiard pool watches the time, gevent wraps the task in a Timeout; the others never look at it.
    pools = {"prefork": prefork, "gevent": gevent, "threads": thread, "solo": solo}
    sources = {name: inspect.getsource(module.TaskPool).replace("timeouts", "") for name, module in pools.items()}
    assert {name for name, source in sources.items() if "timeout" in source} == {"prefork", "gevent"}
    assert "prefork" in ENFORCING


TASKS = """
import requests
from SOURCE import NAME


@NAMED
def sync_all():
    url = "https://rates.example.org/"
    while url:
        url = requests.get(url).json()["next"]


@NAMED
def ping():
    requests.head("https://rates.example.org/")
"""


@pytest.mark.parametrize(
    ("source", "name", "start", "fix"),
    [
        (
            "celery", "shared_task", "celery -A shop worker",
            "`sync_all` calls in a loop, give it a limit of its own (`@shared_task(time_limit=6 * 3600)`) before"
            " `CELERY_TASK_TIME_LIMIT = 300` and `CELERY_TASK_SOFT_TIME_LIMIT = 240`.",
        ),
        (
            "shop.celery", "app", "exec celery -A shop worker --pool=gevent",
            "`sync_all` calls in a loop, give it a limit of its own (`@app.task(time_limit=6 * 3600)`) before"
            " `CELERY_TASK_TIME_LIMIT = 300`. The gevent pool knows the hard limit only.",
        ),
    ],
)  # fmt: skip
def test_a_limit_that_long_tasks_outlive(source: str, name: str, start: str, fix: str, tmp_path: Path) -> None:
    decorator = f"{name}.task" if name == "app" else name
    files = {
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "shop/__init__.py": "",
        "shop/settings.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n",
        "shop/celery.py": "from celery import Celery\n\napp = Celery('shop')\n",
        "shop/tasks.py": TASKS.replace("SOURCE", source).replace("NAMED", decorator).replace("NAME", name),
        "extras/start-worker.sh": f"#!/bin/sh\n{start}\n",
    }
    (found,) = (item for item in celery_no_time_limit(stack_of(tmp_path, files)) if isinstance(item, Fail))
    assert found.fix == (
        "Give the calls a timeout (`timeout=(5, 60)`). A limit for all tasks is the last resort, and has to be longer"
        f" than the longest task: {fix}"
    )


def test_a_limit_for_short_tasks(tmp_path: Path) -> None:
    files = {
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "shop/__init__.py": "",
        "shop/settings.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n",
        "shop/celery.py": "from celery import Celery\n\napp = Celery('shop')\n",
        "shop/tasks.py": "from urllib.request import urlopen\nfrom celery import shared_task\n\n@shared_task\n"
        "def ping():\n    urlopen('https://rates.example.org/')\n",
    }
    (found,) = (item for item in celery_no_time_limit(stack_of(tmp_path, files)) if isinstance(item, Fail))
    assert found.fix == (
        "Give the calls a timeout (`timeout=60`), and all tasks a limit as the last resort: `CELERY_TASK_TIME_LIMIT ="
        " 300` and `CELERY_TASK_SOFT_TIME_LIMIT = 240`, with more for those that need it"
        " (`@shared_task(time_limit=3600)`)."
    )
