"""Workers counted by processors that a container does not have."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.host import human
from stackaudit.link.processes.celery import settled
from stackaudit.link.processes.model import Process
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def cpu_count_in_container(stack: Stack) -> Iterator[Verdict]:
    """What follows the number of processors runs where that number is the application's own."""
    for process in settled(stack, stack.processes.all):
        if process.audience == "development":
            continue
        for setting in sorted(process.growth):
            yield _judged(process, setting)


def _place(process: Process, setting: str) -> Place:
    layers = process.given.get(setting, ())
    return layers[-1].place if layers else process.place


def _how(process: Process, place: Place) -> str:
    """How the number is given where it is given now."""
    if process.kind == "celery-worker":
        return "`--concurrency 2` on the worker's command line, or `worker_concurrency` in Celery's configuration"
    if place.path.endswith(".py"):
        return "or read it from WEB_CONCURRENCY; at least put a cap on it: `min(cpu_count() * 2 + 1, 4)`"
    return 'for instance `--workers "${WEB_CONCURRENCY:-3}"`, whose default a variable can change'


def _judged(process: Process, setting: str) -> Verdict:
    site = Site(_place(process, setting), f"{process.name}: {setting}")
    if process.growth[setting] == "capped" or not process.contained:
        return Pass(site)
    cpus, memory = process.cpus, process.memory
    if isinstance(cpus, Unknown):
        return Unsure(site, f"the container's limit is not known: {cpus.why}")
    if isinstance(memory, Unknown):
        return Unsure(site, f"the container's limit is not known: {memory.why}")
    values = {"setting": setting, "kind": process.kind, "how": _how(process, site.place)}
    if cpus.value is not None:
        return Fail(site, {**values, "limit": f"{cpus.value:g} CPUs"})
    if memory.value is not None:
        return Fail(site, {**values, "limit": human(memory.value)}, cause="memory")
    return Unsure(site, f"{setting} follows the number of CPUs, and the repository tells no limit of the container")
