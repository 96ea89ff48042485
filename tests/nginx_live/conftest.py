"""A real nginx on loopback with a stub application behind it."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

BINARY = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)
MAIN = """
daemon off;
master_process off;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log;
events {{}}
http {{
    client_body_temp_path {prefix}/t1; proxy_temp_path {prefix}/t2; fastcgi_temp_path {prefix}/t3;
    uwsgi_temp_path {prefix}/t4; scgi_temp_path {prefix}/t5;
    types {{ text/css css; application/json json; text/html html; application/javascript js; }}
    default_type text/plain;
{http}
}}
"""


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class _Stub(BaseHTTPRequestHandler):
    """Echoes what it was sent as JSON; `?h=Name:value` asks for a response header, `?wait=1` for a pause in seconds."""

    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        seen: list[dict[str, object]] = self.server.seen  # type: ignore[attr-defined]
        record: dict[str, object] = {
            "path": self.path,
            "version": self.request_version,
            "peer": self.client_address[1],
            "headers": [list(item) for item in self.headers.items()],
        }
        seen.append(record)
        body = json.dumps({**record, "count": len(seen)}).encode().ljust(600)
        self.send_response(200)
        kind = {"css": "text/css", "json": "application/json"}.get(split.path.rpartition(".")[2], "text/html")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for key, value in parse_qsl(split.query):
            if key == "h":
                self.send_header(*value.split(":", 1))
            elif key == "wait":
                time.sleep(float(value))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Upstream:
    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Stub)
        self.server.daemon_threads = True
        self.server.seen = []  # type: ignore[attr-defined]
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def seen(self) -> list[dict[str, object]]:
        result: list[dict[str, object]] = self.server.seen  # type: ignore[attr-defined]
        return result

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@dataclass
class Live:
    """A running nginx; `http` is what stands in its http block."""

    prefix: Path
    process: subprocess.Popen[bytes] | None = None
    ports: list[int] = field(default_factory=list)

    def start(self, http: str, port: int) -> None:
        self.stop()
        (self.prefix / "nginx.conf").write_text(MAIN.format(prefix=self.prefix, http=http))
        self.process = subprocess.Popen(
            [str(BINARY), "-p", str(self.prefix), "-e", str(self.prefix / "error.log"), "-c", "nginx.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(400):
            if self.process.poll() is not None:
                raise AssertionError(f"nginx did not start:\n{(self.prefix / 'error.log').read_text()}\n{http}")
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("nginx does not answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(5)
            self.process = None

    def get(self, port: int, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """The reply to a GET of `path`, sent as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": "example.org", "Connection": "close", **(headers or {})}
            for key, value in sent.items():
                connection.putheader(key, value)
            connection.endheaders()
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def upload(self, port: int, path: str, size: int) -> int:
        """The status of a PUT of `size` bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("PUT", path, b"x" * size, {"Host": "example.org", "Connection": "close"})
            return connection.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            return 413  # nginx closes while the body is still on its way
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    if BINARY is None:
        pytest.skip("nginx is not installed")
    prefix = tmp_path_factory.mktemp("nginx")
    prefix.chmod(0o755)
    running = Live(prefix)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=a -keyout key.pem -out cert.pem".split(" "),
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    return folder
