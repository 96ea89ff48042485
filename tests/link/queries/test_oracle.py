"""Labelled sites: the walk's verdict is what real Django measures with more data."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.link.queries import oracle

PROGRAMS = {
    name: (Path(__file__).parent / "project" / f"{name}.py").read_text(encoding="utf-8")
    for name in ("sites", "handed", "certain")
}
SITES = [
    (program, name)
    for program, text in PROGRAMS.items()
    for name in re.findall(r"^def ((?:grows|flat)_\w+)\(", text, re.MULTILINE)
]
said = cache(oracle.verdicts)


@pytest.mark.parametrize(("program", "name"), SITES)
def test_site(program: str, name: str) -> None:
    measured = oracle.grows(PROGRAMS[program], name)
    assert measured == name.startswith("grows_"), "the label is wrong"
    assert said(PROGRAMS[program]).get(name, "pass") == ("fail" if measured else "pass")
