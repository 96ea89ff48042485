from __future__ import annotations

from pathlib import Path

import msgspec
import tomli

from stackaudit.config import Host
from stackaudit.lower.machine import table


def process(proc: Path, pid: int, command: str, parent: int = 1, pss: int | None = None) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes(command.replace(" ", "\0").encode() + b"\0")
    (folder / "status").write_text(f"Name:\tx\nPPid:\t{parent}\n")
    if pss is not None:
        (folder / "smaps_rollup").write_text(f"Rss:  99999 kB\nPss:     {pss} kB\n")


def test_a_small_server(tmp_path: Path) -> None:
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    process(proc, 1, "/sbin/init")
    process(proc, 20, "/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql")
    process(proc, 21, "/usr/bin/redis-server 127.0.0.1:6379")
    process(proc, 30, "/srv/venv/bin/python /srv/venv/bin/gunicorn config.wsgi", pss=30_000)
    process(proc, 31, "/srv/venv/bin/python /srv/venv/bin/gunicorn config.wsgi", parent=30, pss=100 * 1024)
    process(proc, 32, "/srv/venv/bin/python /srv/venv/bin/gunicorn config.wsgi", parent=30, pss=120 * 1024)
    process(proc, 40, "/srv/venv/bin/python /srv/venv/bin/celery -A config worker")
    process(proc, 41, "vim postgres.md")
    (proc / "meminfo").write_text("MemTotal:        4028440 kB\nMemFree: 1 kB\n")
    host = msgspec.convert(tomli.loads(table(proc, cgroup, tmp_path))["host"], Host)
    assert msgspec.structs.replace(host, vcpus=None, disk=None) == Host(
        memory="3934MiB", services=("celery", "postgres", "redis"), worker_memory="110MiB"
    )
    assert host.vcpus is not None and host.vcpus >= 1


def test_a_container_has_what_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:        4028440 kB\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("536870912\n")
    host = tomli.loads(table(tmp_path, tmp_path, tmp_path))["host"]
    assert (host["vcpus"], host["memory"]) == (1, "512MiB")
    assert "services" not in host


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:        4028440 kB\n")
    for folder, files in {
        "cpu": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"},
        "memory": {"memory.limit_in_bytes": "9223372036854771712"},
    }.items():
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text + "\n")
    assert tomli.loads(table(tmp_path, tmp_path, tmp_path))["host"]["memory"] == "3934MiB"
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1073741824\n")
    host = tomli.loads(table(tmp_path, tmp_path, tmp_path))["host"]
    assert (host["vcpus"], host["memory"]) == (1, "1024MiB")


def test_what_cannot_be_found_out_is_left_to_a_person(tmp_path: Path) -> None:
    host = tomli.loads(table(tmp_path, tmp_path, tmp_path))["host"]
    assert set(host) == {"vcpus", "disk"}
