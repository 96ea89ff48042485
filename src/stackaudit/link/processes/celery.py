"""celery workers whose concurrency Django's settings decide.

It lies beside the other processes because the settings themselves are chosen by what is started.
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
    """The processes, celery workers with the concurrency that the settings give where their command line gives none."""
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
    """What the settings say, None where they say nothing."""
    if stack.settings is None:
        return None
    for name in NAMES:
        value = stack.settings.get(name)
        if isinstance(value, Unknown):
            return Unknown(f"{name} may set it: {value.why}", value.places)
        if isinstance(value.value, int) and value.value > 0:
            return value
        if value.value is not None:
            return Unknown(f"{name} is {value.value!r}", value.places)
    return None
