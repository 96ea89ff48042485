"""deps/dev-in-production: tools of development in what production installs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stackaudit.checks.deps.loaded import Uses, uses
from stackaudit.facts.distributions import MODULES
from stackaudit.facts.packages import PackageFile
from stackaudit.link.packages import Declared, Packages
from stackaudit.link.packages.installs import DEVELOPMENT, Install
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place, Region
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_TOOLS = frozenset(
    """
    autopep8 bandit black codespell coverage coveralls deptry django-debug-toolbar django-extra-checks
    django-stubs django-test-migrations django-test-plus django-upgrade django-zeal djangorestframework-stubs
    djlint factory-boy faker flake8 freezegun hypothesis import-linter ipdb ipython isort locust mixer mock
    model-bakery mypy nose nox nplusone pdbpp pep8-naming pip-audit playwright pre-commit pudb pycodestyle
    pydocstyle pyflakes pylint pylint-django pyright pytest pyupgrade responses ruff safety selenium
    time-machine tox twine vcrpy vulture yapf
    """.split()
)
_FAMILIES = ("pytest-", "flake8-", "types-", "pylint-")
_INSTALLS_DEV = re.compile(r"dev|develop|development|test|tests|lint|docs|typing|local")


def is_tool(key: str) -> bool:
    """Whether a distribution is only of use to those who write the code."""
    return key in _TOOLS or key.startswith(_FAMILIES)


def dev_in_production(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each file that production installs, and for each image that installs a group for development.

    A tool that the code itself imports is no tool there. Where one flat file is all there is and nothing says that
    production installs it, a tool in it is unknown, and so is one in a file that the image changes first. Where an
    image asks for a group of development besides, that is the finding, and the tools among the rest are part of it.
    """
    packages = stack.packages
    suspects = [item for item in packages.direct if is_tool(item.fact.key)]
    found = uses(stack) if suspects else None
    tools = [item for item in suspects if found is None or not _imported(item, found)]
    images = list(_images(stack, tools))
    guilty = any(isinstance(verdict, Fail) for verdict in images)
    edited = {name.rpartition("/")[2]: install for install in packages.installs for name in install.edited}
    for path in packages.production:
        listed = [item for item in tools if item.path == path]
        if not listed:
            yield Pass(Site(_first(stack, path), path))
        elif _flat(packages):
            why = f"{path} is the only list of packages, and nothing tells what production installs"
            yield Unsure(Site(listed[0].place, path), why)
        elif (install := edited.get(path.rpartition("/")[2])) is not None:
            why = f"{install.place.path} changes the file before it installs it"
            yield Unsure(Site(listed[0].place, path), why)
        elif not guilty:
            names, related = _named(listed)
            yield Fail(Site(listed[0].place, path), {"path": path, **names}, related=related[1:])
    yield from images


def _named(tools: Sequence[Declared]) -> tuple[dict[str, str], tuple[Step, ...]]:
    """The names of tools for a sentence, and where they are listed."""
    names = sorted({item.fact.name for item in tools}, key=str.lower)
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    kind = "tools" if all(is_tool(item.fact.key) for item in tools) else "packages"
    counted = "a tool" if len(names) == 1 else f"{len(names)} {kind}"
    related = tuple(Step(item.place, f"{item.fact.name} is for development") for item in tools[:12])
    return {"tools": counted, "packages": shown}, related


def _imported(item: Declared, found: Uses) -> bool:
    """Whether code that is not a test imports it: demonstration data may well be made by Faker.

    The toolbar is imported by its own URLs, in projects where only DEBUG shows it.
    """
    if item.fact.key == "django-debug-toolbar":
        return False
    return any(
        found.imports_module(module) for module in MODULES.get(item.fact.key, (item.fact.key.replace("-", "_"),))
    )


def _flat(packages: Packages) -> bool:
    """Whether one file serves everything, as far as the repository tells."""
    return len(packages.production) == 1 and not packages.development and not packages.installs


def _first(stack: Stack, path: str) -> Place:
    facts = stack.files[path].facts
    if isinstance(facts, PackageFile):
        for item in facts.requirements:
            if not item.group or item.group == "main":
                return Place(path, item.region)
    return Place(path, Region(1, 1, 1, 1))


def _images(stack: Stack, listed: Sequence[Declared]) -> Iterator[Verdict]:
    """One verdict for each image that installs a file or a group for development.

    `listed` are the tools among what production installs anyway.
    """
    by_image: dict[str, list[tuple[Install, list[Declared]]]] = {}
    for install in stack.packages.installs:
        by_image.setdefault(install.place.path, []).append((install, _development(install, stack)))
    clean = [path for path, found in by_image.items() if not any(tools for _, tools in found)]
    for path, found in by_image.items():
        guilty = [(install, tools) for install, tools in found if tools]
        if not guilty:
            continue
        install, tools = guilty[0]
        site = Site(install.place, path)
        if clean:
            yield Unsure(
                site, f"{clean[0]} leaves the tools of development out, and which image is for production is open"
            )
            continue
        names, related = _named(tools)
        others = tuple(Step(other.place, "and so does this") for other, _ in guilty[1:])
        others += tuple(Step(item.place, f"{item.fact.name} comes with the rest") for item in listed[:6])
        yield Fail(site, {**names, "option": _option(install)}, cause="installed", related=(*others, *related))


def _development(install: Install, stack: Stack) -> list[Declared]:
    """What an image installs beyond the main dependencies: the tools of files, groups as a whole that hold a tool."""
    packages = stack.packages
    development = [item for items in packages.development.values() for item in items]
    names = {item.fact.group for item in development}
    taken = {name for name in (*install.groups, *install.extras) if _INSTALLS_DEV.fullmatch(name)}
    if install.every:
        taken |= {name for name in names if _INSTALLS_DEV.fullmatch(name)}
    if install.tool == "uv" and install.defaults:
        taken |= {name for name in _defaults(packages, stack) if name in names}
    taken -= {"", *install.without}
    files = [written.lstrip("./") for written in install.files if DEVELOPMENT.search(written)]
    tools = [
        item
        for item in development
        if item.fact.group in taken or (not item.fact.group and any(item.path.endswith(path) for path in files))
    ]
    groups = {item.fact.group for item in tools if is_tool(item.fact.key)}
    return [item for item in tools if is_tool(item.fact.key) or (item.fact.group and item.fact.group in groups)]


def _defaults(packages: Packages, stack: Stack) -> tuple[str, ...]:
    """The groups that `uv sync` installs unasked: those the project names, else `dev`."""
    for path in packages.production:
        facts = stack.files[path].facts
        if isinstance(facts, PackageFile) and facts.default_groups:
            return facts.default_groups
    return ("dev",)


def _option(install: Install) -> str:
    return {
        "uv": "Add --no-dev to `uv sync`",
        "poetry": "Write `poetry install --only main`",
        "pipenv": "Leave out --dev",
        "pdm": "Add --prod",
        "pip": f"Leave out {_asked(install)}" if _asked(install) else "Install the file of production only",
    }[install.tool]


def _asked(install: Install) -> str:
    """The options that ask pip for groups or files of development, "" where an extra of the project does."""
    groups = [f"`--group {name}`" for name in install.groups if _INSTALLS_DEV.fullmatch(name)]
    files = [f"`-r {name}`" for name in install.files if DEVELOPMENT.search(name)]
    return " and ".join((*groups, *files))
