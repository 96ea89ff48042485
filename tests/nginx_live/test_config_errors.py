"""nginx/config-error beside `nginx -t`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.nginx_live.conftest import BINARY, MAIN
from tests.nginx_live.test_verdicts import verdicts

SNIPPETS = [
    "gzip on;",
    "gzip on; gzip off;",
    "gzip_types text/css; gzip_types application/json;",
    "root /a; root /b;",
    "expires 1d; expires 2d;",
    "proxy_cache_path /tmp/stackaudit-zone keys_zone=pages:1m; proxy_cache pages;",
    "proxy_cache nowhere;",
    "proxy_cache off;",
    "proxy_cache_valid 200 0.5s;",
    "proxy_cache_valid 200 500ms;",
    "proxy_cache_valid 200 1h30m;",
    "proxy_cache_valid any 1;",
    "proxy_cache_valid 1y;",
    "proxy_read_timeout 500ms;",
    "proxy_read_timeout 0.5s;",
    "proxy_read_timeout 1m30s;",
    "proxy_read_timeout 5x;",
    "keepalive_timeout 65 60;",
    "ssl_protocols TLSv1.2 TLSv1.3;",
    "ssl_protocols TLSv1.4;",
    "upstream u { server 127.0.0.1:1; keepalive 4; least_conn; }",
    "upstream u { server 127.0.0.1:1; least_conn; keepalive 4; }",
    "upstream u { keepalive 4; ip_hash; server 127.0.0.1:1; }",
    "SERVER { location ~ ^/a { proxy_pass http://127.0.0.1:1/b; } }",
    "SERVER { location ~ ^/a { proxy_pass http://127.0.0.1:1; } }",
    "SERVER { location ~ ^/a(.*) { proxy_pass http://127.0.0.1:1/b$1; } }",
    "SERVER { location @a { proxy_pass http://127.0.0.1:1/; } }",
    "SERVER { location /a { proxy_pass http://127.0.0.1:1/b; } }",
    "SERVER { location /a { if ($arg_x) { proxy_pass http://127.0.0.1:1/b; } } }",
    "SERVER { location /a { limit_except GET { proxy_pass http://127.0.0.1:1/b; } } }",
    "SERVER { location ~ ^/a { proxy_pass http://unix:/run/a.sock; } }",
    "SERVER { location ~ ^/a { proxy_pass http://unix:/run/a.sock:/b; } }",
    "SERVER { location /a { } location /a { } }",
    "SERVER { location /a { } location ^~ /a { } }",
    "SERVER { location /a { } location = /a { } }",
    "SERVER { location ~ /a { } location ~ /a { } }",
    "SERVER { location @a { return 200; } location @a { return 200; } }",
    "SERVER { server_name a.test; } SERVER { server_name b.test a.test; }",
    "SERVER { server_name a.test; } SERVER { server_name b.test; }",
    "SERVER { http2 on; }",
    "server { listen 127.0.0.1:PORT ssl; }",
    "server { listen 127.0.0.1:PORT ssl; ssl_reject_handshake on; }",
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_what_nginx_refuses_or_warns_of_fails(live: Any, port: int, tmp_path: Path, snippet: str) -> None:
    text = snippet.replace("SERVER {", f"server {{ listen 127.0.0.1:{port};").replace("PORT", str(port))
    text = text.replace("/tmp/stackaudit-zone", str(tmp_path / "zone"))
    if "server {" not in text:
        text += f" server {{ listen 127.0.0.1:{port}; }}"
    (live.prefix / "test.conf").write_text(MAIN.format(prefix=live.prefix, http=text))
    done = subprocess.run(
        [str(BINARY), "-t", "-p", str(live.prefix), "-e", str(live.prefix / "error.log"), "-c", "test.conf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    complains = done.returncode != 0 or "[warn]" in done.stderr
    found = verdicts("nginx/config-error", tmp_path, text)
    assert ("fail" in found, "unknown" in found) == (complains, False), done.stderr


def test_ten_bytes_are_meant_as_ten_bytes(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    http = f"""server {{ listen 127.0.0.1:{port}; client_max_body_size 10;
        location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }} }}"""
    live.start(http, port)
    assert live.get(port, "/", {"Content-Length": "11"}).status == 413
    assert "fail" in verdicts("nginx/config-error", tmp_path, http)


def test_a_log_that_is_off_is_a_file_called_off(live: Any, port: int, tmp_path: Path) -> None:
    http = f"server {{ listen 127.0.0.1:{port}; error_log off; }}"
    live.start(http, port)
    assert (live.prefix / "off").exists()
    assert "fail" in verdicts("nginx/config-error", tmp_path, http)
