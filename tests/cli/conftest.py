from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `stackaudit ...` in `tmp_path` with an environment that says nothing about colours or widths."""

    def call(*words: str, stdin: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        quiet = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI", "TERM"}
        environment = {key: value for key, value in os.environ.items() if key not in quiet} | changes
        return subprocess.run(
            [sys.executable, "-m", "stackaudit", *words], cwd=tmp_path, env=environment, input=stdin,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return call


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small stack with one failure of nginx at a known line."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "manage.py").write_text("import django\n")
    (root / "nginx.conf").write_text(
        "server {\n"
        "    listen 80;\n"
        "    server_name shop.example;\n"
        "    location /static {\n"
        "        alias /srv/shop/static/;\n"
        "    }\n"
        "}\n"
    )
    return root
