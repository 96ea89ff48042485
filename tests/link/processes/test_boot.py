"""What the rules say of worker classes and settings, seen on a real gunicorn on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

APP = """
import time


def application(environ, start_response):
    time.sleep(float(environ.get("QUERY_STRING") or 0))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def gunicorn(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    (folder / "app.py").write_text(APP, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--no-control-socket", *arguments, "app"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS")},
    )


def stopped(process: subprocess.Popen[str]) -> str:
    """Ends a gunicorn by its pid and gives what it printed."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def listening(port: int) -> bool:
    for _ in range(100):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("worker_class", ["eventlet", "gunicorn.workers.geventlet.EventletWorker", "nosuch"])
def test_a_removed_worker_class_does_not_boot(tmp_path: Path, worker_class: str) -> None:
    process = gunicorn(tmp_path, "-k", worker_class, "--bind", f"127.0.0.1:{free_port()}")
    try:
        process.wait(15)
    finally:
        output = stopped(process)
    assert process.returncode != 0
    assert "invalid or not found" in output


def test_check_config_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("worker = 4\nmax_request = 9\n", encoding="utf-8")
    process = gunicorn(tmp_path, "--check-config", "-k", "eventlet")
    output = process.communicate(timeout=15)[0]
    assert (process.returncode, output) == (0, "")


def test_a_flag_that_does_not_exist_stops_it(tmp_path: Path) -> None:
    process = gunicorn(tmp_path, "--worker-count", "4")
    output = process.communicate(timeout=15)[0]
    assert process.returncode == 2
    assert "unrecognized arguments: --worker-count" in output


def request(port: int, seconds: float) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=10)
    opened.sendall(f"GET /?{seconds} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return opened


def both_answered_after(folder: Path, *arguments: str) -> float:
    """Seconds until two requests of 0.6 s that come together are answered."""
    port = free_port()
    process = gunicorn(folder, "--bind", f"127.0.0.1:{port}", *arguments)
    try:
        assert listening(port)
        begin = time.monotonic()
        pair = [request(port, 0.6), request(port, 0.6)]
        for opened in pair:
            with opened:
                assert opened.recv(100).startswith(b"HTTP/1.1 200")
        return time.monotonic() - begin
    finally:
        stopped(process)


def test_one_sync_worker_makes_the_second_visitor_wait(tmp_path: Path) -> None:
    assert both_answered_after(tmp_path) >= 1.15


def test_two_threads_do_not(tmp_path: Path) -> None:
    assert both_answered_after(tmp_path, "--threads", "2") < 1.15
