"""GitLab's code quality report (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format)."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from stackaudit.model.result import Finding, Result
from stackaudit.model.rule import Severity
from stackaudit.report import Look
from stackaudit.report.digest import open_findings
from stackaudit.report.json import dumps
from stackaudit.report.plain import one_line, visible

_SEVERITY: dict[Severity, str] = {
    "critical": "blocker", "high": "critical", "medium": "major", "low": "minor", "info": "info",
}  # fmt: skip


def render(result: Result, look: Look) -> str:
    """A JSON array with one entry for each finding; the fingerprints are unique, as GitLab demands."""
    seen: Counter[str] = Counter()
    return dumps([_entry(finding, seen) for finding in open_findings(result)])


def _entry(finding: Finding, seen: Counter[str]) -> dict[str, Any]:
    fingerprint = finding.fingerprint
    seen[fingerprint] += 1
    if seen[fingerprint] > 1:
        fingerprint = hashlib.sha256(f"{fingerprint}\0{seen[fingerprint]}".encode()).hexdigest()[: len(fingerprint)]
    return {
        "description": one_line(finding.message),
        "check_name": finding.rule,
        "fingerprint": fingerprint,
        "severity": _SEVERITY[finding.severity],
        "location": {
            "path": visible(finding.location.path),
            "lines": {"begin": finding.location.line, "end": max(finding.location.line, finding.location.end_line)},
        },
    }
