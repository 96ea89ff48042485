"""Ten configurations that gixy-ng and stackaudit both read: who is right is what a live nginx does.

`# harm: name` marks a line that does harm, `# fine: name` one that only looks so; PROBES shows it. What gixy-ng says is
recorded beside each configuration (gixy-ng.json, made with `gixy -f json nginx.conf`), for it is no dependency of ours.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.http.request import validate_host

from stackaudit.config import Config, Nginx
from stackaudit.scan import scan
from tests.nginx_live.conftest import Live, Reply, Upstream, free_port
from tests.nginx_live.many import ask_at_once
from tests.nginx_live.test_verdicts import accepts

FIXTURES = Path(__file__).parent.parent / "fixtures/nginx"
DOCUMENT = Path(__file__).parent.parent.parent / "docs/gixy.md"
NAMES = tuple(sorted(path.parent.name for path in FIXTURES.glob("*/nginx.conf")))
MARK = re.compile(r"# (harm|fine): ([\w-]+)")
LINE = "%0d%0aX-Injected:%201"
OUTER = {("headers", 7): (9, 12)}
"""gixy-ng reports a lost header at the line that sets it, we at the line that loses it."""

INFRASTRUCTURE = {"nginx/proxy-headers", "nginx/compression-off", "nginx/mime-types-missing", "nginx/sendfile-off"}
"""Rules of ours that have their say about small configurations and none about the marked lines."""


@dataclass
class Stage:
    """A configuration that runs: its ports by the number in the file, its files and its application."""

    live: Live
    upstream: Upstream
    ports: dict[str, int]
    files: Path

    def get(self, path: str, host: str = "a.test", **headers: str) -> Reply:
        names = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.live.get(self.ports["80"], path, {"Host": host, **names})

    def sent(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """What reached the application."""
        before = len(self.upstream.seen)
        self.get(path, **headers)
        return self.upstream.seen[before:]

    def path(self, path: str, **headers: str) -> str:
        """The path that reached the application, "" where none did."""
        seen = self.sent(path, **headers)
        return str(seen[-1]["path"]) if seen else ""


def injected(stage: Stage, path: str) -> bool:
    return stage.get(path + LINE).one("X-Injected") is not None


def injected_upstream(stage: Stage, path: str) -> bool:
    seen = stage.sent(path + LINE + "%0d%0aX-End:")
    return any(name == "X-Injected" for record in seen for name, _ in record["headers"])


def second_request(stage: Stage) -> bool:
    name = base64.b64encode(b"a\r\n\r\nGET /second HTTP/1.0\r\n\r\n:x").decode()
    seen = stage.sent("/user/x", Authorization=f"Basic {name}")
    seen = seen + stage.sent("/user/later")
    return "/second" in {record["path"] for record in seen}


def fetched(stage: Stage, path: str, **headers: str) -> bool:
    """Whether a visitor made nginx ask the application's port, which the configuration does not name."""
    own = str(stage.upstream.port)
    return (
        stage.path(path.replace("PORT", own), **{key: value.replace("PORT", own) for key, value in headers.items()})
        != ""
    )


def without_headers(stage: Stage, path: str) -> bool:
    reply = stage.get(path)
    assert reply.status == 200
    return (reply.one("X-Frame-Options"), reply.one("X-Content-Type-Options")) != ("DENY", "nosniff")


def enters(stage: Stage, path: str) -> bool:
    return stage.get(path, X_Forwarded_For="10.1.2.3").status == 200


def old_protocols(stage: Stage, name: str, port: str) -> bool:
    return accepts(stage.ports[port], name, ssl.TLSVersion.TLSv1_1)


def fooled(stage: Stage, path: str) -> bool:
    """Whether Django, with the project's ALLOWED_HOSTS, believes the host that a client wrote beside another."""
    with socket.create_connection(("127.0.0.1", stage.ports["80"]), 5) as raw:
        raw.sendall(f"GET http://good.test{path} HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n".encode())
        while raw.recv(65536):
            pass
    record: dict[str, Any] = stage.upstream.seen[-1]
    told = next(value for name, value in record["headers"] if name == "Host")
    believed = validate_host(told, ["good.test"])  # type: ignore[no-untyped-call]
    return told == "evil.test" and bool(believed)


def leaks(stage: Stage, host: str) -> bool:
    path = "/page?h=Set-Cookie:sessionid%3Dann"
    counts = [json.loads(stage.get(path, host, Cookie=cookie).body)["count"] for cookie in ("sessionid=ann", "x=1")]
    return bool(counts[0] == counts[1])


def stampedes(stage: Stage, host: str) -> bool:
    path = "/page.html?wait=0.4"
    stage.get(path, host)
    time.sleep(2.1)  # nginx counts whole seconds
    before = len(stage.upstream.seen)
    ask_at_once(stage.ports["80"], path, host, 6)
    return len(stage.upstream.seen) - before > 1


Probe = Callable[[Stage], bool]
PROBES: dict[str, dict[str, Probe]] = {
    "injection": {
        "uri": lambda stage: injected(stage, "/uri/a"),
        "set": lambda stage: injected(stage, "/set/a"),
        "rewrite": lambda stage: injected(stage, "/rewrite/a"),
        "exact": lambda stage: injected(stage, "/exact"),
        "dot": lambda stage: injected(stage, "/dot/a"),
        "segment": lambda stage: injected(stage, "/segment/a"),
        "word": lambda stage: injected(stage, "/word/a"),
        "narrowed": lambda stage: injected(stage, "/only/a"),
        "mapped": lambda stage: injected(stage, "/mapped/a"),
        "request": lambda stage: injected(stage, "/request/a"),
        "added": lambda stage: injected(stage, "/added/a"),
        "header": lambda stage: injected_upstream(stage, "/header/a"),
        "splitting": lambda stage: injected_upstream(stage, "/splitting/a%20HTTP/1.1"),
        "user": second_request,
        "escaped": lambda stage: injected(stage, "/broken/a"),
    },
    "ssrf": {
        "argument": lambda stage: fetched(stage, "/argument/?to=127.0.0.1:PORT/x"),
        "header": lambda stage: fetched(stage, "/header/", X_To="127.0.0.1:PORT/x"),
        "ending": lambda stage: fetched(stage, "/ending/?to=127.0.0.1:PORT/x"),
        "port": lambda stage: fetched(stage, "/port/PORT"),
        "tenant": lambda stage: fetched(stage, "/tenant/127-0-0-1"),
        "listed": lambda stage: fetched(stage, "/listed/?to=127.0.0.1:PORT/x"),
        "internal": lambda stage: fetched(stage, "/inside/?to=127.0.0.1:PORT/x"),
        "path": lambda stage: fetched(stage, "/path/?to=127.0.0.1:PORT/x"),
    },
    "traversal": {
        "prefix": lambda stage: stage.get("/static../secret.txt").status == 200,
        "strong": lambda stage: stage.get("/images../secret.txt").status == 200,
        "slashes": lambda stage: stage.get("/media/../secret.txt").status == 200,
        "siblings": lambda stage: stage.get("/both2/secret.txt").status == 200,
        "regex": lambda stage: stage.get("/regex../secret.txt").status == 200,
        "regex-slash": lambda stage: stage.get("/docs/..%2fsecret.txt").status == 200,
        "file": lambda stage: stage.get("/robots.txt../secret.txt").status == 200,
        "root": lambda stage: stage.get("/root../secret.txt").status == 200,
        "proxy": lambda stage: "/v1/.." in stage.path("/api../x"),
        "proxy-slashes": lambda stage: "/v1/.." in stage.path("/app/../x") + stage.path("/app../x"),
        "proxy-exact": lambda stage: "/v1/.." in stage.path("/status../x"),
    },
    "headers": {
        "lost": lambda stage: without_headers(stage, "/lost/robots.txt"),
        "kept": lambda stage: without_headers(stage, "/kept/robots.txt"),
        "repeated": lambda stage: without_headers(stage, "/repeated/robots.txt"),
        "emptied": lambda stage: without_headers(stage, "/emptied/robots.txt"),
    },
    "access": {
        "allowed": lambda stage: enters(stage, "/allowed/"),
        "list": lambda stage: enters(stage, "/list/"),
        "order": lambda stage: enters(stage, "/order/"),
        "return": lambda stage: enters(stage, "/secret/"),
        "refused": lambda stage: enters(stage, "/gone/"),
        "replaced": lambda stage: enters(stage, "/outer/inner/"),
        "any": lambda stage: enters(stage, "/any/"),
        "void": lambda stage: enters(stage, "/void/"),
        "believed": lambda stage: enters(stage, "/believed/"),
        "password": lambda stage: enters(stage, "/password/"),
    },
    "tls": {
        "inherited": lambda stage: old_protocols(stage, "inherited.test", "443"),
        "old": lambda stage: (
            old_protocols(stage, "old.test", "8443") and old_protocols(stage, "overruled.test", "8443")
        ),
        "modern": lambda stage: old_protocols(stage, "modern.test", "9443"),
    },
    "host": {
        "checked": lambda stage: fooled(stage, "/"),
        "chosen": lambda stage: fooled(stage, "/chosen/"),
    },
    "forwarding": {
        "always": lambda stage: stage.path("/always/x?page=2") != "/always/x?page=2",
        "same": lambda stage: stage.path("/same/x?page=2") != "/same/x?page=2",
        "query": lambda stage: stage.path("/query/x?page=2") != "/api/x?page=2",
        "named": lambda stage: stage.path("/named/x?page=2") != "/api/x?page=2",
        "glued": lambda stage: stage.path("/glued/x?page=2") != "/v1/x?page=2",
        "slashes": lambda stage: stage.path("/slashes/x?page=2") != "/v1/x?page=2",
        "lookup": lambda stage: stage.path("/lookup/x") == "",
        "upstream": lambda stage: stage.path("/upstream/x") == "",
        "address": lambda stage: stage.path("/address/x") == "",
    },
    "caching": {
        "leaking": lambda stage: leaks(stage, "leaking.test"),
        "heeding": lambda stage: leaks(stage, "heeding.test"),
        "rush": lambda stage: stampedes(stage, "rush.test"),
        "calm": lambda stage: stampedes(stage, "calm.test"),
        "kept": lambda stage: (
            stage.get("/?h=Cache-Control:private,no-store", "kept.test").one("Cache-Control") == "max-age=2592000"
        ),
    },
    "locations": {
        "taken": lambda stage: stage.get("/api/upload/").status != 299,
        "strong": lambda stage: stage.get("/api/files/").status != 299,
        "encoded": lambda stage: stage.get("/my%20files/").status != 299,
        "query": lambda stage: stage.get("/search?q=1").status != 299,
        "decoded": lambda stage: stage.get("/two%20words/").status != 299,
        "forgotten": lambda stage: stage.get("/tried/x?a=1").status == 404,
        "ended": lambda stage: stage.get("/ended/x?a=1").status == 404,
        "two": lambda stage: stage.get("/two/robots.txt?a=1&b=1").one("X-A") is None,
        "challenge": lambda stage: stage.get("/.well-known/x", "challenge.test").status != 299,
    },
}


def marks(name: str) -> dict[str, tuple[int, bool]]:
    """The marked lines of a configuration: name -> its number, and whether it does harm."""
    lines = (FIXTURES / name / "nginx.conf").read_text().splitlines()
    found = [(number, MARK.search(line)) for number, line in enumerate(lines, 1)]
    return {match[2]: (number, match[1] == "harm") for number, match in found if match}


@cache
def our_lines(name: str) -> set[int]:
    """The lines that stackaudit finds fault with."""
    result = scan(FIXTURES / name, Config(select=("nginx",), no_cache=True, jobs=1, nginx=Nginx(version="1.22.1")))
    found = [item for item in result.findings if item.rule not in INFRASTRUCTURE]
    also = [remark.location.line for item in found for remark in item.related if remark.text == "the same holds here"]
    return {item.location.line for item in found} | set(also)


def gixy_lines(name: str) -> set[int]:
    """The lines that gixy-ng finds fault with, as recorded."""
    document = json.loads((FIXTURES / name / "gixy-ng.json").read_text())
    lines = [(name, item["line"]) for item in document["findings"]]
    return {line for place in lines for line in OUTER.get(place, (place[1],))}


def score(name: str, lines: set[int]) -> tuple[int, int]:
    """How many of the harmful lines were found, and how many of the harmless ones were blamed."""
    lined = marks(name).values()
    harm = {line for line, is_harm in lined if is_harm}
    fine = {line for line, is_harm in lined if not is_harm}
    return len(harm & lines), len(fine & lines)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_the_marks_are_what_nginx_does(live: Any, upstream: Any, certificate: Path, tmp_path: Path, name: str) -> None:
    text = (FIXTURES / name / "nginx.conf").read_text()
    files = live.prefix / f"gixy-{name}"
    for path in ("static/robots.txt", "secret.txt", "static2/secret.txt"):
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_text("text")
    (files / "passwords").write_text("ann:{PLAIN}secret\n")
    for path in ("cert.pem", "key.pem"):
        shutil.copy(certificate / path, files / path)
    ports = {number: free_port() for number in dict.fromkeys(re.findall(r"listen (\d+)", text))}
    for number, port in ports.items():
        text = re.sub(rf"listen {number}\b", f"listen 127.0.0.1:{port}", text)
    text = text.replace("/srv/www", str(files)).replace("127.0.0.1:8000", f"127.0.0.1:{upstream.port}")
    text = text.replace("$app:8000", f"$app:{upstream.port}")
    live.start(text[text.index("http {") + len("http {") : text.rindex("}")], next(iter(ports.values())))
    stage = Stage(live, upstream, ports, files)
    assert {mark: probe(stage) for mark, probe in PROBES[name].items()} == {
        mark: is_harm for mark, (_, is_harm) in marks(name).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_our_side_is_right(name: str) -> None:
    harm = sum(is_harm for _, is_harm in marks(name).values())
    assert score(name, our_lines(name)) == (harm, 0)


def test_the_document_says_what_was_counted() -> None:
    rows = []
    for name in NAMES:
        lined = marks(name).values()
        harm = sum(is_harm for _, is_harm in lined)
        found, blamed = score(name, gixy_lines(name))
        ours, wrongly = score(name, our_lines(name))
        rows.append(f"| {name} | {harm} | {len(lined) - harm} | {found} | {blamed} | {ours} | {wrongly} |")
    assert [
        line for line in DOCUMENT.read_text().splitlines() if line.startswith(tuple(f"| {n} |" for n in NAMES))
    ] == rows


def test_the_document_names_every_rule_of_ours() -> None:
    rules = {f"nginx/{path.stem}" for path in (DOCUMENT.parent.parent / "rules/nginx").glob("*.toml")}
    assert rules - set(re.findall(r"nginx/[a-z0-9-]+", DOCUMENT.read_text())) == set()
