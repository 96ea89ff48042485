"""Markdown for a pull request, a job summary or a ticket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.model.result import Finding, Result
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
from stackaudit.report.plain import costs, counted, one_line, span, spans, steps, visible, where

FITS = 65_000
"""How many characters a report may have: a comment on GitHub holds 65,536."""

LISTED = 20
"""How many places or notifications are listed before the rest is counted."""


@dataclass(frozen=True)
class Room:
    """How many findings of a rule are written out, and how many more are listed by place; None is all of them."""

    shown: int | None
    listed: int | None


_LANGUAGES = {
    "py": "python", "html": "html", "conf": "nginx", "toml": "toml", "yml": "yaml", "yaml": "yaml", "sh": "sh",
    "ini": "ini", "service": "ini",
}  # fmt: skip

ALL = Room(None, None)
ROOMS = (Room(5, None), Room(2, None), Room(1, 20), Room(0, 10), Room(0, 3), Room(0, 0))
"""What is tried in turn until the report fits."""


def render(result: Result, look: Look) -> str:
    """The whole report; what is long is folded in `<details>`, and shortened where a comment could not hold it."""
    if look.verbose:
        return _drawn(result, look, ALL)
    drafts = (_drawn(result, look, room) for room in ROOMS)
    return next((draft for draft in drafts if len(draft) <= FITS), "") or _drawn(result, look, ROOMS[-1])


def _drawn(result: Result, look: Look, room: Room) -> str:
    return "\n".join(_lines(result, look, room)).rstrip() + "\n"


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


def fenced(text: str, path: str) -> str:
    """`text` as a block of code in the language that `path` ends with."""
    text = visible(text.expandtabs(4), keep="\n")
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    language = _LANGUAGES.get(path.rpartition(".")[2], "")
    return f"{fence}{language}\n{text}\n{fence}"


def _lines(result: Result, look: Look, room: Room) -> Iterator[str]:
    yield f"# stackaudit: grade {result.score.grade}, {span(result.score.score)} of 100"
    yield ""
    yield _sentence(result)
    yield ""
    if not look.quiet:
        yield from _stack(result)
        yield from _areas(result)
    for group in groups(result):
        yield from _group(group, room)
    if not look.quiet:
        yield from _unknown(result, room)
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


def _group(group: Group, room: Room) -> Iterator[str]:
    findings = group.open
    if not findings:
        return
    yield f"## {group.severity}: {prose(group.rule.title)}"
    yield ""
    yield f"{code(group.rule.id)}, {counted(len(findings), 'finding')}."
    yield ""
    for finding in findings[: room.shown]:
        yield from _finding(finding, group)
    rest = [] if room.shown is None else findings[room.shown :]
    if rest:
        yield f"<details><summary>{len(rest)} {'more' if room.shown else 'places'}</summary>"
        yield ""
        for finding in rest[: room.listed]:
            yield f"- {code(where(finding.location))} {prose(finding.message)}"
        if room.listed is not None and len(rest) > room.listed:
            yield f"- and {len(rest) - room.listed} that this report has no room for (`--verbose` has them all)"
        yield ""
        yield "</details>"
        yield ""
    if group.common_fix:
        yield from _fix(group.common_fix)


def _finding(finding: Finding, group: Group) -> Iterator[str]:
    yield f"### {code(where(finding.location))}"
    yield ""
    if finding.location.snippet.strip():
        yield fenced(finding.location.snippet.strip()[:400], finding.location.path)
        yield ""
    yield prose(finding.message)
    yield ""
    if finding.cost:
        yield f"Costs {escape(costs(finding.cost))}."
        yield ""
    remarks = [f"- {code(where(each.location))} {prose(each.text)}" for each in beside(finding)]
    flow = [f"{n}. {code(where(each.location))} {prose(each.text)}" for n, each in enumerate(finding.flow, 1)]
    for lines in (remarks, flow):
        if lines:
            yield from lines
            yield ""
    if finding.fix and not group.common_fix:
        yield from _fix(finding.fix)


def _fix(fix: str) -> Iterator[str]:
    """What to do: a line, or a list of sentences where that would be long."""
    told = steps(fix)
    yield f"**Fix:** {prose(told[0])}" if len(told) == 1 else "**Fix:**"
    if len(told) > 1:
        yield ""
        yield from (f"- {prose(step)}" for step in told)
    yield ""


def _unknown(result: Result, room: Room) -> Iterator[str]:
    found = reasons(result)
    if not found:
        return
    total = sum(reason.count for reason in found)
    yield f"<details><summary>{counted(total, 'place')} unknown, and why</summary>"
    yield ""
    listed = found if room == ALL else found[:LISTED]
    for reason in listed:
        places = ", ".join(code(where(place)) for place in reason.places[:3])
        more = f" and {len(reason.places) - 3} more" if len(reason.places) > 3 else ""
        yield f"- {prose(reason.why)}: {', '.join(map(code, reason.rules))}" + (f" at {places}{more}" if places else "")
    if len(found) > len(listed):
        yield f"- and {counted(len(found) - len(listed), 'reason')} more"
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
