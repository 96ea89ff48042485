"""Which of the repository's nginx files production has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stacks import stack_of

SERVER = "server { listen 80; location / { proxy_pass http://app; } }"


def _judged(root: Path, files: dict[str, str]) -> set[str]:
    """The files whose servers are judged."""
    stack = stack_of(root, files)
    return {server.level.place.path for server in stack.nginx.servers}


@pytest.mark.parametrize(
    "path",
    [
        "docs/nginx.conf",
        "examples/nginx/app.conf",
        "contrib/nginx/site.conf.example",
        "nginx/nginx.dev.conf",
        "nginx/dev.conf",
        "nginx/local.conf.template",
        "nginx/example.conf",
        "compose/local/nginx/default.conf",
        "nginx/old.conf.disabled",
        "nginx/nginx.conf.bak",
    ],
)
def test_put_aside(tmp_path: Path, path: str) -> None:
    assert _judged(tmp_path, {"nginx/nginx.conf": SERVER, path: SERVER}) == {"nginx/nginx.conf"}


@pytest.mark.parametrize(
    "path",
    [
        "deploy/nginx.conf",
        "contrib/nginx.conf",
        "sites-available/example.org.conf",
        "sites-available/dev.shop.org",
        "sites-available/docs.shop.org.conf",
        "docker/usr/local/nginx/conf/nginx.conf",
        "nginx/production.conf",
    ],
)
def test_kept(tmp_path: Path, path: str) -> None:
    assert path in _judged(tmp_path, {"other/nginx/nginx.conf": SERVER, path: SERVER})


def test_an_example_alone_is_what_people_install(tmp_path: Path) -> None:
    assert _judged(tmp_path, {"deploy/nginx.conf.example": SERVER}) == {"deploy/nginx.conf.example"}


def test_what_is_installed_or_included_stays(tmp_path: Path) -> None:
    files = {
        "nginx.conf": "events {}\nhttp { include conf.d/*.conf; server { listen 81; } }",
        "conf.d/local.conf": SERVER,
        "Dockerfile": "FROM nginx:1.28\nCOPY docker/dev.conf /etc/nginx/conf.d/default.conf\n",
        "docker/dev.conf": SERVER,
        "docker/test.conf": SERVER,
    }
    assert _judged(tmp_path, files) == {"nginx.conf", "conf.d/local.conf", "docker/dev.conf"}


def test_which_containers_run_nginx(tmp_path: Path) -> None:
    """A copy of the repository brings a folder nginx/ into any container, a mount a whole configuration."""
    files = {
        "docker-compose.yml": """
services:
  app:
    build: .
  inner:
    build: .
    volumes: ["./nginx/inner.conf:/etc/nginx/conf.d/default.conf"]
  edge:
    image: nginx:1.28
    volumes: ["./nginx/edge.conf:/etc/nginx/conf.d/default.conf"]
""",
        "Dockerfile": "FROM python:3.13\nWORKDIR /app\nCOPY . .\n",
        "nginx/inner.conf": SERVER,
        "nginx/edge.conf": SERVER,
    }
    assert {unit.name for unit in stack_of(tmp_path, files).nginx.units} == {"inner", "edge"}
