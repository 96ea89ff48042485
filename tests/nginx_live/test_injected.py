"""Injected headers, chosen servers, names that nobody looks up, and paths, beside what a real nginx does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from tests.nginx_live.many import host, servers, verdicts_by_case

LINE = "%0d%0aX-Injected:%201"

ANSWERED = [
    ("return 301 https://x.test$uri;", "/a"),
    ("return 301 https://x.test$document_uri;", "/a"),
    ("return 301 https://x.test$request_uri;", "/a"),
    ("location ~ ^/old/(.*)$ { return 301 /new/$1; }", "/old/a"),
    ("location ~ ^/old/([^/]+)$ { return 301 /new/$1; }", "/old/a"),
    (r"location ~ ^/old/([\w-]+)$ { return 301 /new/$1; }", "/old/a"),
    ("location ~ (?s)^/old/(.*)$ { return 301 /new/$1; }", "/old/a"),
    (r"location ~ ^/old/(\S+) { return 301 /new/$1; }", "/old/a"),
    ("location ~ ^/old/(?<rest>[^?]*) { return 301 /new/$rest; }", "/old/a"),
    ("rewrite ^ https://x.test$uri permanent;", "/a"),
    ("rewrite ^/([^/]*) https://x.test/$1 permanent;", "/a"),
    ("rewrite ^/([^/]*) https://x.test/$1?from=$uri redirect;", "/a"),
    ("location /m/ { return 302 https://x.test$mapped; }", "/m/a"),
    ("location /m/ { return 302 https://x.test$same; }", "/m/a"),
    ("set $there $uri; location / { return 302 https://x.test$there; }", "/a"),
    ("location / { add_header X-Path $uri; return 200 ok; }", "/a"),
    ("location / { add_header X-Path $request_uri; return 200 ok; }", "/a"),
    ("location / { add_header X-Agent $http_user_agent; return 200 ok; }", "/a"),
    ("location ~ ^/[a-z]+$ { return 302 https://x.test$uri; }", "/a"),
    (r"location ~ \.php { return 302 https://x.test$uri; }", "/a.php"),
    ("location = /a { return 302 https://x.test$uri; }", "/a"),
    ("location / { return 302 https://x.test/?q=$arg_q; }", "/a?q=b"),
    ("location / { return 302 https://x.test/$cookie_to; }", "/a"),
    ("location / { root /nowhere; error_page 404 https://x.test$uri; }", "/a"),
    ("location / { if ($uri ~ ^/a([^b]*)) { return 302 https://x.test/$1; } return 200 ok; }", "/a"),
    ("location / { if ($request_uri ~ ^/a([^b]*)) { return 302 https://x.test/$1; } return 200 ok; }", "/a"),
    ("location / { return 200 $uri; }", "/a"),
]


def test_crlf_injection_into_answers(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    outer = "map $uri $mapped { default ''; ~^/m/(.*)$ /new/$1; } map $uri $same { default $uri; }"
    http = servers(port, [body for body, _ in ANSWERED], outer)
    live.start(http, port)
    actual = {}
    for number, (body, path) in enumerate(ANSWERED):
        headers = {**host(number), "Cookie": "to=b%0d%0aX-Injected:1", "User-Agent": "a%0d%0aX-Injected:1"}
        actual[body] = live.get(port, path + LINE, headers).one("X-Injected") is not None
    judged = verdicts_by_case("nginx/crlf-injection", tmp_path, http)
    assert {body: verdict == "fail" for (body, _), verdict in zip(ANSWERED, judged, strict=True)} == actual
    assert "unknown" not in judged and judged.count("fail") == sum(actual.values()) == 13


SENT = [
    ("location / { proxy_set_header X-Path $uri; proxy_pass http://UP; }", "/a"),
    ("location / { proxy_set_header X-Path $request_uri; proxy_pass http://UP; }", "/a"),
    ("location / { proxy_pass http://UP$uri; }", "/a%20HTTP/1.1"),
    ("location / { proxy_pass http://UP$request_uri; }", "/a%20HTTP/1.1"),
    ("location / { rewrite ^/(.*)$ /v1/$1 break; proxy_pass http://UP; }", "/a%20HTTP/1.1"),
    ("location / { proxy_pass http://UP/v1/; }", "/a%20HTTP/1.1"),
    (r"location ~ ^/x/([\s\S]*)$ { proxy_pass http://UP/v1/$1; }", "/x/a%20HTTP/1.1"),
    ("location ~ ^/x/(.*)$ { proxy_pass http://UP/v1/$1; }", "/x/a%20HTTP/1.1"),
]


def test_crlf_injection_into_requests(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    cases = [body.replace("UP", f"127.0.0.1:{upstream.port}") for body, _ in SENT]
    http = servers(port, cases)
    live.start(http, port)
    actual = []
    for number, (_, path) in enumerate(SENT):
        before = len(upstream.seen)
        live.get(port, path + LINE + "%0d%0aX-End:", host(number))
        actual.append(any(name == "X-Injected" for record in upstream.seen[before:] for name, _ in record["headers"]))
    judged = verdicts_by_case("nginx/crlf-injection", tmp_path, http)
    assert [verdict == "fail" for verdict in judged] == actual == [True, False, True, False, False, False, True, False]


def test_a_name_without_a_password_is_a_second_request(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    (live.prefix / "passwords").write_text("ann:{PLAIN}secret\n")
    keeps = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-User $remote_user;'
    asks = f"auth_basic staff; auth_basic_user_file {live.prefix}/passwords;"
    cases = [
        f"location / {{ {keeps} proxy_pass http://app; }}",
        f"location / {{ {asks} {keeps} proxy_pass http://app; }}",
    ]
    http = servers(port, cases, f"upstream app {{ server 127.0.0.1:{upstream.port}; keepalive 2; }}")
    live.start(http, port)
    name = base64.b64encode(b"a\r\n\r\nGET /second HTTP/1.0\r\n\r\n:x").decode()
    reached = []
    for number in range(2):
        before = len(upstream.seen)
        live.get(port, "/first", {**host(number), "Authorization": f"Basic {name}"})
        live.get(port, "/later", {**host(number), "Authorization": "Basic YW5uOnNlY3JldA=="})
        reached.append("/second" in {record["path"] for record in upstream.seen[before:]})
    judged = verdicts_by_case("nginx/crlf-injection", tmp_path, http)
    assert ([verdict == "fail" for verdict in judged], reached) == ([True, False], [True, False])


CHOSEN = [
    ("location / { proxy_pass http://$arg_to; }", "/?to=127.0.0.1:UP/evil", {}),
    ("location / { proxy_pass http://$http_x_to; }", "/", {"X-To": "127.0.0.1:UP/evil"}),
    ("location / { set $to $arg_to; proxy_pass http://$to; }", "/?to=127.0.0.1:UP/evil", {}),
    ("location / { proxy_pass http://$arg_to.internal; }", "/?to=127.0.0.1:UP/evil", {}),
    ("location ~ ^/to/([a-z0-9-]+)$ { proxy_pass http://$1.internal; }", "/to/127-0-0-1", {}),
    (r"location ~ ^/port/(\d+)$ { proxy_pass http://127.0.0.1:$1/evil; }", "/port/UP", {}),
    ("location / { proxy_pass http://$listed; }", "/?to=127.0.0.1:UP/evil", {}),
    ("location / { proxy_pass http://127.0.0.1:9$request_uri; }", "/?to=127.0.0.1:UP/evil", {}),
    ("location / { internal; proxy_pass http://$arg_to; }", "/?to=127.0.0.1:UP/evil", {}),
]


def test_ssrf(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    outer = "map $arg_to $listed { default 127.0.0.1:9; a 127.0.0.1:9; }"
    http = servers(port, [body for body, _, _ in CHOSEN], outer)
    live.start(http, port)
    actual = []
    for number, (_, path, headers) in enumerate(CHOSEN):
        before = len(upstream.seen)
        filled = {key: value.replace("UP", str(upstream.port)) for key, value in headers.items()}
        live.get(port, path.replace("UP", str(upstream.port)), {**host(number), **filled})
        actual.append(len(upstream.seen) > before)
    judged = verdicts_by_case("nginx/ssrf", tmp_path, http)
    assert judged == ["fail", "fail", "fail", "fail", "pass", "fail", "pass", "", "pass"]
    assert [verdict == "fail" for verdict in judged] == actual


LOOKED_UP = [
    "location / { set $app http://localhost:UP; proxy_pass $app; }",
    "location / { set $app localhost; proxy_pass http://$app:UP; }",
    "location / { set $app 127.0.0.1; proxy_pass http://$app:UP; }",
    "location / { set $app app; proxy_pass http://$app; }",
    "location / { set $app http://app; proxy_pass $app; }",
    "location / { proxy_pass http://$mapped; }",
    "location / { proxy_pass http://$named; }",
    "location / { proxy_pass http://app$request_uri; }",
]


def test_resolver_missing(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    outer = f"""upstream app {{ server 127.0.0.1:{upstream.port}; }}
        map $arg_a $mapped {{ default app; b 127.0.0.1:{upstream.port}; }}
        map $arg_a $named {{ default localhost:{upstream.port}; }}"""
    http = servers(port, [body.replace("UP", str(upstream.port)) for body in LOOKED_UP], outer)
    live.start(http, port)
    reached = [live.get(port, "/", host(number)).status == 200 for number in range(len(LOOKED_UP))]
    judged = verdicts_by_case("nginx/resolver-missing", tmp_path, http)
    assert judged == ["fail", "fail", "pass", "pass", "pass", "pass", "fail", ""]
    assert [verdict != "fail" for verdict in judged] == reached


def test_a_name_that_is_written_out_elsewhere_is_known(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    """nginx looks it up when it starts, and variables find it by name and port."""
    cases = [
        f"location / {{ set $app localhost; proxy_pass http://$app:{upstream.port}; }}",
        f"location / {{ proxy_pass http://localhost:{upstream.port}; }}",
        "location / { set $app localhost; proxy_pass http://$app:9; }",
    ]
    http = servers(port, cases)
    live.start(http, port)
    reached = [live.get(port, "/", host(number)).status == 200 for number in range(3)]
    judged = verdicts_by_case("nginx/resolver-missing", tmp_path, http)
    assert (judged, reached) == (["pass", "", "fail"], [True, True, False])


PATHS = [
    ("location /api { proxy_pass http://UP/v1/; }", "/api../x", True),
    ("location ^~ /api { proxy_pass http://UP/v1/; }", "/api../x", True),
    ("location /api/ { proxy_pass http://UP/v1/; }", "/api../x", False),
    ("location ~ ^/api(.*)$ { proxy_pass http://UP/v1/$1; }", "/api../x", True),
    ("location ~ ^/api/(.*)$ { proxy_pass http://UP/v1/$1; }", "/api/../x", False),
    ("location ~ ^/api([0-9]+)$ { proxy_pass http://UP/v1/$1; }", "/api../x", False),
    ("location /api { proxy_pass http://UP/v1/$arg_name; }", "/api?name=../x", True),
    ("location = /api { proxy_pass http://UP/v1/; }", "/api../x", False),
    ("location ~ ^/api(?<rest>.*)$ { proxy_pass http://UP/v1/$rest; }", "/api../x", True),
]


def test_proxy_traversal(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    http = servers(port, [body.replace("UP", f"127.0.0.1:{upstream.port}") for body, _, _ in PATHS])
    live.start(http, port)
    climbed = []
    for number, (_, path, _) in enumerate(PATHS):
        before = len(upstream.seen)
        live.get(port, path, host(number))
        climbed.append(any("/v1/.." in record["path"] for record in upstream.seen[before:]))
    judged = verdicts_by_case("nginx/proxy-traversal", tmp_path, http)
    assert [verdict == "fail" for verdict in judged] == climbed == [climbs for _, _, climbs in PATHS]


JOINED = [
    ("location / { set $a http://UP; proxy_pass $a/; }", "/shop/x?page=2", "/shop/x?page=2"),
    ("location / { set $a http://UP; proxy_pass $a; }", "/shop/x?page=2", "/shop/x?page=2"),
    ("location / { set $a http://UP/shop/; proxy_pass $a; }", "/x?page=2", "/shop/x?page=2"),
    ("location / { proxy_pass http://UP$uri; }", "/shop/x?page=2", "/shop/x?page=2"),
    ("location / { proxy_pass http://UP$uri$is_args$args; }", "/shop/x?page=2", "/shop/x?page=2"),
    ("location / { proxy_pass http://UP$request_uri; }", "/shop/x?page=2", "/shop/x?page=2"),
    ("location ~ ^/a/(.*)$ { proxy_pass http://UP/b/$1; }", "/a/x?page=2", "/b/x?page=2"),
    ("location ~ ^/a/(.*)$ { proxy_pass http://UP/b/$1$is_args$args; }", "/a/x?page=2", "/b/x?page=2"),
    ("location /a/ { proxy_pass http://UP/b; }", "/a/x?page=2", "/b/x?page=2"),
    ("location /a/ { proxy_pass http://UP/b/; }", "/a/x?page=2", "/b/x?page=2"),
    ("location /a { proxy_pass http://UP/b; }", "/a/x?page=2", "/b/x?page=2"),
    ("location /a/ { rewrite ^/a/(.*)$ /b/$1 break; proxy_pass http://UP; }", "/a/x?page=2", "/b/x?page=2"),
]


def test_proxy_uri(live: Any, upstream: Any, port: int, tmp_path: Path) -> None:
    http = servers(port, [body.replace("UP", f"127.0.0.1:{upstream.port}") for body, _, _ in JOINED])
    live.start(http, port)
    right = [
        json.loads(live.get(port, path, host(number)).body)["path"] == wanted
        for number, (_, path, wanted) in enumerate(JOINED)
    ]
    judged = verdicts_by_case("nginx/proxy-uri", tmp_path, http)
    assert judged == ["fail", "", "fail", "fail", "pass", "pass", "fail", "pass", "fail", "pass", "pass", ""]
    assert [verdict != "fail" for verdict in judged] == right


def test_two_slashes_reach_the_application(live: Any, port: int, tmp_path: Path) -> None:
    """The stub's own reader drops a second slash at the start, so nginx itself stands behind nginx here."""
    behind = f"server {{ listen 127.0.0.1:{port}; server_name behind; return 200 $request_uri; }}"
    header = "proxy_set_header Host behind;"
    cases = [
        f"location /app {{ {header} proxy_pass http://127.0.0.1:{port}/; }}",
        f"location /app/ {{ {header} proxy_pass http://127.0.0.1:{port}/; }}",
        f"location /app {{ {header} proxy_pass http://127.0.0.1:{port}; }}",
    ]
    http = servers(port, cases, behind)
    live.start(http, port)
    seen = [live.get(port, "/app/x", host(number)).body.decode() for number in range(3)]
    judged = verdicts_by_case("nginx/proxy-uri", tmp_path, http)
    assert (seen, judged) == (["//x", "/x", "/app/x"], ["fail", "pass", ""])


def test_a_colon_behind_a_socket_file(live: Any, port: int, tmp_path: Path) -> None:
    file = f"unix:{live.prefix}/behind.sock"
    behind = f"server {{ listen {file}; return 200 $request_uri; }}"
    cases = [f"location /a/ {{ proxy_pass http://{file}{path}; }}" for path in ("", ":", ":/", ":/b")]
    live.start(servers(port, cases, behind), port)
    seen = [live.get(port, "/a/x", host(number)).body.decode() for number in range(4)]
    judged = verdicts_by_case("nginx/proxy-uri", tmp_path, servers(port, cases, behind))
    assert (seen, judged) == (["/a/x", "/a/x", "/x", "/bx"], ["", "", "pass", "fail"])
