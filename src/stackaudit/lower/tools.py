"""Asks pip-audit and deptry, as child processes on copies of what was read, or reads what they said earlier.

Nothing is ever resolved, downloaded or installed for the project: pip-audit is handed exact pins and told to use
neither pip nor dependencies, deptry only parses. Both run isolated (`python -I`), so that a module of the repository
called like one of theirs is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from stackaudit.facts.tools import AuditReport, DeptryReport, Pin, ToolFacts
from stackaudit.lower.tools_audit import audit, read_audit
from stackaudit.lower.tools_deptry import read_deptry, unused

OFFLINE = "pip-audit was not run: --offline forbids asking its vulnerability service"
DISABLED = "{tool} was not run: --no-tools"


def gather(
    root: Path,
    pins: Sequence[Pin],
    declared: Sequence[str],
    *,
    enabled: bool = True,
    offline: bool = False,
    pip_audit_report: Path | None = None,
    deptry_report: Path | None = None,
    timeout: float = 120.0,
    cache_dir: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> ToolFacts:
    """What both tools say of `pins` and of the `declared` distributions of the project at `root`.

    A recorded report outweighs a run and needs neither `enabled` nor the network. `timeout` is in seconds, for each
    tool; `cache_dir` keeps pip-audit's answers between runs. Never raises: what goes wrong is the `why` of a report.
    """
    tell = progress or (lambda tool: None)
    if pip_audit_report is not None:
        vulnerabilities = read_audit(pip_audit_report)
    elif not enabled:
        vulnerabilities = AuditReport(why=DISABLED.format(tool="pip-audit"))
    elif offline:
        vulnerabilities = AuditReport(why=OFFLINE)
    elif not pins:
        vulnerabilities = AuditReport(ran=True, why="", source="pip-audit")
    else:
        tell("pip-audit")
        vulnerabilities = audit(pins, timeout=timeout, cache_dir=cache_dir)
    if deptry_report is not None:
        usage = read_deptry(deptry_report)
    elif not enabled:
        usage = DeptryReport(why=DISABLED.format(tool="deptry"))
    elif not declared:
        usage = DeptryReport(ran=True, why="", source="deptry")
    else:
        tell("deptry")
        usage = unused(root, declared, timeout=timeout)
    return ToolFacts(vulnerabilities, usage)
