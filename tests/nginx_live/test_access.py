"""Lists of addresses, conditions, dead locations and the pages' headers, beside what a real nginx answers."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.nginx_live.many import ask_at_once, host, servers, verdicts_by_case

OPEN = [
    ("allow 10.1.2.3; UP", "fail"),
    ("allow 10.1.2.3; deny all; UP", "pass"),
    ("deny 10.9.9.9; UP", "pass"),
    ("allow all; deny 127.0.0.1; UP", "fail"),
    ("deny all; return 200 secret;", "fail"),
    ("deny all; return 404;", "pass"),
    ("deny all; UP", "pass"),
    ("allow 10.1.2.3; deny all; location /in/ { deny 10.9.9.9; UP }", "fail"),
    ("allow 10.1.2.3; deny all; location /in/ { expires 1d; UP }", "pass"),
    ("satisfy any; PASSWORD allow 10.1.2.3; UP", "pass"),
    ("satisfy any; PASSWORD allow all; UP", "fail"),
    ("satisfy any; PASSWORD allow 10.1.2.3; deny all; UP", "pass"),
    ("PASSWORD return 200 secret;", "fail"),
    ("PASSWORD UP", "pass"),
    ("set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; allow 10.1.2.3; deny all; UP", "fail"),
    ("set_real_ip_from 127.0.0.2; real_ip_header X-Forwarded-For; allow 10.1.2.3; deny all; UP", "pass"),
]


def test_access_control_bypassed(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    """A stranger knocks at each case; one that shuts out a single address is meant to be open to him."""
    (live.prefix / "passwords").write_text("ann:{PLAIN}secret\n")
    password = f"auth_basic staff; auth_basic_user_file {live.prefix}/passwords;"
    handing_on = f"proxy_pass http://127.0.0.1:{upstream.port};"
    bodies = [body.replace("PASSWORD", password).replace("UP", handing_on) for body, _ in OPEN]
    http = servers(port, [f"location / {{ {body} }}" for body in bodies])
    live.start(http, port)
    entered = []
    for number, (body, _) in enumerate(OPEN):
        reply = live.get(port, "/in/x", {**host(number), "X-Forwarded-For": "10.1.2.3"})
        entered.append(reply.status == 200 and not body.startswith("deny 10"))
    judged = verdicts_by_case("nginx/access-control-bypassed", tmp_path, http)
    assert judged == [verdict for _, verdict in OPEN]
    assert [verdict == "fail" for verdict in judged] == entered


def test_who_is_allowed_after_deny_all_stays_outside(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    handing_on = f"proxy_pass http://127.0.0.1:{upstream.port};"
    lists = ["deny all; allow 127.0.0.1;", "allow 127.0.0.1; deny all;"]
    http = servers(port, [f"location / {{ {rules} {handing_on} }}" for rules in lists])
    live.start(http, port)
    statuses = [live.get(port, "/", host(number)).status for number in range(2)]
    judged = verdicts_by_case("nginx/access-control-bypassed", tmp_path, http)
    assert (judged, statuses) == (["fail", "pass"], [403, 200])


REACHED = [
    ("location /a { return 299; } return 301 /x;", "/a", "fail"),
    ("location /a { return 299; } location / { return 301 /x; }", "/a", "pass"),
    ("rewrite ^(.*)$ https://x.test$1 permanent; location /a { return 299; }", "/a", "fail"),
    ("rewrite ^ /b redirect; location /a { return 299; }", "/a", "fail"),
    ("rewrite ^/b /c permanent; location /a { return 299; }", "/a", "pass"),
    ('location "/a%20b" { return 299; }', "/a%20b", "fail"),
    ('location "/a b" { return 299; }', "/a%20b", "pass"),
    ("location a { return 299; }", "/a", "fail"),
    ("location = a { return 299; }", "/a", "fail"),
    ("location /a?b=1 { return 299; }", "/a?b=1", "fail"),
    ("location /a//b { return 299; }", "/a//b", "fail"),
    ("location /a/b { return 299; } location ~ ^/a/ { return 200; }", "/a/b", "fail"),
    ("location ^~ /a/b { return 299; } location ~ ^/a/ { return 200; }", "/a/b", "pass"),
    ("location = /a/b { return 299; } location ~ ^/a/ { return 200; }", "/a/b", "pass"),
    ("location ~ ^/a/b { return 299; } location ~ ^/a/ { return 200; }", "/a/b", "pass"),
    ("location ~ ^/a/ { return 200; } location ~ ^/a/b { return 299; }", "/a/b", "fail"),
    ("location ~ ^/a/ { return 200; } location ~* ^/A/b { return 299; }", "/A/b", "pass"),
    ("location ~* ^/A/ { return 200; } location ~ ^/a/b { return 299; }", "/a/b", "fail"),
    (r"location ~ \.b$ { return 200; } location ~ \.b$ { return 299; }", "/a.b", "fail"),
    (r"location ~ ^/a/.*\.b$ { return 200; } location /a/ { return 299; }", "/a/c", "pass"),
    ("location ~ / { return 200; } location /a { return 299; }", "/a", "fail"),
    ("location / { return 200; location ~ ^/a { return 299; } }", "/a", "pass"),
]


def test_location_unreachable(live: Any, port: int, tmp_path: Path) -> None:
    """The location that answers 299 is asked for a path that its author had in mind."""
    http = servers(port, [body for body, _, _ in REACHED])
    live.start(http, port)
    reached = [live.get(port, path, host(number)).status == 299 for number, (_, path, _) in enumerate(REACHED)]
    judged = verdicts_by_case("nginx/location-unreachable", tmp_path, http)
    assert judged == [verdict for _, _, verdict in REACHED]
    assert [verdict == "pass" for verdict in judged] == reached


IFS = [
    ("try_files /a.txt =404; if ($arg_a) { set $x 1; }", "fail"),
    ("try_files /a.txt =404; if ($arg_a) { break; }", "fail"),
    ("try_files /a.txt =404; if ($arg_a) { rewrite ^ /a.txt last; }", ""),
    ("if ($arg_a) { set $x 1; } root FILES;", "pass"),
    ("root FILES; if ($arg_a) { add_header X-A 1; } if ($arg_b) { add_header X-B 1; }", "fail"),
    ("root FILES; if ($arg_a) { add_header X-A 1; break; } if ($arg_b) { add_header X-B 1; }", "pass"),
    ("root FILES; if ($arg_a) { add_header X-A 1; } if ($arg_b) { add_header X-A 1; add_header X-B 1; }", "pass"),
    ("root FILES; if ($arg_a = 1) { add_header X-A 1; } if ($arg_a = 2) { add_header X-B 1; }", "pass"),
    ("root FILES; if ($arg_a) { add_header X-A 1; } if ($arg_b) { return 204; }", "pass"),
]


def test_if_is_evil(live: Any, port: int, tmp_path: Path) -> None:
    """Both arguments are given: the file must come, and what the first condition adds must be there."""
    files = live.prefix / "conditions"
    files.mkdir(exist_ok=True)
    (files / "a.txt").write_text("a")
    cases = [f"root {files}; location /b/ {{ {body.replace('root FILES;', f'alias {files}/;')} }}" for body, _ in IFS]
    http = servers(port, cases)
    live.start(http, port)
    right = []
    for number, (body, _) in enumerate(IFS):
        reply = live.get(port, "/b/a.txt?a=1&b=1", host(number))
        added = "X-A" not in body or reply.one("X-A") == "1" or reply.status == 204
        right.append(reply.status in (200, 204) and added)
    judged = verdicts_by_case("nginx/if-is-evil", tmp_path, http)
    assert judged == [verdict for _, verdict in IFS]
    assert [verdict != "fail" for verdict in judged] == right


OVERRIDDEN = [
    ("expires 30d;", "fail"),
    ("expires off;", "pass"),
    ("expires epoch;", "pass"),
    ("expires -1;", "pass"),
    ("", ""),
    ("add_header Cache-Control 'public, max-age=60';", "fail"),
    ("add_header Cache-Control 'private, no-store';", "pass"),
    ("expires $by_type;", "pass"),
    ("expires $by_all;", "fail"),
]


def test_page_cache_overridden(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    """No page may become one that is kept: neither one that forbids it nor one that says nothing."""
    outer = """map $sent_http_content_type $by_type { default off; text/css max; }
        map $sent_http_content_type $by_all { default 1h; }"""
    handing_on = f"proxy_pass http://127.0.0.1:{upstream.port};"
    http = servers(port, [f"location / {{ {body} {handing_on} }}" for body, _ in OVERRIDDEN], outer)
    live.start(http, port)
    kept = []
    for number in range(len(OVERRIDDEN)):
        replies = [live.get(port, path, host(number)) for path in ("/?h=Cache-Control:private", "/page.html")]
        texts = [", ".join(reply.all("Cache-Control")) for reply in replies]
        kept.append(any("max-age" in text and "private" not in text for text in texts))
    judged = verdicts_by_case("nginx/page-cache-overridden", tmp_path, http)
    assert judged == [verdict for _, verdict in OVERRIDDEN]
    assert [verdict == "fail" for verdict in judged] == kept


HOSTS = [
    ("Host $http_host", '["*"]', "fail"),
    ("Host $http_host", '["good.test"]', "pass"),
    ("Host $host", '["*"]', "pass"),
    ("X-Any 1; proxy_set_header Host example.org", '["*"]', ""),
]


def test_host_header(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    """`GET http://good.test/` with `Host: evil.test` chooses the server by the first and tells Django the second."""
    for number, (line, allowed, verdict) in enumerate(HOSTS):
        http = f"""server {{ listen 127.0.0.1:{port}; return 444; }}
        server {{ listen 127.0.0.1:{port}; server_name good.test; location / {{
            proxy_set_header {line};
            proxy_pass http://127.0.0.1:{upstream.port}; }} }}"""
        live.start(http, port)
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            raw.sendall(b"GET http://good.test/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n")
            while raw.recv(65536):
                pass
        told = dict(upstream.seen[-1]["headers"])["Host"]
        files = {"config/settings.py": f"ALLOWED_HOSTS = {allowed}\n"}
        judged = verdicts_by_case("nginx/host-header", tmp_path / str(number), http, files)
        assert max(judged) == verdict
        assert (verdict == "fail") == (told == "evil.test" and "*" in allowed)


def test_cache_stampede(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    """Eight visitors come at once for a page that has just expired."""
    bodies = [
        ("", "fail"),
        ("proxy_cache_lock on;", "fail"),
        ("proxy_cache_lock on; proxy_cache_use_stale updating;", "pass"),
        ("proxy_cache_use_stale updating;", "pass"),
        ("proxy_cache_use_stale error timeout;", "fail"),
    ]
    shared = f"proxy_cache pages; proxy_cache_valid 200 1s; proxy_pass http://127.0.0.1:{upstream.port};"
    outer = f"""proxy_cache_path {tmp_path}/cache keys_zone=pages:1m;
        proxy_cache_key $host$request_uri;"""
    http = servers(port, [f"location / {{ {body} {shared} }}" for body, _ in bodies], outer)
    live.start(http, port)
    asked = []
    for number in range(len(bodies)):
        live.get(port, "/page.html?wait=0.4", host(number))
    time.sleep(2.1)  # nginx counts whole seconds
    for number in range(len(bodies)):
        before = len(upstream.seen)
        ask_at_once(port, "/page.html?wait=0.4", f"case{number}.test", 8)
        asked.append(len(upstream.seen) - before)
    judged = verdicts_by_case("nginx/cache-stampede", tmp_path, http)
    assert judged == [verdict for _, verdict in bodies]
    assert [count > 1 for count in asked] == [verdict == "fail" for _, verdict in bodies]


def test_who_gets_the_old_page(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    """nginx/cache-stampede proposes the first: the second answers a visitor after a pause with a page of any age."""
    stale = "proxy_cache_lock on; proxy_cache_use_stale updating error timeout;"
    shared = f"proxy_cache pages; proxy_cache_valid 200 1s; proxy_pass http://127.0.0.1:{upstream.port};"
    outer = f"""proxy_cache_path {tmp_path}/cache keys_zone=pages:1m;
        proxy_cache_key $host$request_uri; add_header X-Cache $upstream_cache_status;"""
    bodies = [f"location / {{ {stale} {more} {shared} }}" for more in ("", "proxy_cache_background_update on;")]
    live.start(servers(port, bodies, outer), port)
    for number in range(len(bodies)):
        live.get(port, "/page.html", host(number))
    time.sleep(2.1)  # nginx counts whole seconds
    found = [live.get(port, "/page.html", host(number)).one("X-Cache") for number in range(len(bodies))]
    assert found == ["EXPIRED", "STALE"]


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ("set_real_ip_from 0.0.0.0/0; real_ip_recursive on;", "1.2.3.4"),
        ("set_real_ip_from 0.0.0.0/0;", "10.0.0.9"),
        ("set_real_ip_from 127.0.0.0/8; real_ip_recursive on;", "10.0.0.9"),
        ("", "127.0.0.1"),
    ],
)
def test_whom_nginx_takes_for_the_visitor(live: Any, port: int, lines: str, seen: str) -> None:
    """security/client-ip-trust: where every address is trusted, going back ends at the one that the visitor wrote."""
    http = f"server {{ listen 127.0.0.1:{port}; real_ip_header X-Forwarded-For; {lines} return 200 $remote_addr; }}"
    live.start(http, port)
    assert live.get(port, "/", {"X-Forwarded-For": "1.2.3.4, 10.0.0.9"}).body.decode() == seen
