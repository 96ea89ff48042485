"""Several Django projects in one repository are told, and what hangs on settings is not known there."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.config import Config
from stackaudit.link.settings import projects
from stackaudit.scan import scan
from tests.stacks import stack_of, write

VARIABLE = 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{module}")\n'
SETTINGS = 'SECRET_KEY = "x"\nDEBUG = True\nINSTALLED_APPS = []\nROOT_URLCONF = "urls"\n'


def _project(folder: str, package: str) -> dict[str, str]:
    start = f"{folder}/" if folder else ""
    return {
        f"{start}manage.py": VARIABLE.format(module=f"{package}.settings"),
        f"{start}{package}/__init__.py": "",
        f"{start}{package}/settings.py": SETTINGS,
        f"{start}{package}/wsgi.py": VARIABLE.format(module=f"{package}.settings"),
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {**_project("services/shop", "shop"), **_project("services/blog", "blog")},
            ("services/blog", "services/shop"),
        ),
        ({**_project("shop", "config"), **_project("blog", "config")}, ("blog", "shop")),
        (_project("services/shop", "shop"), ()),
        ({**_project("services/shop", "shop"), **_project("examples/blog", "blog")}, ()),
        ({**_project("", "shop"), **_project("plugins/blog", "blog")}, ()),
        (
            {
                **_project("shop", "shop"),
                "worker/manage.py": VARIABLE.format(module="shop.settings"),
            },
            (),
        ),
        (
            {
                **_project("shop", "shop"),
                "blog/manage.py": VARIABLE.format(module="blog.settings"),
                "blog/blog/settings.py": SETTINGS,
            },
            (),
        ),
    ],
    ids=["two", "two of one name", "one", "an example", "one within the other", "shared settings", "never served"],
)
def test_projects_of_one_repository(files: dict[str, str], expected: tuple[str, ...], tmp_path: Path) -> None:
    assert projects.several(stack_of(tmp_path, files)) == expected


def test_settings_of_several_projects_are_in_doubt_and_said(tmp_path: Path) -> None:
    write(tmp_path, {**_project("shop", "shop"), **_project("blog", "blog")})
    result = scan(tmp_path, Config(no_cache=True, no_tools=True))
    assert [note.text for note in result.notifications if note.level == "warning"] == [
        "blog and shop are Django projects of their own and were judged as one stack, so that what was found in one may"
        " be meant for the other; scan each by itself (stackaudit scan blog), or leave the others out"
        " (exclude in the configuration)"
    ]
    assert "settings/debug-true" not in {finding.rule for finding in result.findings}
    told = {item.why for item in result.unknowns if item.rule == "settings/debug-true"}
    assert told == {"blog and shop are projects with settings of their own"}


def test_a_named_settings_module_ends_the_doubt(tmp_path: Path) -> None:
    files = {**_project("shop", "shop"), **_project("blog", "blog")}
    stack = stack_of(tmp_path, files, Config(settings="shop.settings"))
    assert projects.several(stack) == ()
    assert stack.settings is not None
    assert (stack.settings.path, stack.settings.doubt) == ("shop/shop/settings.py", "")
