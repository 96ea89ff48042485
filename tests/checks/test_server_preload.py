"""What workers share with a master that loaded the application: measured with gunicorn on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

APP = """\
import json, os, socket, threading, time

connection = socket.create_connection(("127.0.0.1", int(os.environ["LISTENER"])))
thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
thread.start()


def application(environ, start_response):
    start_response("200 OK", [("Connection", "close")])
    told = {"pid": os.getpid(), "socket": os.fstat(connection.fileno()).st_ino, "alive": thread.is_alive()}
    time.sleep(0.05)
    return [json.dumps(told).encode()]
"""


def ask(port: int) -> dict[str, int]:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                told: dict[str, int] = json.load(answer)
                return told
        except OSError:
            time.sleep(0.05)
    raise AssertionError("gunicorn does not answer")


def workers(folder: Path, *flags: str) -> dict[int, dict[str, int]]:
    """What each of two workers says of itself, by its process id."""
    (folder / "served.py").write_text(APP, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        bound.close()
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--log-level", "critical", "-w", "2"]
        command += ["-b", f"127.0.0.1:{port}", *flags, "served:application"]
        environment = {"LISTENER": str(listener.getsockname()[1]), "PATH": ""}
        with subprocess.Popen(command, cwd=folder, env=environment) as master:
            try:
                found: dict[int, dict[str, int]] = {}
                for _ in range(400):
                    told = ask(port)
                    found[told["pid"]] = told
                    if len(found) == 2:
                        break
            finally:
                master.terminate()
    return found


@pytest.mark.parametrize(("flags", "sockets", "alive"), [(("--preload",), 1, False), ((), 2, True)])
def test_what_workers_share(tmp_path: Path, flags: tuple[str, ...], sockets: int, alive: bool) -> None:
    found = workers(tmp_path, *flags)

    assert len(found) == 2
    assert len({told["socket"] for told in found.values()}) == sockets
    assert {told["alive"] for told in found.values()} == {alive}
