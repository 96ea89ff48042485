"""Many small servers in one nginx: each case is a server of its own, on a line of its own, so that lines tell cases."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from stackaudit.config import Config, Nginx
from stackaudit.scan import scan
from tests.nginx_live.test_verdicts import MANAGE, PLAIN_SETTINGS
from tests.stacks import write

_WEIGHT = {"": 0, "pass": 1, "unknown": 2, "fail": 3}


def servers(port: int, cases: Sequence[str], outer: str = "") -> str:
    """The http block: `outer` on one line, then a server for each case, called case0.test, case1.test, ..."""
    lines = [" ".join(outer.split())]
    for number, body in enumerate(cases):
        lines.append(f"server {{ listen 127.0.0.1:{port}; server_name case{number}.test; {' '.join(body.split())} }}")
    return "\n".join(lines)


def host(number: int) -> dict[str, str]:
    """The header that leads to a case."""
    return {"Host": f"case{number}.test"}


def ask_at_once(port: int, path: str, name: str, visitors: int) -> None:
    """Sends the same request on as many connections, all open beforehand, and waits for the answers."""
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(visitors)]
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            while connection.recv(65536):
                pass


def verdicts_by_case(rule: str, folder: Path, http: str, files: Mapping[str, str] | None = None) -> list[str]:
    """What the rule says of each case: its gravest verdict, "" where it does not judge the case at all."""
    texts = {
        "nginx.conf": f"events {{}} http {{\n{http}\n}}\n",
        "manage.py": MANAGE,
        "config/settings.py": PLAIN_SETTINGS,
        "config/__init__.py": "",
        **(files or {}),
    }
    write(folder, texts)
    result = scan(folder, Config(select=(rule,), no_cache=True, jobs=1, nginx=Nginx(version="1.22.1")))
    assert [item.text for item in result.notifications if item.level == "error"] == []
    found = [""] * (http.count("\n"))
    places = [(item.location, "fail") for item in result.findings]
    places += [
        (remark.location, "fail")
        for item in result.findings
        for remark in item.related
        if remark.text == "the same holds here"
    ]
    places += [(item.location, "unknown") for item in result.unknowns]
    places += [(item.location, "pass") for item in result.passed]
    for location, verdict in places:
        index = location.line - 3
        if location.path == "nginx.conf" and 0 <= index < len(found) and _WEIGHT[verdict] > _WEIGHT[found[index]]:
            found[index] = verdict
    return found
