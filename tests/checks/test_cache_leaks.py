"""cache/page-cache-leaks-user against a real Django: three visitors ask for each view of the rule's own example."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stackaudit import catalog
from stackaudit.checks.cache import page_cache_leaks_user
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

EXAMPLE = "A view that reads the user, with and without vary_on_cookie"

REAL = """
import json, sys
sys.path.insert(0, sys.argv[1])
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)

def visitor(name, items):
    client = Client(raise_request_exception=False)
    if name:
        client.force_login(User.objects.create_user(name))
    session = client.session
    session["cart"] = items
    session.save()
    client.cookies["sessionid"] = session.session_key
    return client

visitors = [visitor("a", ["x"]), visitor("b", ["x", "y"]), visitor("", ["x", "y", "z"])]

def ask(view, client):
    answer = client.get(f"/{view}/")
    return answer.status_code, answer.content.decode()

found = {}
for view in sys.argv[2:]:
    own = []
    for client in visitors:
        cache.clear()
        own.append(ask(view, client))
    cache.clear()
    found[view] = [ask(view, client) for client in visitors] != own
print(json.dumps(found))
"""


def test_verdicts_are_what_visitors_see(tmp_path: Path) -> None:
    rule = next(rule for rule in catalog.load() if rule.id == "cache/page-cache-leaks-user")
    files = next(example.files for example in rule.example if example.title == EXAMPLE)
    stack = stack_of(tmp_path, {"shop/views.py": files["shop/views.py"]})
    ours = {verdict.site.name.rpartition(".")[2]: isinstance(verdict, Fail) for verdict in page_cache_leaks_user(stack)}
    (tmp_path / "urls.py").write_text(
        "from django.urls import path\nfrom shop import views\nurlpatterns = [\n"
        + "".join(f"    path('{name}/', views.{name}),\n" for name in ours)
        + "]\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REAL, str(tmp_path), *ours],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (len(ours), json.loads(done.stdout)) == (8, ours)
