"""GitHub's workflow commands: findings as annotations on the lines of a pull request.

GitHub shows ten errors, ten warnings and ten notices of each step, so the worst come first and the last line sums up.
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from stackaudit.model.result import Finding, Result
from stackaudit.model.rule import SEVERITIES
from stackaudit.report import Look
from stackaudit.report.digest import accepted, headline, open_findings
from stackaudit.report.plain import level_of, one_line, span, visible

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(result: Result, look: Look) -> str:
    """One command for each finding, the worst first, and a notice with the score."""
    findings = sorted(open_findings(result), key=lambda each: SEVERITIES.index(each.severity))
    lines = [_command(finding, result) for finding in findings]
    parts = [f"score {span(result.score.score)}, grade {result.score.grade}", headline(result), accepted(result)]
    lines.append(f"::notice title=stackaudit::{data('; '.join(part for part in parts if part))}")
    return "".join(line + "\n" for line in lines)


def data(text: str) -> str:
    """The message of a command: what would end it is escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def attribute(text: str) -> str:
    """The value of a command's property: also what would end the property."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def _command(finding: Finding, result: Result) -> str:
    place = finding.location
    title = next((outcome.title for outcome in result.rules if outcome.id == finding.rule), finding.rule)
    attributes = {
        "file": visible(place.path),
        "line": str(place.line),
        "endLine": str(max(place.end_line, place.line)),
        "title": f"{one_line(title)} ({finding.rule})",
    }
    if place.end_line == place.line:  # GitHub refuses columns of regions that span lines
        attributes |= {"col": str(place.column), "endColumn": str(max(place.end_column, place.column))}
    told = ",".join(f"{key}={attribute(value)}" for key, value in attributes.items())
    message = one_line(finding.message) + (f"\nFix: {one_line(finding.fix)}" if finding.fix else "")
    return f"::{_COMMANDS[level_of(finding.severity)]} {told}::{data(message)}"
