from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


def stderr_of(project: Path, *words: str, **changes: str) -> tuple[str, str]:
    """(stdout, what a terminal behind stderr was sent) of a scan."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "TERM")} | changes
    with subprocess.Popen(
        [sys.executable, "-m", "stackaudit", "scan", str(project), "--no-tools", "--no-cache", *words],
        stdout=subprocess.PIPE, stderr=slave, env=environment, text=True,
    ) as child:  # fmt: skip
        out, _ = child.communicate(timeout=120)
    os.close(slave)
    told = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        told += chunk
    os.close(master)
    return out, told.decode()


def test_progress_is_drawn_on_a_terminal_and_gone_at_the_end(project: Path) -> None:
    out, told = stderr_of(project)
    assert "\r\x1b[Klooking for files ..." in told
    assert told.endswith("\r\x1b[K")
    assert "\n" not in told
    assert "\r" not in out


@pytest.mark.parametrize("changes", [{"CI": "true"}, {"TERM": "dumb"}], ids=str)
def test_no_progress_where_nobody_watches(project: Path, changes: dict[str, str]) -> None:
    assert stderr_of(project, **changes)[1] == ""


def test_no_progress_where_quiet_is_asked_for(project: Path) -> None:
    assert stderr_of(project, "--quiet")[1] == ""
