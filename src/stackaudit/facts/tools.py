"""What pip-audit and deptry said of the project's dependencies, or why they said nothing."""

from __future__ import annotations

import msgspec

from stackaudit.model.source import Region


class Pin(msgspec.Struct, frozen=True):
    """An exact version that production installs, and the line that says so. `name` is as PEP 503 compares names."""

    name: str
    version: str
    path: str
    region: Region


class Advisory(msgspec.Struct, frozen=True):
    """One known vulnerability. `fixed_in` is empty where no release mends it; `severity` where nobody tells it."""

    id: str
    aliases: tuple[str, ...] = ()
    fixed_in: tuple[str, ...] = ()
    summary: str = ""
    severity: str = ""


class Audited(msgspec.Struct, frozen=True):
    """One package in one version, with every advisory against it."""

    name: str
    version: str
    advisories: tuple[Advisory, ...] = ()


class Skipped(msgspec.Struct, frozen=True):
    """A package that was not audited; `why` completes "unknown, because ..."."""

    name: str
    why: str


class AuditReport(msgspec.Struct, frozen=True):
    """What pip-audit said. `source` is "pip-audit" or the path of a recorded report."""

    ran: bool = False
    why: str = "pip-audit was not run"
    source: str = ""
    audited: tuple[Audited, ...] = ()
    skipped: tuple[Skipped, ...] = ()


class DeptryIssue(msgspec.Struct, frozen=True):
    """One of deptry's findings: DEP001 missing, DEP002 unused, DEP003 transitive, DEP004 misplaced, DEP005 standard.

    `module` is the distribution for DEP002 and the imported module otherwise.
    """

    code: str
    module: str
    path: str = ""
    line: int = 0


class DeptryReport(msgspec.Struct, frozen=True):
    """What deptry said.

    `guessed` are the distributions whose modules it did not know; `unread` files it could not parse. `asked` are
    the distributions that it was asked about; empty where a recorded report does not tell.
    """

    ran: bool = False
    why: str = "deptry was not run"
    source: str = ""
    issues: tuple[DeptryIssue, ...] = ()
    asked: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class ToolFacts(msgspec.Struct, frozen=True):
    """What both tools said."""

    pip_audit: AuditReport = AuditReport()
    deptry: DeptryReport = DeptryReport()
