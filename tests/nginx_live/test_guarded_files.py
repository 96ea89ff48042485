"""Files behind X-Accel-Redirect, asked for directly and by way of the application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackaudit.config import Config
from stackaudit.scan import scan
from tests.nginx_live.test_verdicts import MANAGE, PLAIN_SETTINGS
from tests.stacks import write

VIEW = """
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse

@login_required
def report(request, name):
    response = HttpResponse()
    response["X-Accel-Redirect"] = "/reports/" + name
    return response
"""


@pytest.mark.parametrize(
    ("inside", "extra"),
    [
        ("", ""),
        ("internal;", ""),
        ("deny all;", ""),
        ("auth_basic off;", ""),
        ("", "location ^~ /reports/2024/ { internal; alias FOLDER/; }"),
    ],
)
def test_who_gets_the_file(live: Any, upstream: Any, port: int, tmp_path: Path, inside: str, extra: str) -> None:
    folder = live.prefix / "reports"
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text("secret")
    server = f"""
        server {{
            listen 127.0.0.1:{port};
            location /reports/ {{ {inside} alias {folder}/; }}
            {extra.replace("FOLDER", str(folder))}
            location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}
        }}"""
    live.start(server, port)
    by_the_view = live.get(port, "/report?h=X-Accel-Redirect:/reports/a.txt")
    if inside != "deny all;":
        assert (by_the_view.status, by_the_view.body) == (200, b"secret")
    is_open = live.get(port, "/reports/a.txt").status == 200
    files = {
        "manage.py": MANAGE,
        "config/__init__.py": "",
        "config/settings.py": PLAIN_SETTINGS,
        "shop/__init__.py": "",
        "shop/views.py": VIEW,
        "nginx.conf": "events {}\nhttp {" + server + "\n}\n",
    }
    write(tmp_path, files)
    result = scan(tmp_path, Config(select=("nginx/protected-files-public",), no_cache=True, jobs=1))
    assert (len(result.findings), len(result.passed), len(result.unknowns)) == ((1, 0, 0) if is_open else (0, 1, 0))
