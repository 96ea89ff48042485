"""settings/sqlite-multiworker against real SQLite: two connections that read and then write in one transaction."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from stackaudit import catalog
from stackaudit.checks import settings as rules
from stackaudit.model.verdict import Fail
from tests.checks.test_settings_harms import real
from tests.stacks import stack_of

SETTINGS = """
import os
SECRET_KEY = os.environ["SECRET_KEY"]
ROOT_URLCONF = "shop.urls"
URL, ENGINE = os.getenv("DATABASE_URL", None), os.getenv("DB_ENGINE", None)


def databases():
    if URL:
        return {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": URL}}
    return {"default": {"ENGINE": ENGINE if ENGINE else "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}


DATABASES = databases()
"""


def told(root: Path, settings: str) -> list[Fail]:
    """What the rule finds in a site of three workers with these settings."""
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    files = {"manage.py": manage, "shop/__init__.py": "", "shop/settings.py": settings}
    stack = stack_of(root, {**files, "Procfile": "web: gunicorn shop.wsgi --workers 3\n"})
    return [item for item in rules.sqlite_multiworker(stack) if isinstance(item, Fail)]


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


@pytest.mark.parametrize(
    ("settings", "missing", "one"),
    [
        (SETTINGS, "DATABASE_URL and DB_ENGINE are missing", "one of them"),
        (SETTINGS.replace('os.getenv("DATABASE_URL", None)', '""'), "DB_ENGINE is missing", "it"),
    ],
)
def test_who_sets_a_variable_to_sqlite_has_chosen(settings: str, missing: str, one: str, tmp_path: Path) -> None:
    (found,) = told(tmp_path, settings)
    assert (found.cause, found.values["missing"], found.values["one"]) == ("by-default", missing, one)


def test_the_options_are_those_of_sqlite_alone(tmp_path: Path) -> None:
    (found,) = told(tmp_path, SETTINGS)
    rule = next(rule for rule in catalog.load() if rule.id == "settings/sqlite-multiworker")
    (code,) = re.findall(r"`(if DATABASES.*)`", rule.cause["by-default"].fix.format_map(found.values))
    for engine in ("sqlite3", "postgresql"):
        name = str(tmp_path / "shop.sqlite3")
        databases: dict[str, Any] = {"default": {"ENGINE": f"django.db.backends.{engine}", "NAME": name}}
        exec(code, {"DATABASES": databases})
        if engine == "postgresql":
            assert "OPTIONS" not in databases["default"]
            continue
        script = """
found["mode"] = connection.transaction_mode
with connection.cursor() as cursor:
    found["journal"] = cursor.execute("PRAGMA journal_mode").fetchone()[0]
"""
        assert real(script, {"settings": {"DATABASES": databases}}) == {"mode": "IMMEDIATE", "journal": "wal"}
