"""settings/sqlite-multiworker against real SQLite: two connections that read and then write in one transaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest


def second_writer(path: Path, mode: str) -> str:
    """What happens to a transaction that reads, while another connection writes, and then writes itself."""
    first = sqlite3.connect(path, timeout=0.5, isolation_level=None)
    second = sqlite3.connect(path, timeout=0.5, isolation_level=None)
    try:
        first.execute("CREATE TABLE stock (n INTEGER)")
        first.execute("INSERT INTO stock VALUES (1)")
        second.execute(f"BEGIN {mode}")
        second.execute("SELECT n FROM stock").fetchall()
        try:
            first.execute("UPDATE stock SET n = 2")
        except sqlite3.OperationalError as error:
            blocked = str(error)
        else:
            blocked = ""
        try:
            second.execute("UPDATE stock SET n = 3")
            second.execute("COMMIT")
        except sqlite3.OperationalError as error:
            return f"second: {error}"
        return f"first waited: {blocked}" if blocked else "both wrote"
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize(
    ("journal", "mode", "expected"),
    [
        ("WAL", "DEFERRED", "second: database is locked"),
        ("WAL", "IMMEDIATE", "first waited: database is locked"),
        ("DELETE", "IMMEDIATE", "first waited: database is locked"),
    ],
)
def test_who_is_refused(journal: str, mode: str, expected: str, tmp_path: Path) -> None:
    """With IMMEDIATE the second writer holds the lock from the start: the other one waits (here: for half a second)."""
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
    connection.close()
    assert second_writer(path, mode) == expected
