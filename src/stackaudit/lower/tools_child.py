"""A child process with a time limit, an environment of our choice and output that cannot fill the memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT = 64_000_000
"""No more than this many bytes of a tool's output are read."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PIP_AUDIT = ("PIP_AUDIT_VULNERABILITY_SERVICE", "PIP_AUDIT_OSV_URL")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: `code` is None where the time limit ended it. `errors` is its stderr."""

    code: int | None
    errors: str


def run(module: str, arguments: Sequence[str], *, cwd: Path, scratch: Path, timeout: float) -> Ended:
    """Runs `python -I -m module` with this interpreter; stdout is thrown away, stderr kept in `scratch`.

    After `timeout` seconds the child and everything it started is killed. Raises OSError where it cannot start.
    """
    errors = scratch / "stderr"
    with errors.open("wb") as stream:
        child = subprocess.Popen(
            [sys.executable, "-I", "-m", module, *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            env=_environment(),
            start_new_session=True,
        )
        try:
            code: int | None = child.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(child)
    return Ended(code, read(errors).decode("utf-8", "replace"))


def read(path: Path) -> bytes:
    """The first `LIMIT` bytes of a file; nothing where there is none."""
    try:
        with path.open("rb") as stream:
            return stream.read(LIMIT)
    except OSError:
        return b""


def last_line(errors: str) -> str:
    """What a tool said last, on one line and without control characters, for a sentence."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    text = lines[-1] if lines else "it said nothing"
    return "".join(char if char.isprintable() else " " for char in text)[:240]


def _environment() -> dict[str, str]:
    names = {*_KEPT, *_NETWORK, *map(str.lower, _NETWORK), *_PIP_AUDIT}
    return {name: value for name, value in os.environ.items() if name in names} | {"PYTHONUTF8": "1"}


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
        child.wait()
