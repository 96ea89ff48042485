"""SARIF 2.1.0 with everything: failures, waived failures, what is unknown and what passed, in this order."""

from __future__ import annotations

from itertools import chain

from stackaudit.model.result import Result
from stackaudit.report import Look, sarif


def render(result: Result, look: Look) -> str:
    """For archives and viewers that understand `kind` and `suppressions`; code scanning on GitHub wants `sarif`."""
    return sarif.draw(
        result,
        look,
        lambda rules: chain(
            (sarif.failure(each, rules, result) for each in result.findings),
            (sarif.waived(each, rules, result) for each in result.waived),
            (sarif.judged(each, rules) for each in result.unknowns),
            (sarif.judged(each, rules) for each in result.passed),
        ),
    )
