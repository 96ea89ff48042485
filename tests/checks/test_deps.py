"""What the rules of deps/ decide where their examples would be too many."""

from __future__ import annotations

import pytest

from stackaudit.checks.deps.vulnerability import distinct, vulnerability
from stackaudit.config import Config
from stackaudit.facts.files import FileFacts
from stackaudit.facts.tools import Advisory, Audited, AuditReport, Skipped, ToolFacts
from stackaudit.link.stack import Stack
from stackaudit.lower import requirements
from stackaudit.model.verdict import Fail, Pass, Unsure

CVE = Advisory("CVE-2026-1", ("GHSA-a",), ("5.2.6",), "a flaw")


def verdicts(text: str, *audited: Audited, skipped: tuple[Skipped, ...] = (), source: str = "pip-audit") -> list[str]:
    """What the rule says of a requirements file, one short line for each verdict."""
    file = FileFacts("requirements.txt", "requirements", requirements.lower(text.encode(), "requirements.txt"))
    report = AuditReport(ran=True, why="", source=source, audited=audited, skipped=skipped)
    lines = []
    for verdict in vulnerability(Stack([file], Config(), ToolFacts(report))):
        where = f"{verdict.site.place.region.line} {verdict.site.name}"
        if isinstance(verdict, Fail):
            lines.append(f"{where} -> {verdict.cause}, {verdict.values['fixed'] or 'nothing'}")
        elif isinstance(verdict, Unsure):
            lines.append(f"{where} ?")
        else:
            assert isinstance(verdict, Pass)
            lines.append(f"{where} ok")
    return lines


def flaw(name: str, *fixed: str, severity: str = "", summary: str = "", aliases: tuple[str, ...] = ()) -> Advisory:
    return Advisory(name, aliases, fixed, summary, severity)


@pytest.mark.parametrize(
    ("advisories", "said"),
    [
        ((), "1 django ok"),
        ((flaw("CVE-1", "4.2.9", "5.1.3", "5.2.6"),), "1 django: CVE-1 -> high, 5.2.6"),
        ((flaw("CVE-1", "5.2.6"), flaw("CVE-2", "6.0.1", "5.2.8")), "1 django: CVE-1, CVE-2 -> high, 5.2.8"),
        ((flaw("CVE-1", "4.2.9"),), "1 django: CVE-1 -> high, nothing"),
        ((flaw("CVE-1", "5.2.6", severity="low"),), "1 django: CVE-1 -> low, 5.2.6"),
        (
            (flaw("CVE-1", "5.2.6", severity="low"), flaw("CVE-2", "5.2.6", severity="critical")),
            "1 django: CVE-1, CVE-2 -> critical, 5.2.6",
        ),
        ((flaw("CVE-1"),), "1 django: CVE-1 -> no-fix, nothing"),
        ((flaw("CVE-1"), flaw("CVE-2", "5.2.6")), "1 django: CVE-1, CVE-2 -> high, 5.2.6"),
        ((flaw("CVE-1", "6", summary="** DISPUTED ** no"),), "1 django: CVE-1 -> disputed, 6"),
        (
            (flaw("GHSA-1", "5.2.6", aliases=("CVE-1",)), flaw("PYSEC-1", aliases=("CVE-1",))),
            "1 django: CVE-1 -> high, 5.2.6",
        ),
    ],
)
def test_what_an_advisory_comes_to(advisories: tuple[Advisory, ...], said: str) -> None:
    assert verdicts("django==5.2.4\n", Audited("django", "5.2.4", advisories)) == [said]


def test_what_serves_no_requests_is_less_severe() -> None:
    assert verdicts("xlwt==1.3.0\n", Audited("xlwt", "1.3.0", (flaw("CVE-1", "2"),))) == ["1 xlwt: CVE-1 -> medium, 2"]


def test_versions_are_compared_and_not_spelt() -> None:
    assert verdicts("django==5.2.0\n", Audited("django", "5.2")) == ["1 django ok"]


def test_skipped_unpinned_unmentioned_and_outdated_are_unknown() -> None:
    said = verdicts(
        "a==1\nb\nc==1\nd==2\npip==20.0\n",
        Audited("d", "1", (CVE,)),
        Audited("pip", "20.0", (CVE,)),
        skipped=(Skipped("a", "nobody knows it"),),
    )
    assert said == ["1 a ?", "2 b ?", "3 c ?", "4 d ?"]


def test_a_report_of_an_environment_knows_what_was_installed() -> None:
    audited = (Audited("django", "5.2.4", (CVE,)), Audited("sqlparse", "0.4", (CVE,)), Audited("pip", "20", (CVE,)))
    assert verdicts("django>=5\n", *audited, source="report.json") == [
        "1 django: CVE-2026-1 -> high, 5.2.6",
        "1 sqlparse: CVE-2026-1 -> high, 5.2.6",
    ]


def test_the_same_flaw_under_three_names_is_one() -> None:
    names = [
        flaw("GHSA-1", "2.0", aliases=("CVE-1",), summary="long"),
        flaw("PYSEC-1", "1.9", aliases=("CVE-1",)),
        flaw("CVE-2", "2.0"),
        flaw("CVE-1", severity="high"),
    ]
    assert distinct(names) == [
        Advisory("PYSEC-1", ("CVE-1", "GHSA-1"), ("1.9", "2.0"), "long", "high"),
        Advisory("CVE-2", (), ("2.0",)),
    ]
