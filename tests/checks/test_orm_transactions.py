"""What stands inside `atomic()` runs while the database is locked; what `on_commit` is given does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sqlite3, sys
import django
from django.conf import settings

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}})
django.setup()
from django.db import connection, transaction

connection.cursor().execute("CREATE TABLE book (pages INTEGER)")
found = {}


def somebody_else_writes(when):
    other = sqlite3.connect(sys.argv[1], timeout=0)
    try:
        other.execute("INSERT INTO book VALUES (2)")
        other.commit()
        found[when] = "written"
    except sqlite3.OperationalError as error:
        found[when] = str(error)
    finally:
        other.close()


with transaction.atomic():
    connection.cursor().execute("INSERT INTO book VALUES (1)")
    somebody_else_writes("inside")
    transaction.on_commit(lambda: somebody_else_writes("on commit"))
somebody_else_writes("after")
print(json.dumps(found))
"""


def test_who_else_can_write(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "database.sqlite3")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {"inside": "database is locked", "on commit": "written", "after": "written"}
