"""cache/falsy-hit-is-miss, no-ttl and signal-invalidation-misses-bulk against Django's own cache and signals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stackaudit.checks.cache import falsy_hit_is_miss
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

VIEWS = """
from django.core.cache import cache

made = []


def listed():
    made.append(1)
    return []


def empty_list():
    value = cache.get("empty_list")
    if not value:
        value = list(listed())
        cache.set("empty_list", value)
    return value


def empty_list_told_apart():
    value = cache.get("told_apart")
    if value is None:
        value = list(listed())
        cache.set("told_apart", value)
    return value


def zero():
    value = cache.get("zero")
    if value:
        return value
    value = len(listed())
    cache.set("zero", value)
    return value


def no():
    if not (value := cache.get("no")):
        value = len(listed()) > 1
        cache.set("no", value)
    return value


def totals():
    value = cache.get("totals")
    if not value:
        value = {"number": len(listed())}
        cache.set("totals", value)
    return value
"""

REAL = """
import json, sys
sys.path.insert(0, sys.argv[1])
import django
from django.conf import settings
settings.configure()
django.setup()
from shop import views
found = {}
for name in sys.argv[2:]:
    views.made.clear()
    for _ in range(5):
        getattr(views, name)()
    found[name] = len(views.made)
print(json.dumps(found))
"""

SIGNALS = """
import json
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes"],
)
django.setup()
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db.models.signals import post_delete, post_save
call_command("migrate", verbosity=0)
saved, deleted = [], []
post_save.connect(lambda **kwargs: saved.append(1), sender=ContentType, weak=False)
post_delete.connect(lambda **kwargs: deleted.append(1), sender=ContentType, weak=False)
ContentType.objects.create(app_label="a", model="a")
one = len(saved)
ContentType.objects.bulk_create([ContentType(app_label="b", model="b"), ContentType(app_label="c", model="c")])
ContentType.objects.filter(app_label="b").update(model="d")
ContentType.objects.bulk_update(list(ContentType.objects.filter(app_label="c")), ["model"])
bulk = len(saved) - one
ContentType.objects.filter(app_label__in="abc").delete()
print(json.dumps([one, bulk, len(deleted)]))
"""


def child(code: str, *arguments: str) -> object:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_failures_are_what_is_made_again(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, {"shop/views.py": VIEWS})
    ours = {
        verdict.site.name.split(" ")[0].rpartition(".")[2]: 5 if isinstance(verdict, Fail) else 1
        for verdict in falsy_hit_is_miss(stack)
    }
    assert (len(ours), child(REAL, str(tmp_path), *ours)) == (5, ours)


def test_bulk_writes_send_no_signal_and_delete_does() -> None:
    assert child(SIGNALS) == [1, 0, 3]
