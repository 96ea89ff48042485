"""What workers share with a master that loaded the application: measured with gunicorn on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from stackaudit.checks import orm, server
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

APP = """\
import json, os, socket, threading, time

connection = socket.create_connection(("127.0.0.1", int(os.environ["LISTENER"])))
thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
thread.start()


def application(environ, start_response):
    start_response("200 OK", [("Connection", "close")])
    told = {"pid": os.getpid(), "socket": os.fstat(connection.fileno()).st_ino, "alive": thread.is_alive()}
    time.sleep(0.05)
    return [json.dumps(told).encode()]
"""


def ask(port: int) -> dict[str, int]:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                told: dict[str, int] = json.load(answer)
                return told
        except OSError:
            time.sleep(0.05)
    raise AssertionError("gunicorn does not answer")


def workers(folder: Path, *flags: str) -> dict[int, dict[str, int]]:
    """What each of two workers says of itself, by its process id."""
    (folder / "served.py").write_text(APP, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        bound.close()
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--log-level", "critical", "-w", "2"]
        command += ["-b", f"127.0.0.1:{port}", *flags, "served:application"]
        environment = {"LISTENER": str(listener.getsockname()[1]), "PATH": ""}
        with subprocess.Popen(command, cwd=folder, env=environment) as master:
            try:
                found: dict[int, dict[str, int]] = {}
                for _ in range(400):
                    told = ask(port)
                    found[told["pid"]] = told
                    if len(found) == 2:
                        break
            finally:
                master.terminate()
    return found


@pytest.mark.parametrize(("flags", "sockets", "alive"), [(("--preload",), 1, False), ((), 2, True)])
def test_what_workers_share(tmp_path: Path, flags: tuple[str, ...], sockets: int, alive: bool) -> None:
    found = workers(tmp_path, *flags)

    assert len(found) == 2
    assert len({told["socket"] for told in found.values()}) == sockets
    assert {told["alive"] for told in found.values()} == {alive}


def causes(folder: Path, command: str, age: int) -> dict[str, str]:
    """The causes of failures by rule, of a project that asks the database while it is loaded."""
    databases = {"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": age}}
    files = {
        "Procfile": f"web: gunicorn shop.wsgi {command}\n",
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "shop/settings.py": f'INSTALLED_APPS = ["shop"]\nROOT_URLCONF = "shop.urls"\nDATABASES = {databases}\n',
        "shop/wsgi.py": "from django.db import connection\nconnection.ensure_connection()\n",
        "shop/urls.py": "from shop.models import Plan\nPLANS = list(Plan.objects.all())\n",
        "shop/models.py": "from django.db import models\n\nclass Plan(models.Model):\n    pass\n",
    }
    stack = stack_of(folder, files)
    rules = {"server": server.preload_fork_hazard, "orm": orm.import_time_query}
    return {
        name: item.cause for name, check in rules.items() for item in check(stack) if isinstance(item, Fail)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "age", "found"),
    [
        ("--preload", 600, {"server": "query", "orm": "preload"}),
        ("--preload", 0, {"orm": ""}),
        ("--preload --threads 4", 600, {"orm": ""}),
        ("", 600, {"orm": ""}),
    ],
)
def test_a_connection_is_shared_where_one_process_keeps_it(
    tmp_path: Path, command: str, age: int, found: dict[str, str]
) -> None:
    assert causes(tmp_path, command, age) == found
