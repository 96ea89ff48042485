"""Verdicts beside what a real nginx answers: each configuration is scanned and served."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from stackaudit.config import Config, Nginx
from stackaudit.scan import scan
from tests.stacks import write

MANAGE = 'import os\n\nimport django\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n'
PLAIN_SETTINGS = 'STATIC_URL = "/static/"\nMIDDLEWARE = []\n'


def verdicts(rule: str, folder: Path, http: str, settings: str = PLAIN_SETTINGS) -> list[str]:
    """The verdicts of one rule on a main file that holds `http`, in the order of their lines."""
    main = f"events {{}}\nhttp {{\n{http}\n}}\n"
    write(
        folder,
        {"nginx.conf": main, "manage.py": MANAGE, "config/settings.py": settings, "config/__init__.py": ""},
    )
    result = scan(folder, Config(select=(rule,), no_cache=True, jobs=1, nginx=Nginx(version="1.22.1")))
    assert [item.text for item in result.notifications if item.level == "error"] == []
    found = [(item.location.line, "fail") for item in result.findings]
    found += [(item.location.line, "unknown") for item in result.unknowns]
    found += [(item.location.line, "pass") for item in result.passed]
    return [verdict for _, verdict in sorted(found)]


def told(passes: bool) -> list[str]:
    return ["pass" if passes else "fail"]


def proxying(port: int, upstream: Any, outer: str = "", inner: str = "", extra: str = "") -> str:
    return f"""
    {outer}
    server {{
        listen 127.0.0.1:{port};
        server_name example.org;
        {extra}
        location / {{
            {inner}
            proxy_pass http://127.0.0.1:{upstream.port};
        }}
    }}"""


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("", ""), ("gzip on;", ""), ("gzip on;", "gzip off;"), ("", "gzip on;"), ("gzip off;", "gzip on;")],
)
def test_compression_off(live: Any, upstream: Any, port: int, tmp_path: Path, outer: str, inner: str) -> None:
    http = proxying(port, upstream, outer, inner)
    live.start(http, port)
    reply = live.get(port, "/page.html", {"Accept-Encoding": "gzip"})
    compressed = reply.one("Content-Encoding") == "gzip"
    assert verdicts("nginx/compression-off", tmp_path, http) == told(compressed)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("gzip on;", ""),
        ("gzip on; gzip_types text/css application/javascript application/json image/svg+xml text/xml;", ""),
        (
            "gzip on; gzip_types text/css application/javascript application/json image/svg+xml text/xml;",
            "gzip_types a/b;",
        ),
        ("gzip on; gzip_types *;", ""),
        (
            "gzip on; gzip_types a/b;",
            "gzip_types text/css application/javascript application/json image/svg+xml text/xml;",
        ),
    ],
)
def test_compression_gaps(live: Any, upstream: Any, port: int, tmp_path: Path, outer: str, inner: str) -> None:
    http = proxying(port, upstream, outer, inner)
    live.start(http, port)
    replies = [live.get(port, path, {"Accept-Encoding": "gzip"}) for path in ("/a.css", "/a.json")]
    compressed = all(reply.one("Content-Encoding") == "gzip" for reply in replies)
    assert verdicts("nginx/compression-gaps", tmp_path, http) == told(compressed)


@pytest.mark.parametrize("proxied", ["", "gzip_proxied any;"])
def test_nothing_is_compressed_for_a_cdn(live: Any, upstream: Any, port: int, tmp_path: Path, proxied: str) -> None:
    outer = f"real_ip_header CF-Connecting-IP; gzip on; gzip_vary on;\n gzip_types *;\n {proxied}"
    http = proxying(port, upstream, outer)
    live.start(http, port)
    reply = live.get(port, "/page.html", {"Accept-Encoding": "gzip", "Via": "1.1 cdn"})
    compressed = reply.one("Content-Encoding") == "gzip"
    found = verdicts("nginx/compression-gaps", tmp_path, http)
    assert ("fail" not in found) == compressed


@pytest.mark.parametrize(
    ("location", "alias", "climbs"),
    [
        ("/static", "static/", "/static../secret.txt"),
        ("^~ /static", "static/", "/static../secret.txt"),
        ("/static/", "static/", "/static../secret.txt"),
        ("/static/", "static", "/static/../secret.txt"),
        ("/static", "static", "/static2/secret.txt"),
        ("~ ^/static(.*)$", "static/$1", "/static../secret.txt"),
        ("~ ^/static/(.*)$", "static/$1", "/static/../secret.txt"),
        ("~ ^/static(.*)$", "static$1", "/static2/secret.txt"),
        ("= /static", "static/a.css", "/static../secret.txt"),
    ],
)
def test_alias_traversal(live: Any, port: int, tmp_path: Path, location: str, alias: str, climbs: str) -> None:
    files = live.prefix / "aliases"
    for path in ("static/a.css", "secret.txt", "static2/secret.txt"):
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_text("secret")
    http = f"""server {{ listen 127.0.0.1:{port};
        location {location} {{ alias {files}/{alias}; }} }}"""
    live.start(http, port)
    leaks = live.get(port, climbs).status == 200
    assert verdicts("nginx/alias-traversal", tmp_path, http) == told(not leaks)


@pytest.mark.parametrize(
    "extra",
    [
        "",
        "location /static/ {{ alias {files}/static/; }}",
        "location ~ ^/(static|media)/ {{ root {files}; }}",
        "location /static/ {{ alias {files}/static/; }} location ~ css$ {{ proxy_pass http://127.0.0.1:{upstream}; }}",
        "location ^~ /static/ {{ alias {files}/static/; }} location ~ c {{ proxy_pass http://127.0.0.1:{upstream}; }}",
        "location /static/css/ {{ alias {files}/static/css/; }}",
    ],
)
def test_static_served_by_app(live: Any, upstream: Any, port: int, tmp_path: Path, extra: str) -> None:
    files = live.prefix / "served"
    (files / "static/css").mkdir(parents=True, exist_ok=True)
    (files / "static/css/site.css").write_text("body {}")
    http = proxying(port, upstream, extra=extra.format(files=files, upstream=upstream.port))
    live.start(http, port)
    before = len(upstream.seen)
    live.get(port, "/static/css/site.css")
    assert verdicts("nginx/static-served-by-app", tmp_path, http) == told(len(upstream.seen) == before)


@pytest.mark.parametrize(
    "location",
    [
        "location /static/ {{ alias {files}/static/; }}",
        "location /static/ {{ alias {files}/static; }}",
        "location /static/ {{ root {files}/static; }}",
        "location /static/ {{ root {files}; }}",
        "location /static {{ alias {files}/static; }}",
        "location ~ ^/static/(.*)$ {{ alias {files}/static/$1; }}",
        "location /static/ {{ alias {files}/assets/; }}",
    ],
)
def test_static_path_mismatch(live: Any, upstream: Any, port: int, tmp_path: Path, location: str) -> None:
    files = live.prefix / "collected"
    (files / "static/css").mkdir(parents=True, exist_ok=True)
    (files / "static/css/site.css").write_text("body {}")
    http = proxying(port, upstream, extra=location.format(files=files))
    live.start(http, port)
    found = live.get(port, "/static/css/site.css").status == 200
    settings = PLAIN_SETTINGS + f'STATIC_ROOT = "{files}/static"\n'
    assert verdicts("nginx/static-path-mismatch", tmp_path, http, settings) == told(found)


def cached(port: int, upstream: Any, folder: Path, inner: str) -> str:
    outer = f"proxy_cache_path {folder}/cache keys_zone=pages:1m;"
    add = "proxy_cache pages; add_header X-Cache $upstream_cache_status;"
    return proxying(port, upstream, outer, add + " " + inner)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "proxy_cache_valid 200 1m;",
        "proxy_cache_valid 1m;",
        "proxy_cache_valid 404 1m;",
        "proxy_cache_valid any 1m;",
        "proxy_cache_valid 200 1m; proxy_buffering off;",
        "proxy_cache_valid 404 1m; proxy_cache_valid 200 1m;",
    ],
)
def test_cache_never_stores(live: Any, upstream: Any, port: int, tmp_path: Path, inner: str) -> None:
    http = cached(port, upstream, tmp_path, inner)
    live.start(http, port)
    states = [live.get(port, "/page.html").one("X-Cache") for _ in range(2)]
    assert verdicts("nginx/cache-never-stores", tmp_path, http) == told(states == ["MISS", "HIT"])


SESSION = {"Cookie": "sessionid=ann"}
TOKEN = {"Authorization": "Token ann"}
BOTH = "$cookie_sessionid $http_authorization;"


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "proxy_ignore_headers Set-Cookie Cache-Control;",
        f"proxy_ignore_headers Set-Cookie Cache-Control; proxy_cache_bypass {BOTH} proxy_no_cache {BOTH}",
        "proxy_ignore_headers Set-Cookie Cache-Control; proxy_cache_bypass $cookie_sessionid;"
        " proxy_no_cache $cookie_sessionid;",
        f"proxy_ignore_headers Set-Cookie; proxy_cache_bypass {BOTH}",
        f"proxy_ignore_headers Cache-Control; proxy_cache_bypass {BOTH} proxy_no_cache {BOTH}",
        f"proxy_ignore_headers Set-Cookie; proxy_cache_bypass {BOTH} proxy_no_cache $upstream_http_set_cookie {BOTH}",
    ],
)
def test_cache_leaks_private(live: Any, upstream: Any, port: int, tmp_path: Path, inner: str) -> None:
    http = cached(port, upstream, tmp_path, "proxy_cache_valid 200 1m; " + inner)
    live.start(http, port)
    leaks = False
    # a page for a session sets its cookie again; one for a token says that it is private; a first visit gets a cookie
    private = "Cache-Control:private"
    visits: list[tuple[str, dict[str, str]]] = [("Set-Cookie:sessionid=ann", SESSION), (private, TOKEN)]
    for number, (header, first) in enumerate([*visits, ("Set-Cookie:sessionid=new", {})]):
        path = f"/{number}?h={header}"
        mine = json.loads(live.get(port, path, first).body)
        theirs = json.loads(live.get(port, path).body)
        leaks |= mine["count"] == theirs["count"]
    assert verdicts("nginx/cache-leaks-private", tmp_path, http) == told(not leaks)


HEADERS = (
    "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    " proxy_set_header X-Forwarded-Proto $scheme;"
)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("", ""),
        (HEADERS, ""),
        ("", HEADERS),
        (HEADERS, "proxy_set_header X-Request-ID 1;"),
        ("", "proxy_set_header Host $host;"),
    ],
)
def test_proxy_headers(live: Any, upstream: Any, port: int, tmp_path: Path, outer: str, inner: str) -> None:
    http = proxying(port, upstream, outer, inner)
    live.start(http, port)
    sent = dict(json.loads(live.get(port, "/").body)["headers"])
    complete = sent["Host"] == "example.org" and {"X-Forwarded-For", "X-Forwarded-Proto"} <= sent.keys()
    assert verdicts("nginx/proxy-headers", tmp_path, http) == told(complete)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("named", "standard"),
    [
        ("", ""),
        ("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1.2 TLSv1.3;"),
        ("ssl_protocols TLSv1.2;", "ssl_protocols TLSv1.2;"),
        ("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1.1 TLSv1.2;"),
        ("ssl_protocols TLSv1 TLSv1.1 TLSv1.2;", "ssl_protocols TLSv1.2 TLSv1.3;"),
    ],
)
def test_tls_protocols(live: Any, port: int, certificate: Path, tmp_path: Path, named: str, standard: str) -> None:
    pair = f"ssl_certificate {certificate}/cert.pem; ssl_certificate_key {certificate}/key.pem;"
    http = f"""
    ssl_ciphers ALL:@SECLEVEL=0;
    server {{ listen 127.0.0.1:{port} ssl; server_name shop.example.org; {pair}
        {named}
        return 200 shop; }}
    server {{ listen 127.0.0.1:{port} ssl default_server; server_name _; {pair}
        {standard}
        return 200 standard; }}"""
    live.start(http, port)
    right = []
    for name in ("shop.example.org", "other.example.org"):
        old = any(accepts(port, name, version) for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1))
        right.append(accepts(port, name, ssl.TLSVersion.TLSv1_3) and not old)
    assert verdicts("nginx/tls-protocols", tmp_path, http) == ["pass" if is_right else "fail" for is_right in right]


def accepts(port: int, name: str, version: ssl.TLSVersion) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as raw, context.wrap_socket(raw, server_hostname=name):
            return True
    except (ssl.SSLError, ConnectionError):
        return False


def test_the_stub_is_compressed_as_a_browser_would_see_it(live: Any, upstream: Any, port: int) -> None:
    live.start(proxying(port, upstream, "gzip on;"), port)
    reply = live.get(port, "/page.html", {"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(reply.body))["path"] == "/page.html"
