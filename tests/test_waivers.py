from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stackaudit.config import Config, ConfigError
from stackaudit.facts.files import FileFacts
from stackaudit.model.result import Finding, Location, Notification, Open, Result, RuleOutcome, Waived
from stackaudit.model.source import Waiver
from stackaudit.waivers import Accepted, Baseline, baseline_of, mark, narrow, read_baseline, settle

WORDS = frozenset({"orm", "orm/a", "orm/b", "nginx", "nginx/gzip", "speed"})


@dataclass
class Judged:
    outcomes: list[RuleOutcome]
    findings: list[Finding] = field(default_factory=list)
    unknowns: list[Open] = field(default_factory=list)


def place(path: str = "shop/views.py", line: int = 7, end_line: int | None = None, end_column: int = 9) -> Location:
    return Location(path=path, line=line, column=1, end_line=end_line or line, end_column=end_column)


def finding(rule: str = "orm/a", fingerprint: str = "f1", **where: Any) -> Finding:
    return Finding(
        rule=rule, severity="high", message="m", location=place(**where), fingerprint=fingerprint, site="shop.views.x"
    )


def outcome(id: str, **changes: Any) -> RuleOutcome:
    fields: dict[str, Any] = {"status": "failed", "judged": 1, "failed": 1, "tags": ("speed",), **changes}
    return RuleOutcome(id=id, title=id, severity="high", precision="high", scoring="gate", **fields)


def judged(*findings: Finding, unknowns: list[Open] | None = None) -> Judged:
    return Judged([outcome("orm/a"), outcome("orm/b")], list(findings), unknowns or [])


def file(*waivers: Waiver, path: str = "shop/views.py") -> FileFacts:
    return FileFacts(path=path, kind="python", waivers=waivers)


HERE = Path("unused")


def test_a_comment_with_a_reason_waives_and_the_rule_keeps_its_failure() -> None:
    one = finding()
    settled = settle(judged(one), [file(Waiver(("orm/a",), " few rows ", 6, 7))], Config(), HERE, WORDS)
    assert settled.findings == []
    assert settled.waived == [Waived(finding=one, reason="few rows", by="comment")]
    assert settled.outcomes == [outcome("orm/a", waived=1), outcome("orm/b")]
    assert settled.notifications == []


@pytest.mark.parametrize("word", ["orm/a", "orm", "speed"])
def test_areas_and_tags_waive_too(word: str) -> None:
    settled = settle(judged(finding()), [file(Waiver((word,), "why", 7, 7))], Config(), HERE, WORDS)
    assert len(settled.waived) == 1


def test_the_last_line_of_a_statement_speaks_for_it() -> None:
    long = finding(line=7, end_line=10, end_column=2)
    assert settle(judged(long), [file(Waiver(("orm/a",), "why", 10, 10))], Config(), HERE, WORDS).findings == []
    whole_lines = finding(line=7, end_line=11, end_column=1)
    assert settle(judged(whole_lines), [file(Waiver(("orm/a",), "why", 10, 10))], Config(), HERE, WORDS).findings == []
    between = settle(judged(long), [file(Waiver(("orm/a",), "why", 8, 8))], Config(), HERE, WORDS)
    assert between.findings == [long]


def test_another_line_file_or_rule_is_not_waived_and_the_comment_is_reported() -> None:
    one = finding()
    files = [
        file(Waiver(("orm/b",), "why", 7, 7), Waiver(("orm/a",), "why", 8, 9)),
        file(Waiver(("orm/a",), "why", 7, 7), path="shop/models.py"),
    ]
    settled = settle(judged(one), files, Config(), HERE, WORDS)
    assert settled.findings == [one]
    assert settled.notifications == [
        Notification(
            level="note",
            text=f"nothing to waive here: {rule} finds nothing on line {covers}; remove the waiver",
            path=path,
            line=line,
            rule=rule,
        )
        for path, line, rule, covers in [
            ("shop/models.py", 7, "orm/a", 7),
            ("shop/views.py", 7, "orm/b", 7),
            ("shop/views.py", 8, "orm/a", 9),
        ]
    ]


def test_without_a_reason_nothing_is_waived() -> None:
    one = finding()
    settled = settle(judged(one), [file(Waiver(("orm/a",), "  ", 7, 7))], Config(), HERE, WORDS)
    assert (settled.findings, settled.waived) == ([one], [])
    assert settled.notifications == [
        Notification(
            level="warning",
            text="this waiver of orm/a has no reason, so it waives nothing: write the reason after the bracket",
            path="shop/views.py",
            line=7,
            rule="orm/a",
        )
    ]


def test_unknown_and_missing_rule_names_are_reported() -> None:
    files = [file(Waiver(("orm/aa", "gzip", "qqqqqq"), "why", 1, 1), Waiver((), "why", 2, 2))]
    texts = [note.text for note in settle(judged(), files, Config(), HERE, WORDS).notifications]
    assert texts == [
        "this waiver names `gzip`, which is no rule; did you mean `nginx/gzip`?",
        "this waiver names `orm/aa`, which is no rule; did you mean `orm/a`?",
        "this waiver names `qqqqqq`, which is no rule; `stackaudit rules` lists them",
        "this waiver names no rule: write `stackaudit: ignore[area/rule] reason`",
    ]


def test_a_rule_that_did_not_look_says_nothing_about_its_waivers() -> None:
    files = [file(Waiver(("nginx/gzip",), "not selected today", 1, 1), Waiver(("orm/b",), "why", 7, 7))]
    crashed = Judged([outcome("orm/a"), outcome("orm/b", status="unknown", judged=0, failed=0)])
    assert settle(crashed, files, Config(), HERE, WORDS).notifications == []
    unsure = judged(unknowns=[Open(rule="orm/b", site="s", location=place(), why="who knows")])
    assert settle(unsure, files, Config(), HERE, WORDS).notifications == []


def test_per_file_ignores() -> None:
    one, other = finding(), finding(path="shop/admin/x.py")
    config = Config(per_file_ignores={"shop/admin/": ("orm",), "*.html": ("orm/c",)})
    settled = settle(judged(one, other), [], config, HERE, WORDS)
    assert settled.findings == [one]
    assert settled.waived == [Waived(finding=other, reason="per-file-ignores of `shop/admin/`", by="per-file-ignores")]
    assert [note.text for note in settled.notifications] == [
        "per-file-ignores of `*.html` names `orm/c`, which is no rule; did you mean `orm/b`?"
    ]


def test_ignored_rules_stay_in_the_document() -> None:
    a, b = finding(), finding("orm/b")
    settled = settle(judged(a, b), [], Config(select=("orm/b",), ignore=("orm",)), HERE, WORDS)
    assert settled.findings == [b]
    assert settled.waived == [Waived(finding=a, reason="`orm` is ignored by the configuration", by="ignore")]
    assert settle(judged(b), [], Config(select=("orm/b",), ignore=("orm/b",)), HERE, WORDS).findings == []


def test_the_baseline_marks_as_many_as_it_counted_and_tells_what_is_gone() -> None:
    twins = [finding(), finding(line=9), finding(line=11)]
    baseline = Baseline("stackaudit-baseline/1", (Accepted("f1", count=2), Accepted("gone")))
    marked, notes = mark(twins, baseline, "b.json")
    assert [item.baselined for item in marked] == [True, True, False]
    assert notes == [
        Notification(
            level="note",
            text="1 of the baseline's findings are gone: write it anew with `stackaudit baseline` to keep them out",
            path="b.json",
        )
    ]


def test_a_baseline_survives_the_round_trip(tmp_path: Path) -> None:
    findings = (finding(), finding(line=9), finding("orm/b", "f2", line=1))
    text = baseline_of(Findings(findings))  # type: ignore[arg-type]
    (tmp_path / "b.json").write_text(text)
    assert read_baseline(tmp_path / "b.json") == Baseline(
        "stackaudit-baseline/1",
        (
            Accepted("f1", "orm/a", "shop/views.py", "shop.views.x", 2),
            Accepted("f2", "orm/b", "shop/views.py", "shop.views.x", 1),
        ),
    )
    settled = settle(judged(*findings), [], Config(baseline="b.json"), tmp_path, WORDS)
    assert settled.findings == [msgspec.structs.replace(each, baselined=True) for each in findings]
    assert settled.outcomes == [outcome("orm/a"), outcome("orm/b")]


@dataclass
class Findings:
    findings: tuple[Finding, ...]


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "stackaudit-baseline/2", "findings": []}', "\xff"])
def test_a_broken_baseline_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"b\.json: this is not a baseline of stackaudit"):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(ConfigError, match=r"c\.json: there is no such baseline; write one with: stackaudit baseline"):
        read_baseline(tmp_path / "c.json")


def test_only_what_touches_a_changed_line_is_kept_and_the_rest_is_told(shop: Result) -> None:
    def kept(changed: dict[str, list[tuple[int, int]]]) -> list[tuple[str, int]]:
        result = narrow(shop, changed, "main")
        gone = len(shop.findings) - len(result.findings)
        expected = [f"{gone} findings on lines that did not change since main left out"] if gone > 1 else []
        assert [note.text for note in result.notifications[len(shop.notifications) :]] == expected
        assert result.score == shop.score
        return [(each.location.path, each.location.line) for each in result.findings]

    assert kept({}) == []
    assert kept({"shop/views.py": [(80, 90)], "config/settings/production.py": [(1, 11), (13, 99)]}) == [
        ("shop/views.py", 88)
    ]
    # The queryset is a related place of the template's finding.
    assert kept({"shop/views.py": [(33, 33)]}) == [("shop/templates/shop/order_list.html", 14)]
    everything = {each.location.path: [(1, 1 << 30)] for each in shop.findings}
    assert narrow(shop, everything, "main") is shop


@pytest.fixture
def shop() -> Result:
    path = Path(__file__).parent / "fixtures" / "results" / "shop.json"
    return msgspec.json.decode(path.read_bytes(), type=Result)
