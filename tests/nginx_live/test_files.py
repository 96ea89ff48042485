"""Verdicts on files beside what a real nginx sends: types, listings, hidden files, sources, lifetimes, twins.

What sendfile and tcp_nopush do is told by nginx's debug log, where it is built to write one (Debian's is).
"""

from __future__ import annotations

import gzip
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from stackaudit import catalog
from tests.nginx_live.conftest import BINARY
from tests.nginx_live.many import host, servers, verdicts_by_case
from tests.nginx_live.test_verdicts import PLAIN_SETTINGS


@pytest.fixture(scope="module")
def files(live: Any) -> Path:
    folder: Path = live.prefix / "shop"
    for path in ("static/css/site.css", "static/js/site.js", "media/photo.jpg", "theme/.git/config", "theme/a.css"):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("a" * 600)
    (folder / "static/css/site.css.gz").write_bytes(gzip.compress(b"twin", mtime=0))
    (folder / ".well-known/acme-challenge").mkdir(parents=True, exist_ok=True)
    (folder / ".well-known/acme-challenge/token").write_text("token")
    (folder / "manage.py").write_text("secret")
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/settings.py").write_text("secret")
    return folder


def test_mime_types_missing(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    inner = (
        "types { text/css css; text/javascript js; }",
        "types { application/wasm wasm; }",
        "types { text/css css; }",
        "types { text/css css; } types { application/javascript js; }",
        "types { text/css css; } default_type text/javascript;",
        "types { text/plain css; text/javascript js; }",
    )
    cases = [f"location /static/ {{ {text} alias {files}/static/; }}" for text in inner]
    http = servers(port, cases)
    live.start(http, port)
    right = []
    for number in range(len(cases)):
        sent = [
            live.get(port, f"/static/{path}", host(number)).one("Content-Type")
            for path in ("css/site.css", "js/site.js")
        ]
        right.append(sent[0] == "text/css" and sent[1] in ("text/javascript", "application/javascript"))
    found = verdicts_by_case("nginx/mime-types-missing", tmp_path, http)
    assert found == ["pass" if is_right else "fail" for is_right in right]


def test_autoindex(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    media = f"alias {files}/media/;"
    cases = (
        f"location /media/ {{ {media} autoindex on; }}",
        f"autoindex on; location /media/ {{ {media} }}",
        f"autoindex on; location /media/ {{ {media} autoindex off; }} location / {{ return 404; }}",
        f"location /media/ {{ {media} autoindex on; auth_basic staff; auth_basic_user_file {files}/manage.py; }}",
        f"location /media/ {{ {media} autoindex on; deny all; }}",
        f"location /media/ {{ {media} autoindex on; internal; }}",
        f"location /media/ {{ {media} autoindex off; }}",
        "location /media/ { autoindex on; return 204; }",
    )
    http = servers(port, cases)
    live.start(http, port)
    listed = [b"photo.jpg" in live.get(port, "/media/", host(number)).body for number in range(len(cases))]
    settings = {"config/settings.py": PLAIN_SETTINGS + 'MEDIA_URL = "/media/"\n'}
    found = verdicts_by_case("nginx/autoindex", tmp_path, http, settings)
    assert found == ["fail" if is_listed else "pass" for is_listed in listed]


def test_source_served(live: Any, port: int, tmp_path: Path, files: Path, upstream: Any) -> None:
    application = f"proxy_pass http://127.0.0.1:{upstream.port};"
    cases = (
        f"root {files}; location / {{ try_files $uri @app; }} location @app {{ {application} }}",
        f"root {files}; location / {{ {application} }} location /static/ {{ }}",
        f"location /files/ {{ alias {files}/; }}",
        f"location /static/ {{ alias {files}/static/; }}",
        rf"root {files}; location ~ \.py$ {{ deny all; }}",
        f"root {files}; location / {{ internal; }}",
        f"root {files}/config; location / {{ try_files $uri =404; }}",
        f"root {files}/media; location / {{ try_files $uri =404; }}",
    )
    http = servers(port, cases)
    live.start(http, port)
    paths = ("/config/settings.py", "/files/config/settings.py", "/settings.py")
    leaks = [
        any(live.get(port, path, host(number)).body == b"secret" for path in paths) for number in range(len(cases))
    ]
    unit = f"[Service]\nWorkingDirectory={files}\nExecStart=/srv/venv/bin/gunicorn config.wsgi\n"
    found = verdicts_by_case("nginx/source-served", tmp_path, http, {"shop.service": unit})
    assert found == ["fail" if is_leaking else "pass" for is_leaking in leaks]


def test_dotfiles_served(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    deny = r"location ~ /\. { deny all; }"
    challenge = f"/.well-known/acme-challenge/ {{ root {files}; }}"
    cases = (
        f"{deny} location ^~ /theme/ {{ root {files}; }} location ^~ {challenge}",
        f"{deny} location /theme/ {{ root {files}; }} location ^~ {challenge}",
        f"{deny} location /theme/ {{ root {files}; }} location {challenge}",
        rf"location ~ /\.(?!well-known) {{ deny all; }} location /theme/ {{ root {files}; }} location {challenge}",
        f"{deny} location ^~ /theme/ {{ root {files}; {deny} }} location ^~ {challenge}",
        rf"location ~ /\.git {{ return 404; }} location /theme/ {{ root {files}; }} location {challenge}",
    )
    http = servers(port, cases)
    live.start(http, port)
    right = [
        live.get(port, "/theme/.git/config", host(number)).status in (403, 404)
        and live.get(port, "/.well-known/acme-challenge/token", host(number)).status == 200
        for number in range(len(cases))
    ]
    found = verdicts_by_case("nginx/dotfiles-served", tmp_path, http)
    assert found == ["pass" if is_right else "fail" for is_right in right]


STORED = 'STORAGES = {{"staticfiles": {{"BACKEND": "{0}"}}}}\n'


def test_precompressed(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    inner = ("", "gzip_static on;", "gzip_static off;", "gzip_static always;", "gzip on; gzip_types text/css;")
    cases = [f"location /static/ {{ alias {files}/static/; {text} }}" for text in inner]
    http = servers(port, cases)
    live.start(http, port)
    accepts = {"Accept-Encoding": "gzip"}
    bodies = [live.get(port, "/static/css/site.css", {**host(n), **accepts}).body for n in range(len(cases))]
    settings = PLAIN_SETTINGS + STORED.format("whitenoise.storage.CompressedStaticFilesStorage")
    found = verdicts_by_case("nginx/precompressed", tmp_path, http, {"config/settings.py": settings})
    assert found == ["pass" if body == gzip.compress(b"twin", mtime=0) else "fail" for body in bodies]


def test_static_without_expires(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    inner = ("", "expires max;", "expires off;", "add_header Cache-Control 'max-age=9';", "add_header X-A 1;")
    cases = [f"location /static/ {{ alias {files}/static/; {text} }}" for text in inner]
    cases += [f"expires 1d; {case}" for case in cases]
    cases += [f"add_header Cache-Control 'max-age=9'; {case}" for case in cases[:5]]
    http = servers(port, cases)
    live.start(http, port)
    kept = [bool(live.get(port, "/static/css/site.css", host(n)).one("Cache-Control")) for n in range(len(cases))]
    settings = PLAIN_SETTINGS + STORED.format("django.contrib.staticfiles.storage.ManifestStaticFilesStorage")
    found = verdicts_by_case("nginx/static-without-expires", tmp_path, http, {"config/settings.py": settings})
    assert found == ["pass" if is_kept else "fail" for is_kept in kept]


HASHED = ("css/site.0123456789ab.css", "assets/main-AbCd1234.0123456789ab.js")
BY_VITE = ("assets/main-AbCd1234.js", "vue/assets/vendor-XyZ_9876.js", "assets/a-b-4d0ac3b6.css")
PLAIN = ("css/site.css", "assets/icon-download.svg", "assets/my-icon-set.svg", "main-AbCd1234.js", "assets/AbCd1234.js")


@pytest.mark.parametrize(("cause", "kept"), [("", HASHED), ("vite", HASHED + BY_VITE)])
def test_names_that_are_kept_by_the_map_that_is_told(live: Any, port: int, cause: str, kept: tuple[str, ...]) -> None:
    """Django's storage left `import "./vendor-XyZ_9876.js"` in a module as Vite had written it."""
    rule = next(rule for rule in catalog.load() if rule.id == "nginx/static-without-expires")
    fix = (rule.cause[cause].fix if cause else rule.fix).format()
    declared, used = re.findall(r"`(map .*?\})`", fix)[0], re.findall(r"`(expires \$.*?;)`", fix)[0]
    folder = live.prefix / "lifetimes"
    for name in (*HASHED, *BY_VITE, *PLAIN):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a")
    live.start(
        f"{declared} server {{ listen 127.0.0.1:{port}; location /static/ {{ alias {folder}/; {used} }} }}", port
    )
    answers = {name: live.get(port, f"/static/{name}") for name in (*HASHED, *BY_VITE, *PLAIN)}
    assert {reply.status for reply in answers.values()} == {200}
    assert {name for name, reply in answers.items() if reply.one("Cache-Control")} == set(kept)


def test_static_access_log(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    own = f"access_log {tmp_path}/log probe;"
    inner = (("", ""), ("", "access_log off;"), ("access_log off;", own), (own, "access_log off;"), (own, ""))
    pages = "location / { proxy_pass http://127.0.0.1:9; }"
    cases = [f"{server} location /static/ {{ alias {files}/static/; {text} }} {pages}" for server, text in inner]
    http = servers(port, cases, f"log_format probe $host; {own}")
    live.start(http, port)
    for number in range(len(cases)):
        assert live.get(port, "/static/css/site.css", host(number)).status == 200
    live.get(port, "/end", {"Host": "case0.test"})
    for _ in range(500):
        logged = (tmp_path / "log").read_text().split()
        if logged[-1:] == ["case0.test"] and len(logged) > 1:
            break
        time.sleep(0.002)
    written = [f"case{number}.test" in logged[:-1] for number in range(len(cases))]
    found = verdicts_by_case("nginx/static-access-log", tmp_path, http)
    assert found == ["fail" if is_written else "pass" for is_written in written]


def debugged(
    live: Any, port: int, tmp_path: Path, files: Path, cases: tuple[tuple[str, str], ...]
) -> tuple[str, list[str]]:
    """The http block of servers with these lines of their own and of their location, and what each wrote of a file."""
    version = subprocess.run([str(BINARY), "-V"], capture_output=True, text=True, check=True).stderr
    if "--with-debug" not in version:
        pytest.skip("this nginx is built without a debug log")
    log = "error_log {0}/debug{1} debug; {2} location /static/ {{ alias {3}/static/; {4} }}"
    texts = [log.format(tmp_path, number, server, files, inner) for number, (server, inner) in enumerate(cases)]
    http = servers(port, texts)
    live.start(http, port)
    written = []
    for number in range(len(cases)):
        assert live.get(port, "/static/js/site.js", host(number)).status == 200
        written.append((tmp_path / f"debug{number}").read_text())
    return http, written


def test_sendfile_off(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    on, off = "sendfile on;", "sendfile off;"
    cases = ((on, ""), (off, ""), (on, off), (off, on), ("", on), (f"{on} tcp_nopush on;", off))
    http, written = debugged(live, port, tmp_path, files, cases)
    found = verdicts_by_case("nginx/sendfile-off", tmp_path, http)
    assert found == ["pass" if "sendfile: " in text else "fail" for text in written]


def test_tcp_nopush_without_sendfile(live: Any, port: int, tmp_path: Path, files: Path) -> None:
    on, push = "sendfile on;", "tcp_nopush on;"
    cases = ((f"{on} {push}", ""), (push, ""), (push, on), (on, push), (f"{on} {push}", "sendfile off;"), ("", push))
    http, written = debugged(live, port, tmp_path, files, cases)
    found = verdicts_by_case("nginx/tcp-nopush-without-sendfile", tmp_path, http)
    seen = ["pass" if "tcp_nopush" in text else "fail" for text in written]
    # what the server's own level sends is enough for the line: 4 has sendfile there, but this file comes from below it
    assert (found, seen[4]) == ([*seen[:4], "pass", seen[5]], "fail")
