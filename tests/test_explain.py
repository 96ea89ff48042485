from __future__ import annotations

from typing import Any

from stackaudit import catalog, explain
from stackaudit.model.rule import Cause, Example, Rule


def rule(id: str = "nginx/gzip-off", **changes: Any) -> Rule:
    fields: dict[str, Any] = {
        "title": "responses travel uncompressed",
        "severity": "low",
        "precision": "high",
        "scoring": "gate",
        "message": "gzip is off",
        "why": "Text is\nfour times as large.\n\n- slow phones\n- slow networks",
        "fix": "Write `gzip on;`.",
        "needs": ("nginx",),
        "tags": ("performance",),
        "references": ("https://nginx.org/",),
        "example": (Example("off", {"nginx.conf": "server {\n\tgzip off;  # fail\n}\n"}),),
        "cause": {"types": Cause(message="Only HTML.", fix="List the types.")},
        "not_shown": {"unknown": "a default is always known"},
        **changes,
    }
    return Rule(id=id, **fields)


def test_a_page() -> None:
    assert explain.page(rule(), 60) == (
        """\
nginx/gzip-off
responses travel uncompressed

  Severity low, precision high, scored one failure costs the
  whole rule.
  Needs nginx.
  Tags: performance.

Why
  Text is four times as large.

  - slow phones
  - slow networks

How to mend it
  Write `gzip on;`.

Other ways to fail
  - types: Only HTML. List the types.

Example: off
  nginx.conf
    │ server {
    │     gzip off;  # fail
    │ }

  No example of unknown: a default is always known

References
  https://nginx.org/
"""
    )


def test_colour_marks_headings_and_verdicts() -> None:
    page = explain.page(rule(), 60, colour=True)
    assert "\x1b[1mWhy\x1b[0m" in page
    assert "#\x1b[31m fail\x1b[0m" in page


def test_the_listing_is_cut_at_the_width() -> None:
    rules = [rule("nginx/a"), rule("orm/long-name", severity="critical", title="x" * 99)]
    assert explain.listing(rules, 70).splitlines() == [
        "nginx/a        low       responses travel uncompressed",
        "",
        "orm/long-name  critical  " + "x" * 44 + "…",
        "",
        "2 rules in 2 areas; `stackaudit rule ID` explains one.",
    ]
    assert explain.listing([], 70) == ""


def test_what_was_meant() -> None:
    rules = [rule("nginx/same"), rule("orm/same"), rule("orm/other")]
    assert explain.missing("same", rules) == "`same` is the name of 2 rules: nginx/same, orm/same"
    assert explain.missing("orm", rules) == "`orm` is an area; its rules are orm/same, orm/other"
    assert explain.missing("othr", rules) == "there is no rule `othr`; did you mean `orm/other`?"
    assert explain.missing("zzz", rules) == "there is no rule `zzz`; `stackaudit rules` lists them"


def test_every_shipped_rule_has_a_page_that_keeps_its_width() -> None:
    for each in catalog.load():
        page = explain.page(each, 100)
        prose = [line for line in page.splitlines() if "│" not in line and "://" not in line and "`" not in line]
        assert [line for line in prose if len(line) > 100] == []
        assert "\n\n\n" not in page
