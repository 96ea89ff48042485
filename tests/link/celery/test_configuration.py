"""Celery's configuration as a real Celery resolves it in a child process, and what the stack says of the same files."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.app import defaults

from stackaudit.config import Config
from stackaudit.discover import kind_of
from stackaudit.facts.files import FileFacts
from stackaudit.link.celery.names import SETTINGS
from stackaudit.link.stack import Stack
from stackaudit.lower.kinds import reader
from stackaudit.model.values import Known, Unknown, plain

MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
HEAD = "import os\nfrom celery import Celery\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
SETTINGS_PY = """
SECRET_KEY = "x"
CELERY_BROKER_URL = "redis://new/0"
BROKER_URL = "redis://old/0"
CELERY_TASK_ALWAYS_EAGER = True
CELERYD_TASK_TIME_LIMIT = 5
CELERY_ACKS_LATE = True
CELERY_WORKER_CONCURRENCY = 3
CELERYD_CONCURRENCY = 9
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 7200}
"""
CASES = {
    "namespace": "app = Celery('shop')\napp.config_from_object('django.conf:settings', namespace='CELERY')\n",
    "settings_object": "from django.conf import settings\napp = Celery('shop')\n"
    "app.config_from_object(settings, namespace='CELERY')\n",
    "module": "app = Celery('shop')\napp.config_from_object('shop.celeryconfig')\n",
    "conf_first": "app = Celery('shop')\napp.conf.task_time_limit = 9\n"
    "app.config_from_object('shop.celeryconfig')\napp.conf.update(worker_concurrency=2)\n",
    "arguments": "app = Celery('shop', broker='redis://argument', backend='redis://b')\n"
    "app.config_from_object('django.conf:settings', namespace='CELERY')\n"
    "app.conf.update({'task_acks_late': False}, worker_prefetch_multiplier=1)\n"
    "app.conf['task_soft_time_limit'] = 4\n",
    "factory": "def make():\n    made = Celery('shop')\n    made.config_from_object('shop.celeryconfig')\n"
    "    made.conf.task_soft_time_limit = 7\n    return made\n\napp = make()\n",
    "nothing": "app = Celery('shop')\n",
}
NAMES = sorted(set(SETTINGS) - {"task_annotations"})
CHILD = """
import importlib, json, sys
names, cases = json.loads(sys.argv[1])
apps = {case: importlib.import_module("shop." + case).app for case in cases}
told = {case: {name: getattr(app.conf, name) for name in names} for case, app in apps.items()}
print(json.dumps(told, default=lambda span: span.total_seconds()))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("celery")
    (root / "shop").mkdir()
    (root / "shop/__init__.py").write_text("")
    (root / "manage.py").write_text(MANAGE)
    (root / "shop/settings.py").write_text(SETTINGS_PY)
    (root / "shop/celeryconfig.py").write_text("broker_url = 'redis://module'\ntask_time_limit = 60 * 3\n")
    for name, text in CASES.items():
        (root / f"shop/{name}.py").write_text(HEAD + text)
    return root


def stack_of(root: Path, app: str) -> Stack:
    facts = []
    for path in ("manage.py", "shop/__init__.py", "shop/settings.py", "shop/celeryconfig.py", f"shop/{app}.py"):
        data = (root / path).read_bytes()
        kind = kind_of(path, data)
        assert kind is not None
        facts.append(FileFacts(path, kind, reader(kind).lower()(data, path)))
    return Stack(facts, Config())


@pytest.fixture(scope="module")
def real(project: Path) -> dict[str, dict[str, Any]]:
    arguments = [sys.executable, "-c", CHILD, json.dumps([NAMES, list(CASES)])]
    child = subprocess.run(arguments, cwd=project, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, Any]] = json.loads(child.stdout)
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_configuration_is_that_of_a_real_celery(project: Path, real: dict[str, dict[str, Any]], case: str) -> None:
    celery = stack_of(project, case).celery
    assert {name: plain(celery.setting(name)) for name in NAMES} == real[case]


def in_seconds(value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else value


def test_the_names_are_those_of_celery() -> None:
    real: dict[str, tuple[str, Any]] = {
        name: (defaults._TO_OLD_KEY[name], in_seconds(defaults.DEFAULTS[name])) for name in SETTINGS
    }
    assert real == SETTINGS


def told(files: dict[str, str]) -> Stack:
    facts = []
    for path, text in {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": "", **files}.items():
        kind = kind_of(path, text.encode())
        assert kind is not None
        facts.append(FileFacts(path, kind, reader(kind).lower()(text.encode(), path)))
    return Stack(facts, Config())


def test_the_application_that_a_worker_names_counts() -> None:
    files = {
        "Procfile": "worker: celery -A jobs worker\n",
        "shop/tasks.py": "from celery import Celery\napp = Celery('scratch')\n",
        "jobs/__init__.py": "",
        "jobs/celery.py": "from celery import Celery\napp = Celery('jobs', broker='redis://jobs')\n",
    }
    celery = told(files).celery
    assert celery.app is not None
    assert (celery.app.module.path, plain(celery.setting("broker_url"))) == ("jobs/celery.py", "redis://jobs")


def test_workers_may_have_settings_of_their_own() -> None:
    files = {
        "jobs/__init__.py": "",
        "jobs/settings.py": "from shop.settings import *\nCELERY_BROKER_URL = 'redis://jobs'\n",
        "jobs/celery.py": "import os\nfrom celery import Celery\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'jobs.settings')\napp = Celery('jobs')\n"
        "app.config_from_object('django.conf:settings', namespace='CELERY')\n",
    }
    assert plain(told(files).celery.setting("broker_url")) == "redis://jobs"


def test_what_nobody_can_know() -> None:
    files = {"shop/celery.py": "from celery import Celery\napp = Celery('x')\napp.config_from_envvar('CONFIG')\n"}
    assert told(files).celery.setting("task_time_limit") == Unknown(
        "an environment variable names the module that configures Celery"
    )
    assert told({}).celery.setting("task_time_limit") == Unknown("the repository makes no Celery application")


def test_tasks_and_their_options() -> None:
    files = {
        "shop/celery.py": "from celery import Celery\napp = Celery('x')\n",
        "shop/tasks.py": "from celery import shared_task\nfrom shop.celery import app\nMINUTE = 60\n"
        "@shared_task(bind=True, time_limit=5 * MINUTE)\ndef one(self): ...\n"
        "@app.task(acks_late=True)\ndef two(): ...\n"
        "@shared_task\ndef three(): ...\n"
        "def none(): ...\n",
    }
    tasks = told(files).celery.tasks
    assert [(task.name, {name: plain(value) for name, value in task.options.items()}) for task in tasks] == [
        ("shop.tasks.one", {"bind": True, "time_limit": 300}),
        ("shop.tasks.two", {"acks_late": True}),
        ("shop.tasks.three", {}),
    ]
    assert isinstance(tasks[0].option("time_limit"), Known)
