"""Random nested configurations of what decides how files are sent: the tree says what nginx answers.

`types`, default_type, autoindex, server_tokens, gzip_static, expires, and headers with and without `always`.
STACKAUDIT_NGINX_EXAMPLES raises the number of configurations (CI's budget is small).
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackaudit.checks.nginx.delivery import type_of
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.headers import added
from stackaudit.link.nginx.level import Level
from stackaudit.model.values import Known
from tests.nginx_live.test_effective import VERSION, tree

EXAMPLES = int(os.environ.get("STACKAUDIT_NGINX_EXAMPLES", "25"))
PREFIXES = ("/", "/a/", "/a/b/", "/b/")
REGEXES = (r"\.css$", r"\.js$", "^/a/", "^/a/b", r"none\.css$")
FILES = ("/x.css", "/a/x.css", "/a/b/x.js", "/b/x.js")
MISSING = ("/a/none.css", "/b/none.js", "/none.css")
FOLDERS = ("/", "/a/", "/a/b/")
TYPES = (
    "text/css css;",
    "text/javascript js;",
    "application/javascript js mjs;",
    "application/x-made-up css;",
    "a/b wasm;",
)
PROBES = ("X-One", "X-Two")

directive = st.one_of(
    st.sampled_from(["autoindex on;", "autoindex off;", "server_tokens on;", "server_tokens off;"]),
    st.sampled_from(["gzip_static on;", "gzip_static off;", "expires 1h;", "expires off;", "default_type a/default;"]),
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True).map(
        lambda lines: f"types {{ {' '.join(lines)} }}"
    ),
    st.tuples(st.sampled_from(PROBES), st.integers(1, 9), st.sampled_from(["", " always"])).map(
        lambda drawn: f"add_header {drawn[0]} {drawn[1]}{drawn[2]};"
    ),
)
ONCE = (
    "autoindex",
    "server_tokens",
    "gzip_static",
    "expires",
    "default_type",
    "types",
    "add_header X-One",
    "add_header X-Two",
)


def once(directives: list[str]) -> list[str]:
    """Each directive once a level: nginx refuses most of them twice, and two headers of a name tell nothing."""
    kept: dict[str, str] = {}
    for text in directives:
        kept.setdefault(next(name for name in ONCE if text.startswith(name)), text)
    return list(kept.values())


levels = st.lists(directive, max_size=5).map(once)
Location = tuple[str, str, list[str], list[Any]]


@st.composite
def location(draw: st.DrawFn, around: str, depth: int) -> Location:
    kind = draw(st.sampled_from(["", "", "^~", "~"]))
    pattern = draw(st.sampled_from(REGEXES if kind == "~" else PREFIXES))
    inner: list[Any] = []
    if depth < 2 and kind != "~":
        inner = draw(st.lists(location(pattern, depth + 1), max_size=2))
        inner = [item for item in inner if item[0] == "~" or item[1].startswith(pattern)]
    return kind, pattern, draw(levels), distinct(inner)


def distinct(locations: list[Any]) -> list[Any]:
    """nginx refuses two prefix locations of one name."""
    seen: set[str] = set()
    result = []
    for item in locations:
        if item[0] == "~" or item[1] not in seen:
            seen.add(item[1])
            result.append(item)
    return result


configurations = st.tuples(levels, levels, st.lists(location("", 0), max_size=4).map(distinct))


def written(item: Location, indent: str) -> list[str]:
    kind, pattern, lines, inner = item
    out = [f'{indent}location {kind} "{pattern}" {{', *(f"{indent}    {line}" for line in lines)]
    for nested in inner:
        out += written(nested, indent + "    ")
    return [*out, indent + "}"]


def rendered(configuration: tuple[list[str], list[str], list[Location]], port: int, root: Path) -> str:
    http, server, locations = configuration
    out = [
        *(line for line in http if not line.startswith("default_type")),
        "server {",
        f"    listen 127.0.0.1:{port};",
        f"    root {root};",
        *(f"    {line}" for line in server),
    ]
    for item in locations:
        out += written(item, "    ")
    return "\n".join([*out, "}"])


def at(text: str, path: str) -> Level:
    """The level that answers a path; the http block stands among what the test's main file has around it."""
    nginx = tree("http {\ntypes { text/css css; application/json json; text/html html; application/javascript js; }\n"
                 f"default_type text/plain;\n{text}\n}}")  # fmt: skip
    reply = answer(nginx.servers[0], path)
    assert isinstance(reply, Known) and reply.value.kind == "files"
    return reply.value.level


def value(level: Level, name: str) -> str:
    word = level.word(name, VERSION)
    assert isinstance(word, Known)
    return word.value


def headers(level: Level, *, error: bool) -> dict[str, str]:
    result = {}
    for name in PROBES:
        found = added(level, name)
        assert isinstance(found, Known)
        if found.value is not None and (found.value.always or not error):
            result[name] = found.value.value
    return result


def expected(text: str, path: str) -> dict[str, Any]:
    level = at(text, path)
    result: dict[str, Any] = {"version": value(level, "server_tokens") == "on"}
    if path in FOLDERS:
        listed = value(level, "autoindex") == "on"
        return {**result, "status": 200 if listed else 403, "headers": headers(level, error=not listed)}
    if path in MISSING:
        return {**result, "status": 404, "headers": headers(level, error=True)}
    kind = type_of(level, path.rpartition(".")[2])
    assert isinstance(kind, Known)
    result |= {"status": 200, "headers": headers(level, error=False), "type": kind.value}
    result["twin"] = value(level, "gzip_static") == "on"
    result["max-age"] = "max-age=3600" if value(level, "expires") == "1h" else None
    return result


def observed(live: Any, port: int, path: str) -> dict[str, Any]:
    reply = live.get(port, path, {"Accept-Encoding": "gzip"})
    found = {name: reply.one(name) for name in PROBES if reply.one(name) is not None}
    result: dict[str, Any] = {"version": "/" in (reply.one("Server") or ""), "status": reply.status, "headers": found}
    if path in FILES:
        result |= {"type": reply.one("Content-Type"), "twin": reply.one("Content-Encoding") == "gzip"}
        result["max-age"] = reply.one("Cache-Control")
    return result


@pytest.fixture(scope="module")
def root(live: Any) -> Path:
    folder: Path = live.prefix / "sent"
    for path in FILES:
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("plain")
        target.with_name(target.name + ".gz").write_bytes(gzip.compress(b"twin"))
    return folder


@given(configuration=configurations)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_tree_says_how_nginx_sends_files(live: Any, port: int, root: Path, configuration: Any) -> None:
    text = rendered(configuration, port, root)
    live.start(text, port)
    for path in (*FILES, *MISSING, *FOLDERS):
        assert (path, observed(live, port, path)) == (path, expected(text, path)), text
