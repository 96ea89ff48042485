"""Workers against cores."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.capacity.neighbours import neighbours
from stackaudit.link.processes.celery import settled
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_DATABASES = frozenset({"postgres", "mysql", "redis"})


def workers_vs_cores(stack: Stack) -> Iterator[Verdict]:
    """The number of workers suits the number of cores that are left for them."""
    servers = [item for item in stack.processes.production_servers if item.kind not in DEVELOPMENT_SERVERS]
    for process in together(servers):
        yield _judged(stack, process)
    for path in sorted({process.origin.path for process in servers}):
        yield from _total(stack, path)


def _cores(stack: Stack, process: Process) -> tuple[Known[int] | Unknown, str]:
    """The cores for the workers of a process, and how they were counted."""
    vcpus = stack.host.vcpus
    if isinstance(vcpus, Unknown):
        return vcpus, ""
    shared = neighbours(stack, process.origin.path) & _DATABASES
    count, text = vcpus.value, f"{vcpus.value} vCPUs"
    if shared and count > 1:
        count, text = count - 1, f"{text}, one left for {', '.join(sorted(shared))}"
    if isinstance(process.cpus, Unknown):
        return Unknown(process.cpus.why), ""
    if process.cpus.value is not None and process.cpus.value < count:
        count, text = max(1, int(process.cpus.value)), f"its limit of {process.cpus.value:g} CPUs"
    return Known(count), text


def _judged(stack: Stack, process: Process) -> Verdict:
    site = Site(process.setting_place("workers"), process.name)
    cores, counted = _cores(stack, process)
    processes, threads = process.processes, process.setting("threads")
    if isinstance(cores, Unknown):
        return Unsure(site, f"the number of cores is not known: {cores.why}")
    if isinstance(processes, Unknown):
        return Unsure(site, f"the number of workers is not known: {processes.why}")
    n, w = cores.value, processes.value
    values = {
        "workers": w,
        "cores": "1 core" if n == 1 else f"{n} cores",
        "n": n,
        "counted": counted,
        "kind": process.kind,
        "most": 2 * n + 1,
        "io": 4 * n,
    }
    kind = _concurrency(process)
    if isinstance(kind, Unknown):
        return Unsure(site, f"the worker class is not known: {kind.why}")
    if kind.value == "async":
        return Pass(site) if w <= n else Fail(site, {**values, "most": n}, cause="async")
    if kind.value == "threads":
        if isinstance(threads, Unknown):
            return Unsure(site, f"the number of threads is not known: {threads.why}")
        if w > n + 1 and threads.value > 1:
            return Fail(site, {**values, "most": n + 1, "threads": threads.value}, cause="threaded")
        if threads.value > 4 * n:
            return Fail(site, {**values, "most": 4 * n, "threads": threads.value}, cause="threads")
        return Pass(site)
    if w > 4 * n:
        return Fail(site, values)
    if w > 2 * n + 1:
        return Fail(site, values, cause="above-formula")
    if 1 < w < n:
        return Fail(site, values, cause="idle-cores")
    return Pass(site)


def _concurrency(process: Process) -> Known[str] | Unknown:
    """How one worker serves several requests: "sync" (it does not), "threads" or "async"."""
    if process.kind == "gunicorn":
        worker_class = process.worker_class
        if isinstance(worker_class, Unknown):
            return worker_class
        name = str(worker_class.value)
        if name in ("sync", "gunicorn.workers.sync.SyncWorker"):
            return Known("sync")
        return Known("threads" if "gthread" in name else "async")
    if process.interface == "asgi":
        return Known("async")
    threads = process.setting("threads")
    if isinstance(threads, Known) and threads.value > 1:
        return Known("threads")
    return Known("sync")


def _total(stack: Stack, path: str) -> Iterator[Verdict]:
    """Web and celery processes of one file together, where there is celery."""
    vcpus = stack.host.vcpus
    running = together(
        process
        for process in settled(stack, stack.processes.all)
        if process.origin.path == path and process.audience != "development" and process.kind not in DEVELOPMENT_SERVERS
    )
    celery = [process for process in running if process.kind == "celery-worker"]
    web = [process for process in running if process.is_server]
    if isinstance(vcpus, Unknown) or not celery or not web:
        return
    site = Site(celery[0].place, f"{path}: all processes")
    parts: list[str] = []
    total = 0
    for process in (*web, *celery):
        count = process.processes
        if isinstance(count, Unknown):  # the process has a verdict of its own that says so
            return
        total += count.value
        parts.append(f"{count.value} of {process.origin.service or process.kind} ({process.kind})")
    if total > 4 * vcpus.value:
        sums = " + ".join(parts)
        yield Fail(site, {"sum": sums, "total": total, "cores": vcpus.value, "most": 4 * vcpus.value}, cause="total")
    else:
        yield Pass(site)
