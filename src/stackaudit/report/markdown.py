"""Markdown for a pull request, a job summary or a ticket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.model.result import Finding, Location, Result
from stackaudit.report import Look
from stackaudit.report.digest import (
    Group,
    accepted,
    beside,
    groups,
    header,
    headline,
    not_applicable,
    ordered_notifications,
    passed_by_area,
    reasons,
)
from stackaudit.report.plain import costs, counted, one_line, span, spans, visible, where

SHOWN = 5
"""How many findings of a rule are written out; the others are listed by place."""

LISTED = 20
"""How many places or notifications are listed before the rest is counted."""


def render(result: Result, look: Look) -> str:
    """The whole report; what is long is folded in `<details>`."""
    return "\n".join(_lines(result, look)).rstrip() + "\n"


def escape(text: str) -> str:
    """`text` on one line as plain words of Markdown: no emphasis, link, HTML, table cell, mention or issue number."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", text)
    # A zero-width joiner keeps `@name` from notifying anybody.
    return re.sub(r"(?<!\w)@(?=\w)", "@&#8205;", text)


def prose(text: str) -> str:
    """A sentence on one line: what stands between backticks is code, all else plain words."""
    return "".join(code(part) if is_code else _inner(part) for is_code, part in spans(one_line(text)))


def _inner(part: str) -> str:
    # `escape` strips; the gaps between words and code stay.
    lead, tail = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
    return lead + escape(part) + tail if part.strip() else part


def code(text: str) -> str:
    """`text` as code within a line."""
    text = one_line(text).replace("|", "¦")
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    gap = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{gap}{text}{gap}{fence}"


def _lines(result: Result, look: Look) -> Iterator[str]:
    yield f"# stackaudit: grade {result.score.grade}, {span(result.score.score)} of 100"
    yield ""
    yield _sentence(result)
    yield ""
    if not look.quiet:
        yield from _stack(result)
        yield from _areas(result)
    for group in groups(result):
        yield from _group(group, look)
    if not look.quiet:
        yield from _unknown(result)
        yield from _passed(result)
        yield from _notifications(result)


def _sentence(result: Result) -> str:
    told = [headline(result), accepted(result), f"capped: {result.score.capped}" if result.score.capped else ""]
    text = "; ".join(part for part in told if part)
    return escape(text[:1].upper() + text[1:] + ".")


def _stack(result: Result) -> Iterator[str]:
    yield "| found | | because |"
    yield "|---|---|---|"
    for row in header(result):
        yield "| " + " | ".join(map(escape, row)) + " |"
    yield ""


def _areas(result: Result) -> Iterator[str]:
    scored = [area for area in result.score.areas if area.score.floor is not None]
    if not scored:
        return
    yield "| area | score | failed | unknown |"
    yield "|---|---:|---:|---:|"
    for area in scored:
        yield f"| {escape(area.area)} | {span(area.score)} | {area.failed} | {area.unknown} |"
    yield ""


def _group(group: Group, look: Look) -> Iterator[str]:
    findings = group.open
    if not findings:
        return
    yield f"## {group.severity}: {prose(group.rule.title)}"
    yield ""
    yield f"{code(group.rule.id)}, {counted(len(findings), 'finding')}."
    yield ""
    shown = len(findings) if look.verbose else SHOWN
    for finding in findings[:shown]:
        yield from _finding(finding, group)
    if len(findings) > shown:
        yield f"<details><summary>{len(findings) - shown} more</summary>"
        yield ""
        for finding in findings[shown:]:
            yield f"- {code(where(finding.location))} {prose(finding.message)}"
        yield ""
        yield "</details>"
        yield ""
    if group.common_fix:
        yield f"**Fix:** {prose(group.common_fix)}"
        yield ""


def _finding(finding: Finding, group: Group) -> Iterator[str]:
    yield f"### {code(where(finding.location))}"
    yield ""
    if finding.location.snippet.strip():
        yield from _excerpt(finding.location)
    yield prose(finding.message)
    yield ""
    if finding.cost:
        yield f"Costs {escape(costs(finding.cost))}."
        yield ""
    remarks = [f"- {code(where(each.location))} {prose(each.text)}" for each in beside(finding)]
    steps = [f"{n}. {code(where(each.location))} {prose(each.text)}" for n, each in enumerate(finding.flow, 1)]
    for lines in (remarks, steps):
        if lines:
            yield from lines
            yield ""
    if finding.fix and not group.common_fix:
        yield f"**Fix:** {prose(finding.fix)}"
        yield ""


def _excerpt(location: Location) -> Iterator[str]:
    text = visible(location.snippet.expandtabs(4)).strip()
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    language = {"py": "python", "html": "html", "conf": "nginx", "toml": "toml", "yml": "yaml", "yaml": "yaml"}
    yield fence + language.get(location.path.rpartition(".")[2], "")
    yield text[:400]
    yield fence
    yield ""


def _unknown(result: Result) -> Iterator[str]:
    found = reasons(result)
    if not found:
        return
    total = sum(reason.count for reason in found)
    yield f"<details><summary>{counted(total, 'place')} unknown, and why</summary>"
    yield ""
    for reason in found:
        places = ", ".join(code(where(place)) for place in reason.places[:3])
        more = f" and {len(reason.places) - 3} more" if len(reason.places) > 3 else ""
        yield f"- {prose(reason.why)}: {', '.join(map(code, reason.rules))}" + (f" at {places}{more}" if places else "")
    yield ""
    yield "</details>"
    yield ""


def _passed(result: Result) -> Iterator[str]:
    areas = passed_by_area(result)
    skipped = not_applicable(result)
    if not areas and not skipped:
        return
    yield f"<details><summary>{counted(sum(map(len, areas.values())), 'rule')} passed</summary>"
    yield ""
    for rules in areas.values():
        for outcome in rules:
            yield f"- {code(outcome.id)} ({outcome.passed})"
    for why, names in skipped.items():
        yield f"- not applicable, {escape(why)}: {', '.join(map(code, names))}"
    yield ""
    yield "</details>"
    yield ""


def _notifications(result: Result) -> Iterator[str]:
    notes = ordered_notifications(result)
    if not notes:
        return
    yield f"<details><summary>{counted(len(notes), 'notification')}</summary>"
    yield ""
    for note in notes[:LISTED]:
        place = f"{code(note.path + (f':{note.line}' if note.line else ''))} " if note.path else ""
        yield f"- {note.level}: {place}{prose(note.text)}"
    if len(notes) > LISTED:
        yield f"- and {len(notes) - LISTED} more"
    yield ""
    yield "</details>"
    yield ""
