"""Which settings module is chosen and why, and what `Settings` answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.config import Config
from stackaudit.link.settings import Settings
from stackaudit.model.source import Place, Region
from stackaudit.model.values import Known, Unknown, plain
from tests.stacks import stack_of

PLAIN = "SECRET_KEY = 'x'\nROOT_URLCONF = 'urls'\n"


def settings(root: Path, files: dict[str, str], config: Config | None = None) -> Settings:
    found = stack_of(root, files, config).settings
    assert found is not None
    return found


def names(module: str) -> str:
    return f"import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', '{module}')\n"


CHOICES = {
    "wsgi.py names it": (
        {"shop/wsgi.py": names("shop.settings"), "shop/settings.py": PLAIN},
        ("shop.settings", "shop/settings.py", "shop/wsgi.py names it", ""),
    ),
    "a module named for production outweighs a wsgi.py that names development": (
        {
            "shop/wsgi.py": names("shop.settings.dev"),
            "shop/settings/dev.py": PLAIN,
            "shop/settings/production.py": PLAIN,
        },
        ("shop.settings.production", "shop/settings/production.py",
         "shop/settings/production.py is named for production", ""),
    ),
    "the process of production has the last word": (
        {
            "shop/wsgi.py": names("shop.settings"),
            "shop/settings/__init__.py": PLAIN,
            "shop/settings/eu.py": "from . import *\n",
            "docker-compose.prod.yml": "services:\n  web:\n    image: shop\n    command: gunicorn shop.wsgi\n"
            "    environment:\n      DJANGO_SETTINGS_MODULE: shop.settings.eu\n",
        },
        ("shop.settings.eu", "shop/settings/eu.py", "docker-compose.prod.yml web: gunicorn is started with it", ""),
    ),
    "a .env file of production": (
        {
            ".envs/.production/.django": "DJANGO_SETTINGS_MODULE=shop.settings.live2\n",
            "shop/wsgi.py": names("shop.settings.base"),
            "shop/settings/base.py": PLAIN,
            "shop/settings/live2.py": "from .base import *\n",
        },
        ("shop.settings.live2", "shop/settings/live2.py", ".envs/.production/.django sets it", ""),
    ),
    "only settings for development": (
        {"manage.py": names("shop.settings.local"), "shop/settings/local.py": PLAIN},
        ("shop.settings.local", "shop/settings/local.py",
         "manage.py names it, though its name is one of development",
         "shop.settings.local is for development by its name, and the repository names no other for production"),
    ),
    "names alone": (
        {"shop/settings.py": PLAIN, "other/settings.py": "LIMIT = 5\n"},
        ("shop.settings", "shop/settings.py", "shop/settings.py looks like settings by its name and what it sets", ""),
    ),
    "an image copies it into place": (
        {
            "Dockerfile": "FROM python\nENV DJANGO_SETTINGS_MODULE=conf.live\nCOPY . /app\n"
            "RUN cp docker/live.py conf/live.py\nCMD gunicorn shop.wsgi\n",
            "conf/common.py": PLAIN,
            "docker/live.py": "from .common import *\nDEBUG = False\n",
        },
        ("conf.live", "docker/live.py", "Dockerfile: gunicorn is started with it", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOICES)
def test_choice(name: str, tmp_path: Path) -> None:
    files, expected = CHOICES[name]
    found = settings(tmp_path, files)
    assert (found.module, found.path, found.why, found.doubt) == expected


def test_settings_of_development_are_unknown_for_production(tmp_path: Path) -> None:
    files, (*_, doubt) = CHOICES["only settings for development"]
    made = {**files, "shop/settings/local.py": PLAIN + "CACHES = {'default': {'BACKEND': 'x'}}\n"}
    found = stack_of(tmp_path, made)
    assert found.settings is not None and found.production is not None
    backend = ("CACHES", "default", "BACKEND")
    assert plain(found.settings.at(*backend)) == "x"
    assert found.production.at(*backend) == found.production.get("DEBUG") == Unknown(doubt)
    assert found.production.place_at(*backend) == found.settings.place_at(*backend)


def test_settings_without_doubt_are_those_of_production(tmp_path: Path) -> None:
    found = stack_of(tmp_path, {"shop/settings.py": PLAIN})
    assert found.production is found.settings


def test_what_is_asked_for_is_taken(tmp_path: Path) -> None:
    files = {"shop/settings/dev.py": PLAIN + "DEBUG = True\n", "shop/settings/production.py": PLAIN}
    found = settings(tmp_path, files, Config(settings="shop.settings.dev"))
    assert (found.module, found.doubt, plain(found.get("DEBUG"))) == ("shop.settings.dev", "", True)


def test_what_is_asked_for_and_missing_is_unknown(tmp_path: Path) -> None:
    found = settings(tmp_path, {"shop/settings.py": PLAIN}, Config(settings="no.such"))
    assert found.get("DEBUG") == Unknown("the settings module no.such, which was asked for, is not in the repository")


def test_no_settings_at_all(tmp_path: Path) -> None:
    assert stack_of(tmp_path, {"app.py": "x = 1\n"}).settings is None


def test_a_syntax_error_makes_everything_unknown(tmp_path: Path) -> None:
    found = settings(tmp_path, {"shop/wsgi.py": names("shop.settings"), "shop/settings.py": "A = 1\nB = = 2\n"})
    value = found.get("B")
    assert isinstance(value, Unknown) and value.why.startswith("shop/settings.py could not be read: ")


def test_a_syntax_error_in_the_chain(tmp_path: Path) -> None:
    files = {"shop/settings/__init__.py": "", "shop/settings/base.py": "A = = 1\n",
             "shop/settings/production.py": PLAIN + "from .base import *\nB = 2\n"}  # fmt: skip
    found = settings(tmp_path, files)
    assert (plain(found.get("B")), isinstance(found.get("SECRET_KEY"), Unknown)) == (2, True)
    assert isinstance(found.get("A"), Unknown)


def test_at_and_places(tmp_path: Path) -> None:
    text = PLAIN + (
        "DATABASES = {\n    'default': {'ENGINE': 'e'},\n}\nDATABASES['default']['CONN_MAX_AGE'] = 60\n"
        "TEMPLATES = [{'DIRS': ['a']}]\n"
    )
    found = settings(tmp_path, {"shop/settings.py": text})
    assert plain(found.at("DATABASES", "default", "CONN_MAX_AGE")) == 60
    assert found.place_at("DATABASES", "default", "CONN_MAX_AGE") == Place("shop/settings.py", Region(6, 1, 6, 37))
    assert found.at("DATABASES", "default", "HOST", default="").value == ""  # type: ignore[union-attr]
    assert isinstance(found.at("DATABASES", "other", "HOST"), Unknown)
    assert plain(found.at("TEMPLATES", 0, "DIRS", 0)) == "a"
    assert found.place("USE_TZ") == Place("shop/settings.py", Region(1, 1, 1, 1))
    assert (found.is_set("DATABASES"), found.is_set("USE_TZ")) == (True, False)


def test_defaults_are_djangos(tmp_path: Path) -> None:
    found = settings(tmp_path, {"shop/settings.py": PLAIN, "requirements.txt": "django==4.2.1\n"})
    assert found.get("USE_TZ") == Known(False, (), "Django's default")
    assert found.get("MY_OWN") == Known(None, (), "not set")


def test_environment_of_production(tmp_path: Path) -> None:
    files = {
        "shop/settings.py": PLAIN
        + "import os\nA = os.environ.get('A', 'd')\nB = os.environ.get('B', 'd')\nC = os.environ.get('C', 'd')\n",
        ".env.production": "A=prod\n",
        ".env": "B=mine\n",
        ".env.example": "C=example\n",
    }
    found = settings(tmp_path, files)
    assert plain(found.get("A")) == "prod"
    assert found.get("B") == Unknown(
        ".env sets B, and may be the file of one machine", (Place("shop/settings.py", Region(5, 1, 5, 2)),)
    )
    value = found.get("C")
    assert isinstance(value, Known) and (value.value, value.note) == ("d", "default of env C")


CONFIGURATIONS = """
from configurations import Configuration, values
class Common(Configuration):
    SECRET_KEY = values.SecretValue()
    DEBUG = values.BooleanValue(False)
    APPS = ["a"]
    LEVEL = values.IntegerValue(3, environ_name="LEVEL_OF")
    @property
    def MIDDLEWARE(self):
        return ["m"] + self.APPS
class Dev(Common):
    DEBUG = True
class Production(Common):
    APPS = Common.APPS + ["b"]
"""


def test_configuration_classes(tmp_path: Path) -> None:
    found = settings(tmp_path, {"shop/settings.py": CONFIGURATIONS, "shop/wsgi.py": names("shop.settings")})
    values = {name: plain(found.get(name)) for name in ("DEBUG", "APPS", "LEVEL", "MIDDLEWARE")}
    assert values == {"DEBUG": False, "APPS": ["a", "b"], "LEVEL": 3, "MIDDLEWARE": ["m", "a", "b"]}
    assert isinstance(found.get("SECRET_KEY"), Unknown)


def test_a_module_that_sets_nothing_leaves_everything_open(tmp_path: Path) -> None:
    made = {"manage.py": names("shop.settings"), "shop/settings.py": "import loader\n\nloader.load(__name__)\n"}
    assert settings(tmp_path, made).get("DEBUG") == Unknown(
        "shop/settings.py sets nothing by a statement that is followed"
    )


def test_the_name_of_the_module_is_known_inside_of_it(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        {
            "shop/wsgi.py": names("shop.settings.production"),
            "shop/settings/base.py": PLAIN + "import os\nSTAGE = os.environ['DJANGO_SETTINGS_MODULE'].split('.')[-1]\n",
            "shop/settings/production.py": "from .base import *\nDEBUG = STAGE != 'production'\n",
        },
    )
    assert (plain(found.get("STAGE")), plain(found.get("DEBUG"))) == ("production", False)


def test_what_debug_brings_is_judged_without_it_where_only_a_default_turns_it_on(tmp_path: Path) -> None:
    text = "import os\nDEBUG = os.environ.get('DEBUG', 'True') == 'True'\nINSTALLED_APPS = ['shop']\n"
    text += "if DEBUG:\n    INSTALLED_APPS += ['debug_toolbar']\nelse:\n    SESSION_COOKIE_SECURE = True\n"
    found = settings(tmp_path, {"settings.py": PLAIN + text})
    assert plain(found.get("DEBUG")) is True
    assert (plain(found.get("INSTALLED_APPS")), plain(found.get("SESSION_COOKIE_SECURE"))) == (["shop"], True)


def test_a_stage_that_is_development_by_default_stays_so(tmp_path: Path) -> None:
    text = "import os\nSTAGE = os.environ.get('STAGE', 'dev')\nDEBUG = STAGE == 'dev'\nNAME = {'dev': 'a'}[STAGE]\n"
    found = settings(tmp_path, {"settings.py": PLAIN + text})
    assert (plain(found.get("DEBUG")), plain(found.get("NAME"))) == (True, "a")
