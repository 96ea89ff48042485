"""What the walk says of a program beside what real Django does with it."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from stackaudit.facts.files import FileFacts
from stackaudit.link.models import Models
from stackaudit.link.modules import Modules
from stackaudit.link.queries import Queries
from stackaudit.lower.python import lower

PROJECT = Path(__file__).parent / "project"
COUNTED = frozenset({"forward", "deferred", "reverse", "bypassed", "query", "write"})
SIZES = (6, 15)
VIEWS = "shop/views.py"
HEAD = """from django.db.models import Count, Prefetch, prefetch_related_objects
from django.shortcuts import get_object_or_404

from shop.models import Author, Book, Chapter, Country, Note, Profile, Publisher, Tag
"""


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@cache
def server(size: int) -> subprocess.Popen[str]:
    """Real Django with so many authors, in a child process that ends with this one."""
    process = subprocess.Popen(
        [sys.executable, "server.py", str(size)], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_stop, process)
    return process


def ask(program: str, name: str, size: int, **more: int) -> dict[str, Any]:
    """What running a function of the program with so many authors gives; with `most` it stops behind that query."""
    process = server(size)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"program": program, "name": name, **more}) + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def counts(program: str, name: str) -> tuple[int, int] | str:
    """The queries that a function runs with less and with more data (counted up to the first one more); its error."""
    few = ask(program, name, SIZES[0])
    many = ask(program, name, SIZES[1], most=few["count"]) if "error" not in few else few
    return str(many["error"]) if "error" in many else (few["count"], many["count"])


def grows(program: str, name: str) -> bool:
    """Whether a function of the program runs more queries when there is more data."""
    found = counts(program, name)
    assert not isinstance(found, str), found
    return found[1] > found[0]


@cache
def _models() -> FileFacts:
    path = "shop/models.py"
    return FileFacts(path, "python", facts=lower((PROJECT / path).read_bytes(), path))


def files(program: str) -> list[FileFacts]:
    """A stack whose code is the program, and the models that it runs with."""
    return [
        FileFacts("shop/__init__.py", "python", facts=lower(b"", "shop/__init__.py")),
        _models(),
        FileFacts(VIEWS, "python", facts=lower(program.encode(), VIEWS)),
    ]


def walked(program: str, django: tuple[int, int] = (5, 2)) -> Queries:
    return Queries(Models(Modules(files(program))), django)


def verdicts(program: str) -> dict[str, str]:
    """For each function of the program "fail", "unknown" or "pass"."""
    found: dict[str, str] = {}
    rank = {"pass": 0, "unknown": 1, "fail": 2}
    for event in walked(program).events:
        if event.kind in COUNTED and event.place.path == VIEWS:
            name = event.where.rpartition(".")[2]
            found[name] = max(found.get(name, "pass"), event.outcome, key=lambda outcome: rank[outcome])
    return found
