"""What the rules about settings, secrets and packages tell people to write has to fit the settings that they judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackaudit.checks import security
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.verdict import Fail, Verdict

SERVED = """
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.sessions"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
"""
PLAIN = "over plain HTTP browsers do not send a secure cookie back, and nobody could log in."


def told(
    root: Path, rule: Callable[[Stack], Iterator[Verdict]], settings: str, more: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    """The causes and fixes of what a rule finds in a project with these settings."""
    files = {"shop/__init__.py": "", "shop/settings.py": settings + SERVED, **(more or {})}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inputs = discover(root)
    stack = Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), Config())
    return [(item.cause, item.fix) for item in rule(stack) if isinstance(item, Fail)]


def read(expression: str) -> str:
    """The fix of a cookie that is to be read as its neighbours are."""
    return (
        f"Read it as the other settings of shop/settings.py are read, `CSRF_COOKIE_SECURE = {expression}`, and switch "
        f"it on where the site is reached by https alone: {PLAIN}"
    )


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ("", f"`CSRF_COOKIE_SECURE = True` in shop/settings.py, once every visitor comes by https: {PLAIN}"),
        (
            "import os\nSITE_URL = os.environ.get('SITE_URL', 'http://localhost:8000').rstrip('/')\n",
            f'`CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")` in shop/settings.py, below SITE_URL: {PLAIN}',
        ),
        ("import os\nTOKEN = os.environ['TOKEN']\n", read('os.environ.get("CSRF_COOKIE_SECURE", "") == "1"')),
        (
            "import os\nX = os.getenv('SHOP_X', 'False') == 'True'\n",
            read('os.getenv("SHOP_CSRF_COOKIE_SECURE", "False") == "True"'),
        ),
        (
            "import os\nX = bool(int(os.getenv('X', '0')))\n",
            read('bool(int(os.getenv("CSRF_COOKIE_SECURE", "0")))'),
        ),
        (
            "import environ\nenv = environ.Env()\nTOKEN = env('SHOP_TOKEN')\n",
            read('env.bool("SHOP_CSRF_COOKIE_SECURE", default=False)'),
        ),
        (
            "from decouple import config\nTOKEN = config('TOKEN')\n",
            read('config("CSRF_COOKIE_SECURE", default=False, cast=bool)'),
        ),
        (
            "from shop.reading import to_bool\nA = to_bool('A', 'yes')\nB = to_bool('B', 'no')\n",
            read('to_bool("CSRF_COOKIE_SECURE", "no")'),
        ),
        ("SECURE_SSL_REDIRECT = True\n", "`CSRF_COOKIE_SECURE = True` in shop/settings.py."),
    ],
)
def test_a_cookie_is_made_secure_as_the_neighbours_are_read(settings: str, fix: str, tmp_path: Path) -> None:
    reading = "import os\n\ndef to_bool(name, default):\n    return os.environ.get(name, default) == 'yes'\n"
    found = told(
        tmp_path, security.deploy_check, f"SESSION_COOKIE_SECURE = True\n{settings}", {"shop/reading.py": reading}
    )
    assert found == [("W016", fix)]


def test_a_redirect_that_slept_is_told(tmp_path: Path) -> None:
    settings = "SECURE_SSL_REDIRECT = True\nCSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = True\n"
    more = {
        "shop/late.py": "from shop.settings import *\nMIDDLEWARE = MIDDLEWARE[1:]\n",
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.late')\n",
    }
    assert told(tmp_path, security.deploy_check, settings, more) == [
        (
            "W001",
            '`"django.middleware.security.SecurityMiddleware"` as the first entry of MIDDLEWARE. It wakes '
            "`SECURE_SSL_REDIRECT = True` (shop/settings.py, line 1) as well: whatever asks by plain HTTP, health "
            "checks too, gets a 301 then, and a proxy that ends TLS has to be named in SECURE_PROXY_SSL_HEADER first.",
        )
    ]
