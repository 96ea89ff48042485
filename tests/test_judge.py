"""Verdicts become findings, unknowns and outcomes; a crash costs one rule and not the run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackaudit import catalog, judge
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.facts.files import FileFacts, Note
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.result import Finding, Location, Notification, Open, Passed, RuleOutcome
from stackaudit.model.rule import Cause, Rule
from stackaudit.model.source import Place, Region
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict
from tests.stacks import write

HERE = Place("a.conf", Region(3, 5, 3, 9))


def rule(**changes: Any) -> Rule:
    words: dict[str, Any] = {
        "id": "nginx/sample", "title": "A sample", "severity": "medium", "precision": "high", "scoring": "gate",
        "message": "It is {value}.", "why": "harm", "fix": "mend {value}",
        "cause": {"worse": Cause(message="It is much {value}.", severity="high")},
    }  # fmt: skip
    return Rule(**{**words, **changes})


def judged(
    monkeypatch: pytest.MonkeyPatch, verdicts: list[Verdict], a_rule: Rule, *files: FileFacts
) -> judge.Judgement:
    monkeypatch.setattr(judge, "check_of", lambda _: lambda stack: iter(verdicts))
    return judge.judge(Stack(files, Config()), [a_rule], lambda path, line: f"{path}:{line}")


def at(line: int, name: str = "x") -> Site:
    return Site(Place("a.conf", Region(line, 1, line, 4)), name)


def location(line: int, snippet: str = "") -> Location:
    return Location(path="a.conf", line=line, column=1, end_line=line, end_column=4, snippet=snippet)


def test_each_verdict_finds_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = judged(monkeypatch, [Fail(at(1), {"value": 7}), Pass(at(2)), Unsure(at(3), "who knows")], rule())
    assert seen.findings == [
        Finding(
            rule="nginx/sample", severity="medium", message="It is 7.", fix="mend 7", site="x",
            location=location(1, "a.conf:1"), fingerprint=seen.findings[0].fingerprint,
        )
    ]  # fmt: skip
    assert seen.passed == [Passed(rule="nginx/sample", site="x", location=location(2))]
    assert seen.unknowns == [Open(rule="nginx/sample", site="x", location=location(3, "a.conf:3"), why="who knows")]
    assert seen.outcomes == [
        RuleOutcome(
            id="nginx/sample", title="A sample", severity="medium", precision="high", scoring="gate", status="failed",
            judged=2, passed=1, failed=1, unknown=1, harm="harm", fix="mend <value>",
        )
    ]  # fmt: skip


def test_a_cause_replaces_message_and_severity(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = judged(monkeypatch, [Fail(at(1), {"value": 7}, cause="worse")], rule())
    assert [(item.message, item.severity, item.fix) for item in seen.findings] == [("It is much 7.", "high", "mend 7")]


def test_the_fingerprint_knows_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    first = judged(monkeypatch, [Fail(at(1, "a"), {"value": 1}), Fail(at(5, "b"), {"value": 1})], rule())
    moved = judged(monkeypatch, [Fail(at(9, "a"), {"value": 2}), Fail(at(20, "b"), {"value": 1})], rule())
    assert [item.fingerprint for item in first.findings] == [item.fingerprint for item in moved.findings]
    assert len({item.fingerprint for item in first.findings}) == 2


def test_sites_of_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = judged(monkeypatch, [Fail(at(1), {"value": 1}), Fail(at(5), {"value": 1})], rule())
    assert len({item.fingerprint for item in seen.findings}) == 2


def test_a_place_is_judged_once_and_a_failure_outweighs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = judged(monkeypatch, [Pass(at(1)), Unsure(at(1), "hm"), Fail(at(1), {"value": 1}), Pass(at(1))], rule())
    assert (len(seen.findings), len(seen.passed)) == (1, 0)
    seen = judged(monkeypatch, [Pass(at(1)), Unsure(at(1), "hm"), Pass(at(1))], rule())
    assert (len(seen.unknowns), seen.passed) == (1, [])


def test_a_place_may_fail_in_two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [Fail(at(1), {"value": 1}, cause="worse"), Fail(at(1), {"value": 1}), Fail(at(1), {"value": 2})]
    seen = judged(monkeypatch, [Pass(at(1)), *fails], rule())
    assert [item.message for item in seen.findings] == ["It is much 1.", "It is 1."]
    assert seen.passed == []


def test_a_crash_makes_the_rule_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(stack: Stack) -> Iterator[Verdict]:
        yield Fail(at(1), {"value": 7})
        raise KeyError("lost")

    monkeypatch.setattr(judge, "check_of", lambda _: broken)
    seen = judge.judge(Stack([], Config()), [rule()], lambda path, line: "")
    assert (seen.findings, seen.outcomes[0].status) == ([], "unknown")
    assert seen.outcomes[0].why == "the check crashed: KeyError: 'lost'"
    assert [(item.level, item.rule) for item in seen.notifications] == [("error", "nginx/sample")]


def test_a_message_that_cannot_be_filled_is_a_crash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = judged(monkeypatch, [Fail(at(1), {})], rule())
    assert (seen.findings, seen.outcomes[0].status) == ([], "unknown")
    assert all(isinstance(item, Notification) for item in seen.notifications)


def test_needs_that_are_absent_or_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = judged(monkeypatch, [Pass(at(1))], rule(needs=("nginx",)))
    assert (absent.outcomes[0].status, absent.outcomes[0].why) == ("not-applicable", "no nginx in this stack")
    broken = FileFacts("a.conf", "nginx", unread=Note("unexpected }", 4))
    unknown = judged(monkeypatch, [Pass(at(1))], rule(needs=("nginx",)), broken)
    assert (unknown.outcomes[0].status, unknown.outcomes[0].why) == (
        "unknown",
        "a.conf could not be read: unexpected }",
    )


def test_a_file_that_cannot_be_read_is_an_unknown_site(monkeypatch: pytest.MonkeyPatch) -> None:
    good = FileFacts("a.conf", "nginx", facts=object())
    broken = FileFacts("b.conf", "nginx", unread=Note("unexpected }", 4))
    seen = judged(monkeypatch, [Pass(at(1))], rule(needs=("nginx",)), good, broken)
    assert [(item.location.path, item.location.line, item.why) for item in seen.unknowns] == [
        ("b.conf", 4, "the file could not be read: unexpected }")
    ]
    assert seen.outcomes[0].status == "unknown"


def test_nothing_to_judge_is_not_applicable(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = judged(monkeypatch, [], rule())
    assert (seen.outcomes[0].status, seen.outcomes[0].why) == ("not-applicable", "nothing to judge")


def shop_of_many_files(root: Path) -> list[FileFacts]:
    """A stack large enough for a second process, with faults in its code and in its pages."""
    files = {f"shop/module{number}.py": "VALUE = 1\n" for number in range(judge.WORTH_A_PROCESS)}
    files |= {
        "shop/models.py": "from django.db import models\n\n"
        "class Author(models.Model):\n    name = models.TextField()\n\n"
        "class Book(models.Model):\n    author = models.ForeignKey(Author, on_delete=models.CASCADE)\n",
        "shop/views.py": "from django.shortcuts import render\nfrom .models import Book\n\n"
        "def shelf(request):\n    return render(request, 'shelf.html', {'books': Book.objects.all()})\n\n"
        "def names():\n    return [book.author.name for book in Book.objects.all()]\n",
        "shop/templates/shelf.html": "{% for book in books %}{{ book.author.name }}{% endfor %}",
    }
    write(root, files)
    inputs = discover(root)
    return pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None)


def test_a_second_process_changes_nothing(tmp_path: Path) -> None:
    files = shop_of_many_files(tmp_path)
    rules = catalog.choose(catalog.load(None), ("orm", "template"), ())
    alone = judge.judge(Stack(files, Config()), rules, lambda path, line: "", 1)
    assert {item.rule for item in alone.findings} == {"orm/n-plus-one-forward", "template/n-plus-one"}
    assert judge.judge(Stack(files, Config()), rules, lambda path, line: "") == alone


def test_what_a_second_process_cannot_do_is_done_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = shop_of_many_files(tmp_path)
    rules = catalog.choose(catalog.load(None), ("orm", "template"), ())
    alone = judge.judge(Stack(files, Config()), rules, lambda path, line: "", 1)
    monkeypatch.setattr(judge.beside, "start", lambda work: lambda: None)
    assert judge.judge(Stack(files, Config()), rules, lambda path, line: "") == alone


BESIDE = """
import os
from stackaudit.judge import beside

def fails():
    raise ValueError("no")

outcomes = [beside.start(lambda: b"done"), beside.start(fails)]
told = [outcome() if outcome is not None else None for outcome in outcomes]
two = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1
assert told == ([b"done", None] if two else [None, None]), told
"""


def test_work_beside_gives_its_bytes_or_nothing() -> None:
    """In a process of its own: one that has threads, as this one may have from other tests, is never copied."""
    run = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
