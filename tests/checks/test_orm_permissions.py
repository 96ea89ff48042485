"""What asking users for permissions costs on real Django, and what the fixes cost instead."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks import orm
from stackaudit.model.verdict import Cost, Fail
from tests.stacks import stack_of

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


VIEWS = """
from django.contrib.auth.models import User

ADD, CHANGE = "auth.add_user", "auth.change_user"

def may(user):
    return user.has_perm("auth.add_user") or user.has_perm("auth.change_user") or user.has_perm("auth.delete_user")

def any_of_three():
    return [user for user in User.objects.all() if may(user)]

def both():
    return [user for user in User.objects.all() if user.has_perms(["auth.add_user", "auth.change_user"])]

def both_by_hand():
    return [
        user for user in User.objects.all()
        if user.is_active and user.has_perm("auth.add_user") and user.has_perm("auth.change_user")
    ]

def one():
    return [user for user in User.objects.all() if user.has_perm("auth.add_user")]

def each():
    return [(user.has_perm("auth.add_user"), user.has_perm("auth.change_user")) for user in User.objects.all()]

def unnamed():
    return [user for user in User.objects.all() if user.has_perm(CHANGE) or user.has_perm("auth.add_user")]

def all_of_them():
    return [user.get_all_permissions() for user in User.objects.all()]

def those_of_groups():
    return [user.get_group_permissions() for user in User.objects.all()]
"""
WHO = "superusers are among them, users who are not active are not."
THREE = '("auth.add_user", "auth.change_user", "auth.delete_user")'
KEYS = 'User.objects.with_perm(perm).values_list("pk", flat=True)'
OPEN = 'With several AUTHENTICATION_BACKENDS name the one that decides, `backend="…"` (else ValueError).'
ONCE = "Ask once before the loop for"
NAMED = "put the names together in Python (none for an inactive user, all for a superuser)"
TOLD = {
    "any_of_three": f"{ONCE} each permission that `may` asks, and unite the keys, for it asks them with `or`: "
    f"`able = {{pk for perm in {THREE} for pk in {KEYS}}}`; {WHO}",
    "both": f"{ONCE} each permission that `both` asks, and intersect the keys, for it asks them with `and`: "
    f'`able = set.intersection(*(set({KEYS}) for perm in ("auth.add_user", "auth.change_user")))`; {WHO}',
    "both_by_hand": f"{ONCE} each permission that `both_by_hand` asks, and intersect the keys, for it asks them with "
    f'`and`: `able = set.intersection(*(set({KEYS}) for perm in ("auth.add_user", "auth.change_user")))`; {WHO}',
    "one": f'{ONCE} those who have it, `User.objects.with_perm("auth.add_user")`, and take their keys: {WHO}',
    "each": f"{ONCE} each permission that `each` asks, who has it, and look the key of the user up there: "
    f'`able = {{perm: set({KEYS}) for perm in ("auth.add_user", "auth.change_user")}}`; {WHO}',
    "unnamed": f"{ONCE} each permission, who has it, `User.objects.with_perm(…)`, and take their keys: {WHO}",
    "all_of_them": 'Prefetch what they have, `.prefetch_related("user_permissions__content_type", '
    f'"groups__permissions__content_type")`, and {NAMED}: `get_all_permissions()` asks whatever was prefetched.',
    "those_of_groups": f'Prefetch what they have, `.prefetch_related("groups__permissions__content_type")`, and {NAMED}'
    ": `get_group_permissions()` asks whatever was prefetched.",
}
BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend", "django.contrib.auth.backends.ModelBackend"]


def _found(root: Path, settings: str) -> dict[str, Fail]:
    files = {"shop/__init__.py": "", "shop/settings.py": settings, "shop/views.py": VIEWS}
    manage = 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
    stack = stack_of(root, {**files, **({"manage.py": manage} if settings else {})})
    told = [item for item in orm.query_in_loop(stack) if isinstance(item, Fail)]
    return {item.site.name.partition(":")[0].rpartition(".")[2]: item for item in told}


@pytest.mark.parametrize("settings", ["", "SECRET_KEY = 'x'\n", f"AUTHENTICATION_BACKENDS = {BACKENDS}\n"])
def test_whom_to_ask_for_once(tmp_path: Path, settings: str) -> None:
    found = _found(tmp_path, settings)
    named = 'backend="django.contrib.auth.backends.ModelBackend"' if "BACKENDS" in settings else ""
    for name, text in TOLD.items():
        more = f" {OPEN}" if not settings and "with_perm(" in text else ""
        told = re.sub(r"(with_perm\([^)]*)\)", rf"\1, {named})", text) if named else text
        assert found[name].fix == told + more
    assert set(found) == set(TOLD)


def test_what_it_costs_to_ask_each(tmp_path: Path) -> None:
    found = _found(tmp_path, "")
    costs = {name: item.cost for name, item in found.items()}
    rows = "100 rows in the loop, assumed"
    assert costs.pop("those_of_groups") == Cost(101, 100, rows)
    assert set(costs.values()) == {Cost(201, 100, rows)}


ASKED = """
from django.contrib.auth.models import User

given = {}
for permission in ("add_user", "change_user", "delete_user", "view_user"):
    user = User.objects.create_user(permission)
    user.user_permissions.add(Permission.objects.get(codename=permission))
user = User.objects.create_user("both")
user.user_permissions.set(Permission.objects.filter(codename__in=["add_user", "change_user"]))
User.objects.create_superuser("super")
User.objects.create_user("gone", is_active=False).user_permissions.set(Permission.objects.all())
views = {}
exec(VIEWS, views)
for name, text in FIXES.items():
    with CaptureQueriesContext(connection) as captured:
        before = views[name]()
    with CaptureQueriesContext(connection) as fewer:
        made = {}
        exec(text, {"User": User}, made)
    given[name] = sorted(user.pk for user in before) == sorted(made["able"]), len(captured), len(fewer)
print(json.dumps(given))
"""


@pytest.mark.parametrize("backends", [BACKENDS[1:], BACKENDS])
def test_those_who_may_are_the_same(tmp_path: Path, backends: list[str]) -> None:
    found = _found(tmp_path, f"AUTHENTICATION_BACKENDS = {backends}\n")
    fixes = {name: re.findall(r"`(able = .*)`", found[name].fix)[0] for name in ("any_of_three", "both")}
    head = PROGRAM.partition("GIVEN =")[0].replace(
        "settings.configure(", f"settings.configure(AUTHENTICATION_BACKENDS={backends},"
    )
    program = f"{head}\nVIEWS = {VIEWS!r}\nFIXES = {fixes!r}\n{ASKED}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    asked = 1 + 2 * 5  # who may all, and who may nothing, is not asked for
    assert json.loads(ran.stdout) == {"any_of_three": [True, asked, 3], "both": [True, asked, 2]}


AROUND = """
from django.contrib.auth.models import Group, User

ABLE = {}

def may(user):
    return user.has_perm("auth.change_user") or user.has_perm("auth.add_user")

def may_there(user):
    return user.pk in ABLE["auth.change_user"] or user.pk in ABLE["auth.add_user"]

def asks():
    found = []
    for group in Group.objects.all():
        for user in group.user_set.all():
            if user.has_perm("auth.add_user"):
                found.append(user.pk)
            if may(user):
                found.append(-user.pk)
    return found
"""
MENDED = """
def fill():
    for perm in ("auth.add_user", "auth.change_user"):
        ABLE[perm] = set(User.objects.with_perm(perm).values_list("pk", flat=True))

def of_one_line():
    fill()
    found = []
    for group in Group.objects.all():
        for user in group.user_set.all():
            if user.pk in ABLE["auth.add_user"]:
                found.append(user.pk)
            if may(user):
                found.append(-user.pk)
    return found

def of_all():
    fill()
    found = []
    for group in Group.objects.all():
        for user in group.user_set.all():
            if user.pk in ABLE["auth.add_user"]:
                found.append(user.pk)
            if may_there(user):
                found.append(-user.pk)
    return found
"""
OF_GROUPS = """
for number in range(2):
    group = Group.objects.create(name=str(number))
    for index in range(5):
        group.user_set.add(User.objects.create_user(f"{number} {index}"))
        group.permissions.set(Permission.objects.filter(codename="change_user"))
views, given = {}, {}
exec(VIEWS, views)
for name in ("asks", "of_one_line", "of_all"):
    with CaptureQueriesContext(connection) as captured:
        given[name] = [len(views[name]()), len(captured)]
print(json.dumps(given))
"""


def test_all_that_ask_a_user_have_to_look_up_what_is_asked_before_all_loops(tmp_path: Path) -> None:
    manage = 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
    settings = f"AUTHENTICATION_BACKENDS = {BACKENDS[1:]}\n"
    files = {"shop/__init__.py": "", "shop/settings.py": settings, "shop/views.py": AROUND, "manage.py": manage}
    (found,) = [item for item in orm.query_in_loop(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    assert found.fix == (
        "Ask once before the outermost loop, `for group in Group.objects.all()`, for each permission that `asks` and "
        "`may` ask, who has it, and look the key of the user up there: `able = {perm: set(User.objects.with_perm(perm)"
        f'.values_list("pk", flat=True)) for perm in ("auth.add_user", "auth.change_user")}}`; {WHO} Let `may(user)` '
        "(for `auth.change_user` and `auth.add_user`) look there, too: it asks the same two queries for each otherwise,"
        " and nothing is saved."
    )
    assert [(step.place.region.line, step.text) for step in found.related] == [
        (18, "`may(user)`"),
        (7, '`user.has_perm("auth.change_user")`'),
        (7, '`user.has_perm("auth.add_user")`'),
    ]
    head = PROGRAM.partition("GIVEN =")[0]
    program = f"{head}\nVIEWS = {AROUND + MENDED!r}\n{OF_GROUPS}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == {"asks": [10, 23], "of_one_line": [10, 25], "of_all": [10, 5]}
