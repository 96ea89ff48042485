"""setup.cfg, Pipfile and the files that name a Python."""

from __future__ import annotations

import pytest

from stackaudit.facts.files import Note
from stackaudit.facts.packages import Python
from stackaudit.lower import pipfile, runtime, setupcfg
from stackaudit.model.source import Region


def test_setup_cfg() -> None:
    facts = setupcfg.lower(
        b"""\
[metadata]
name = shop

[options]
python_requires = >=3.11
install_requires =
    Django>=5.2
    # a comment
    redis==6.2.0  # and one more
    not one

[options.extras_require]
s3 = boto3

[flake8]
max-line-length = 120
""",
        "setup.cfg",
    )
    assert [(item.key, item.specifier, item.group, item.region) for item in facts.requirements] == [
        ("django", ">=5.2", "", Region(7, 5, 7, 16)),
        ("redis", "==6.2.0", "", Region(9, 5, 9, 17)),
        ("boto3", "", "s3", Region(13, 6, 13, 11)),
    ]
    assert facts.python == Python(">=3.11", Region(5, 19, 5, 25))
    assert (facts.project, facts.notes) == ("shop", (Note("this is not a requirement: not one", 10),))


def test_setup_cfg_that_takes_requirements_from_a_file() -> None:
    facts = setupcfg.lower(b"[options]\ninstall_requires = file: requirements.txt, more.txt\n", "setup.cfg")
    assert facts.dynamic == ("requirements.txt", "more.txt")


def test_pipfile() -> None:
    facts = pipfile.lower(
        b"""\
[packages]
Django = "~=5.2"
redis = "*"
push = { git = "https://example.org/push.git", editable = true }
psycopg = { version = "==3.2.9", extras = ["binary"] }

[dev-packages]
pytest = "*"

[requires]
python_version = "3.12"
""",
        "Pipfile",
    )
    assert [(item.key, item.specifier, item.group, item.extras, item.url) for item in facts.requirements] == [
        ("django", "~=5.2", "", (), ""),
        ("redis", "", "", (), ""),
        ("push", "", "", (), "https://example.org/push.git"),
        ("psycopg", "==3.2.9", "", ("binary",), ""),
        ("pytest", "", "dev", (), ""),
    ]
    assert facts.python == Python("3.12", Region(11, 18, 11, 24))


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("python-3.11.7\n", "runtime.txt", Python("3.11.7", Region(1, 8, 1, 14))),
        ("# comment\n3.12\n", ".python-version", Python("3.12", Region(2, 1, 2, 5))),
        ("nodejs 20.1\npython 3.13.1 3.12\n", ".tool-versions", Python("3.13.1", Region(2, 8, 2, 14))),
        ("pypy3.10-7.3.16\n", ".python-version", None),
        ("my-virtualenv\n", ".python-version", None),
    ],
)
def test_runtimes(text: str, path: str, wanted: Python | None) -> None:
    assert runtime.lower(text.encode(), path).python == wanted
