"""Verdicts on what nginx says of itself, to whom, and in which language, beside what it answers."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from stackaudit.config import Config
from stackaudit.scan import scan
from tests.nginx_live.conftest import BINARY, free_port
from tests.nginx_live.many import host, servers, verdicts_by_case
from tests.nginx_live.test_verdicts import told, verdicts


def test_add_header_without_always(live: Any, port: int, tmp_path: Path) -> None:
    application = f"proxy_pass http://127.0.0.1:{free_port()};"
    plain, always = "add_header X-Frame-Options DENY;", "add_header X-Frame-Options DENY always;"
    cases = (
        f"{plain} location / {{ {application} }}",
        f"{always} location / {{ {application} }}",
        f"{plain} location / {{ {always} {application} }}",
        f"{always} location / {{ {plain} {application} }}",
        f"{plain} root {tmp_path}/none;",
        f"{always} root {tmp_path}/none;",
    )
    http = servers(port, cases)
    live.start(http, port)
    replies = [live.get(port, "/", host(number)) for number in range(len(cases))]
    assert {reply.status for reply in replies} <= {404, 502}
    found = verdicts_by_case("nginx/add-header-without-always", tmp_path, http)
    assert found == ["pass" if reply.one("X-Frame-Options") else "fail" for reply in replies]


def test_server_tokens(live: Any, port: int, tmp_path: Path) -> None:
    cases = [f"server_tokens {word}; return 204;" for word in ("on", "off", "build")]
    http = servers(port, [*cases, "return 204;"], "server_tokens off;")
    live.start(http, port)
    told_it = ["/" in (live.get(port, "/", host(number)).one("Server") or "") for number in range(4)]
    assert (told_it[3], told_it[:3]) == (False, [True, False, True])
    found = verdicts_by_case("nginx/server-tokens", tmp_path, http)
    assert found[:3] == ["fail" if told else "pass" for told in told_it[:3]]


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("server_name a.test; PAGES", "server_name b.test; PAGES", ["fail"]),
        ("server_name a.test; return 444;", "server_name b.test; PAGES", []),
        ("server_name a.test; PAGES", "server_name _; return 403;", ["fail"]),
        ("server_name a.test; PAGES", "server_name b.test; return 403; #default", []),
        ("server_name a.test; if ($host != a.test) { return 403; } PAGES", "server_name b.test; PAGES", ["pass"]),
    ],
)
def test_default_server_missing(
    live: Any, port: int, tmp_path: Path, upstream: Any, first: str, second: str, verdict: list[str]
) -> None:
    texts = []
    for text in (first, second):
        flag = " default_server" if text.endswith("#default") else ""
        body = text.removesuffix(" #default").replace(
            "PAGES", f"location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}"
        )
        texts.append(f"server {{ listen 127.0.0.1:{port}{flag}; {body} }}")
    http = "\n".join(texts)
    live.start(http, port)
    before = len(upstream.seen)
    with contextlib.suppress(OSError):  # 444 hangs up
        live.get(port, "/", {"Host": "stranger.test"})
    reached = len(upstream.seen) > before
    found = verdicts("nginx/default-server-missing", tmp_path, http)
    assert (found, reached) == (verdict, verdict == ["fail"])


@pytest.mark.parametrize(
    ("scheme", "passes"), [("proxy_pass http", True), ("proxy_pass https", False), ("uwsgi_pass ", False)]
)
def test_wrong_protocol(live: Any, port: int, tmp_path: Path, upstream: Any, scheme: str, passes: bool) -> None:
    directive = f"{scheme}://127.0.0.1" if "http" in scheme else f"{scheme}127.0.0.1"
    limit = "uwsgi_read_timeout 300ms; uwsgi_param A b;" if "uwsgi" in scheme else ""
    http = f"server {{ listen 127.0.0.1:{port};\nlocation / {{ {directive}:{upstream.port}; {limit} }} }}"
    live.start(http, port)
    assert (live.get(port, "/").status == 200) == passes
    unit = f"[Service]\nWorkingDirectory=/srv\nExecStart=/srv/bin/gunicorn config.wsgi -b 127.0.0.1:{upstream.port}\n"
    (tmp_path / "shop.service").write_text(unit)
    assert verdicts("nginx/wrong-protocol", tmp_path, http) == told(passes)


@pytest.mark.parametrize(("family", "waits"), [("proxy", False), ("uwsgi", True)])
def test_the_time_limit_of_another_family_is_void(
    live: Any, port: int, tmp_path: Path, family: str, waits: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"proxy_pass http://127.0.0.1:{silent.getsockname()[1]};"
        http = (
            f"proxy_read_timeout 600ms; server {{ listen 127.0.0.1:{port};\n"
            f"location / {{ {family}_read_timeout 10ms; {target} }} }}"
        )
        live.start(http, port)
        start = time.monotonic()
        assert live.get(port, "/").status == 504
        waited = time.monotonic() - start > 0.5
    assert waited == waits
    assert verdicts("nginx/wrong-protocol", tmp_path, http) == (["fail"] if waits else [])


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(("limit", "connections"), [(64, 128), (512, 128)])
def test_worker_limits(tmp_path: Path, limit: int, connections: int) -> None:
    text = f"worker_processes 2;\nworker_rlimit_nofile {limit};\nevents {{\nworker_connections {connections};\n}}\n"
    text += f"http {{ server {{ listen 127.0.0.1:{free_port()}; }} }}\n"
    (tmp_path / "live.conf").write_text(f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n" + text)
    process = subprocess.Popen([str(BINARY), "-c", str(tmp_path / "live.conf"), "-e", str(tmp_path / "log")])
    try:
        workers = _workers(process.pid, 2)
        table = Path(f"/proc/{workers[0]}/limits").read_text()
    finally:
        process.terminate()
        process.wait(5)
    granted = int(next(line for line in table.splitlines() if line.startswith("Max open files")).split()[3])
    (tmp_path / "live.conf").unlink()
    (tmp_path / "nginx.conf").write_text(text)
    result = scan(tmp_path, Config(select=("nginx/worker-limits",), no_cache=True, jobs=1))
    assert [item.location.line for item in result.findings] == ([4] if granted < connections else [])


def _workers(master: int, count: int) -> list[str]:
    """The worker processes once they are called so: then they have set their limits."""
    for _ in range(500):
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        names = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
        if len(children) == count and all(b"worker" in name for name in names):
            return children
        time.sleep(0.01)
    raise AssertionError("nginx has started no workers")
