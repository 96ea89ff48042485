"""nginx/body-size-mismatch beside uploads of two megabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.nginx_live.test_verdicts import proxying, told, verdicts

MODEL = """from django.db import models


class Photo(models.Model):
    picture = models.ImageField()
"""


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("", ""),
        ("client_max_body_size 20m;", ""),
        ("client_max_body_size 20m;", "client_max_body_size 512k;"),
        ("client_max_body_size 100;", "client_max_body_size 0;"),
        ("client_max_body_size 3145728;", ""),
    ],
)
def test_uploads(live: Any, upstream: Any, port: int, tmp_path: Path, outer: str, inner: str) -> None:
    http = proxying(port, upstream, outer, inner)
    live.start(http, port)
    taken = live.upload(port, "/", 2 * 1024 * 1024) != 413
    (tmp_path / "models.py").write_text(MODEL)
    assert verdicts("nginx/body-size-mismatch", tmp_path, http) == told(taken)


@pytest.mark.parametrize(
    ("first", "named"),
    [
        ("", "client_max_body_size 20m;"),
        ("client_max_body_size 20m;", ""),
        ("client_max_body_size 20m;", "client_max_body_size 1k;"),
    ],
)
def test_uploads_behind_try_files(live: Any, upstream: Any, port: int, tmp_path: Path, first: str, named: str) -> None:
    http = f"""
    server {{
        listen 127.0.0.1:{port};
        root {live.prefix}/empty;
        location / {{ {first} try_files $uri @app; }}
        location @app {{ {named} proxy_pass http://127.0.0.1:{upstream.port}; }}
    }}"""
    live.start(http, port)
    taken = live.upload(port, "/upload", 2 * 1024 * 1024) != 413
    (tmp_path / "models.py").write_text(MODEL)
    assert verdicts("nginx/body-size-mismatch", tmp_path, http) == told(taken)
