"""Labelled sites: the walk's verdict is what real Django measures with more data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.link.queries import oracle

PROGRAM = (Path(__file__).parent / "project" / "sites.py").read_text(encoding="utf-8")
NAMES = re.findall(r"^def ((?:grows|flat)_\w+)\(", PROGRAM, re.MULTILINE)


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    return oracle.verdicts(PROGRAM)


@pytest.mark.parametrize("name", NAMES)
def test_site(name: str, said: dict[str, str]) -> None:
    measured = oracle.grows(PROGRAM, name)
    assert measured == name.startswith("grows_"), "the label is wrong"
    assert said.get(name, "pass") == ("fail" if measured else "pass")
