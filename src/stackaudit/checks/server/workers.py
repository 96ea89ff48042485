"""How many requests a server can work on at once."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

CONCURRENCY = "WEB_CONCURRENCY"


def single_worker(stack: Stack) -> Iterator[Verdict]:
    """A web server works on more than one request at a time, on more than one core."""
    documented = any(
        entry.name == CONCURRENCY
        for item in stack.of_kind("dotenv")
        for entry in item.facts.entries
        if entry.value.strip().isdigit() and int(entry.value) > 1
    )
    servers = [item for item in stack.processes.production_servers if item.kind not in DEVELOPMENT_SERVERS]
    for process in together(servers):
        yield _judged(process, documented)


def _judged(process: Process, documented: bool) -> Verdict:
    workers, threads = process.setting("workers"), process.setting("threads")
    site = Site(process.setting_place("workers"), process.name)
    if isinstance(process.replicas, Known) and process.replicas.value > 1:
        return Pass(site)
    if isinstance(workers, Known) and workers.value > 1:
        return Pass(site)
    if isinstance(threads, Known) and threads.value > 1:
        return Pass(site)
    if isinstance(process.replicas, Unknown):
        return Unsure(site, f"the number of replicas is not known: {process.replicas.why}")
    if isinstance(workers, Unknown):
        if documented and CONCURRENCY in workers.why:
            return Pass(site)
        return Unsure(site, f"the number of workers is not known: {workers.why}")
    if process.kind == "gunicorn":
        return _gunicorn(process, site)
    if isinstance(threads, Unknown) and process.interface != "asgi":
        return Unsure(site, f"its threads are not known: {threads.why}")
    if process.interface == "asgi":
        return Fail(site, {"kind": process.kind}, cause="one-process")
    return Fail(site, {"kind": process.kind})


def _gunicorn(process: Process, site: Site) -> Verdict:
    worker_class = process.worker_class
    if isinstance(worker_class, Unknown):
        return Unsure(site, f"the worker class is not known: {worker_class.why}")
    kind = f"gunicorn ({worker_class.value})"
    if worker_class.value in ("sync", "gthread"):
        return Fail(site, {"kind": kind})
    greenlets = any(word in kind.lower() for word in ("gevent", "eventlet"))
    return Fail(site, {"kind": kind}, cause="greenlets" if greenlets else "one-process")
