"""What is unknown says exactly what decides it; what rests on a default says of which variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackaudit.link.fold import Source, World, fold_file
from stackaudit.link.settings import matches
from stackaudit.lower import python
from stackaudit.model.values import Known, Unknown, defaulted
from tests.stacks import stack_of


class File:
    """A Python file as the fold wants it."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.name = path.removesuffix(".py").replace("/", ".")
        self.facts = python.lower(text.encode(), path)


def folded(text: str, environment: dict[str, str] | None = None, **files: str) -> dict[str, Any]:
    """(value, note) of what is known, and why the rest is not."""
    sources: dict[str, Source] = {name: File(f"{name}.py", body) for name, body in files.items()}
    world = World(
        environment={name: Known(value) for name, value in (environment or {}).items()},
        find=lambda dotted, near: sources.get(dotted),
        glob=lambda pattern: [file for name, file in sorted(sources.items()) if matches(f"{name}.py", pattern)],
    )
    found = fold_file(File("settings.py", text).facts, "settings.py", world, "settings")
    told = {
        name: value.why if isinstance(value, Unknown) else (value.value, value.note)
        for name, value in found.items()
        if name.isupper()
    }
    return {**told, "open": found.open} if found.open else told


PYDANTIC = """
from pydantic import Field
from pydantic_settings import BaseSettings
class Env(BaseSettings, env_prefix="SHOP_"):
    key: str
    debug: bool = False
    hosts: list[str] = []
    dsn: str = Field(..., alias="DATABASE_URL")
env = Env()
KEY = env.key
DEBUG = env.debug
DSN = env.dsn
"""
DYNACONF = """
from dynaconf import DjangoDynaconf
DEBUG = False
HOSTS = 1
settings = DjangoDynaconf(__name__, ENVVAR_PREFIX_FOR_DYNACONF="SHOP")
"""
SPLIT = """
from split_settings.tools import include, optional
import os
DEBUG = False
include("base.py", optional(os.environ["EXTRA"]))
"""


def unset(name: str) -> str:
    """The reason for a variable that nobody sets."""
    return f"the environment variable {name} decides it and the repository does not set it"


@pytest.mark.parametrize(
    ("text", "environment", "files", "expected"),
    [
        pytest.param(
            PYDANTIC,
            {},
            {},
            {"KEY": unset("SHOP_KEY"), "DEBUG": (False, "default of env SHOP_DEBUG"), "DSN": unset("DATABASE_URL")},
            id="pydantic-settings",
        ),
        pytest.param(
            PYDANTIC,
            {"SHOP_KEY": "k", "SHOP_DEBUG": "on", "DATABASE_URL": "x"},
            {},
            {"KEY": ("k", ""), "DEBUG": (True, ""), "DSN": ("x", "")},
            id="pydantic-settings with an environment",
        ),
        pytest.param(
            DYNACONF,
            {"SHOP_HOSTS": "2"},
            {},
            {
                "DEBUG": (False, "default of env SHOP_DEBUG or a file of dynaconf"),
                "HOSTS": "the environment variable SHOP_HOSTS decides it",
            },
            id="dynaconf",
        ),
        pytest.param(
            SPLIT,
            {},
            {"base": "A = 1"},
            {"A": unset("EXTRA"), "DEBUG": unset("EXTRA"), "open": unset("EXTRA")},
            id="split-settings with a file that a variable names",
        ),
        pytest.param(
            'from split_settings.tools import include\nDEBUG = False\ninclude("parts/*.py")',
            {},
            {},
            {"DEBUG": (False, ""), "open": "parts/*.py, which it includes, is not in the repository"},
            id="split-settings without the files",
        ),
        pytest.param(
            "class A:\n    def x(self): return super().x()\nDEBUG = A().x()",
            {},
            {},
            {"A": "it is the object A of Python", "DEBUG": "super() has no attribute x"},
            id="super() of nothing",
        ),
    ],
)
def test_what_decides(text: str, environment: dict[str, str], files: dict[str, str], expected: dict[str, Any]) -> None:
    assert folded(text, environment, **files) == expected


MANAGE = 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
CHOSEN = """\
import os

LITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
SERVER = {"default": {"ENGINE": "django.db.backends.postgresql"}}
"""


@pytest.mark.parametrize(
    "code",
    [
        'engine = os.environ.get("DB", "sqlite")\nif engine == "postgresql":\n    DATABASES = SERVER\n'
        "else:\n    DATABASES = LITE\n",
        'match os.environ.get("DB", "sqlite"):\n    case "postgresql":\n        DATABASES = SERVER\n'
        "    case _:\n        DATABASES = LITE\n",
        'def chosen():\n    engine = os.environ.get("DB", "sqlite")\n    if engine == "postgresql":\n'
        "        return SERVER\n    return LITE\n\nDATABASES = chosen()\n",
        'def chosen():\n    match os.environ.get("DB", "sqlite"):\n        case "postgresql":\n'
        "            return SERVER\n    return LITE\n\nDATABASES = chosen()\n",
        'def chosen():\n    if os.environ.get("DB") == "postgresql":\n        return SERVER\n    return LITE\n\n'
        "DATABASES = chosen()\n",
        'DATABASES = SERVER if os.environ.get("DB", "sqlite") == "postgresql" else LITE\n',
    ],
    ids=["if", "match", "if in a function", "match in a function", "no default in a function", "conditional"],
)
def test_what_lies_below_a_setting_rests_on_the_default_that_chose_it(code: str, tmp_path: Path) -> None:
    files = {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": CHOSEN + code}
    settings = stack_of(tmp_path, files).settings
    assert settings is not None
    engine = settings.at("DATABASES", "default", "ENGINE")
    assert isinstance(engine, Known)
    assert (engine.value, defaulted(engine.note)) == ("django.db.backends.sqlite3", "DB")
