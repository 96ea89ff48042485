"""What nginx answers where nobody listens, and which sockets gunicorn listens on."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stackaudit.config import Config
from stackaudit.scan import scan
from tests.nginx_live.conftest import free_port
from tests.nginx_live.test_verdicts import MANAGE, PLAIN_SETTINGS
from tests.stacks import write

_ACTIVATED = """
import os, socket, sys
file = socket.socket(socket.AF_UNIX)
file.bind(sys.argv[1])
file.listen()
os.dup2(file.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "--bind", sys.argv[2], "app"])
"""


def _scanned(folder: Path, files: dict[str, str]) -> set[str]:
    texts = {"manage.py": MANAGE, "config/__init__.py": "", "config/settings.py": PLAIN_SETTINGS, **files}
    write(folder, texts)
    result = scan(folder, Config(select=("nginx/nobody-listens",), no_cache=True, jobs=1))
    return {"fail" for _ in result.findings} | {"pass" for _ in result.passed} | {"unknown" for _ in result.unknowns}


@pytest.mark.parametrize("kind", ["port", "file"])
def test_each_request_is_a_502(live: Any, upstream: Any, port: int, tmp_path: Path, kind: str) -> None:
    right = f"127.0.0.1:{upstream.port}"
    asked = f"127.0.0.1:{free_port()}" if kind == "port" else f"unix:{tmp_path}/nobody.sock"
    unit = f"[Service]\nUser=shop\nExecStart=/srv/venv/bin/gunicorn config.wsgi --bind {right}\n"
    for address, status, told in ((asked, 502, {"fail"}), (right, 200, {"pass"})):
        server = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{address}; }} }}"
        live.start(server, port)
        assert live.get(port, "/").status == status
        files = {"nginx.conf": f"events {{}} http {{ {server} }}", "shop.service": unit}
        assert _scanned(tmp_path / str(status), files) == told


def test_a_socket_of_systemd_takes_the_place_of_bind(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def application(environ, start):\n    start('200 OK', [('Content-Length', '2')])\n    return [b'ok']\n"
    )
    (tmp_path / "start.py").write_text(_ACTIVATED)
    file, number = tmp_path / "a.sock", free_port()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "start.py", str(file), f"127.0.0.1:{number}"],
        cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.05)
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(str(file))
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number), 5)
    finally:
        process.terminate()
        process.wait(20)
    unit = f"[Service]\nUser=shop\nExecStart=/srv/venv/bin/gunicorn config.wsgi --bind 127.0.0.1:{number}\n"
    opened = f"[Socket]\nListenStream={file}\n"
    for asked, told in ((f"unix:{file}", {"pass"}), (f"127.0.0.1:{number}", {"fail"})):
        server = f"events {{}} http {{ server {{ location / {{ proxy_pass http://{asked}; }} }} }}"
        files = {"nginx.conf": server, "shop.service": unit, "shop.socket": opened}
        assert _scanned(tmp_path / told.copy().pop(), files) == told
