"""gevent's workers with a database driver that knows nothing of them."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.model import together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_BLOCKING = {"psycopg2": "psycogreen", "psycopg2-binary": "psycogreen", "mysqlclient": ""}
"""Drivers in C that wait without giving way, and the package that teaches them ("" where there is none)."""


def gevent_unpatched(stack: Stack) -> Iterator[Verdict]:
    """gunicorn's gevent workers and the drivers that the project installs."""
    running = (process for process in stack.processes.servers if process.audience != "development")
    for process in together(process for process in running if process.kind == "gunicorn"):
        worker_class = process.worker_class
        site = Site(process.setting_place("worker_class"), process.name)
        if isinstance(worker_class, Unknown):
            if worker_class.places:
                yield Unsure(site, f"the worker class is not known: {worker_class.why}")
        elif "gevent" in str(worker_class.value):
            drivers = [name for name in _BLOCKING if stack.packages.has(name)]
            bad = [name for name in drivers if not (_BLOCKING[name] and stack.packages.has(_BLOCKING[name]))]
            if bad:
                yield Fail(site, {"driver": bad[0]}, cause="mysql" if bad[0] == "mysqlclient" else "")
            else:
                yield Pass(site)
