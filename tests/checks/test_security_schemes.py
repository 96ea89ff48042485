"""What gunicorn and uvicorn believe of a proxy, and the redirects of Django that follow, against link.schemes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackaudit.checks.security import ssl_redirect_loop
from tests.stacks import stack_of

APPLICATION = """
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="app", SECURE_SSL_REDIRECT=True,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
)
django.setup()
urlpatterns = [path("", lambda request: HttpResponse("page"))]
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
wsgi, asgi = get_wsgi_application(), get_asgi_application()
"""
NGINX = """
events {{}}
http {{
    server {{
        listen 443 ssl;
        server_name shop.example.org;
        location / {{
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_pass http://{target};
        }}
    }}
}}
"""
SETTINGS = """
SECRET_KEY = "x"
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
SECURE_SSL_REDIRECT = True
"""
CASES = [
    ("gunicorn", "tcp", ""),
    ("gunicorn", "unix", ""),
    ("gunicorn", "unix", "10.0.0.1"),
    ("gunicorn", "tcp", "10.0.0.1"),
    ("uvicorn", "tcp", ""),
    ("uvicorn", "unix", ""),
    ("uvicorn", "unix", "*"),
]
"""The server, how nginx reaches it, and FORWARDED_ALLOW_IPS where it is set."""


def command(server: str, address: str) -> list[str]:
    if server == "gunicorn":
        return [sys.executable, "-m", "gunicorn", "app:wsgi", "--bind", address, "--no-control-socket"]
    start = [sys.executable, "-m", "uvicorn", "app:asgi", "--lifespan", "off"]
    if address.startswith("unix:"):
        return [*start, "--uds", address.removeprefix("unix:")]
    host, _, port = address.partition(":")
    return [*start, "--host", host, "--port", port]


@contextmanager
def running(words: list[str], folder: Path, allowed: str) -> Iterator[None]:
    environment = {**os.environ, **({"FORWARDED_ALLOW_IPS": allowed} if allowed else {})}
    process = subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def status(address: str) -> str:
    """The status of a page that nginx fetches for a visitor who came over TLS."""
    sent = b"GET / HTTP/1.1\r\nHost: shop.example.org\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
    target = address.removeprefix("unix:")
    for _ in range(300):
        with socket.socket(socket.AF_INET if ":" in target else socket.AF_UNIX) as connection:
            connection.settimeout(10)
            try:
                host, _, port = target.partition(":")
                connection.connect((host, int(port)) if port else target)
            except OSError:
                time.sleep(0.05)
                continue
            connection.sendall(sent)
            return connection.recv(100).split(b" ")[1].decode()
    raise AssertionError("the server does not answer")


@pytest.mark.parametrize(("server", "by", "allowed"), CASES)
def test_loops_are_those_of_real_servers(server: str, by: str, allowed: str, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{port}" if by == "tcp" else f"unix:{tmp_path}/s"
    (tmp_path / "app.py").write_text(APPLICATION)
    words = command(server, address)
    with running(words, tmp_path, allowed):
        seen = status(address)
    set_ = f"Environment=FORWARDED_ALLOW_IPS={allowed}\n" if allowed else ""
    unit = f"[Service]\n{set_}ExecStart={' '.join(words[2:])}\n"
    files = {
        "nginx.conf": NGINX.format(target=address),
        "shop/settings.py": SETTINGS,
        "web.service": unit.replace("=gun", "=/bin/gun").replace("=uvi", "=/bin/uvi"),
    }
    found = list(ssl_redirect_loop(stack_of(tmp_path / "stack", files)))
    assert [type(verdict).__name__ for verdict in found] == [{"200": "Pass", "301": "Fail"}[seen]]
