"""Where servers listen by their command lines, and what that says of the address that nginx asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.nginx import nobody_listens
from stackaudit.model.verdict import Fail, Pass, Unsure
from tests.stacks import stack_of

CONF = 'import os\nbind = os.environ.get("BIND", "127.0.0.1:8000")\n'


def _verdicts(root: Path, files: dict[str, str]) -> list[type]:
    settings = {
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n',
        "config/settings.py": 'STATIC_URL = "/static/"\n',
    }
    stack = stack_of(root, {**settings, **files})
    return [type(verdict) for verdict in nobody_listens(stack)]


@pytest.mark.parametrize(
    ("command", "address", "expected"),
    [
        ("gunicorn config.wsgi", "127.0.0.1:8000", [Pass]),
        ("gunicorn config.wsgi -b :8001", "localhost:8000", [Fail]),
        ("gunicorn config.wsgi -b 127.0.0.1:8001 -b unix:/run/a.sock", "unix:/run/a.sock", [Pass]),
        ("gunicorn config.wsgi -b unix:a.sock", "unix:/srv/shop/a.sock", [Pass]),
        ("gunicorn config.wsgi -b unix:a.sock", "unix:/run/a.sock", [Fail]),
        ("gunicorn config.wsgi -b 127.0.0.1:80%i", "127.0.0.1:8001", []),
        ("gunicorn config.wsgi -b 127.0.0.1:$PORT", "127.0.0.1:8001", [Unsure]),
        ("gunicorn config.wsgi -c conf.py", "unix:/run/a.sock", [Unsure]),
        ("uvicorn config.asgi:application", "127.0.0.1:8000", [Pass]),
        ("uvicorn config.asgi:application --uds /run/a.sock", "127.0.0.1:8000", [Fail]),
        ("uvicorn config.asgi:application --fd 0", "unix:/run/a.sock", [Unsure]),
        ("daphne config.asgi:application", "127.0.0.1:8000", [Pass]),
        ("daphne -u /run/a.sock config.asgi:application", "unix:/run/a.sock", [Pass]),
        ("daphne -e tcp:port=9000 config.asgi:application", "127.0.0.1:9000", [Unsure]),
        ("hypercorn -b unix:/run/a.sock config.asgi:application", "unix:/var/run/a.sock", [Pass]),
        ("hypercorn config.asgi:application", "127.0.0.1:8000", [Pass]),
        ("python manage.py runserver 8001", "127.0.0.1:8000", []),
    ],
)
def test_on_one_machine(tmp_path: Path, command: str, address: str, expected: list[type]) -> None:
    files = {
        "shop.service": f"[Service]\nUser=shop\nWorkingDirectory=/srv/shop\nExecStart=/srv/shop/venv/bin/{command}\n",
        "conf.py": CONF,
        "nginx.conf": f"server {{ listen 80; location / {{ proxy_pass http://{address}; }} }}\n",
    }
    assert _verdicts(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("command", "address", "expected"),
    [
        ("gunicorn config.wsgi -b 0.0.0.0:8000", "web:8000", [Pass]),
        ("gunicorn config.wsgi -b 0.0.0.0:8000", "web", [Fail]),
        ("gunicorn config.wsgi", "web:8000", [Fail]),
        ("uvicorn config.asgi:application", "web:8000", [Fail]),
        ("uvicorn config.asgi:application --host 0.0.0.0", "web:8000", [Pass]),
        ("gunicorn config.wsgi -b 0.0.0.0:8000", "127.0.0.1:8000", [Fail]),
        ("gunicorn config.wsgi -b 0.0.0.0:8000", "api.shop.io:8000", []),
        ("./start.sh", "web:8000", []),
        ("sh -c 'python warm.py && gunicorn config.wsgi -b 0.0.0.0:8000'", "web:8001", [Fail]),
    ],
)
def test_in_containers(tmp_path: Path, command: str, address: str, expected: list[type]) -> None:
    files = {
        "docker-compose.yml": f"""
services:
  web:
    build: .
    command: {command}
  nginx:
    image: nginx:1.28
    volumes: ["./site.conf:/etc/nginx/conf.d/default.conf"]
""",
        "site.conf": f"server {{ listen 80; location / {{ proxy_pass http://{address}; }} }}\n",
    }
    assert _verdicts(tmp_path, files) == expected
