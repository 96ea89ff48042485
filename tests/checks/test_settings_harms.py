"""What the rules about settings say, against a real Django with those settings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stackaudit.checks import settings as checks
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

START = """
import json, logging, sys, types
import django
from django.conf import settings
wanted = json.loads(sys.argv[1])
settings.configure(**{
    "SECRET_KEY": "x", "ALLOWED_HOSTS": ["testserver"], "ROOT_URLCONF": "urls", "USE_TZ": True,
    "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                       "django.contrib.messages", "corsheaders"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "CORS_ALLOW_ALL_ORIGINS": True,
    **wanted.pop("settings", {}),
})
urls = sys.modules["urls"] = types.ModuleType("urls")
urls.urlpatterns = []
django.setup()
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
call_command("migrate", verbosity=0)
found = {}
"""


def real(script: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """What `script` finds out about a Django of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{START}\n{script}\nprint(json.dumps(found))", json.dumps(wanted)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def fails(rule: Callable[[Stack], Iterator[Verdict]], root: Path, settings: str) -> list[str]:
    """The causes for which `rule` fails a project with one settings module."""
    text = f'SECRET_KEY = "x"\nROOT_URLCONF = "urls"\n{settings}\n'
    stack = stack_of(root, {"settings.py": text, "Procfile": "web: gunicorn wsgi\n"})
    return [verdict.cause for verdict in rule(stack) if isinstance(verdict, Fail)]


SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
USER = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
REMOTE = "django.contrib.auth.middleware.RemoteUserMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
ORDERS = {
    "usual": [SESSION, CORS, COMMON, USER, REMOTE, MESSAGES],
    "user first": [USER, SESSION],
    "messages first": [MESSAGES, SESSION, USER],
    "remote user first": [SESSION, REMOTE, USER],
    "login before user": [SESSION, LOGIN, USER],
    "locale before session": [LOCALE, SESSION, USER],
    "common before locale": [SESSION, COMMON, LOCALE],
    "common before cors": [SESSION, COMMON, CORS],
}
ASK = """
urls.urlpatterns = [path("page/", lambda request: HttpResponse("x"))]
for name, order in wanted["orders"].items():
    with override_settings(MIDDLEWARE=order, LOGIN_URL="/in/"):
        try:
            answer = Client().get("/page", HTTP_ORIGIN="https://shop.example.com", follow=False)
            page = Client().get("/page/")
            crossing = "corsheaders.middleware.CorsMiddleware" in order and answer.status_code == 301
            found[name] = crossing and "access-control-allow-origin" not in answer.headers
        except Exception as error:
            found[name] = type(error).__name__ == "ImproperlyConfigured"
"""


def test_orders_of_middleware_that_break_requests(tmp_path: Path) -> None:
    ours = {name: bool(fails(checks.middleware_order, tmp_path, f"MIDDLEWARE = {order}")) for name, order in
            ORDERS.items()}  # fmt: skip
    assert ours == real(ASK, {"orders": ORDERS})


STATIC = """
import os, tempfile
root = tempfile.mkdtemp()
with open(os.path.join(root, "site.css"), "w") as file:
    file.write("body {}" * 100)
session = "django.contrib.sessions.middleware.SessionMiddleware"
locale = "django.middleware.locale.LocaleMiddleware"
gzip = "django.middleware.gzip.GZipMiddleware"
noise = "whitenoise.middleware.WhiteNoiseMiddleware"
for name, order in {"first": [noise, locale, session, gzip], "last": [locale, session, gzip, noise]}.items():
    with override_settings(MIDDLEWARE=order, STATIC_URL="/static/", STATIC_ROOT=root, SESSION_SAVE_EVERY_REQUEST=True):
        client = Client()
        held = client.session
        held["cart"] = 1
        held.save()
        with CaptureQueriesContext(connection) as queries:
            answer = client.get("/static/site.css", HTTP_ACCEPT_ENCODING="gzip")
        found[name] = [answer.headers.get("Vary", ""), answer.headers.get("Content-Encoding", ""), len(queries),
                       answer.headers["Cache-Control"]]
"""


def test_what_stands_before_whitenoise_works_for_each_file() -> None:
    assert real(STATIC, {}) == {
        "first": ["", "", 0, "max-age=60, public"],
        "last": ["Accept-Encoding, Cookie, Accept-Language", "gzip", 4, "max-age=60, public"],
    }


HOSTS = {
    "any": ["*"],
    "named": ["shop.example.com"],
    "below": [".example.com"],
    "nobody": [],
    "address": ["https://shop.example.com"],
    "port": ["shop.example.com:8000"],
    "text": "shop.example.com",
}
KNOCK = """
urls.urlpatterns = [path("", lambda request: HttpResponse(request.get_host()))]
from django.conf import Settings
from django.core.exceptions import ImproperlyConfigured
for name, hosts in wanted["hosts"].items():
    sys.modules["wished"] = module = types.ModuleType("wished")
    module.SECRET_KEY, module.ALLOWED_HOSTS = "x", hosts
    try:
        Settings("wished")
    except ImproperlyConfigured:
        found[name] = True
        continue
    with override_settings(ALLOWED_HOSTS=hosts, DEBUG=False):
        logging.disable(logging.CRITICAL)
        good, evil = [Client().get("/", HTTP_HOST=host).status_code for host in ("shop.example.com", "evil.test")]
    found[name] = (good, evil) != (200, 400)
"""


def test_hosts_that_django_answers_to(tmp_path: Path) -> None:
    """A list is right where the site is answered and a stranger is not."""
    ours = {name: bool(fails(checks.allowed_hosts, tmp_path, f"DEBUG = False\nALLOWED_HOSTS = {hosts!r}"))
            for name, hosts in HOSTS.items()}  # fmt: skip
    assert ours == real(KNOCK, {"hosts": HOSTS})


WATCH = """
import time
seen = []
class Handler(logging.Handler):
    def emit(self, record):
        seen.append(record)
logger = logging.getLogger("django.db.backends")
logger.setLevel("DEBUG")
logger.addHandler(Handler())
def ask(debug, forced):
    del seen[:]
    connection.queries_log.clear()
    connection.force_debug_cursor = forced
    with override_settings(DEBUG=debug), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return [len(seen), len(connection.queries_log)]
found["off"] = ask(False, False)
found["debug"] = ask(True, False)
found["forced"] = ask(False, True)
connection.force_debug_cursor = False
found["kept"] = connection.queries_log.maxlen

inside = []
def view(request):
    inside.append(connection.in_atomic_block)
    return HttpResponse()
async def later(request):
    return HttpResponse()
urls.urlpatterns = [path("", view), path("later/", later)]
Client().get("/")
with override_settings(ATOMIC_REQUESTS=True):
    Client().get("/")
connection.settings_dict["ATOMIC_REQUESTS"] = True
Client().get("/")
found["atomic"] = inside
try:
    Client().get("/later/")
except RuntimeError as error:
    found["async"] = str(error)
connection.settings_dict["ATOMIC_REQUESTS"] = False

def visit(request):
    request.session.get("cart")
    return HttpResponse()
urls.urlpatterns.append(path("visit/", visit))
for always in (False, True):
    with override_settings(
        SESSION_SAVE_EVERY_REQUEST=always, MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"]
    ):
        client = Client()
        held = client.session
        held["cart"] = 1
        held.save()
        with CaptureQueriesContext(connection) as queries:
            client.get("/visit/")
        found[f"session {always}"] = [item["sql"].split()[0] for item in queries]

from django.contrib.auth.hashers import make_password
for name in ("MD5PasswordHasher", "SHA1PasswordHasher", "PBKDF2PasswordHasher"):
    with override_settings(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}"]):
        try:
            found[name] = make_password("x").partition("$")[0]
        except ImportError:
            found[name] = "ImportError"
"""


def test_what_settings_do_to_requests() -> None:
    assert real(WATCH, {}) == {
        "off": [0, 0],
        "debug": [1, 1],
        "forced": [1, 1],
        "kept": 9000,
        "atomic": [False, False, True],
        "async": "You cannot use ATOMIC_REQUESTS with async views.",
        "session False": ["SELECT"],
        "session True": ["SELECT", "BEGIN", "UPDATE", "COMMIT"],
        "MD5PasswordHasher": "md5",
        "SHA1PasswordHasher": "ImportError",
        "PBKDF2PasswordHasher": "pbkdf2_sha256",
    }


WAIT = """
import socket, threading, time
from django.core.mail import send_mail
tarpit = socket.create_server(("127.0.0.1", 0))
host = {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": tarpit.getsockname()[1]}
def send():
    try:
        send_mail("Hello", "", "a@example.com", ["b@example.com"])
    except Exception as error:
        found.setdefault("ended", []).append(type(error).__name__)
with override_settings(**host, EMAIL_TIMEOUT=0.2):
    send()
with override_settings(**host):
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(0.6)
    found["still waiting"] = thread.is_alive()

from django_tasks import task
@task()
def nap():
    time.sleep(0.2)
start = time.perf_counter()
result = nap.enqueue()
found["slow"] = time.perf_counter() - start > 0.2
found["done"] = str(result.status)
"""


def test_what_a_request_waits_for() -> None:
    """A mail server that takes the connection and says nothing, and a task without a backend."""
    assert real(WAIT, {}) == {
        "ended": ["SMTPServerDisconnected"],
        "still waiting": True,
        "slow": True,
        "done": "SUCCESSFUL",
    }


CURSORS = """
from django.contrib.auth.models import User
from django.db.models.query import ModelIterable
from django.forms import ModelChoiceField
asked = []
whole = ModelIterable.__iter__
def watched(self):
    asked.append(self.chunked_fetch)
    return whole(self)
ModelIterable.__iter__ = watched
def ask(read):
    del asked[:]
    read()
    return list(asked)
for disabled in (False, True):
    connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = disabled
    found[f"disabled {disabled}"] = {
        "list": ask(lambda: list(User.objects.all())),
        "iterator": ask(lambda: list(User.objects.iterator())),
        "choices": ask(lambda: list(ModelChoiceField(User.objects.all()).choices)),
    }
"""


def test_what_opens_server_side_cursors() -> None:
    """`chunked_fetch` makes the backend of PostgreSQL name a cursor; forms ask for it as `.iterator()` does."""
    assert real(CURSORS, {}) == {
        "disabled False": {"list": [False], "iterator": [True], "choices": [True]},
        "disabled True": {"list": [False], "iterator": [False], "choices": [False]},
    }
