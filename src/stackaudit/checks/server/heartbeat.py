"""The file by which gunicorn's workers say that they are alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackaudit.link.processes.model import Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

MEMORY = ("/dev/shm", "/run", "/var/run")


def heartbeat_on_disk(stack: Stack) -> Iterator[Verdict]:
    """The heartbeat of gunicorn in a container is kept in memory."""
    running = [
        process
        for process in stack.processes.servers
        if process.audience != "development" and process.kind == "gunicorn" and process.contained
    ]
    for process in together(running):
        verdict = _judged(process)
        yield replace(verdict, related=_branches(process, running)) if isinstance(verdict, Fail) else verdict


def _branches(process: Process, running: list[Process]) -> tuple[Step, ...]:
    """The other branches of the script that start the same server in the same way."""
    origin = (process.origin.path, process.origin.service)
    return tuple(
        Step(other.place, "this branch lacks it as well")
        for other in running
        if (other.origin.path, other.origin.service) == origin
        and other.place != process.place
        and other.conditions
        and process.conditions
        and isinstance(_judged(other), Fail)
    )


def _judged(process: Process) -> Verdict:
    folder = process.setting("worker_tmp_dir")
    site = Site(process.setting_place("worker_tmp_dir"), process.name)
    if isinstance(folder, Known) and folder.value is None:
        # tempfile's own order: TMPDIR, then /tmp
        folder = process.environment.get("TMPDIR", Known("/tmp"))
    if isinstance(folder, Unknown):
        return Unsure(site, f"worker_tmp_dir is not known: {folder.why}")
    path = str(folder.value).rstrip("/")
    mounted = {name.removeprefix("tmpfs.").rstrip("/") for name in process.origin.options if name.startswith("tmpfs.")}
    plain = process.origin.option("tmpfs")
    if isinstance(plain, Known):
        mounted.add(str(plain.value).partition(":")[0].rstrip("/"))
    if path in mounted or path in MEMORY or path.startswith(("/dev/shm/", "/run/")):
        return Pass(site)
    return Fail(site, {"folder": path})
