"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/) within what GitHub accepts.

GitHub's limits and properties: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from stackaudit.model.result import Finding, Location, Notification, Open, Passed, Remark, Result, RuleOutcome, Waived
from stackaudit.model.rule import SEVERITIES, Severity
from stackaudit.report import Look
from stackaudit.report.digest import groups
from stackaudit.report.json import dumps
from stackaudit.report.plain import level_of, one_line, span, visible

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RUN_ID = "stackaudit/"
MAX_RESULTS = 25_000
MAX_TEXT = 1_024
MAX_TAGS = 10
MAX_RELATED = 100
MAX_STEPS = 100

_PROBLEM: dict[Severity, str] = {
    "critical": "error", "high": "error", "medium": "warning", "low": "recommendation", "info": "recommendation",
}  # fmt: skip
# GitHub calls >= 9.0 critical, >= 7.0 high, >= 4.0 medium and > 0 low.
_SECURITY: dict[Severity, str] = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0", "info": "0.1"}


def render(result: Result, look: Look) -> str:
    """Unwaived failures alone: GitHub shows `kind: pass` as an alert and ignores `suppressions`."""
    return draw(result, look, lambda rules: (failure(finding, rules, result) for finding in _worst_first(result)))


Rules = dict[str, int]
"""The index of each rule among the driver's rules."""


def draw(result: Result, look: Look, results: Any) -> str:
    """The log with `results(rules)`, an iterable of SARIF results; what exceeds GitHub's limit is left out and told."""
    outcomes = _outcomes(result)
    rules: Rules = {outcome.id: index for index, outcome in enumerate(outcomes)}
    drawn = list(results(rules))
    notes = list(result.notifications)
    if len(drawn) > MAX_RESULTS:
        text = f"{len(drawn) - MAX_RESULTS:,} results are left out: code scanning accepts no more than {MAX_RESULTS:,}"
        notes.append(Notification(level="warning", text=text))
    driver = {
        "name": "stackaudit",
        "semanticVersion": result.version,
        "version": result.version,
        "rules": [_descriptor(outcome) for outcome in outcomes],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": _run_id(look.category)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The folder that was audited."}}},
        "invocations": [
            {"executionSuccessful": True, "toolExecutionNotifications": [_notification(note, rules) for note in notes]}
        ],
        "results": drawn[:MAX_RESULTS],
        "properties": {"score": span(result.score.score), "grade": result.score.grade},
    }
    return dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]})


def failure(finding: Finding, rules: Rules, result: Result) -> dict[str, Any]:
    """The SARIF result of a finding."""
    drawn = _result(finding.rule, finding.site, finding.location, finding.message, rules)
    drawn |= {"kind": "fail", "level": level_of(finding.severity)}
    drawn["partialFingerprints"] = {"stackaudit/v1": finding.fingerprint}
    if any(each.baselined for each in result.findings):
        drawn["baselineState"] = "unchanged" if finding.baselined else "new"
    if finding.related:
        drawn["relatedLocations"] = [
            {"id": number, **_location(remark)} for number, remark in enumerate(finding.related[:MAX_RELATED], 1)
        ]
    if finding.flow:
        steps = [{"location": _location(remark)} for remark in finding.flow[:MAX_STEPS]]
        drawn["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if finding.cost is not None:
        drawn["properties"] = {"queries": finding.cost.queries, "rows": finding.cost.rows}
    return drawn


def waived(item: Waived, rules: Rules, result: Result) -> dict[str, Any]:
    """The SARIF result of a waived finding."""
    kind = "inSource" if item.by == "comment" else "external"
    suppression = {"kind": kind, "status": "accepted", "justification": one_line(item.reason)}
    return {**failure(item.finding, rules, result), "suppressions": [suppression]}


def judged(item: Passed | Open, rules: Rules) -> dict[str, Any]:
    """The SARIF result of a site that is right or that could not be judged."""
    known = isinstance(item, Passed)
    message = f"{item.site}: passed." if isinstance(item, Passed) else f"Unknown: {item.why}."
    drawn = _result(item.rule, item.site, item.location, message, rules)
    return {**drawn, "kind": "pass" if known else "open", "level": "none"}


def _run_id(category: str) -> str:
    """Code scanning takes what stands before the last slash for the category, and replaces what had the same one."""
    name = one_line(category).strip("/")
    return f"{RUN_ID}{name}/" if name else RUN_ID


def region(location: Location) -> dict[str, int]:
    """The region of a location; one without a sensible end is a point."""
    line, column = max(location.line, 1), max(location.column, 1)
    end = max((line, column), (location.end_line, max(location.end_column, 1)))
    return {"startLine": line, "startColumn": column, "endLine": end[0], "endColumn": end[1]}


def uri(path: str) -> str:
    """A path relative to the root as a relative URI reference (RFC 3986)."""
    text = quote(path.encode("utf-8", "surrogateescape"), safe="/-._~!$&'()*+,;=@")
    # A colon in the first segment would read as a scheme, hence it is encoded everywhere; a leading slash as absolute.
    return text.lstrip("/") or "."


def _worst_first(result: Result) -> Iterator[Finding]:
    return iter(sorted(result.findings, key=lambda each: SEVERITIES.index(each.severity)))


def _outcomes(result: Result) -> Sequence[RuleOutcome]:
    known = {outcome.id for outcome in result.rules}
    return (*result.rules, *(group.rule for group in groups(result) if group.rule.id not in known))


def _result(rule: str, site: str, location: Location, message: str, rules: Rules) -> dict[str, Any]:
    drawn: dict[str, Any] = {"ruleId": rule}
    if rule in rules:
        drawn["ruleIndex"] = rules[rule]
    drawn["message"] = {"text": _message(message)}
    drawn["locations"] = [
        {"physicalLocation": _physical(location), "logicalLocations": [{"fullyQualifiedName": visible(site)}]}
    ]
    return drawn


def _location(remark: Remark) -> dict[str, Any]:
    return {"physicalLocation": _physical(remark.location), "message": {"text": _message(remark.text)}}


def _physical(location: Location) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": uri(location.path), "uriBaseId": "%SRCROOT%"},
        "region": region(location),
    }


def _descriptor(outcome: RuleOutcome) -> dict[str, Any]:
    area = outcome.id.partition("/")[0]
    # "security" first: it must not fall to the limit, code scanning reads the severity by it.
    wanted = (*(tag for tag in outcome.tags if tag == "security"), area, *outcome.tags)
    tags = list(dict.fromkeys(map(one_line, wanted)))[:MAX_TAGS]
    properties: dict[str, Any] = {"precision": outcome.precision, "tags": tags}
    if "security" in tags:
        properties["security-severity"] = _SECURITY[outcome.severity]
    else:
        properties["problem.severity"] = _PROBLEM[outcome.severity]
    descriptor: dict[str, Any] = {
        "id": outcome.id,
        "name": _pascal(outcome.id),
        "shortDescription": {"text": _short(one_line(outcome.title))},
        "fullDescription": {"text": _short(one_line(outcome.harm) or one_line(outcome.title))},
        "help": {"text": _help(outcome, markdown=False), "markdown": _help(outcome, markdown=True)},
        "defaultConfiguration": {"level": level_of(outcome.severity)},
        "properties": properties,
    }
    if outcome.references and re.match(r"https?://[^\s<>\"{}|\\^`]+$", outcome.references[0]):
        descriptor["helpUri"] = outcome.references[0]
    return descriptor


def _help(outcome: RuleOutcome, *, markdown: bool) -> str:
    title = f"# {outcome.title}" if markdown else outcome.title
    parts = [title, outcome.harm.strip()]
    if outcome.fix.strip():
        parts.append(f"{'## ' if markdown else ''}How to fix\n\n{outcome.fix.strip()}")
    if outcome.references:
        links: Iterable[str] = (f"- <{each}>" if markdown else f"- {each}" for each in outcome.references)
        parts.append(f"{'## ' if markdown else ''}References\n\n" + "\n".join(links))
    text = visible("\n\n".join(part for part in parts if part), keep="\n")
    return _as_text(text) if markdown else text


def _as_text(markdown: str) -> str:
    """Words in angle brackets that are neither code nor a link would vanish as unknown HTML."""
    pieces = re.split(r"(```.*?```|`[^`\n]*`|<https?://[^>\s]*>)", markdown, flags=re.DOTALL)
    return "".join(piece if number % 2 else piece.replace("<", "&lt;") for number, piece in enumerate(pieces))


def _notification(note: Notification, rules: Rules) -> dict[str, Any]:
    drawn: dict[str, Any] = {"level": note.level, "message": {"text": _message(note.text)}}
    if note.path:
        place: dict[str, Any] = {"artifactLocation": {"uri": uri(note.path), "uriBaseId": "%SRCROOT%"}}
        if note.line:
            place["region"] = {"startLine": note.line}
        drawn["locations"] = [{"physicalLocation": place}]
    if note.rule in rules:
        drawn["associatedRule"] = {"id": note.rule, "index": rules[note.rule]}
    return drawn


def _message(text: str) -> str:
    """A plain text message (SARIF 3.11): what would read as a placeholder `{0}` or a link `[a](1)` is escaped."""
    text = re.sub(r"\{(\d+)\}", r"{{\1}}", one_line(text))
    return re.sub(r"\[([^\[\]]*)\](?=\()", r"\\[\1\\]", text) or "(no text)"


def _short(text: str) -> str:
    """`text` within GitHub's limit, cut at a sentence or a word."""
    if len(text) <= MAX_TEXT:
        return text
    cut = text[: MAX_TEXT - 1]
    sentence = cut.rfind(". ") + 1
    return cut[:sentence] if sentence > MAX_TEXT // 2 else cut.rpartition(" ")[0] + "…"


def _pascal(rule: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^0-9A-Za-z]+", rule))
