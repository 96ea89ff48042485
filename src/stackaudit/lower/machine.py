"""This machine as a [host] table: cores, memory and disk from Linux, services from the names of its processes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")

_SERVICES = {
    "postgres": r"postgres|postmaster",
    "mysql": r"mysqld|mariadbd",
    "redis": r"redis-server|valkey-server|keydb-server",
    "memcached": r"memcached",
    "celery": r"celery",
    "rabbitmq": r"beam\.smp",
    "pgbouncer": r"pgbouncer",
    "elasticsearch": r"elasticsearch|opensearch",
    "nginx": r"nginx",
}
_WEB = re.compile(rb"(^|/|\0)(gunicorn|uvicorn|hypercorn|granian|uwsgi|daphne)(\0|:|\s)")


def table(proc: Path = PROC, cgroup: Path = CGROUP, disk: Path = Path("/")) -> str:
    """TOML that describes the machine this runs on; what cannot be found out is left for a person, as a comment."""
    lines = ["[host]", f"vcpus = {_cores(cgroup)}"]
    memory = _memory(proc, cgroup)
    lines.append(f'memory = "{memory // 2**20}MiB"' if memory else '# memory = "4GiB"')
    lines.append(f'disk = "{round(shutil.disk_usage(disk).total / 1e9)}GB"')
    processes = list(_processes(proc))
    found = sorted({service for command, _ in processes if (service := _service(command))})
    names = ", ".join(f'"{name}"' for name in found)
    # None seen is not none there: a container does not see its neighbours.
    lines.append(f"services = [{names}]" if found else '# services = ["postgres", "redis"]   # what else runs here')
    worker = _worker_memory(processes)
    lines.append(
        f'worker-memory = "{worker // 2**20}MiB"   # measured: mean PSS of the web workers that run here'
        if worker
        else '# worker-memory = "150MiB"   # of one web worker under load; PSS from /proc/PID/smaps_rollup is best'
    )
    lines += [
        "# daily-visitors = 20000",
        "# database-rtt-ms = 0.5   # a SELECT 1 from the web server",
        "# postgres-max-connections = 100",
    ]
    return "\n".join(lines) + "\n"


def _cores(cgroup: Path) -> int:
    """The cores that may be used: affinity, and the quota of a container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _text(cgroup / "cpu.max").split() or [
        _text(cgroup / "cpu" / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    ]
    if len(quota) == 2 and all(each.isdecimal() for each in quota) and int(quota[1]):
        cores = min(cores, max(1, round(int(quota[0]) / int(quota[1]))))
    return cores


def _memory(proc: Path, cgroup: Path) -> int:
    """Bytes of memory: the machine's, or a container's limit where that is lower; 0 where nothing tells."""
    total = re.search(r"^MemTotal:\s+(\d+) kB", _text(proc / "meminfo"), re.MULTILINE)
    sizes = [int(total[1]) * 1024] if total else []
    # Version 2 writes "max" where there is no limit, version 1 a number beyond any memory.
    for limit in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        text = _text(limit).strip()
        if text.isdecimal():
            sizes.append(int(text))
    return min(sizes, default=0)


def _processes(proc: Path) -> Iterator[tuple[bytes, Path]]:
    """(command line, folder below /proc) of each process."""
    for folder in sorted(proc.glob("[0-9]*")):
        try:
            yield (folder / "cmdline").read_bytes(), folder
        except OSError:
            continue


def _service(command: bytes) -> str:
    words = command.split(b"\0")[:3]
    names = [word.rpartition(b"/")[2].decode("ascii", "replace").split(" ")[0].rstrip(":") for word in words]
    for service, pattern in _SERVICES.items():
        script = names[1] if names[0].startswith("python") and len(names) > 1 else ""
        if re.fullmatch(pattern, names[0]) or re.fullmatch(pattern, script):
            return service
    return ""


def _worker_memory(processes: list[tuple[bytes, Path]]) -> int:
    """The mean proportional set size, in bytes, of web servers' children; 0 where none runs or may be looked at."""
    web = {folder.name: folder for command, folder in processes if _WEB.search(command)}
    sizes = []
    for folder in web.values():
        parent = re.search(r"^PPid:\s+(\d+)", _text(folder / "status"), re.MULTILINE)
        pss = re.search(r"^Pss:\s+(\d+) kB", _text(folder / "smaps_rollup"), re.MULTILINE)
        if parent and parent[1] in web and pss:
            sizes.append(int(pss[1]) * 1024)
    return sum(sizes) // len(sizes) if sizes else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
