"""Random nested configurations: what the tree says is in force is what nginx answers.

STACKAUDIT_NGINX_EXAMPLES raises the number of configurations (CI's budget is small).
"""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackaudit.facts.nginx import Nginx as File
from stackaudit.link.nginx import Nginx
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.choose import choose
from stackaudit.link.nginx.include import Includes
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.tree import Builder
from stackaudit.link.nginx.version import Version
from stackaudit.lower.nginx import lower
from stackaudit.model.values import Known

EXAMPLES = int(os.environ.get("STACKAUDIT_NGINX_EXAMPLES", "40"))
PATHS = ("/x.css", "/a/x.css", "/a/b/x.css", "/a/b/x.json", "/ab/x.css", "/b/x.json", "/a/b/c/x.css", "/A/x.css")
ROOTS = ("r0", "r1", "r2")
PREFIXES = ("/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/b/", "/a/b/c/", "/A/")
REGEXES = (r"\.css$", r"\.json$", "^/a/", "^/a/b", "b", "^/(a|b)/", r"x\.(css|json)$", "/c/")
EXACT = ("/x.css", "/a/x.css", "/a/b/x.json")
VERSION = Known(Version((1, 22, 1)))

directive = st.one_of(
    st.sampled_from(["gzip on;", "gzip off;", "expires 1h;", "expires 2h;", "expires off;", "proxy_http_version 1.1;"]),
    st.sampled_from(["gzip_types text/css;", "gzip_types application/json;", "gzip_types text/css application/json;"]),
    st.integers(1, 9).map(lambda n: f'add_header X-Probe "{n}" always;'),
    st.integers(1, 9).map(lambda n: f"proxy_set_header X-Set {n};"),
    st.just("proxy_set_header Host $host;"),
    st.sampled_from(["proxy_hide_header X-One;", "proxy_hide_header X-Two;"]),
)
SCALARS = ("gzip ", "expires", "proxy_http_version", "root", "alias")


def once(directives: list[str]) -> list[str]:
    """Scalars once a level, or nginx refuses to start; headers of one name once, to tell them apart."""
    seen: set[str] = set()
    result = []
    for text in directives:
        key = next((name for name in SCALARS if text.startswith(name)), text)
        if key not in seen:
            seen.add(key)
            result.append(text)
    return result


levels = st.lists(directive, max_size=4).map(once)
Location = tuple[str, str, list[str], str, list[Any]]


@st.composite
def location(draw: st.DrawFn, around: str, depth: int) -> Location:
    kind = draw(st.sampled_from(["", "", "^~", "=", "~", "~*"]))
    if kind == "=":
        pattern = draw(st.sampled_from(EXACT))
    elif kind in ("~", "~*"):
        pattern = draw(st.sampled_from(REGEXES))
    else:
        pattern = draw(st.sampled_from(PREFIXES))
    serve = draw(st.sampled_from(["", "", "root r1;", "root r2;", "proxy", "proxy"]))
    inner: list[Any] = []
    if depth < 2 and kind in ("", "^~"):
        inner = draw(st.lists(location(pattern, depth + 1), max_size=2))
        inner = [item for item in inner if item[0] in ("~", "~*") or item[1].startswith(pattern)]
    return kind, pattern, draw(levels), serve, distinct(inner)


def distinct(locations: list[Any]) -> list[Any]:
    """nginx refuses two prefix or exact locations of one name."""
    seen: set[tuple[bool, str]] = set()
    result = []
    for item in locations:
        key = (item[0] == "=", item[1])
        if item[0] in ("~", "~*") or key not in seen:
            seen.add(key)
            result.append(item)
    return result


configurations = st.tuples(levels, levels, st.lists(location("", 0), max_size=5).map(distinct))


class Render:
    """Writes a configuration; every location sets $where to a number, which the access log tells."""

    def __init__(self, prefix: Path, upstream: int) -> None:
        self.prefix = prefix
        self.upstream = upstream
        self.count = 0

    def location(self, item: Location, indent: str) -> list[str]:
        kind, pattern, lines, serve, inner = item
        self.count += 1
        out = [f'{indent}location {kind} "{pattern}" {{', f"{indent}    set $where {self.count};"]
        out += [f"{indent}    {line}" for line in lines]
        if serve == "proxy":
            out.append(f"{indent}    proxy_pass http://127.0.0.1:{self.upstream};")
        elif serve:
            out.append(f"{indent}    {serve.replace('root ', f'root {self.prefix}/')}")
        for nested in inner:
            out += self.location(nested, indent + "    ")
        return [*out, indent + "}"]

    def http(self, configuration: tuple[list[str], list[str], list[Location]], port: int) -> str:
        http, server, locations = configuration
        out = ["log_format probe $where;", f"access_log {self.prefix}/probe.log probe;", "gzip_min_length 10;", *http]
        out += [
            "server {",
            f"    listen 127.0.0.1:{port};",
            f"    root {self.prefix}/r0;",
            "    set $where 0;",
            *server,
        ]
        for item in locations:
            out += self.location(item, "    ")
        return "\n".join([*out, "}"])


def tree(text: str) -> Nginx:
    files: dict[str, File] = {"nginx.conf": lower(text.encode(), "nginx.conf")}
    return Nginx(tuple(Builder(files, Includes(files, {}), ()).build()), VERSION)


def words(level: Level, name: str) -> list[tuple[str, ...]]:
    found = level.in_force(name)
    assert isinstance(found, Known)
    return [tuple(word.text for word in line.words) for line in found.value.lines]


def expected(nginx: Nginx, path: str, prefix: Path) -> dict[str, Any]:
    """What the tree says of a GET of `path`, in the words of `observed`."""
    server = nginx.servers[0]
    choice = choose(server, path)
    reply = answer(server, path)
    assert isinstance(choice, Known) and isinstance(reply, Known)
    level = choice.value.level
    where = [line.words[1].text for line in level.lines["set"]][-1]
    result: dict[str, Any] = {"where": where, "kind": reply.value.kind}
    result["probes"] = sorted(value[1] for value in words(level, "add_header"))
    kind = "text/css" if path.endswith(".css") else "application/json"
    on, types = level.switched_on("gzip", VERSION), level.all_words("gzip_types", VERSION)
    assert isinstance(on, Known) and isinstance(types, Known)
    result["gzip"] = on.value and kind in types.value
    expires = words(level, "expires")
    result["max-age"] = {"1h": "max-age=3600", "2h": "max-age=7200"}.get(expires[-1][0] if expires else "")
    if reply.value.kind == "files":
        assert isinstance(reply.value.file, Known)
        result["file"] = str(Path(reply.value.file.value).relative_to(prefix))
        return result
    headers = {value[0]: value[1] for value in words(level, "proxy_set_header")}
    result["host"] = "example.org" if "Host" in headers else "upstream"
    result["set"] = sorted(value[1] for value in words(level, "proxy_set_header") if value[0] == "X-Set")
    version = level.word("proxy_http_version", VERSION)
    assert isinstance(version, Known)
    result["version"] = f"HTTP/{version.value}"
    hidden = {value[0] for value in words(level, "proxy_hide_header")}
    result["passed"] = sorted({"X-One", "X-Two"} - hidden)
    return result


def observed(live: Any, port: int, path: str, seen: list[dict[str, Any]], lines: int) -> dict[str, Any]:
    """What nginx answers."""
    before = len(seen)
    reply = live.get(port, path + "?h=X-One:1&h=X-Two:2", {"Accept-Encoding": "gzip"})
    assert reply.status == 200
    encoded = reply.one("Content-Encoding") == "gzip"
    body = gzip.decompress(reply.body) if encoded else reply.body
    result: dict[str, Any] = {"where": logged(live.prefix / "probe.log", lines), "gzip": encoded}
    result["probes"] = sorted(reply.all("X-Probe"))
    cached = reply.one("Cache-Control")
    result["max-age"] = cached
    if len(seen) == before:
        return {**result, "kind": "files", "file": body.decode().strip()}
    record = json.loads(body)
    result["kind"] = "proxy"
    sent = [(name, value) for name, value in record["headers"]]
    result["host"] = "example.org" if ("Host", "example.org") in sent else "upstream"
    result["set"] = sorted(value for name, value in sent if name == "X-Set")
    result["version"] = record["version"]
    result["passed"] = sorted(name for name in ("X-One", "X-Two") if reply.one(name))
    return result


def logged(path: Path, lines: int) -> str:
    """The last line of the log once it has `lines` of them: nginx writes it after the reply has gone."""
    for _ in range(500):
        found = path.read_text().split()
        if len(found) >= lines:
            return found[-1]
        time.sleep(0.002)
    raise AssertionError("nothing was logged")


@pytest.fixture(scope="module")
def prefix(live: Any) -> Path:
    folder: Path = live.prefix
    for root in ROOTS:
        for path in PATHS:
            target = folder / root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f"{root}{path}".ljust(600))
    return folder


@given(configuration=configurations)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_tree_says_what_nginx_does(live: Any, upstream: Any, port: int, prefix: Path, configuration: Any) -> None:
    text = Render(prefix, upstream.port).http(configuration, port)
    nginx = tree("http {\n" + text + "\n}")
    (prefix / "probe.log").write_text("")
    live.start(text, port)
    for index, path in enumerate(PATHS):
        actual = observed(live, port, path, upstream.seen, index + 1)
        assert (path, actual) == (path, expected(nginx, path, prefix)), text
