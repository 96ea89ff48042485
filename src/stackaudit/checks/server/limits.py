"""max_requests, and what `timeout` does and does not end."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from stackaudit.link.processes.gunicorn import BY_NAME
from stackaudit.link.processes.model import Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

REPLACES_WORKERS = Version("0.30.0")
LONG = 120


def _running(stack: Stack, *kinds: str) -> list[Process]:
    return together(
        process for process in stack.processes.servers if process.kind in kinds and process.audience != "development"
    )


def max_requests_jitter(stack: Stack) -> Iterator[Verdict]:
    """Workers that are replaced after a number of requests are not all replaced at once."""
    for process in _running(stack, "gunicorn", "uvicorn"):
        verdict = _jitter(stack, process)
        if verdict is not None:
            yield verdict


def _jitter(stack: Stack, process: Process) -> Verdict | None:
    limit, jitter, workers = (process.setting(name) for name in ("max_requests", "max_requests_jitter", "workers"))
    site = Site(process.setting_place("max_requests"), process.name)
    if isinstance(limit, Unknown):
        return Unsure(site, f"max_requests is not known: {limit.why}") if limit.places else None
    if isinstance(jitter, Unknown):
        return Unsure(site, f"max_requests_jitter is not known: {jitter.why}")
    if not limit.value:
        if jitter.value:
            at = Site(process.setting_place("max_requests_jitter"), process.name)
            return Fail(at, {"jitter": jitter.value}, cause="jitter-alone")
        return None
    values = {"limit": limit.value, "jitter": jitter.value, "good": max(1, limit.value // 10), "kind": process.kind}
    if isinstance(workers, Known) and workers.value == 1:
        return Fail(site, values, cause="one-worker")
    if process.kind == "uvicorn":
        version = stack.packages.version("uvicorn")
        if isinstance(version, Known) and version.value < REPLACES_WORKERS:
            return Fail(site, {**values, "version": str(version.value)}, cause="not-replaced")
    if jitter.value * 20 < limit.value:
        return Fail(site, values)
    return Pass(site)


def timeout_does_not_bound_requests(stack: Stack) -> Iterator[Verdict]:
    """gunicorn's timeout is not taken for a limit of requests where it is none, nor lifted where it is one."""
    for process in _running(stack, "gunicorn"):
        yield _timeout(process)


def _timeout(process: Process) -> Verdict:
    timeout, worker_class = process.setting("timeout"), process.worker_class
    site = Site(process.setting_place("timeout"), process.name)
    if isinstance(timeout, Unknown):
        return Unsure(site, f"timeout is not known: {timeout.why}")
    if isinstance(worker_class, Unknown):
        return Unsure(site, f"the worker class is not known: {worker_class.why}")
    name = str(worker_class.value)
    values = {"timeout": timeout.value, "worker_class": name}
    if timeout.value == 0:
        return Fail(site, values, cause="never")
    if name in ("sync", "gunicorn.workers.sync.SyncWorker"):
        return Fail(site, values, cause="long") if timeout.value > LONG else Pass(site)
    if process.given.get("timeout") and timeout.value != BY_NAME["timeout"].default:
        return Fail(site, values)
    return Pass(site)
