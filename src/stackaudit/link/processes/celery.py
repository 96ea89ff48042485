"""celery workers whose concurrency Celery's configuration decides.

It lies beside the other processes because the configuration itself is chosen by what is started.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from stackaudit.link.processes.model import Process
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


NAMES = ("CELERY_WORKER_CONCURRENCY", "CELERYD_CONCURRENCY")
"""worker_concurrency in the usual namespace of Django's settings, and its old name."""


def settled(stack: Stack, processes: Iterable[Process]) -> list[Process]:
    """The processes; a worker whose command line gives no concurrency has what Celery's configuration gives."""
    return [_settled(stack, process) for process in processes]


def _settled(stack: Stack, process: Process) -> Process:
    if process.kind != "celery-worker" or process.given.get("concurrency") or process.given.get("autoscale"):
        return process
    told = _told(stack)
    if told is None:
        return process
    pool = process.settings.get("pool", Known("prefork"))
    prefork = isinstance(pool, Known) and pool.value in ("prefork", "processes", "default")
    settings = {**process.settings, "concurrency": told}
    settings["workers"] = told if prefork else pool if isinstance(pool, Unknown) else Known(1)
    settings["threads"] = Known(1) if prefork else told
    return replace(process, settings=settings, growth={})


def _told(stack: Stack) -> AnyValue | None:
    """What Celery's configuration says, None where it says nothing."""
    value = stack.celery.setting("worker_concurrency") if stack.celery.app is not None else _usual(stack)
    if isinstance(value, Unknown):
        return Unknown(f"worker_concurrency may be set: {value.why}", value.places)
    if isinstance(value.value, int) and value.value > 0:
        return value
    if value.value is not None:
        return Unknown(f"worker_concurrency is {value.value!r}", value.places)
    return None


def _usual(stack: Stack) -> AnyValue:
    """What the usual names of Django's settings say where the application itself is not in the repository."""
    settings = stack.settings
    name = next((name for name in NAMES if settings is not None and settings.is_set(name)), "")
    return settings.get(name) if settings is not None and name else Known(None)
