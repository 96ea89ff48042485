"""A rule, as its TOML file states it."""

from __future__ import annotations

import string
from typing import Any, Literal, TypeAlias

import msgspec

Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
Precision: TypeAlias = Literal["very-high", "high", "medium", "low"]
Scoring: TypeAlias = Literal["gate", "share"]
Need: TypeAlias = Literal[
    "django", "settings", "templates", "nginx", "processes", "services", "host", "packages", "pip-audit", "deptry"
]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")


def unfilled(template: str) -> str:
    """A message or fix of a rule as it reads before a finding fills it: `{path}` becomes `<path>`, `{{` a brace."""
    parts = string.Formatter().parse(template.strip())
    return "".join(text + ("" if field is None else f"<{field.replace('_', ' ')}>") for text, field, _, _ in parts)


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A small stack with `# fail`, `# pass`, `# unknown` on the lines that are judged.

    `files` maps paths to their text; a `stackaudit.toml` among them is its configuration. A marker that stands alone on
    its line speaks for the next line.
    """

    title: str
    files: dict[str, str]


class Cause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to fail a rule, with what it says instead of the rule's own words."""

    message: str = ""
    severity: Severity | None = None
    fix: str = ""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A generic check (`setting_is`, `directive_is`, `package_is`) and its arguments."""

    kind: str
    args: dict[str, Any] = {}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """One rule. `id` is "<area>/<name>", its path below the rules folder."""

    id: str
    title: str
    severity: Severity
    precision: Precision
    scoring: Scoring
    message: str
    why: str
    fix: str
    needs: tuple[Need, ...] = ()
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    check: Check | None = None
    cause: dict[str, Cause] = {}
    example: tuple[Example, ...] = ()
    not_shown: dict[Literal["fail", "pass", "unknown"], str] = {}

    @property
    def area(self) -> str:
        """The folder that the rule's file lies in."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.id.partition("/")[2]

    @property
    def function(self) -> str:
        """The name of the function in `stackaudit.checks.<area>` that judges it."""
        return self.name.replace("-", "_").replace(".", "_")
