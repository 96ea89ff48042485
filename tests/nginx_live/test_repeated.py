"""Repeated requests, connections that close, slow visitors and time-outs, beside what a real nginx does."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.nginx_live.many import verdicts_by_case

SLOW = 2.5
"""How long a slow page takes, in seconds; nginx waits one in these tests, which a busy machine needs to answer."""


class Application(BaseHTTPRequestHandler):
    """`/slow` takes its time; `/closing` closes a connection that is used a second time, without an answer."""

    protocol_version = "HTTP/1.1"
    used = 0

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        self.used += 1
        if "closing" in self.path and self.used > 1:
            self.close_connection = True
            return
        if "slow" in self.path:
            time.sleep(SLOW)
        self.server.made.append(self.path)  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b"x" * (8_000_000 if "large" in self.path else 2)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
            self.server.finished.append(self.path)  # type: ignore[attr-defined]
        except OSError:
            self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def applications() -> Iterator[list[Any]]:
    """Two servers of one application."""
    found: list[Any] = []
    for _ in range(2):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
        server.daemon_threads = True
        server.asked = []  # type: ignore[attr-defined]
        server.made = []  # type: ignore[attr-defined]
        server.finished = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        found.append(server)
    yield found
    for server in found:
        server.shutdown()
        server.server_close()


def ask(port: int, method: str, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
    body = b"x" if method == "POST" else None
    connection.request(method, path, body, {"Host": "case0.test", "Connection": "close"})
    status = connection.getresponse().status
    connection.close()
    return status


RETRIES = [
    ("GET", "", "", "fail", (2, 502)),
    ("GET", "proxy_next_upstream off;", "", "pass", (1, 200)),
    ("GET", "proxy_next_upstream error;", "", "pass", (1, 200)),
    ("GET", "proxy_next_upstream_tries 1;", "", "pass", (1, 200)),
    ("GET", "", "max_fails=0", "pass", (2, 200)),
    ("POST", "", "max_fails=0", "pass", (1, 200)),
    ("POST", "proxy_next_upstream error timeout non_idempotent;", "max_fails=0", "fail", (2, 200)),
]


@pytest.mark.parametrize(("method", "inner", "option", "verdict", "seen"), RETRIES)
def test_upstream_retry(
    live: Any,
    port: int,
    tmp_path: Path,
    applications: list[Any],
    method: str,
    inner: str,
    option: str,
    verdict: str,
    seen: tuple[int, int],
) -> None:
    """How often a slow page ran, and what the next visitor of another page gets."""
    members = " ".join(f"server 127.0.0.1:{server.server_address[1]} {option};" for server in applications)
    text = f"""upstream django {{ {members} }}
    server {{ listen 127.0.0.1:{port}; proxy_read_timeout 1s;
        location / {{ {inner} proxy_pass http://django; }} }}"""
    live.start(text, port)
    ask(port, method, "/slow")
    runs = sum(len(server.asked) for server in applications)
    assert (runs, ask(port, "GET", "/other")) == seen
    assert max(verdicts_by_case("nginx/upstream-retry", tmp_path, text)) == verdict


@pytest.mark.parametrize(
    ("own", "flag", "verdict"),
    [
        ("", "", "fail"),
        ("keepalive_timeout 4s;", "", "pass"),
        ("", "--timeout-keep-alive 75", "pass"),
        ("keepalive_timeout 80s;", "--timeout-keep-alive 75", "fail"),
    ],
)
def test_keepalive_timeout_mismatch(tmp_path: Path, own: str, flag: str, verdict: str) -> None:
    text = f"""upstream app {{ server 127.0.0.1:8000; keepalive 4; {own} }}
    server {{ location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://app; }} }}"""
    files = {"Procfile": f"web: uvicorn config.asgi:application {flag}\n"}
    assert max(verdicts_by_case("nginx/keepalive-timeout-mismatch", tmp_path, text, files)) == verdict


def test_a_closing_connection_costs_a_post(live: Any, port: int, applications: list[Any]) -> None:
    """What the rule warns of: the application closes as the request arrives. GET is repeated, POST is not."""
    text = f"""upstream app {{ server 127.0.0.1:{applications[0].server_address[1]}; keepalive 4; }}
    server {{ listen 127.0.0.1:{port};
        location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://app; }} }}"""
    live.start(text, port)
    statuses = [ask(port, method, path) for method, path in (("GET", "/"), ("GET", "/closing"))]
    statuses += [ask(port, method, path) for method, path in (("GET", "/"), ("POST", "/closing"))]
    assert statuses == [200, 200, 200, 502]


@pytest.mark.parametrize(
    ("inner", "verdict"), [("", ""), ("proxy_buffering off;", "fail"), ("proxy_buffering on;", "")]
)
def test_buffering_off(live: Any, port: int, tmp_path: Path, applications: list[Any], inner: str, verdict: str) -> None:
    """A visitor asks for 8 MB and does not read: is the worker done with it all the same?"""
    text = f"""server {{ listen 127.0.0.1:{port};
        location / {{ {inner} proxy_pass http://127.0.0.1:{applications[0].server_address[1]}; }} }}"""
    live.start(text, port)
    with socket.socket() as visitor:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        visitor.connect(("127.0.0.1", port))
        visitor.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        deadline = time.monotonic() + 1.5
        while not applications[0].finished and time.monotonic() < deadline:
            time.sleep(0.02)
        held = not applications[0].finished
    files = {"Procfile": "web: gunicorn config.wsgi\n"}
    assert max(verdicts_by_case("nginx/buffering-off", tmp_path, text, files)) == verdict
    assert held == (verdict == "fail")


@pytest.mark.parametrize(
    ("inner", "timeout", "verdict"),
    [
        ("", 30, "pass"),
        ("", 120, "fail"),
        ("proxy_read_timeout 3m;", 120, "pass"),
        ("proxy_read_timeout 10;", 30, "fail"),
    ],
)
def test_timeout_mismatch(tmp_path: Path, inner: str, timeout: int, verdict: str) -> None:
    text = f"server {{ location / {{ {inner} proxy_pass http://127.0.0.1:8000; }} }}\n"
    files = {"Procfile": f"web: gunicorn config.wsgi --timeout {timeout}\n"}
    assert max(verdicts_by_case("nginx/timeout-mismatch", tmp_path, f"\n{text}", files)) == verdict


def test_a_worker_goes_on_after_nginx_gave_up(live: Any, port: int, applications: list[Any]) -> None:
    """What the rule warns of: the visitor has his 504 while the page is still being made."""
    text = f"""server {{ listen 127.0.0.1:{port}; proxy_read_timeout 1s;
        location / {{ proxy_pass http://127.0.0.1:{applications[0].server_address[1]}; }} }}"""
    live.start(text, port)
    status = ask(port, "GET", "/slow")
    still_working = applications[0].made == []
    deadline = time.monotonic() + 5
    while not applications[0].made and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (status, still_working, applications[0].made) == (504, True, ["/slow"])
