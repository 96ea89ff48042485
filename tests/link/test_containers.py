"""Ports of compose files, as Docker reads them (https://docs.docker.com/reference/compose-file/services/#ports)."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.link.containers import bare
from stackaudit.model.values import Known
from tests.stacks import stack_of

PORTS = {
    '"3000"': ("", "", "3000", False),
    '"3000-3005"': ("", "", "3000-3005", False),
    '"8000:8000"': ("", "8000", "8000", False),
    '"9090-9091:8080-8081"': ("", "9090-9091", "8080-8081", False),
    '"127.0.0.1:8001:8001"': ("127.0.0.1", "8001", "8001", True),
    '"127.0.0.1::5000"': ("127.0.0.1", "", "5000", True),
    '"0.0.0.0:5432:5432"': ("0.0.0.0", "5432", "5432", False),
    '"[::1]:6060:6060/udp"': ("[::1]", "6060", "6060", True),
    '"6060:6060/udp"': ("", "6060", "6060", False),
    '"localhost:80:80"': ("localhost", "80", "80", True),
    "{target: 80, published: 8080, host_ip: 127.0.0.1}": ("127.0.0.1", "8080", "80", True),
    "{target: 80}": ("", "", "80", False),
    '"${DB_PORT:-5432}:5432"': ("", "5432", "5432", False),
    '"${DB_PORT}:5432"': None,
    '"nothing"': None,
}


@pytest.mark.parametrize("text", PORTS)
def test_ports(text: str, tmp_path: Path) -> None:
    compose = f"services:\n  db:\n    image: postgres:17\n    ports:\n      - {text}\n"
    stack = stack_of(tmp_path, {"compose.yml": compose})
    (_, port), *more = stack.containers[0].ports
    told = None
    if isinstance(port, Known):
        told = (port.value.address, port.value.published, port.value.target, port.value.is_local)
    assert (told, more) == (PORTS[text], [])


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres", "postgres"),
        ("postgres:17-alpine", "postgres"),
        ("docker.io/library/postgres:17", "postgres"),
        ("localhost:5000/team/redis:7", "team/redis"),
        ("ghcr.io/team/redis@sha256:abc", "team/redis"),
        ("bitnami/redis", "bitnami/redis"),
    ],
)
def test_names_of_images(image: str, name: str) -> None:
    assert bare(image) == name
