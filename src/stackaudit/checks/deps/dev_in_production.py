"""deps/dev-in-production: tools of development in what production installs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.deps.loaded import Uses, uses
from stackaudit.facts.distributions import MODULES
from stackaudit.facts.packages import PackageFile
from stackaudit.link.installs import DEVELOPMENT, Install
from stackaudit.link.packages import Declared, Packages
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
    """One verdict for each file that production installs, and one for each image that installs a group for development.

    A tool that the code itself imports is no tool there. Where one flat file is all there is and nothing says that
    production installs it, a tool in it is unknown.
    """
    packages = stack.packages
    suspects = [item for item in packages.direct if is_tool(item.fact.key)]
    found = uses(stack) if suspects else None
    tools = [item for item in suspects if found is None or not _imported(item, found)]
    flat = _flat(packages)
    for item in tools:
        site = Site(item.place, item.fact.key)
        if flat:
            yield Unsure(site, f"{item.path} is the only list of packages, and nothing tells what production installs")
        else:
            yield Fail(
                site,
                {"package": item.fact.name, "path": item.path, "why": packages.why or "it is what production installs"},
            )
    guilty = {item.path for item in tools}
    for path in packages.production:
        if path not in guilty:
            yield Pass(Site(_first(stack, path), path))
    for install in packages.installs:
        yield from _groups(install, stack)


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


def _groups(install: Install, stack: Stack) -> Iterator[Verdict]:
    """What an image installs beyond the main dependencies."""
    packages = stack.packages
    names = {item.fact.group for items in packages.development.values() for item in items}
    taken = {name for name in (*install.groups, *install.extras) if _INSTALLS_DEV.fullmatch(name)}
    if install.every:
        taken |= {name for name in names if _INSTALLS_DEV.fullmatch(name)}
    if install.tool == "uv" and install.defaults:
        taken |= {name for name in _defaults(packages, stack) if name in names}
    taken -= set(install.without)
    tools = [item for items in packages.development.values() for item in items if item.fact.group in taken - {""}]
    for written in install.files:
        if DEVELOPMENT.search(written):
            tools += [
                item
                for items in packages.development.values()
                for item in items
                if item.path.endswith(written.lstrip("./")) and not item.fact.group
            ]
    tools = [item for item in tools if is_tool(item.fact.key)]
    if not tools:
        return
    named = sorted({item.fact.name for item in tools})
    values = {
        "count": len(named),
        "packages": ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else ""),
        "option": _option(install),
    }
    related = tuple(Step(item.place, f"{item.fact.name} is for development") for item in tools[:5])
    yield Fail(
        Site(install.place, f"{install.tool} installs for development"), values, cause="installed", related=related
    )


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
    }.get(install.tool, "Install the file or the group of production only")
