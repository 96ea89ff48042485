"""The document that a scan produces, `stackaudit-result/1`; every report is drawn from it alone."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from stackaudit.model.rule import Precision, Scoring, Severity

SCHEMA: Literal["stackaudit-result/1"] = "stackaudit-result/1"
SCORE_MODEL = 1

Status: TypeAlias = Literal["passed", "failed", "unknown", "not-applicable"]
Grade: TypeAlias = Literal["A", "B", "C", "D", "E", "F", "-"]


class Document(msgspec.Struct, frozen=True, rename="kebab", kw_only=True, omit_defaults=True):
    """The form that every part of the result shares."""


class Location(Document, frozen=True):
    """A place, 1-based with an exclusive end, in Unicode code points; `snippet` is the text of its first line."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    snippet: str = ""


class Remark(Document, frozen=True):
    """A place with a sentence."""

    location: Location
    text: str


class QueryCost(Document, frozen=True):
    """Queries for each request with `rows` rows, and milliseconds where the host's database round trip is known."""

    queries: int
    rows: int
    assumed: str
    milliseconds: float | None = None


class Finding(Document, frozen=True):
    """A failure as a person sees it."""

    rule: str
    severity: Severity
    message: str
    location: Location
    fingerprint: str
    site: str
    cause: str = ""
    fix: str = ""
    related: tuple[Remark, ...] = ()
    flow: tuple[Remark, ...] = ()
    cost: QueryCost | None = None
    baselined: bool = False


class Waived(Document, frozen=True):
    """A finding that somebody accepted; `by` tells where: a comment, or the configuration."""

    finding: Finding
    reason: str
    by: Literal["comment", "per-file-ignores", "ignore"]


class Open(Document, frozen=True):
    """A site that could not be judged, and why."""

    rule: str
    site: str
    location: Location
    why: str


class Passed(Document, frozen=True):
    """A site that was judged and is right."""

    rule: str
    site: str
    location: Location


class RuleOutcome(Document, frozen=True):
    """What one rule did, with the rule's own words, so that a result can be drawn without the catalogue.

    `why` says why the status is "unknown" or "not-applicable". `failed` counts waived and baselined failures too.
    """

    id: str
    title: str
    severity: Severity
    precision: Precision
    scoring: Scoring
    status: Status
    judged: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    waived: int = 0
    why: str = ""
    harm: str = ""
    fix: str = ""
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Interval(Document, frozen=True):
    """A score from 0 to 100: `floor` counts unknown as failed, `ceiling` as passed; absent where nothing applies."""

    floor: float | None = None
    ceiling: float | None = None


class AreaScore(Document, frozen=True):
    """The score of one area and what it weighs in the whole."""

    area: str
    weight: int
    score: Interval
    rules: int = 0
    failed: int = 0
    unknown: int = 0


class Score(Document, frozen=True):
    """The whole score; the grade is that of the floor, and a critical failure caps it at D."""

    model: int
    score: Interval
    grade: Grade
    capped: str = ""
    areas: tuple[AreaScore, ...] = ()


class Fact(Document, frozen=True):
    """One line of what was found or chosen: "settings module", "config.settings.production", "named by wsgi.py"."""

    label: str
    value: str
    why: str = ""


class StackSummary(Document, frozen=True):
    """What was found and chosen, and what was left out."""

    root: str
    files: dict[str, int] = {}
    left_out: dict[str, int] = {}
    facts: tuple[Fact, ...] = ()


class Notification(Document, frozen=True):
    """Something that went wrong while reading or judging; it never costs the run."""

    level: Literal["note", "warning", "error"]
    text: str
    path: str = ""
    line: int = 0
    rule: str = ""


class Result(Document, frozen=True, omit_defaults=False):
    """The whole document. The same input gives the same bytes: it holds no time, no duration and no absolute path."""

    schema: Literal["stackaudit-result/1"]
    version: str
    stack: StackSummary
    score: Score
    rules: tuple[RuleOutcome, ...]
    findings: tuple[Finding, ...]
    unknowns: tuple[Open, ...]
    waived: tuple[Waived, ...]
    passed: tuple[Passed, ...]
    notifications: tuple[Notification, ...]
