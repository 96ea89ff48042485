"""Verdicts beside what a real nginx answers: keep-alive, headers, websockets, cache keys, lifetimes, TLS redirects."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.nginx_live.conftest import free_port
from tests.nginx_live.test_verdicts import PLAIN_SETTINGS, proxying, told, verdicts


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("", ("a.test", "b.test")),
        ("proxy_cache_key $scheme$host$request_uri;", ("a.test", "b.test")),
        ("proxy_cache_key $uri;", ("a.test", "b.test")),
        ("", ("a.test",)),
    ],
)
def test_cache_key_omits_host(
    live: Any, upstream: Any, port: int, tmp_path: Path, key: str, names: tuple[str, ...]
) -> None:
    http = f"proxy_cache_path {tmp_path}/cache keys_zone=pages:1m; proxy_cache pages; proxy_cache_valid 200 1m; {key}"
    for name in names:
        http += f"""
        server {{ listen 127.0.0.1:{port}; server_name {name};
            location / {{ proxy_set_header Host $host; proxy_pass http://127.0.0.1:{upstream.port}; }} }}"""
    live.start(http, port)
    counts = [json.loads(live.get(port, "/page.html", {"Host": name}).body)["count"] for name in names]
    assert set(verdicts("nginx/cache-key-omits-host", tmp_path, http)) == set(told(len(set(counts)) == len(names)))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("", ""),
        ("proxy_http_version 1.1;", ""),
        ('proxy_set_header Connection "";', ""),
        ('proxy_http_version 1.1; proxy_set_header Connection "";', ""),
        ('proxy_http_version 1.1; proxy_set_header Connection "";', "proxy_set_header Host $host;"),
        ("proxy_http_version 1.1;", "proxy_set_header Connection $closing;"),
        ("proxy_http_version 1.1;", "proxy_set_header Connection $keeping;"),
        ("proxy_http_version 1.1;", 'proxy_set_header Connection "upgrade";'),
    ],
)
@pytest.mark.parametrize("keepalive", ["", "keepalive 4;"])
def test_upstream_keepalive_off(
    live: Any, upstream: Any, port: int, tmp_path: Path, keepalive: str, outer: str, inner: str
) -> None:
    http = f"""
    map $http_upgrade $closing {{ default upgrade; '' close; }}
    map $http_upgrade $keeping {{ default upgrade; '' ''; }}
    upstream app {{ server 127.0.0.1:{upstream.port}; {keepalive} }}
    server {{ listen 127.0.0.1:{port}; {outer}
        location / {{ {inner}
            proxy_pass http://app; }} }}"""
    live.start(http, port)
    peers = {json.loads(live.get(port, "/").body)["peer"] for _ in range(3)}
    (tmp_path / "Procfile").write_text("web: uvicorn config.asgi:application\n")
    assert verdicts("nginx/upstream-keepalive-off", tmp_path, http) == told(len(peers) == 1)


@pytest.mark.parametrize("inner", ["", "add_header X-A 1;", "expires 1d;", "add_header X-Frame-Options DENY;"])
def test_add_header_inheritance(live: Any, port: int, tmp_path: Path, inner: str) -> None:
    (live.prefix / "headers").mkdir(exist_ok=True)
    (live.prefix / "headers/a.css").write_text("a")
    http = f"""server {{ listen 127.0.0.1:{port};
        add_header X-Frame-Options DENY;
        location /s/ {{
            alias {live.prefix}/headers/; {inner} }} }}"""
    live.start(http, port)
    sent = live.get(port, "/s/a.css").one("X-Frame-Options") == "DENY"
    found = verdicts("nginx/add-header-inheritance", tmp_path, http)
    assert found == (told(sent) if "add_header" in inner else []) and (sent or found)


@pytest.mark.parametrize("modifier", ["", "^~"])
@pytest.mark.parametrize("regex", [r"\.css$", r"\.php$", "^/static/css"])
def test_regex_shadows_static(live: Any, upstream: Any, port: int, tmp_path: Path, modifier: str, regex: str) -> None:
    files = live.prefix / "shadow"
    (files / "css").mkdir(parents=True, exist_ok=True)
    (files / "css/site.css").write_text("a")
    extra = f"location {modifier} /static/ {{ alias {files}/; }}\n location ~ {regex} {{ return 404; }}"
    http = proxying(port, upstream, extra=extra)
    live.start(http, port)
    served = live.get(port, "/static/css/site.css").status == 200
    assert verdicts("nginx/regex-shadows-static", tmp_path, http) == told(served)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
        'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;",
        "proxy_http_version 1.1;",
    ],
)
def test_websocket_upgrade(live: Any, upstream: Any, port: int, tmp_path: Path, inner: str) -> None:
    http = proxying(port, upstream, inner=inner)
    live.start(http, port)
    record = json.loads(live.get(port, "/", {"Connection": "Upgrade", "Upgrade": "websocket"}).body)
    sent = {name.lower(): value.lower() for name, value in record["headers"]}
    through = (sent.get("upgrade"), sent.get("connection"), record["version"]) == ("websocket", "upgrade", "HTTP/1.1")
    (tmp_path / "routing.py").write_text("from channels.routing import ProtocolTypeRouter\n")
    assert verdicts("nginx/websocket-upgrade", tmp_path, http) == told(through)


@pytest.mark.parametrize(
    "inner", ["expires max;", "expires 1y;", "expires 7d;", "", "add_header Cache-Control 'public, immutable';"]
)
@pytest.mark.parametrize("storage", ["StaticFilesStorage", "ManifestStaticFilesStorage"])
def test_expires_without_hash(live: Any, upstream: Any, port: int, tmp_path: Path, inner: str, storage: str) -> None:
    files = live.prefix / "kept"
    (files / "css").mkdir(parents=True, exist_ok=True)
    (files / "css/site.css").write_text("a")
    http = proxying(port, upstream, extra=f"location /static/ {{ alias {files}/; {inner} }}")
    live.start(http, port)
    sent = ", ".join(live.get(port, "/static/css/site.css").all("Cache-Control"))
    age = re.search(r"max-age=(\d+)", sent)
    for_good = "immutable" in sent or (age is not None and int(age[1]) >= 31_536_000)
    backend = f'"staticfiles": {{"BACKEND": "django.contrib.staticfiles.storage.{storage}"}}'
    settings = PLAIN_SETTINGS + f"STORAGES = {{{backend}}}\n"
    expected = told(storage.startswith("Manifest")) if for_good else []
    assert verdicts("nginx/expires-without-hash", tmp_path, http, settings) == expected


@pytest.mark.parametrize(
    "plain",
    [
        "location / { proxy_pass http://127.0.0.1:UPSTREAM; }",
        "return 301 https://$host$request_uri;",
        "location / { return 301 https://$host$request_uri; }",
        "if ($scheme = http) { return 301 https://$host; } location / { proxy_pass http://127.0.0.1:UPSTREAM; }",
        "location /.well-known/ { root /tmp; } location / { return 301 https://example.org$request_uri; }",
    ],
)
def test_https_redirect_missing(
    live: Any, upstream: Any, port: int, certificate: Path, tmp_path: Path, plain: str
) -> None:
    http = f"""
    server {{ listen 127.0.0.1:{port}; server_name example.org; {plain.replace("UPSTREAM", str(upstream.port))} }}
    server {{ listen 127.0.0.1:{free_port()} ssl; server_name example.org;
        ssl_certificate {certificate}/cert.pem; ssl_certificate_key {certificate}/key.pem;
        location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }} }}"""
    live.start(http, port)
    redirects = live.get(port, "/").status == 301
    assert verdicts("nginx/https-redirect-missing", tmp_path, http) == told(redirects)
