from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stackaudit.model.result import (
    SCHEMA,
    Finding,
    Interval,
    Location,
    Notification,
    Open,
    Passed,
    Remark,
    Result,
    RuleOutcome,
    Score,
    StackSummary,
    Waived,
)

RESULTS = Path(__file__).parent.parent / "fixtures" / "results"

EVIL = (
    "\x1b[31mred\x1b]0;title\x07 <script>alert(1)</script> | `a` **b** [x](javascript:y) @octocat #12"
    " \u202e% {0} \udcff\n::x"
)


def place(path: str = "a.py", **changes: Any) -> Location:
    fields: dict[str, Any] = {"line": 3, "column": 5, "end_line": 3, "end_column": 9, "snippet": "abc", **changes}
    return Location(path=path, **fields)


@pytest.fixture(scope="session")
def shop() -> Result:
    """A stack with something of everything."""
    return msgspec.json.decode((RESULTS / "shop.json").read_bytes(), type=Result)


@pytest.fixture(scope="session")
def empty() -> Result:
    """A run to which no rule applied."""
    return Result(
        schema=SCHEMA, version="0.1.0", stack=StackSummary(root="."), score=Score(model=1, score=Interval(), grade="-"),
        rules=(), findings=(), unknowns=(), waived=(), passed=(), notifications=(),
    )  # fmt: skip


@pytest.fixture(scope="session")
def hostile() -> Result:
    """Every text comes from somebody who wants to command the terminal, the browser or the runner."""
    at = place(EVIL, snippet=EVIL + "\t" + EVIL, column=2, end_column=40)
    finding = Finding(
        rule="orm/a", severity="critical", message=EVIL, location=at, fingerprint="f", site=EVIL, fix=EVIL,
        related=(Remark(location=at, text=EVIL),), flow=(Remark(location=at, text=EVIL),),
    )  # fmt: skip
    outcome = RuleOutcome(
        id="orm/a", title=EVIL, severity="critical", precision="high", scoring="gate", status="failed", failed=2,
        judged=2, harm=EVIL, fix=EVIL, references=("javascript:alert(1)", "https://example.org/?a=<b>"), tags=(EVIL,),
    )  # fmt: skip
    return Result(
        schema=SCHEMA, version="0.1.0",
        stack=StackSummary(root=".", files={"python": 1}, left_out={EVIL: 2}),
        score=Score(model=1, score=Interval(floor=0.0, ceiling=0.0), grade="F"),
        rules=(outcome,), findings=(finding, finding),
        unknowns=(Open(rule="orm/a", site=EVIL, location=at, why=EVIL),),
        waived=(Waived(finding=finding, reason=EVIL, by="comment"),),
        passed=(Passed(rule="orm/a", site=EVIL, location=at),),
        notifications=(Notification(level="error", text=EVIL, path=EVIL, line=1, rule="orm/a"),),
    )  # fmt: skip
