"""Rules put to the stack: verdicts, and the findings that people see."""

from __future__ import annotations

import hashlib
import importlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from types import ModuleType

import msgspec

from stackaudit.catalog import CatalogError
from stackaudit.checks import declared
from stackaudit.judge import beside
from stackaudit.link.stack import Stack
from stackaudit.model.result import (
    Finding,
    Location,
    Notification,
    Open,
    Passed,
    QueryCost,
    Remark,
    RuleOutcome,
    Status,
)
from stackaudit.model.rule import SEVERITIES, Cause, Rule, Severity, unfilled
from stackaudit.model.source import Place, Region
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

Check = Callable[[Stack], Iterator[Verdict]]
WORTH_A_PROCESS = 100
"""Python files: with fewer, a second process saves less than it costs."""
_WALKED = frozenset({"orm", "cache", "async"})
"""Areas whose rules look at the walk over the Python code: as much work as all others together."""
_SHARED = ("models.assigned", "models.mentions", "settings", "packages", "templates", "growing")
"""What both halves need, linked before they part."""

Snippets = Callable[[str, int], str]
"""The text of a line (from 1) of a file, "" where it cannot be had."""


@dataclass
class Judgement:
    """What all rules said, sorted and ready for the result."""

    outcomes: list[RuleOutcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unknowns: list[Open] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def add(self, other: Judgement) -> None:
        """Take in what another process judged."""
        self.outcomes += other.outcomes
        self.findings += other.findings
        self.unknowns += other.unknowns
        self.passed += other.passed
        self.notifications += other.notifications


def judge(stack: Stack, rules: Sequence[Rule], snippet: Snippets, jobs: int | None = None) -> Judgement:
    """Put every rule to the stack. A check that crashes makes its rule unknown and leaves a notification.

    With much code, the rules that need no walk over it are judged by a second process; `jobs` of 1 forbids it.
    Raises CatalogError for a declared check that cannot be used.
    """
    walked = [rule for rule in rules if rule.area in _WALKED]
    others = [rule for rule in rules if rule.area not in _WALKED]
    outcome = None
    if walked and others and jobs != 1 and len(stack.of_kind("python")) >= WORTH_A_PROCESS:
        for shared in _SHARED:
            with suppress(Exception):  # the rules that need it meet the error again, and tell it
                attrgetter(shared)(stack)
        outcome = beside.start(lambda: msgspec.msgpack.encode(_judged(stack, others, snippet)))
    judgement = _judged(stack, walked if outcome else rules, snippet)
    if outcome is not None:
        encoded = outcome()
        other = msgspec.msgpack.decode(encoded, type=Judgement) if encoded else _judged(stack, others, snippet)
        judgement.add(other)
        order = {rule.id: number for number, rule in enumerate(rules)}
        judgement.outcomes.sort(key=lambda item: order[item.id])
        judgement.notifications.sort(key=lambda item: order[item.rule])
    judgement.findings.sort(key=lambda item: (SEVERITIES.index(item.severity), item.rule, _order(item.location)))
    judgement.unknowns.sort(key=lambda item: (item.rule, _order(item.location)))
    judgement.passed.sort(key=lambda item: (item.rule, _order(item.location)))
    return judgement


def _judged(stack: Stack, rules: Sequence[Rule], snippet: Snippets) -> Judgement:
    judgement = Judgement()
    for rule in rules:
        _judge_one(stack, rule, snippet, judgement)
    return judgement


def check_of(rule: Rule) -> Check:
    """The function that judges `rule`: a declared check, or the one named like the rule in its area.

    Raises CatalogError where the arguments of a declared check do not fit.
    """
    if rule.check is not None:
        try:
            return declared.of(rule.check.kind, rule.check.args).judge
        except ValueError as error:
            raise CatalogError(f"{rule.id}: [check] {error}") from None
    function: Check = getattr(_area(rule.area), rule.function)
    return function


def _area(name: str) -> ModuleType:
    return importlib.import_module(f"stackaudit.checks.{name if name != 'async' else 'async_'}")


def _judge_one(stack: Stack, rule: Rule, snippet: Snippets, judgement: Judgement) -> None:
    status, why = _applies(stack, rule)
    verdicts: list[Verdict] = []
    if status == "passed":
        try:
            verdicts = _unique(check_of(rule)(stack))
            verdicts += _unread(stack, rule)
            findings = _findings(rule, verdicts, stack, snippet)
        except CatalogError:
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            text = f"the check of {rule.id} crashed: {type(error).__name__}: {error} ({last.name}, line {last.lineno})"
            judgement.notifications.append(Notification(level="error", text=text, rule=rule.id))
            status, why, verdicts = "unknown", f"the check crashed: {type(error).__name__}: {error}", []
        else:
            judgement.findings += findings
    counts = Counter(type(verdict) for verdict in verdicts)
    if status == "passed":
        status = _status(counts)
        why = "nothing to judge" if status == "not-applicable" else ""
    judgement.unknowns += [
        Open(rule=rule.id, site=item.site.name, location=_location(item.site.place, snippet), why=item.why)
        for item in verdicts
        if isinstance(item, Unsure)
    ]
    judgement.passed += [
        Passed(rule=rule.id, site=item.site.name, location=_location(item.site.place, _no_snippet))
        for item in verdicts
        if isinstance(item, Pass)
    ]
    judgement.outcomes.append(
        RuleOutcome(
            id=rule.id, title=rule.title, severity=rule.severity, precision=rule.precision, scoring=rule.scoring,
            status=status, judged=counts[Pass] + counts[Fail], passed=counts[Pass], failed=counts[Fail],
            unknown=counts[Unsure], why=why, harm=rule.why.strip(), fix=unfilled(rule.fix),
            references=rule.references, tags=rule.tags,
        )
    )  # fmt: skip


def _applies(stack: Stack, rule: Rule) -> tuple[Status, str]:
    """("passed", "") where the rule is to be judged, else why not."""
    for need in rule.needs:
        try:
            present = stack.present(need)
        except Exception as error:
            present = Unknown(f"what it needs ({need}) could not be linked: {type(error).__name__}: {error}")
        if isinstance(present, Unknown):
            return "unknown", present.why
        if not present.value:
            return "not-applicable", f"no {need} in this stack"
    return "passed", ""


def _status(counts: Counter[type[Verdict]]) -> Status:
    if counts[Fail]:
        return "failed"
    if counts[Unsure]:
        return "unknown"
    return "passed" if counts[Pass] else "not-applicable"


def _unique(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Each site once, however many ways lead to it: failures (one for each cause), else an unknown, else a pass."""
    sites: dict[Site, list[Verdict]] = {}
    for verdict in verdicts:
        sites.setdefault(verdict.site, []).append(verdict)
    kept: list[Verdict] = []
    for told in sites.values():
        fails = {verdict.cause: verdict for verdict in reversed(told) if isinstance(verdict, Fail)}
        kept += reversed(fails.values()) if fails else [min(told, key=lambda verdict: isinstance(verdict, Pass))]
    return kept


def _unread(stack: Stack, rule: Rule) -> Iterator[Unsure]:
    """A file that a rule would have looked at and that could not be read hides what is in it."""
    for item in stack.unread_for(rule.needs):
        if item.unread is not None:
            place = Place(item.path, Region(max(item.unread.line, 1), 1, max(item.unread.line, 1), 1))
            yield Unsure(Site(place, item.path), f"the file could not be read: {item.unread.text}")


def _findings(rule: Rule, verdicts: Iterable[Verdict], stack: Stack, snippet: Snippets) -> list[Finding]:
    seen: Counter[str] = Counter()
    findings = []
    fails = [verdict for verdict in verdicts if isinstance(verdict, Fail)]
    for fail in sorted(fails, key=lambda item: (item.site.place, item.site.name, item.cause)):
        cause = rule.cause[fail.cause] if fail.cause else Cause()
        name = "\0".join((rule.id, fail.site.place.path, fail.site.name, fail.cause))
        seen[name] += 1
        severity: Severity = cause.severity or rule.severity
        findings.append(
            Finding(
                rule=rule.id, severity=severity, cause=fail.cause, site=fail.site.name,
                message=(cause.message or rule.message).format(**fail.values).strip(),
                fix=fail.fix or (cause.fix or rule.fix).format(**fail.values).strip(),
                location=_location(fail.site.place, snippet),
                fingerprint=hashlib.sha256(f"{name}\0{seen[name]}".encode()).hexdigest()[:32],
                related=tuple(_remark(step, snippet) for step in fail.related),
                flow=tuple(_remark(step, snippet) for step in fail.flow),
                cost=_cost(fail, stack),
            )
        )  # fmt: skip
    return findings


def _cost(fail: Fail, stack: Stack) -> QueryCost | None:
    if fail.cost is None:
        return None
    rtt = stack.config.host.database_rtt_ms if stack.config.host else None
    return QueryCost(
        queries=fail.cost.queries,
        rows=fail.cost.rows,
        assumed=fail.cost.assumed,
        milliseconds=None if rtt is None else round(fail.cost.queries * rtt, 3),
    )


def _remark(step: Step, snippet: Snippets) -> Remark:
    return Remark(location=_location(step.place, snippet), text=step.text)


def _location(place: Place, snippet: Snippets) -> Location:
    region = place.region
    return Location(
        path=place.path, line=region.line, column=region.column, end_line=region.end_line,
        end_column=region.end_column, snippet=snippet(place.path, region.line),
    )  # fmt: skip


def _order(location: Location) -> tuple[str, int, int]:
    return location.path, location.line, location.column


def _no_snippet(path: str, line: int) -> str:
    return ""
