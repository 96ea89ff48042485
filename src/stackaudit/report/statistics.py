"""A table of what each rule did, as lines of plain text."""

from __future__ import annotations

from stackaudit.model.result import Result
from stackaudit.model.rule import SEVERITIES

_HEAD = ("failed", "passed", "unknown", "waived")


def table(result: Result) -> list[str]:
    """A head and one line for each rule that judged anything, most failures first."""
    active = [each for each in result.rules if each.judged or each.unknown or each.status == "unknown"]
    active.sort(key=lambda each: (-each.failed, SEVERITIES.index(each.severity), each.id))
    rows = [
        (*map(str, (each.failed, each.passed, each.unknown, each.waived)), each.severity, each.id) for each in active
    ]
    widths = [max(map(len, column)) for column in zip(_HEAD, *(row[:4] for row in rows), strict=True)]
    lines = ["  ".join((*(f"{name:>{width}}" for name, width in zip(_HEAD, widths, strict=True)), "severity  rule"))]
    for *counts, severity, rule in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(counts, widths, strict=True)]
        lines.append("  ".join((*cells, f"{severity:<8}", rule)))
    return lines
