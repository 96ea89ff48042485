"""What asking users for permissions costs on real Django, and what the fixes cost instead."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

call_command("migrate", verbosity=0)
GIVEN = "auth.change_user"
editors = Group.objects.create(name="editors")
editors.permissions.add(Permission.objects.get(codename="change_user"))
OWN = ("user_permissions__content_type", "groups__permissions__content_type")


def told(user):
    given = [*user.user_permissions.all(), *(one for group in user.groups.all() for one in group.permissions.all())]
    return {f"{one.content_type.app_label}.{one.codename}" for one in given}


ASKED = {
    "has_perm": lambda: sorted(user.pk for user in User.objects.all() if user.has_perm(GIVEN)),
    "prefetched": lambda: sorted(user.pk for user in User.objects.prefetch_related(*OWN) if user.has_perm(GIVEN)),
    "of groups": lambda: [sorted(user.get_group_permissions()) for user in User.objects.order_by("pk")],
    "with_perm": lambda: sorted(User.objects.with_perm(GIVEN).values_list("pk", flat=True)),
    "told": lambda: [sorted(told(user)) for user in User.objects.prefetch_related(*OWN).order_by("pk")],
}
counts = {name: [] for name in ASKED}
given = {}
for size in (4, 9):
    while User.objects.count() < size:
        user = User.objects.create_user(str(User.objects.count()))
        if User.objects.count() % 2:
            user.groups.add(editors)
    for name, ask in ASKED.items():
        with CaptureQueriesContext(connection) as captured:
            given[name] = ask()
        counts[name].append(len(captured))
print(json.dumps({"counts": counts, "given": given}))
"""


def test_what_permissions_cost() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    measured = json.loads(ran.stdout)
    assert measured["counts"] == {
        "has_perm": [9, 19],
        "prefetched": [13, 23],
        "of groups": [5, 10],
        "with_perm": [1, 1],
        "told": [5, 5],
    }
    given = measured["given"]
    assert given["has_perm"] == given["prefetched"] == given["with_perm"] == [1, 3, 5, 7, 9]
    assert given["of groups"] == given["told"]
