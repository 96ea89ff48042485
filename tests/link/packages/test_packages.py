"""Which packages production installs, and in which versions."""

from __future__ import annotations

import importlib

import pytest
from packaging.version import Version

from stackaudit.config import Config
from stackaudit.discover import kind_of
from stackaudit.facts.files import FileFacts, Note, UnreadableError
from stackaudit.link.packages import Packages
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place, Region
from stackaudit.model.values import Known, Unknown

LOWERERS = {
    "requirements": "requirements",
    "pyproject": "pyproject",
    "pipfile": "pipfile",
    "setupcfg": "setupcfg",
    "lock": "locks",
    "runtime": "runtime",
    "dockerfile": "dockerfile",
}


def packages(files: dict[str, str]) -> Packages:
    """The packages of a repository of `files`."""
    found = []
    for path, text in files.items():
        kind = kind_of(path, text.encode()) or "other"
        facts, unread = None, None
        if kind in LOWERERS:
            try:
                facts = importlib.import_module(f"stackaudit.lower.{LOWERERS[kind]}").lower(text.encode(), path)
            except UnreadableError as error:
                unread = Note(error.why, error.line)
        found.append(FileFacts(path, kind, facts, unread))
    return Stack(found, Config()).packages


def chosen(files: dict[str, str]) -> tuple[tuple[str, ...], list[str]]:
    found = packages(files)
    return found.production, sorted(found.declared)


BASE = {"requirements/base.txt": "django==5.2.9\n", "requirements/dev.txt": "-r base.txt\npytest\n"}


@pytest.mark.parametrize(
    ("files", "production", "names"),
    [
        ({"requirements.txt": "django\n", "requirements-dev.txt": "pytest\n"}, ("requirements.txt",), ["django"]),
        (
            {**BASE, "requirements/production.txt": "-r base.txt\ngunicorn\n"},
            ("requirements/production.txt", "requirements/base.txt"),
            ["django", "gunicorn"],
        ),
        (BASE, ("requirements/base.txt",), ["django"]),
        (
            {"docs/requirements.txt": "sphinx\n", "requirements.txt": "django\n", "manage.py": ""},
            ("requirements.txt",),
            ["django"],
        ),
        (
            {"server/requirements.txt": "django\n", "server/manage.py": "", "scraper/requirements.txt": "scrapy\n"},
            ("server/requirements.txt",),
            ["django"],
        ),
        (
            {"pyproject.toml": '[project]\nname="x"\ndependencies=["django"]\n[dependency-groups]\ndev=["pytest"]\n'},
            ("pyproject.toml",),
            ["django"],
        ),
        (
            {"pyproject.toml": '[dependency-groups]\nmain=["django"]\ndev=["pytest"]\n', "requirements.txt": "sphinx"},
            ("pyproject.toml",),
            ["django"],
        ),
        (
            {"setup.cfg": "[options]\ninstall_requires = file: requirements.txt\n", "requirements.txt": "django\n"},
            ("requirements.txt",),
            ["django"],
        ),
        ({"Pipfile": '[packages]\ndjango="*"\n[dev-packages]\npytest="*"\n'}, ("Pipfile",), ["django"]),
        ({"README.md": ""}, (), []),
    ],
)
def test_the_production_set_by_place_and_name(
    files: dict[str, str], production: tuple[str, ...], names: list[str]
) -> None:
    assert chosen(files) == (production, names)


WEB = ("requirements/web.txt",)
PROJECT = ("pyproject.toml",)


@pytest.mark.parametrize(
    ("run", "production"),
    [
        ("pip install -r requirements/web.txt", WEB),
        ("python3 -m pip install --no-cache-dir --requirement=/tmp/requirements/web.txt", WEB),
        ("apt-get update && pip install -r requirements/web.txt -r requirements.txt", (*WEB, "requirements.txt")),
        ("uv pip install --system -r requirements/web.txt", WEB),
        ("pip wheel --wheel-dir /wheels -r requirements/web.txt", WEB),
        ("pip install -r ${REQUIREMENTS}", WEB),
        ("uv sync --frozen --no-dev", PROJECT),
        ("pip install .", PROJECT),
        ("poetry install --only main", PROJECT),
        ("pip install -r $UNKNOWN", PROJECT),
        ("if [ -n $DEV ]; then pip install -r requirements/web.txt; fi", PROJECT),
    ],
)
def test_an_image_says_what_production_installs(run: str, production: tuple[str, ...]) -> None:
    """The last two tell nothing, and the choice falls back to places and names."""
    files = {
        "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["django"]\n',
        "requirements.txt": "celery\n",
        "requirements/web.txt": "django\n",
        "Dockerfile": f"FROM python:3.13\nARG REQUIREMENTS=requirements/web.txt\nRUN {run}\n",
    }
    assert packages(files).production == production


def test_images_for_development_say_nothing_and_stages_that_only_test_neither() -> None:
    files = {
        "requirements.txt": "django\n",
        "requirements-ci.txt": "pytest\n",
        "more-requirements.txt": "celery\n",
        "docker/dev/Dockerfile": "FROM python\nRUN pip install -r more-requirements.txt\n",
        "Dockerfile": (
            "FROM python AS base\nRUN pip install -r requirements.txt\n"
            "FROM base AS check\nRUN pip install -r more-requirements.txt\n"
            "FROM base\nCMD gunicorn shop.wsgi\n"
        ),
    }
    assert chosen(files) == (("requirements.txt",), ["django"])


def test_what_an_image_installs_by_name_belongs_to_production() -> None:
    found = packages(
        {
            "requirements.txt": "django==5.2.9\n",
            "Dockerfile": "FROM python\nRUN pip install -U pip && pip install gunicorn==23.0.0 -r requirements.txt\n",
        }
    )
    assert sorted(found.declared) == ["django", "gunicorn"]
    assert found.version("gunicorn") == Known(Version("23.0.0"), (Place("Dockerfile", Region(2, 39, 2, 55)),))


def test_groups_and_extras_that_an_image_asks_for() -> None:
    project = (
        '[project]\nname = "shop"\ndependencies = ["django"]\n'
        '[project.optional-dependencies]\ns3 = ["boto3"]\nldap = ["python-ldap"]\n'
        '[dependency-groups]\nserver = ["gunicorn"]\nworker = ["celery"]\ndev = ["pytest"]\n'
    )
    image = "FROM python\nRUN uv sync --group worker --extra s3\n"
    found = packages({"pyproject.toml": project, "Dockerfile": image})
    assert sorted(found.declared) == ["boto3", "celery", "django", "gunicorn"]
    assert sorted(found.development) == ["pytest", "python-ldap"]


def test_a_broken_file_hides_what_lies_above_it() -> None:
    files = {
        "pyproject.toml": '[project]\nname = "template"\ndependencies = ["cookiecutter"]\n',
        "app/pyproject.toml": "{% if %}\n",
        "app/manage.py": "",
        "app/requirements.txt": "django==5.2.9\n",
        "app/Dockerfile": "FROM python\nRUN uv sync --no-dev\n",
    }
    assert chosen(files) == (("app/requirements.txt",), ["django"])


def test_versions_come_from_pins_then_locks_then_constraints() -> None:
    lock = """\
[[package]]
name = "django"
version = "5.2.9"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "sqlparse" }]

[[package]]
name = "redis"
version = "6.1.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "sqlparse"
version = "0.5.3"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "pytest"
version = "8.0"
source = { registry = "https://pypi.org/simple" }
"""
    found = packages(
        {
            "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["Django>=5.2", "redis==6.2.0", "rich"]\n',
            "uv.lock": lock,
        }
    )
    assert found.version("Django") == Known(Version("5.2.9"), (Place("uv.lock", Region(2, 1, 2, 16)),))
    assert found.version("redis") == Known(Version("6.2.0"), (Place("pyproject.toml", Region(3, 32, 3, 46)),))
    assert found.version("sqlparse") == Known(Version("0.5.3"), (Place("uv.lock", Region(13, 1, 13, 18)),))
    assert isinstance(found.version("rich"), Unknown)
    assert found.version("celery") == Unknown("celery is not among the requirements")
    assert (found.has("sqlparse"), found.has("pytest"), found.has("celery")) == (True, False, False)
    assert [(item.name, item.version, item.path, item.region.line) for item in found.pins] == [
        ("django", "5.2.9", "pyproject.toml", 3),
        ("redis", "6.2.0", "pyproject.toml", 3),
        ("sqlparse", "0.5.3", "uv.lock", 13),
    ]


def test_constraints_pin_what_is_asked_for() -> None:
    found = packages(
        {"requirements.txt": "-c constraints.txt\ndjango\n", "constraints.txt": "django==5.2.9\ncelery==5.5\n"}
    )
    assert found.version("django") == Known(Version("5.2.9"), (Place("constraints.txt", Region(1, 1, 1, 14)),))
    assert not found.has("celery")


def test_what_stays_unknown_says_why() -> None:
    found = packages(
        {
            "requirements.txt": (
                "django>=5.2\nredis\npush @ git+https://example.org/push.git\n"
                'numpy==1.26; python_version < "3.12"\nnumpy==2.0; python_version >= "3.12"\n'
            )
        }
    )
    reasons = {
        name: value.why
        for name in ("django", "redis", "push", "numpy")
        if isinstance(value := found.version(name), Unknown)
    }
    assert reasons == {
        "django": "requirements.txt asks for django>=5.2 and no lock file pins it",
        "redis": "requirements.txt names no version and no lock file pins it",
        "push": "push is installed from git+https://example.org/push.git, which tells no version",
        "numpy": "numpy is pinned to several versions (1.26, 2.0)",
    }
    assert found.pins == ()


@pytest.mark.parametrize(
    ("specifier", "series"),
    [
        ("==5.2.9", "5.2.9"),
        ("~=5.2.1", "5.2"),
        ("==5.2.*", "5.2"),
        (">=5.2,<5.3", "5.2"),
        (">=5.2.1,<5.3", "5.2"),
        (">=5.2,<6", None),
        ("~=5.2", None),
        (">=5.2", None),
        (">=5.1,<5.3", None),
        ("<5.3", None),
        ("", None),
    ],
)
def test_the_release_series_of_django(specifier: str, series: str | None) -> None:
    value = packages({"requirements.txt": f"Django{specifier}\n"}).django_version
    assert (str(value.value) if isinstance(value, Known) else None) == series


def test_a_compiled_file_tells_what_was_asked_for() -> None:
    compiled = "# autogenerated by pip-compile\nasgiref==3.8.1\n    # via django\ndjango==5.2.9\n    # via -r x.in\n"
    found = packages({"requirements.txt": compiled, "requirements.in": "django\n"})
    assert found.declared_names == ("django",)
    assert [item.name for item in found.pins] == ["asgiref", "django"]
    alone = packages({"requirements.txt": compiled})
    assert alone.declared_names == ("django",)
