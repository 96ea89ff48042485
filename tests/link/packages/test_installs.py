"""Commands of images that install packages, word by word."""

from __future__ import annotations

import pytest

from stackaudit.facts.files import FileFacts
from stackaudit.link.packages.installs import DEVELOPMENT, PRODUCTION, Install, installs
from stackaudit.lower import dockerfile


def found(text: str, path: str = "Dockerfile") -> list[Install]:
    return list(installs([FileFacts(path, "dockerfile", dockerfile.lower(text.encode(), path))]))


def only(run: str) -> Install:
    (install,) = found(f"FROM python:3.13\nARG FILE=prod.txt\nRUN {run}\n")
    return install


@pytest.mark.parametrize(
    ("run", "files", "packages"),
    [
        ("pip install -r a.txt", ("a.txt",), ()),
        ("/venv/bin/pip3.12 install -ra.txt", ("a.txt",), ()),
        ("python3.13 -m pip install --requirement a.txt --requirement=b.txt", ("a.txt", "b.txt"), ()),
        ('pip install -i https://example.org "gunicorn>=23" -c limits.txt', (), ("gunicorn>=23",)),
        ("pip install --no-cache-dir --target /site celery[redis]==5.5", (), ("celery[redis]==5.5",)),
        ("pip install /wheels/*", (), ()),
        ("pip install -r $FILE", ("prod.txt",), ()),
        ("uv pip install --index-strategy unsafe-best-match -r a.txt", ("a.txt",), ()),
        ("sh -c 'pip install -r a.txt'", ("a.txt",), ()),
    ],
)
def test_pip(run: str, files: tuple[str, ...], packages: tuple[str, ...]) -> None:
    install = only(run)
    assert (install.tool, install.files, tuple(name for name, _ in install.packages)) == ("pip", files, packages)


@pytest.mark.parametrize(
    ("before", "edited"),
    [
        ("sed -i '/# Development/,$d' requirements.txt", ("requirements.txt",)),
        ("sed --in-place=.bak s/a/b/ /app/requirements.txt", ("requirements.txt",)),
        ("sh -c 'perl -pi -e s/a/b/ requirements.txt'", ("requirements.txt",)),
        ("mv slim.txt requirements.txt", ("requirements.txt",)),
        ("sed s/a/b/ requirements.txt", ()),
        ("sed -i s/a/b/ settings.py", ()),
        ("pip install -r requirements.txt && sed -i d requirements.txt", ()),
    ],
)
def test_files_that_the_image_changes_first(before: str, edited: tuple[str, ...]) -> None:
    first, *_ = found(f"FROM python:3.13\nRUN {before}\nRUN pip install -r requirements.txt\n")
    assert (first.files, first.edited) == (("requirements.txt",), edited)


@pytest.mark.parametrize(
    ("run", "project", "extras", "groups"),
    [
        ("pip install .", True, (), ()),
        ("pip install -e .[s3,ldap]", True, ("s3", "ldap"), ()),
        ("pip install --group main --group dev", False, (), ("main", "dev")),
        ("pip install --group=pyproject.toml:main", False, (), ("main",)),
    ],
)
def test_pip_and_projects(run: str, project: bool, extras: tuple[str, ...], groups: tuple[str, ...]) -> None:
    install = only(run)
    assert (install.project, install.extras, install.groups) == (project, extras, groups)


@pytest.mark.parametrize(
    ("run", "main", "defaults", "every", "groups", "without"),
    [
        ("uv sync", True, True, False, (), ()),
        ("uv sync --frozen --no-dev --group web", True, False, False, ("web",), ()),
        ("UV_NO_DEV=1 uv sync --frozen", True, False, False, (), ()),
        ("UV_NO_DEV=0 uv sync --frozen", True, True, False, (), ()),
        ("uv sync --no-default-groups", True, False, False, (), ()),
        ("uv sync --only-group web", False, False, False, ("web",), ()),
        ("uv sync --all-groups --no-group dev", True, True, True, (), ("dev",)),
        ("poetry install", True, False, True, (), ()),
        ("poetry install --only main,web", True, False, False, ("web",), ()),
        ("poetry install --without dev,docs --with web", True, False, True, ("web",), ("dev", "docs")),
        ("poetry install --no-dev", True, False, False, (), ()),
        ("pipenv install --deploy --system", True, False, False, (), ()),
        ("pipenv sync --dev", True, False, True, (), ()),
        ("pdm sync --prod -G web", True, False, False, ("web",), ()),
        ("pdm install", True, False, True, (), ()),
    ],
)
def test_project_tools(
    run: str, main: bool, defaults: bool, every: bool, groups: tuple[str, ...], without: tuple[str, ...]
) -> None:
    install = only(run)
    assert (install.main, install.defaults, install.every, install.groups, install.without) == (
        main,
        defaults,
        every,
        groups,
        without,
    )


@pytest.mark.parametrize("run", ["pip list", "uv lock", "apt-get install -y python3", "echo pip install x", "pip"])
def test_commands_that_install_nothing(run: str) -> None:
    assert found(f"FROM python\nRUN {run}\n") == []


def test_images_for_production_outweigh_the_rest() -> None:
    text = b"FROM python\nRUN pip install -r x.txt\n"
    paths = ["Dockerfile", "docker/prod/Dockerfile", "docker/dev/Dockerfile"]
    files = [FileFacts(path, "dockerfile", dockerfile.lower(text, path)) for path in paths]
    assert [install.place.path for install in installs(files)] == ["docker/prod/Dockerfile"]
    assert [install.place.path for install in installs(files[::2])] == ["Dockerfile"]


@pytest.mark.parametrize(
    ("path", "development", "production"),
    [
        ("requirements-dev.txt", True, False),
        ("requirements/tests.txt", True, False),
        ("dev-requirements.txt", True, False),
        ("test_requirements.txt", True, False),
        ("docs/requirements.txt", True, False),
        ("requirements/local.txt", True, False),
        (".devcontainer/Dockerfile", True, False),
        ("requirements/production.txt", False, True),
        ("compose/prod/Dockerfile", False, True),
        ("requirements.txt", False, False),
        ("contest/requirements.txt", False, False),
        ("latest/requirements.txt", False, False),
        ("devotion/requirements.txt", False, False),
    ],
)
def test_what_names_tell(path: str, development: bool, production: bool) -> None:
    assert (bool(DEVELOPMENT.search(path)), bool(PRODUCTION.search(path))) == (development, production)
