"""What django-guardian really asks for one object and for four, and what a checker asks that was told of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stackaudit.link.queries.granted import QUERIES

PROGRAM = """\
import json

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "guardian"],
    AUTHENTICATION_BACKENDS=[
        "django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="x",
)
django.setup()
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

call_command("migrate", verbosity=0)
from guardian import shortcuts
from guardian.core import ObjectPermissionChecker

User.objects.create(username="reader").groups.add(Group.objects.create(name="readers"))
User.objects.create(username="root", is_superuser=True)
objects = [Group.objects.create(name=f"object {number}") for number in range(4)]
shortcuts.assign_perm("auth.change_group", User.objects.get(username="reader"), objects[0])
ContentType.objects.get_for_model(Group)


def measured(ask, username="reader"):
    found = []
    for number in (1, 4):
        user = User.objects.get(username=username)
        with CaptureQueriesContext(connection) as asked:
            ask(user, objects[:number])
        found.append(len(asked))
    return found


def tested(user, rows):
    return [user.has_perm("auth.change_group", row) for row in rows]


def checked(user, rows):
    checker = ObjectPermissionChecker(user)
    return [checker.has_perm("change_group", row) for row in rows]


def prefetched(user, rows):
    checker = ObjectPermissionChecker(user)
    checker.prefetch_perms(rows)
    return [checker.has_perm("change_group", row) for row in rows]


print(json.dumps({
    "has_perm": measured(tested),
    "checker": measured(checked),
    "prefetched": measured(prefetched),
    "superuser": measured(tested, "root"),
    "get_perms": measured(lambda user, rows: [shortcuts.get_perms(user, row) for row in rows]),
    "lazy": measured(lambda user, rows: [
        (shortcuts.get_users_with_perms(row), shortcuts.get_user_perms(user, row)) for row in rows
    ]),
}))
"""


def test_each_object_asks_again_unless_a_checker_was_told_of_all(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    run = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    each = [QUERIES, 4 * QUERIES]
    assert json.loads(run.stdout) == {
        "has_perm": each, "checker": each, "get_perms": each, "prefetched": [2, 2], "superuser": [0, 0], "lazy": [0, 0],
    }  # fmt: skip
