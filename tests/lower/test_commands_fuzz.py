"""Whatever a file holds, its reader ends with facts or with UnreadableError, and regions lie in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackaudit.facts.files import UnreadableError
from stackaudit.lower import (
    compose,
    crontab,
    dockerfile,
    kubernetes,
    platforms,
    procfile,
    shell,
    supervisor,
    systemd,
    uwsgi,
)
from stackaudit.model.source import Region

Read = Callable[[bytes, str], Any]
READERS: list[tuple[Read, str]] = [
    (shell.lower, "run.sh"), (procfile.lower, "Procfile"), (dockerfile.lower, "Dockerfile"),
    (compose.lower, "compose.yml"), (systemd.lower, "web.service"), (supervisor.lower, "web.conf"),
    (crontab.lower, "crontab"), *((uwsgi.lower, f"uwsgi.{ending}") for ending in ("ini", "yaml", "xml")),
    (kubernetes.lower, "web.yaml"), *((platforms.lower, name) for name in (
        "fly.toml", "railway.toml", "railway.json", "nixpacks.toml", "render.yaml", "heroku.yml", "app.yaml",
        "apprunner.yaml", ".platform.app.yaml")),
]  # fmt: skip
WORDS = [
    "\n", "\\\n", " ", "\t", "\"", "'", "\\", "$", "${", "}", "$(", ")", "(", "`", "{{ x }}", "{% if a %}",
    "{% endif %}", "if ", "then\n", "fi\n", "case ", "in ", "esac", ";;", "&&", "||", "|", "&", ";", "<<EOF\n",
    "EOF\n", "[[", "]]", "#", "FROM ", "CMD ", "ENTRYPOINT ", "ENV ", "COPY ", "RUN ", "[", "]", ",", "=", ":",
    "A", "é", "𝄞", "\r\n", "- ", "? ", "services:\n  web:\n    command: ", "    environment:\n", "&a ", "*a ",
    "<<: ", "[Service]\nExecStart=", "web: ", "[program:x]\ncommand=", "[uwsgi]\n", "sh -c ", "gunicorn app",
    ">\n", "* * * * * ", "|\n", "%(ENV_X)s", "\u0007", "\ue000", "<uwsgi>", "</uwsgi>", "<!-- ", "---\n",
    "[processes]\nweb = ", "uwsgi:\n  env: ", "kind: DaemonSet\n",
    "kind: Service\napiVersion: serving.knative.dev/v1\n", "metadata:\n  name: a\n",
    "spec:\n  template:\n    spec:\n      ", "      containers:\n      - image: a\n        args: ",
    "run:\n  web: ", "services:\n- type: web\n  startCommand: ", "runtime: python\nentrypoint: ",
    "build:\n  docker:\n    web: ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)


def regions(value: Any) -> Iterator[Region]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Region):
            yield item
        elif isinstance(item, msgspec.Struct):
            waiting += [getattr(item, name) for name in item.__struct_fields__]
        elif isinstance(item, (tuple, list)):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()


@pytest.mark.parametrize(("read", "path"), READERS, ids=[path for _, path in READERS])
def test_any_text(read: Read, path: str) -> None:
    @settings(max_examples=120, deadline=None)
    @given(text=TEXTS)
    def holds(text: str) -> None:
        try:
            facts = read(text.encode(), path)
        except UnreadableError:
            return
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=type(facts)) == facts
        lines = text.split("\n")
        for region in regions(facts):
            assert (region.line, region.column) <= (region.end_line, region.end_column)
            assert 1 <= region.line <= region.end_line <= len(lines)
            assert 1 <= region.column <= len(lines[region.line - 1]) + 1
            assert 1 <= region.end_column <= len(lines[region.end_line - 1]) + 1

    holds()


@pytest.mark.parametrize(("read", "path"), READERS, ids=[path for _, path in READERS])
@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "${A:-" * 3000,
        "$(" * 5000,
        "[" * 5000,
        "{" * 5000,
        "`" * 9999,
        "a" * 200_000,
        "'" * 9999,
        "- " * 5000,
    ],
    ids=["parentheses", "defaults", "substitutions", "brackets", "braces", "ticks", "long", "quotes", "items"],
)
def test_endless_nesting(read: Read, path: str, text: str) -> None:
    for prefix in ("", "FROM x\nCMD ", "services:\n  web:\n    command: ", "[Service]\nExecStart=", "web: "):
        try:
            read((prefix + text).encode(), path)
        except UnreadableError:
            continue
