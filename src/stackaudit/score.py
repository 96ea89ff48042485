"""The score: what the outcomes of all rules add up to. Pure; `docs/scoring.md` explains it to those who are scored.

All arithmetic is exact (fractions of whole numbers), so that "never lowers" and "never raises" hold to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from stackaudit.model.result import SCORE_MODEL, AreaScore, Finding, Grade, Interval, RuleOutcome, Score
from stackaudit.model.rule import Severity

SEVERITY_WEIGHTS: dict[Severity, int] = {"critical": 10, "high": 6, "medium": 3, "low": 1, "info": 0}
"""What a rule weighs within its area."""

AREA_WEIGHTS: dict[str, int] = {
    "orm": 10,
    "template": 5,
    "drf": 6,
    "admin": 3,
    "async": 5,
    "cache": 6,
    "settings": 8,
    "security": 8,
    "nginx": 8,
    "server": 8,
    "capacity": 8,
    "data": 6,
    "deps": 6,
    "observability": 3,
}
"""What an area weighs in the whole, in the order in which reports show the areas."""

OTHER_AREA_WEIGHT = 3
"""What an area weighs that only a team's own rules know."""

GRADES: tuple[tuple[int, Grade], ...] = ((90, "A"), (80, "B"), (70, "C"), (60, "D"), (40, "E"), (0, "F"))
"""The lowest floor of each grade, best first."""

CAP: Grade = "D"
"""The best grade of a stack with a critical failure."""


def score(outcomes: Sequence[RuleOutcome], failures: Iterable[Finding] = ()) -> Score:
    """The score of a run.

    `outcomes` are all rules, with waived and baselined failures among their `failed`. `failures` are all findings,
    waived and baselined ones too: one of critical severity caps the grade, also where its rule is milder and only
    the finding's cause is critical. A critical rule caps by itself where `failures` holds none of its findings.
    """
    by_area: dict[str, list[RuleOutcome]] = {}
    for outcome in outcomes:
        by_area.setdefault(outcome.id.partition("/")[0], []).append(outcome)
    areas: list[AreaScore] = []
    exact: list[tuple[int, Fraction, Fraction]] = []
    for area in sorted(by_area, key=_area_order):
        members = by_area[area]
        weight = AREA_WEIGHTS.get(area, OTHER_AREA_WEIGHT)
        bounds = _mean([(SEVERITY_WEIGHTS[each.severity], *both) for each in members if (both := rule_bounds(each))])
        if bounds is not None:
            exact.append((weight, *bounds))
        areas.append(
            AreaScore(
                area=area,
                weight=weight,
                score=_interval(bounds),
                rules=sum(each.status != "not-applicable" for each in members),
                failed=sum(each.failed for each in members),
                unknown=sum(each.unknown or each.status == "unknown" for each in members),
            )
        )
    total = _interval(_mean(exact))
    grade = grade_of(total.floor)
    culprit = _critical(outcomes, failures)
    if culprit and grade in ("A", "B", "C"):
        return Score(
            model=SCORE_MODEL, score=total, grade=CAP, capped=f"{culprit} is a critical failure", areas=tuple(areas)
        )
    return Score(model=SCORE_MODEL, score=total, grade=grade, areas=tuple(areas))


def grade_of(floor: float | None) -> Grade:
    """The grade of a floor between 0 and 100; "-" where nothing applies."""
    if floor is None:
        return "-"
    return next(grade for least, grade in GRADES if floor >= least)


def rule_bounds(outcome: RuleOutcome) -> tuple[Fraction, Fraction] | None:
    """The rule's score, 0 to 1, with unknown sites counted as failed and as passed; None where it does not apply."""
    if outcome.status == "not-applicable":
        return None
    sites = outcome.passed + outcome.failed + outcome.unknown
    if sites == 0:
        return (Fraction(0), Fraction(1)) if outcome.status == "unknown" else None
    if outcome.scoring == "share":
        return Fraction(outcome.passed, sites), Fraction(outcome.passed + outcome.unknown, sites)
    return Fraction(outcome.failed == 0 and outcome.unknown == 0), Fraction(outcome.failed == 0)


def _mean(parts: Sequence[tuple[int, Fraction, Fraction]]) -> tuple[Fraction, Fraction] | None:
    total = sum(weight for weight, _, _ in parts)
    if total == 0:
        return None
    floor = sum((weight * low for weight, low, _ in parts), Fraction(0))
    ceiling = sum((weight * high for weight, _, high in parts), Fraction(0))
    return floor / total, ceiling / total


def _interval(bounds: tuple[Fraction, Fraction] | None) -> Interval:
    if bounds is None:
        return Interval()
    # Rounded down, both: 100 is said only of a stack without any failure.
    floor, ceiling = (math.floor(bound * 1000) / 10 for bound in bounds)
    return Interval(floor=floor, ceiling=ceiling)


def _critical(outcomes: Sequence[RuleOutcome], failures: Iterable[Finding]) -> str:
    told: set[str] = set()
    for finding in failures:
        if finding.severity == "critical":
            return finding.rule
        told.add(finding.rule)
    return next(
        (each.id for each in outcomes if each.severity == "critical" and each.failed and each.id not in told), ""
    )


def _area_order(area: str) -> tuple[int, str]:
    names = list(AREA_WEIGHTS)
    return (names.index(area) if area in AREA_WEIGHTS else len(names), area)
