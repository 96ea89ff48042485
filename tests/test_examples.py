"""Every example of every rule, through the whole pipeline: the verdicts are exactly those that the markers promise."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from stackaudit import catalog, config
from stackaudit.model.rule import Example, Rule
from stackaudit.scan import scan
from tests.stacks import write

RULES = catalog.load()
MARKER = re.compile(r"(?:#|;|//|--|\{#|<!--|/\*)\s*((?:fail|pass|unknown)(?:, (?:fail|pass|unknown))*)\b[^\w]*$")


def promised(files: dict[str, str]) -> Counter[tuple[str, int, str]]:
    """(path, line, verdict) of every marker; one that stands alone on its line speaks for the next line."""
    found: Counter[tuple[str, int, str]] = Counter()
    for path, text in files.items():
        waiting: list[str] = []
        for number, line in enumerate(text.splitlines(), 1):
            marker = MARKER.search(line)
            verdicts = marker[1].split(", ") if marker else []
            if marker and not line[: marker.start()].strip():
                waiting += verdicts
                continue
            found.update((path, number, verdict) for verdict in (*waiting, *verdicts))
            waiting = []
        assert not waiting, f"{path}: a marker at the end speaks for no line"
    return found


def seen(root: Path, rule: Rule) -> tuple[Counter[tuple[str, int, str]], list[str]]:
    wishes, _ = config.load(root)
    wishes = config.convert(
        {**config.as_document(wishes), "select": [rule.id], "no-cache": True, "jobs": 1}, config.Config, ""
    )
    result = scan(root, wishes)
    found: Counter[tuple[str, int, str]] = Counter()
    found.update((item.location.path, item.location.line, "fail") for item in result.findings)
    found.update((item.location.path, item.location.line, "unknown") for item in result.unknowns)
    found.update((item.location.path, item.location.line, "pass") for item in result.passed)
    return found, [item.text for item in result.notifications if item.level == "error"]


EXAMPLES = [pytest.param(rule, example, id=f"{rule.id}: {example.title}") for rule in RULES for example in rule.example]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_example(rule: Rule, example: Example, tmp_path: Path) -> None:
    write(tmp_path, example.files)
    actual, errors = seen(tmp_path, rule)
    assert (sorted(actual.elements()), errors) == (sorted(promised(example.files).elements()), [])
