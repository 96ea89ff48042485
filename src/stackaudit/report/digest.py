"""The result in the order in which people read it: the worst first, one rule together, like reasons together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from stackaudit.model.result import Finding, Location, Notification, Remark, Result, RuleOutcome
from stackaudit.model.rule import SEVERITIES, Severity
from stackaudit.report.plain import counted, kinds, left_out, one_line


@dataclass(frozen=True)
class Group:
    """The findings of one rule: `open` are to be mended, `baselined` were accepted when the line was drawn."""

    rule: RuleOutcome
    severity: Severity
    open: tuple[Finding, ...]
    baselined: tuple[Finding, ...]

    @property
    def common_fix(self) -> str:
        """The fix, where it is one and the same for several findings."""
        fixes = {finding.fix for finding in self.open}
        return fixes.pop() if len(self.open) > 1 and len(fixes) == 1 else ""


@dataclass(frozen=True)
class Reason:
    """Why something is unknown: for which rules, and at which places (none where a whole rule is unknown)."""

    why: str
    rules: tuple[str, ...]
    places: tuple[Location, ...]

    @property
    def count(self) -> int:
        """How many sites it leaves open; a whole rule counts as one."""
        return max(len(self.places), len(self.rules))


def groups(result: Result) -> list[Group]:
    """The findings by rule: the worst rule first, then that with the most to mend."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in result.findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    rules = {outcome.id: outcome for outcome in result.rules}
    found = []
    for rule, findings in by_rule.items():
        ordered = sorted(findings, key=lambda each: SEVERITIES.index(each.severity))
        # Within a rule what costs most comes first; the order of places decides where nothing is known of costs.
        ordered.sort(
            key=lambda each: (SEVERITIES.index(each.severity), -(each.cost.queries if each.cost is not None else 0))
        )
        fresh = tuple(each for each in ordered if not each.baselined)
        old = tuple(each for each in ordered if each.baselined)
        found.append(Group(rules.get(rule) or _unlisted(findings[0]), (fresh or old)[0].severity, fresh, old))
    return sorted(
        found, key=lambda each: (not each.open, SEVERITIES.index(each.severity), -len(each.open), each.rule.id)
    )


def header(result: Result) -> list[tuple[str, str, str]]:
    """What was found and chosen as (label, value, why), each once; a why that only repeats the value is left out."""
    rows = [(one_line(fact.label), one_line(fact.value), one_line(fact.why)) for fact in result.stack.facts]
    rows = [(label, value, "" if value.startswith(why) else why) for label, value, why in rows]
    rows.append(("read", kinds(result.stack.files) or "nothing", ""))
    if left_out(result.stack.left_out):
        rows.append(("left out", left_out(result.stack.left_out), ""))
    return list(dict.fromkeys(rows))


def beside(finding: Finding) -> tuple[Remark, ...]:
    """The related places that the finding's flow does not pass anyway, each line once."""
    told = {(step.location.path, step.location.line) for step in finding.flow}
    kept: dict[tuple[str, int, str], Remark] = {}
    for remark in finding.related:
        here = (remark.location.path, remark.location.line)
        if here not in told:
            kept.setdefault((*here, remark.text), remark)
    return tuple(kept.values())


def open_findings(result: Result) -> list[Finding]:
    """What is neither waived nor in the baseline, in the order of the result."""
    return [finding for finding in result.findings if not finding.baselined]


def by_severity(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many of each severity, the worst first, without zeros."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}


def reasons(result: Result) -> list[Reason]:
    """What is unknown by its reason, the widest first."""
    rules: dict[str, dict[str, None]] = {}
    places: dict[str, list[Location]] = {}
    told: set[str] = set()
    for item in result.unknowns:
        rules.setdefault(item.why, {})[item.rule] = None
        places.setdefault(item.why, []).append(item.location)
        told.add(item.rule)
    for outcome in result.rules:
        if outcome.status == "unknown" and outcome.id not in told:
            rules.setdefault(outcome.why, {})[outcome.id] = None
            places.setdefault(outcome.why, [])
    found = [Reason(why, tuple(sorted(names)), tuple(places[why])) for why, names in rules.items()]
    return sorted(found, key=lambda each: (-each.count, each.why))


def passed_by_area(result: Result) -> dict[str, list[RuleOutcome]]:
    """The rules that found nothing wrong, by area."""
    areas: dict[str, list[RuleOutcome]] = {}
    for outcome in result.rules:
        if outcome.status == "passed":
            areas.setdefault(outcome.id.partition("/")[0], []).append(outcome)
    return areas


def not_applicable(result: Result) -> dict[str, list[str]]:
    """The rules that did not apply, by why."""
    whys: dict[str, list[str]] = {}
    for outcome in result.rules:
        if outcome.status == "not-applicable":
            whys.setdefault(outcome.why, []).append(outcome.id)
    return dict(sorted(whys.items(), key=lambda item: (-len(item[1]), item[0])))


def accepted(result: Result) -> str:
    """What was waived and what the baseline holds, in one sentence; "" where nothing was accepted."""
    by: Counter[str] = Counter(item.by for item in result.waived)
    names = {"comment": "by comments", "per-file-ignores": "by per-file-ignores", "ignore": "by ignored rules"}
    parts = [f"{by[key]:,} {name}" for key, name in names.items() if by[key]]
    told = []
    if parts:
        ways = f" {parts[0].partition(' ')[2]}" if len(parts) == 1 else f" ({', '.join(parts)})"
        told.append(f"{counted(len(result.waived), 'finding')} waived{ways}")
    old = sum(finding.baselined for finding in result.findings)
    if old:
        told.append(f"{counted(old, 'finding')} in the baseline")
    return "; ".join(told)


def headline(result: Result) -> str:
    """`12 findings (1 critical, 4 high, 7 medium)`, or that there are none."""
    findings = open_findings(result)
    if not findings:
        return "no findings"
    severities = by_severity(findings)
    if len(severities) == 1:
        (severity,) = severities
        return f"{counted(len(findings), 'finding')} ({'all ' if len(findings) > 1 else ''}{severity})"
    counts = ", ".join(f"{number:,} {severity}" for severity, number in severities.items())
    return f"{counted(len(findings), 'finding')} ({counts})"


def next_step(result: Result) -> str:
    """One sentence: what to do now."""
    first = next((group for group in groups(result) if group.open), None)
    if first is not None:
        return f"Next: mend {first.rule.id}; `stackaudit rule {first.rule.id}` explains it."
    open_reasons = reasons(result)
    if open_reasons:
        return f"Nothing to mend. The widest unknown: {one_line(open_reasons[0].why)}."
    if result.score.grade == "-":
        whys = ", ".join(list(not_applicable(result))[:3])
        return f"No rule applies to what was found here{f': {one_line(whys)}' if whys else ''}."
    return "Nothing to mend."


def ordered_notifications(result: Result) -> list[Notification]:
    """Errors, then warnings, then notes."""
    return sorted(result.notifications, key=lambda note: ("error", "warning", "note").index(note.level))


def _unlisted(finding: Finding) -> RuleOutcome:
    """Words for a rule that the document names but does not list (a result of another origin)."""
    return RuleOutcome(
        id=finding.rule, title=finding.rule, severity=finding.severity, precision="medium", scoring="gate",
        status="failed", failed=1,
    )  # fmt: skip
