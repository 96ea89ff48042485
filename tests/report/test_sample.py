"""The sample stack through the whole pipeline and into every format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from stackaudit import scan
from stackaudit.config import Config, load
from stackaudit.model.result import Result
from stackaudit.report import Look, render
from tests.report.test_sarif import check

SAMPLE = Path(__file__).parent.parent / "fixtures" / "sample"


def config(**changes: Any) -> Config:
    return msgspec.structs.replace(load(SAMPLE)[0], no_cache=True, jobs=1, offline=True, **changes)


@pytest.fixture(scope="module")
def sample() -> Result:
    return scan.scan(SAMPLE, config())


def locations(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "end-line" in value:
            yield value
        for item in value.values():
            yield from locations(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from locations(item)


def test_every_region_lies_inside_its_file(sample: Result) -> None:
    found = list(locations(msgspec.to_builtins(sample)))
    assert len(found) > 50
    for place in found:
        text = (SAMPLE / place["path"]).read_bytes().decode("utf-8-sig")
        lines = re.split(r"\r\n|\r|\n", text)
        for line, column in (("line", "column"), ("end-line", "end-column")):
            assert 1 <= place[line] <= len(lines), place
            assert 1 <= place[column] <= len(lines[place[line] - 1]) + 1, place


@pytest.mark.parametrize("name", ["sarif", "sarif-full"])
def test_its_sarif_is_valid(sample: Result, name: str) -> None:
    run = check(render(name, sample))
    assert len(run["results"]) >= len(sample.findings)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_its_report_keeps_the_width(sample: Result, width: int) -> None:
    lines = render("terminal", sample, Look(width=width, verbose=True, statistics=True)).splitlines()
    assert [line for line in lines if cell_len(line) > width] == []


def test_ignoring_what_fails_changes_the_list_and_not_the_score(sample: Result) -> None:
    areas = tuple({finding.rule.partition("/")[0] for finding in sample.findings})
    quiet = scan.scan(SAMPLE, config(ignore=areas))
    assert quiet.findings == ()
    assert len(quiet.waived) == len(sample.findings) + len(sample.waived)
    assert quiet.score == sample.score
