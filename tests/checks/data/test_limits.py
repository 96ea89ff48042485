"""The tables behind the limits of tasks, held against what is installed."""

from __future__ import annotations

import ftplib
import http.client
import imaplib
import inspect
import smtplib
import socket
import urllib.request
from typing import Any

import pytest
from celery.concurrency import gevent, prefork, solo, thread
from kombu.transport import redis

from stackaudit.checks.data.limits import ENFORCING, UNTIMED, VISIBILITY

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
