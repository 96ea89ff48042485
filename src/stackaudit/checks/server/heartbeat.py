"""The file by which gunicorn's workers say that they are alive."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.model import Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

MEMORY = ("/dev/shm", "/run", "/var/run")


def heartbeat_on_disk(stack: Stack) -> Iterator[Verdict]:
    """The heartbeat of gunicorn in a container is kept in memory."""
    running = (process for process in stack.processes.servers if process.audience != "development")
    for process in together(process for process in running if process.kind == "gunicorn" and process.contained):
        yield _judged(process)


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
