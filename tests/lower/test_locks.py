"""Lock files of five tools."""

from __future__ import annotations

import pytest

from stackaudit.facts.files import UnreadableError
from stackaudit.facts.packages import Locked, Python
from stackaudit.lower.locks import lower
from stackaudit.model.source import Region


def test_uv() -> None:
    facts = lower(
        b"""\
version = 1
requires-python = ">=3.12"

[[package]]
name = "shop"
version = "1.0"
source = { virtual = "." }
dependencies = [{ name = "Django" }]

[[package]]
name = "django"
version = "5.2.9"
source = { registry = "https://pypi.org/simple" }
dependencies = [
    { name = "asgiref" },
    { name = "sqlparse" },
]

[[package]]
name = "push"
version = "0.1"
source = { git = "https://example.org/push.git" }
""",
        "uv.lock",
    )
    assert facts.project == "shop"
    assert facts.python == Python(">=3.12", Region(2, 20, 2, 26))
    assert facts.locked == (
        Locked(
            name="shop", key="shop", version="1.0", region=Region(5, 1, 5, 14), dependencies=("django",), registry=False
        ),
        Locked(
            name="django",
            key="django",
            version="5.2.9",
            region=Region(11, 1, 11, 16),
            dependencies=("asgiref", "sqlparse"),
        ),
        Locked(name="push", key="push", version="0.1", region=Region(20, 1, 20, 14), registry=False),
    )


def test_poetry() -> None:
    facts = lower(
        b"""\
[[package]]
name = "Django"
version = "5.2.9"
groups = ["main"]

[package.dependencies]
asgiref = ">=3.8.1"
tzdata = { version = "*", markers = "sys_platform == 'win32'" }

[[package]]
name = "pytest"
version = "8.0"
category = "dev"
""",
        "poetry.lock",
    )
    assert [(item.key, item.version, item.dependencies, item.groups) for item in facts.locked] == [
        ("django", "5.2.9", ("asgiref", "tzdata"), ("main",)),
        ("pytest", "8.0", (), ("dev",)),
    ]


def test_pdm_and_pylock() -> None:
    pdm = lower(
        b'[[package]]\nname = "django"\nversion = "5.2.9"\ngroups = ["default"]\n'
        b'dependencies = ["asgiref<4,>=3.8.1", "tzdata; sys_platform == \\"win32\\""]\n',
        "pdm.lock",
    )
    pylock = lower(
        b'lock-version = "1.0"\n[[packages]]\nname = "attrs"\nversion = "25.1.0"\n'
        b'[[packages]]\nname = "shop"\ndirectory = { path = "." }\n',
        "pylock.toml",
    )
    assert [(item.key, item.dependencies, item.groups) for item in pdm.locked] == [
        ("django", ("asgiref", "tzdata"), ("default",))
    ]
    assert [(item.key, item.version, item.registry, item.region.line) for item in pylock.locked] == [
        ("attrs", "25.1.0", True, 3),
        ("shop", "", False, 6),
    ]


def test_pipenv() -> None:
    facts = lower(
        b"""\
{
    "_meta": {"sources": []},
    "default": {
        "django": {
            "hashes": [],
            "version": "==5.2.9"
        },
        "push": {
            "git": "https://example.org/push.git"
        }
    },
    "develop": {
        "django": {
            "version": "==5.2.8"
        }
    }
}
""",
        "Pipfile.lock",
    )
    assert [(item.key, item.version, item.groups, item.registry, item.region) for item in facts.locked] == [
        ("django", "5.2.9", ("main",), True, Region(4, 9, 4, 17)),
        ("push", "", ("main",), False, Region(8, 9, 8, 15)),
        ("django", "5.2.8", ("dev",), True, Region(13, 9, 13, 17)),
    ]


@pytest.mark.parametrize(
    ("data", "path"),
    [(b"{", "Pipfile.lock"), (b"[]", "Pipfile.lock"), (b"[[package]\n", "uv.lock"), (b"[" * 9999, "Pipfile.lock")],
)
def test_what_is_no_lock_is_refused(data: bytes, path: str) -> None:
    with pytest.raises(UnreadableError):
        lower(data, path)


def test_packages_without_a_name_are_notes() -> None:
    facts = lower(b'[[package]]\nversion = "1"\n[[package]]\nname = "a"\nversion = "1"\n', "uv.lock")
    assert [item.key for item in facts.locked] == ["a"]
    assert [note.text for note in facts.notes] == ["a package without a name or a version"]
