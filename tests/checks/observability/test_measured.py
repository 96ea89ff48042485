"""What the rules on logs and metrics say, seen in the programs themselves."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

import pytest

from stackaudit.checks.observability.logs import DURATION


def kept(folder: Path, writers: int) -> int:
    """How many of 200 lines are left where so many handlers, each as of a process of its own, write one file."""
    handlers = [
        logging.handlers.RotatingFileHandler(folder / "shop.log", maxBytes=1000, backupCount=1) for _ in range(writers)
    ]
    for number in range(200):
        record = logging.LogRecord("shop", logging.INFO, "", 0, f"{number:03d}{'x' * 46}", None, None)
        handlers[number % writers].emit(record)
    for handler in handlers:
        handler.close()
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.iterdir())


def test_handlers_of_several_processes_rename_each_others_files(tmp_path: Path) -> None:
    found = {}
    for writers in (1, 3):
        folder = tmp_path / str(writers)
        folder.mkdir()
        found[writers] = kept(folder, writers)
    assert found == {1: 29, 3: 6}


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ('%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"', False),
        ("%(r)s %(D)s", True),
        ("%(r)s %(L)s", True),
        ("%(r)s %(T)s", True),
        ("%(r)s %(M)s", True),
    ],
)
def test_the_atoms_of_gunicorn_that_are_a_time(form: str, says: bool) -> None:
    assert bool(DURATION.search(form)) is says
