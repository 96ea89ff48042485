"""The header of a report: the versions that rules hang on."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.link.summary import summary
from tests.stacks import stack_of


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        ("django==5.2.4\npsycopg[binary]==3.2.1\nredis>=5\n", [("psycopg 3.2.1", "not pinned: redis")]),
        ("django==5.2.4\ngunicorn==23.0.0\nredis==5.0.1\n", [("redis 5.0.1, gunicorn 23.0.0", "")]),
        ("django==5.2.4\nredis>=5\n", [("not pinned", "redis")]),
        ("django==5.2.4\n", []),
    ],
)
def test_versions_are_said(requirements: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    stack = stack_of(tmp_path, {"requirements.txt": requirements})
    told = [(fact.value, fact.why) for fact in summary(stack, {}, {}).facts if fact.label == "versions"]
    assert told == expected
