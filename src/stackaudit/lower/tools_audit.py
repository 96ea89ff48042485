"""pip-audit: known vulnerabilities of exact pins."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stackaudit.facts.tools import Advisory, Audited, AuditReport, Pin, Skipped
from stackaudit.lower import tools_child as child

ABSENT = "PyPI does not know this version, so pip-audit skipped it (a private package, or an index in between)"
SOCKET_TIMEOUT = 15
"""Seconds that pip-audit waits for one answer of its vulnerability service; pip-audit's own default."""

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_UNREACHABLE = re.compile(
    r"NameResolutionError|Failed to resolve|Max retries exceeded|Could not connect|ConnectTimeout|ReadTimeout"
    r"|ConnectionError|ConnectionRefused|ProxyError|SSLError|not redirecting properly"
)
_HOST = re.compile(r"host='([^']+)'")
_STATUS = re.compile(r"\b([45]\d\d) (?:Server|Client) Error")
_NOT_FOUND = re.compile(r"Dependency not found on PyPI")


class _Vulnerability(msgspec.Struct):
    id: str
    fix_versions: list[str] = []
    aliases: list[str] = []
    description: str = ""
    severity: Any = None


class _Dependency(msgspec.Struct):
    name: str
    version: str = ""
    vulns: list[_Vulnerability] = []
    skip_reason: str = ""


class _Report(msgspec.Struct):
    dependencies: list[_Dependency]


def audit(pins: Sequence[Pin], *, timeout: float, cache_dir: Path | None = None) -> AuditReport:
    """What pip-audit says of `pins` within `timeout` seconds. A pin in several versions is asked about in each."""
    ends = time.monotonic() + timeout
    rounds, skipped = _rounds(pins)
    reports = []
    for batch in rounds:
        report = _ask(batch, timeout=max(ends - time.monotonic(), 0.1), cache_dir=cache_dir)
        if not report.ran:
            return report
        reports.append(report)
    absent = [item for report in reports for item in report.skipped if item.why == ABSENT]
    if len(absent) >= 3 and not any(report.audited for report in reports):
        return AuditReport(why="what answers pip-audit for PyPI here knows none of the pinned packages")
    return AuditReport(
        ran=True,
        why="",
        source="pip-audit",
        audited=tuple(item for report in reports for item in report.audited),
        skipped=(*skipped, *(item for report in reports for item in report.skipped)),
    )


def read_audit(path: Path) -> AuditReport:
    """A report that `pip-audit -f json` wrote earlier."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return AuditReport(why=f"the pip-audit report {path.name} could not be read: {error.strerror}")
    report = _parse(data, path.name)
    if report is None:
        return AuditReport(why=f"{path.name} is not a report that `pip-audit -f json` writes")
    return report


def _rounds(pins: Sequence[Pin]) -> tuple[list[list[Pin]], list[Skipped]]:
    """Batches in which no name stands twice (pip-audit refuses that), and what no batch can hold."""
    rounds: list[dict[str, Pin]] = []
    skipped: list[Skipped] = []
    seen: set[tuple[str, str]] = set()
    for pin in pins:
        if (pin.name, pin.version) in seen:
            continue
        seen.add((pin.name, pin.version))
        if _NAME.fullmatch(pin.name) is None or not _is_version(pin.version):
            skipped.append(Skipped(pin.name, f"{pin.version} is not a version that pip-audit can read"))
            continue
        batch = next((batch for batch in rounds if pin.name not in batch), None)
        if batch is None:
            rounds.append(batch := {})
        batch[pin.name] = pin
    return [list(batch.values()) for batch in rounds], skipped


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _ask(pins: Iterable[Pin], *, timeout: float, cache_dir: Path | None) -> AuditReport:
    with tempfile.TemporaryDirectory(prefix="stackaudit-") as folder:
        scratch = Path(folder)
        requirements, output = scratch / "requirements.txt", scratch / "report.json"
        requirements.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins), encoding="utf-8")
        cache = (cache_dir / "pip-audit") if cache_dir is not None else scratch / "cache"
        arguments = [
            "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--desc", "on",
            "--aliases", "on", "--timeout", str(SOCKET_TIMEOUT), "--cache-dir", str(cache.absolute()),
            "--requirement", str(requirements), "--output", str(output),
        ]  # fmt: skip
        try:
            ended = child.run("pip_audit", arguments, cwd=scratch, scratch=scratch, timeout=timeout)
        except OSError as error:
            return AuditReport(why=f"pip-audit could not be started: {error.strerror}")
        report = _parse(child.read(output), "pip-audit")
    if ended.code is None:
        return AuditReport(why=f"pip-audit was stopped after {timeout:.0f} s (tool-timeout)")
    if report is None or ended.code not in (0, 1):
        return AuditReport(why=_failure(ended.errors))
    return report


def _failure(errors: str) -> str:
    status = _STATUS.search(errors)
    if status is not None:
        return f"pip-audit's vulnerability service answered with HTTP {status[1]}"
    if "No module named pip_audit" in errors:
        return "pip-audit is not installed beside stackaudit"
    if _UNREACHABLE.search(errors):
        host = _HOST.search(errors)
        return f"pip-audit could not reach its vulnerability service{f' ({host[1]})' if host else ''}"
    if "JSONDecodeError" in errors:
        return "pip-audit's vulnerability service answered with something that is not JSON"
    return f"pip-audit failed: {child.last_line(errors)}"


def _parse(data: bytes, source: str) -> AuditReport | None:
    """A report in today's form, or in that of pip-audit before 2.2 (a bare list); None where it is neither."""
    try:
        document = json.loads(data)
        if isinstance(document, list):
            document = {"dependencies": document}
        report = msgspec.convert(document, _Report)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
    return AuditReport(
        ran=True,
        why="",
        source=source,
        audited=tuple(
            Audited(canonicalize_name(item.name), item.version, tuple(map(_advisory, item.vulns)))
            for item in report.dependencies
            if not item.skip_reason
        ),
        skipped=tuple(
            Skipped(canonicalize_name(item.name), _skip_reason(item))
            for item in report.dependencies
            if item.skip_reason
        ),
    )


def _skip_reason(item: _Dependency) -> str:
    if _NOT_FOUND.match(item.skip_reason):
        return ABSENT
    return f"pip-audit skipped it: {item.skip_reason}"


def _advisory(item: _Vulnerability) -> Advisory:
    severity = item.severity.lower() if isinstance(item.severity, str) else ""
    return Advisory(
        id=item.id,
        aliases=tuple(sorted(set(item.aliases) - {item.id})),
        fixed_in=tuple(version for version in item.fix_versions if _is_version(version)),
        summary=" ".join(item.description.split())[:400],
        severity={"moderate": "medium"}.get(severity, severity),
    )
