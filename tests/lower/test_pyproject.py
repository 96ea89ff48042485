"""pyproject.toml in the dialects of PEP 621, PEP 735, Poetry, PDM and uv."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from stackaudit.facts.files import Note, UnreadableError
from stackaudit.facts.packages import GroupInclude, PackageFile, Python
from stackaudit.lower.pyproject import lower, poetry_specifier
from stackaudit.model.source import Region


def read(text: str) -> PackageFile:
    return lower(text.encode(), "pyproject.toml")


def listed(facts: PackageFile) -> list[tuple[str, str, str, int]]:
    return [(item.key, item.specifier, item.group, item.region.line) for item in facts.requirements]


def test_project_extras_and_groups() -> None:
    facts = read("""\
[project]
name = "shop"
requires-python = ">=3.12"
dependencies = [
    "Django>=5.2",   # the framework
    'psycopg[binary]==3.2.9',
    "not one",
]

[project.optional-dependencies]
s3 = ["boto3"]

[dependency-groups]
dev = ["pytest", { include-group = "lint" }]
lint = ["ruff"]

[tool.uv]
default-groups = ["dev"]
""")
    assert listed(facts) == [
        ("django", ">=5.2", "", 5),
        ("psycopg", "==3.2.9", "", 6),
        ("boto3", "", "s3", 11),
        ("pytest", "", "dev", 14),
        ("ruff", "", "lint", 15),
    ]
    assert facts.requirements[0].region == Region(5, 5, 5, 18)
    assert facts.group_includes == (GroupInclude("dev", "lint"),)
    assert facts.python == Python(">=3.12", Region(3, 19, 3, 27))
    assert facts.default_groups == ("dev",)
    assert facts.project == "shop"
    assert facts.notes == (Note("this is not a requirement: not one", 7),)


def test_poetry() -> None:
    facts = read("""\
[tool.poetry]
name = "shop"

[tool.poetry.dependencies]
python = "^3.12"
Django = "^5.2.1"
redis = { version = "~6.2", extras = ["hiredis"] }
push = { git = "https://example.org/push.git", rev = "22fda99" }
boto3 = { version = "*", optional = true }
pywin32 = [
    { version = ">=300", markers = "sys_platform == 'win32'" },
]
odd = "^1 || ^2"

[tool.poetry.extras]
s3 = ["boto3"]

[tool.poetry.group.dev.dependencies]
pytest = "8.*"

[tool.poetry.dev-dependencies]
black = "24.1"
""")
    assert listed(facts) == [
        ("django", ">=5.2.1,<6", "", 6),
        ("redis", ">=6.2,<6.3", "", 7),
        ("push", "", "", 8),
        ("boto3", "", "s3", 9),
        ("pywin32", ">=300", "", 11),
        ("odd", "", "", 13),
        ("black", "==24.1", "dev", 22),
        ("pytest", "==8.*", "dev", 19),
    ]
    assert facts.requirements[0].region == Region(6, 1, 6, 18)
    assert facts.requirements[2].url == "https://example.org/push.git"
    assert facts.notes == (Note("the version of odd is not one that can be read: ^1 || ^2", 13),)


@pytest.mark.parametrize(
    ("written", "specifier", "inside", "outside"),
    [
        ("^1.2.3", ">=1.2.3,<2", "1.9", "2.0"),
        ("^0.2.3", ">=0.2.3,<0.3", "0.2.9", "0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4", "0.0.3", "0.0.4"),
        ("^0", ">=0,<1", "0.9", "1.0"),
        ("~1.2.3", ">=1.2.3,<1.3", "1.2.9", "1.3"),
        ("~1", ">=1,<2", "1.9", "2.0"),
        (">=2.0 <3.0", ">=2.0,<3.0", "2.5", "3.0"),
        (">=2.0, !=2.1", ">=2.0,!=2.1", "2.2", "2.1"),
        ("1.4.*", "==1.4.*", "1.4.9", "1.5"),
        ("1.4", "==1.4", "1.4.0", "1.4.1"),
    ],
)
def test_carets_and_tildes(written: str, specifier: str, inside: str, outside: str) -> None:
    assert poetry_specifier(written) == specifier
    assert SpecifierSet(specifier).contains(inside)
    assert not SpecifierSet(specifier).contains(outside)


def test_what_no_specifier_says() -> None:
    assert [poetry_specifier(text) for text in ("^1 || ^2", "^main", "*", "")] == [None, None, "", ""]


def test_requirements_that_setuptools_reads_from_files() -> None:
    assert read('[tool.setuptools.dynamic]\ndependencies = { file = ["requirements.txt"] }\n').dynamic == (
        "requirements.txt",
    )


@pytest.mark.parametrize("text", ["[project\n", 'a = "\n', "x = " + "[" * 5000])
def test_what_is_not_toml_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        read(text)


def test_types_that_nobody_expects_say_nothing() -> None:
    facts = read("project = 3\ntool = []\ndependency-groups = { dev = 4 }\n")
    assert facts == PackageFile()
