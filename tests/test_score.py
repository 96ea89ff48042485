from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stackaudit import catalog
from stackaudit.model.result import AreaScore, Finding, Interval, Location, RuleOutcome, Score
from stackaudit.model.rule import SEVERITIES
from stackaudit.score import AREA_WEIGHTS, grade_of, rule_bounds, score

GRADES = "FEDCBA"


def outcome(id: str = "orm/x", **changes: Any) -> RuleOutcome:
    counts = {key: changes.get(key, 0) for key in ("passed", "failed", "unknown")}
    status = "failed" if counts["failed"] else "unknown" if counts["unknown"] else "passed"
    if not any(counts.values()):
        status = "not-applicable"
    fields: dict[str, Any] = {
        "title": id,
        "severity": "medium",
        "precision": "high",
        "scoring": "gate",
        "status": status,
        "judged": counts["passed"] + counts["failed"],
        **changes,
    }
    return RuleOutcome(id=id, **fields)


def finding(rule: str, severity: Any) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        message="m",
        location=Location(path="a.py", line=1, column=1, end_line=1, end_column=2),
        fingerprint="f",
        site="s",
    )


def test_areas_are_those_of_the_catalogue_in_its_order() -> None:
    assert tuple(AREA_WEIGHTS) == catalog.AREAS


def test_nothing_applies() -> None:
    assert score([]) == Score(model=1, score=Interval(), grade="-")
    assert score([outcome()]) == Score(
        model=1, score=Interval(), grade="-", areas=(AreaScore(area="orm", weight=10, score=Interval()),)
    )


def test_gate_and_share() -> None:
    zero, one = Fraction(0), Fraction(1)
    assert rule_bounds(outcome(passed=9, failed=1)) == (zero, zero)
    assert rule_bounds(outcome(passed=9)) == (one, one)
    assert rule_bounds(outcome(passed=9, unknown=1)) == (zero, one)
    share = outcome(passed=6, failed=1, unknown=3, scoring="share")
    assert rule_bounds(share) == (Fraction(6, 10), Fraction(9, 10))
    assert rule_bounds(outcome(status="unknown", scoring="share")) == (zero, one)


def test_rules_weigh_by_severity_and_areas_by_their_table() -> None:
    outcomes = [
        outcome("orm/a", severity="high", passed=1),
        outcome("orm/b", severity="medium", failed=1),
        outcome("orm/c", severity="info", failed=1),
        outcome("nginx/a", severity="low", unknown=1),
        outcome("own-rules/a", severity="low", passed=2),
    ]
    assert score(outcomes) == Score(
        model=1,
        # orm 6/9 weighs 10, nginx 0..1 weighs 8, a team's own area 1 weighs 3.
        score=Interval(floor=46.0, ceiling=84.1),
        grade="E",
        areas=(
            AreaScore(area="orm", weight=10, score=Interval(floor=66.6, ceiling=66.6), rules=3, failed=2),
            AreaScore(area="nginx", weight=8, score=Interval(floor=0.0, ceiling=100.0), rules=1, unknown=1),
            AreaScore(area="own-rules", weight=3, score=Interval(floor=100.0, ceiling=100.0), rules=1),
        ),
    )


def test_grades() -> None:
    assert [grade_of(floor) for floor in (None, 100, 90, 89.9, 80, 70, 60, 59.9, 40, 39.9, 0)] == [
        "-", "A", "A", "B", "B", "C", "D", "E", "E", "F", "F",
    ]  # fmt: skip


def test_a_critical_failure_caps_the_grade_but_not_the_number() -> None:
    good = [outcome(f"orm/{n}", severity="critical", passed=1) for n in range(20)]
    bad = outcome("settings/debug-true", severity="critical", failed=1, scoring="share", passed=99)
    result = score([*good, bad])
    assert (result.grade, result.capped) == ("D", "settings/debug-true is a critical failure")
    assert result.score == Interval(floor=99.5, ceiling=99.5)


def test_the_severity_of_the_finding_decides_the_cap_where_it_is_told() -> None:
    outcomes = [outcome("nginx/a", severity="critical", failed=1, passed=99, scoring="share")]
    assert score(outcomes, [finding("nginx/a", "low")]).grade == "A"
    mild = [outcome("nginx/b", severity="low", failed=1, passed=99, scoring="share")]
    assert score(mild, [finding("nginx/b", "critical")]).grade == "D"


def test_a_cap_never_lifts() -> None:
    assert score([outcome("orm/a", severity="critical", failed=1)]).grade == "F"


counts = st.integers(0, 6)
outcomes_of = st.lists(
    st.builds(
        lambda number, area, severity, scoring, passed, failed, unknown, waived, broken: outcome(
            f"{area}/r{number}",
            severity=severity,
            scoring=scoring,
            **(
                {"status": "unknown"}
                if broken
                else {"passed": passed, "failed": failed, "unknown": unknown, "waived": min(waived, failed)}
            ),
        ),
        st.integers(0, 10_000),
        st.sampled_from(["orm", "nginx", "settings", "deps", "team"]),
        st.sampled_from(SEVERITIES),
        st.sampled_from(["gate", "share"]),
        counts,
        counts,
        counts,
        counts,
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each.id,
)


def standing(result: Score) -> tuple[float, float, int]:
    """What must not move the wrong way; a stack to which nothing applies has nothing left to mend."""
    floor, ceiling = result.score.floor, result.score.ceiling
    if floor is None or ceiling is None:
        return (101.0, 101.0, 6)
    return (floor, ceiling, GRADES.index(result.grade))


def changed(outcomes: list[RuleOutcome], index: int, **changes: Any) -> list[RuleOutcome]:
    old = outcomes[index]
    new = msgspec.structs.replace(old, **changes)
    status = "failed" if new.failed else "unknown" if new.unknown else "passed" if new.passed else "not-applicable"
    return [*outcomes[:index], msgspec.structs.replace(new, status=status), *outcomes[index + 1 :]]


def failing(outcomes: list[RuleOutcome]) -> list[int]:
    return [index for index, each in enumerate(outcomes) if each.failed]


@given(outcomes_of, st.data())
def test_mending_a_finding_never_lowers_the_score(outcomes: list[RuleOutcome], data: st.DataObject) -> None:
    for index in failing(outcomes):
        old = outcomes[index]
        stays = data.draw(st.booleans(), label="the site is still there and passes")
        mended = changed(outcomes, index, failed=old.failed - 1, passed=old.passed + stays)
        before, after = standing(score(outcomes)), standing(score(mended))
        assert all(now >= then for then, now in zip(before, after, strict=True))


@given(outcomes_of)
def test_hiding_never_raises_the_score(outcomes: list[RuleOutcome]) -> None:
    before = score(outcomes)
    for index in failing(outcomes):
        # A waiver, an ignored rule and a baseline only move the finding to another list: it stays among the failed.
        assert score(changed(outcomes, index, waived=outcomes[index].failed)) == before
        # What can no longer be judged counts as failed in the floor.
        old = outcomes[index]
        hidden = changed(outcomes, index, failed=0, unknown=old.unknown + old.failed)
        assert (score(hidden).score.floor or 0) <= (before.score.floor or 0)
        broken = [*outcomes[:index], outcome(old.id, severity=old.severity, status="unknown"), *outcomes[index + 1 :]]
        assert (score(broken).score.floor or 0) <= (before.score.floor or 0)


@given(outcomes_of)
def test_the_floor_is_at_most_the_ceiling_and_the_order_of_rules_does_not_matter(outcomes: list[RuleOutcome]) -> None:
    result = score(outcomes)
    for interval in (result.score, *(area.score for area in result.areas)):
        if interval.floor is not None and interval.ceiling is not None:
            assert 0 <= interval.floor <= interval.ceiling <= 100
        else:
            assert interval == Interval()
    turned = score(outcomes[::-1])
    assert (turned.score, turned.grade, turned.areas) == (result.score, result.grade, result.areas)
