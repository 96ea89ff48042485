"""Settings written as classes, against what django-configurations makes of them in a real process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stackaudit.model.values import Unknown, plain
from tests.stacks import stack_of

FILES = {
    "manage.py": """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
os.environ.setdefault("DJANGO_CONFIGURATION", "Production")
""",
    "shop/__init__.py": "",
    "shop/wsgi.py": """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
os.environ.setdefault("DJANGO_CONFIGURATION", "Production")
""",
    "shop/settings.py": """
from configurations import Configuration, values


class Mail:
    EMAIL_TIMEOUT = 5
    EMAIL_HOST = values.Value("mail.example.com")


class Common(Configuration):
    DEBUG = True
    SECRET_KEY = "x"
    INSTALLED_APPS = ["django.contrib.staticfiles"]
    NAME = "shop"
    WORKERS = values.IntegerValue(3, environ_prefix="SHOP")
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop"}}

    @property
    def CACHES(self):
        return {"default": {"LOCATION": self.NAME}}

    @property
    def LOGIN_URL(self):
        return "/in/"


class Production(Mail, Common):
    DEBUG = values.BooleanValue(False)
    NAME = "live"
    ALLOWED_HOSTS = values.ListValue(["shop.example.com"])
    INSTALLED_APPS = Common.INSTALLED_APPS + ["django.contrib.messages"]

    @property
    def CACHES(self):
        caches = super().CACHES
        caches["default"]["TIMEOUT"] = 60
        return caches

    @property
    def LOGIN_URL(self):
        return super().LOGIN_URL + "live/"

    @classmethod
    def setup(cls):
        super().setup()
""",
}
REAL = """
import json, sys
sys.path.insert(0, sys.argv[1])
import configurations
configurations.setup()
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in json.loads(sys.argv[2])}))
"""
NAMES = ["DEBUG", "SECRET_KEY", "INSTALLED_APPS", "NAME", "WORKERS", "DATABASES", "CACHES", "LOGIN_URL"]
NAMES += ["ALLOWED_HOSTS", "EMAIL_TIMEOUT", "EMAIL_HOST"]


def test_classes_are_what_django_sees(tmp_path: Path) -> None:
    settings = stack_of(tmp_path, FILES).settings
    assert settings is not None
    ours: dict[str, Any] = {}
    for name in NAMES:
        value = settings.get(name)
        ours[name] = value.why if isinstance(value, Unknown) else plain(value)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REAL, str(tmp_path), json.dumps(NAMES)],
        env={"DJANGO_SETTINGS_MODULE": "shop.settings", "DJANGO_CONFIGURATION": "Production"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ours == json.loads(done.stdout)
