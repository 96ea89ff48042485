"""deptry: distributions that are declared and never imported."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from stackaudit.facts.distributions import MODULES
from stackaudit.facts.tools import DeptryIssue, DeptryReport
from stackaudit.lower import tools_child as child

_GUESSED = re.compile(r"Assuming the corresponding module name of package '([^']+)'")
_UNREAD = re.compile(r"Skipping processing of (.+?) because of")


class _Error(msgspec.Struct):
    code: str


class _Location(msgspec.Struct):
    file: str = ""
    line: int | None = None


class _Issue(msgspec.Struct):
    error: _Error
    module: str
    location: _Location = msgspec.field(default_factory=_Location)


def unused(root: Path, declared: Sequence[str], *, timeout: float) -> DeptryReport:
    """What deptry says of the `declared` distributions and the imports below `root`.

    deptry takes the distributions from a pyproject.toml of ours, so that neither its choice of requirements files nor
    the project's own `[tool.deptry]` decides what is looked at, and from a table the modules of those that are not
    installed.
    """
    with tempfile.TemporaryDirectory(prefix="stackaudit-") as folder:
        scratch = Path(folder)
        config, output = scratch / "pyproject.toml", scratch / "report.json"
        config.write_text(_config(declared, MODULES), encoding="utf-8")
        arguments = [".", "--config", str(config), "--json-output", str(output), "--no-ansi", "--ignore-notebooks"]
        arguments += ["--extend-exclude", r".*/?node_modules/", "--extend-exclude", r"\.stackaudit_cache"]
        try:
            ended = child.run("deptry", arguments, cwd=root, scratch=scratch, timeout=timeout)
        except OSError as error:
            return DeptryReport(why=f"deptry could not be started: {error.strerror}")
        issues = _parse(child.read(output), ours=str(config))
    if ended.code is None:
        return DeptryReport(why=f"deptry was stopped after {timeout:.0f} s (tool-timeout)")
    if "No module named deptry" in ended.errors:
        return DeptryReport(why="deptry is not installed beside stackaudit")
    if issues is None or ended.code not in (0, 1):
        return DeptryReport(why=f"deptry failed: {child.last_line(ended.errors)}")
    return DeptryReport(
        ran=True,
        why="",
        source="deptry",
        issues=issues,
        asked=tuple(sorted({canonicalize_name(name) for name in declared})),
        guessed=tuple(sorted({canonicalize_name(name) for name in _GUESSED.findall(ended.errors)})),
        unread=tuple(sorted(set(_UNREAD.findall(ended.errors)))),
    )


def read_deptry(path: Path) -> DeptryReport:
    """A report that `deptry --json-output` wrote earlier."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return DeptryReport(why=f"the deptry report {path.name} could not be read: {error.strerror}")
    issues = _parse(data)
    if issues is None:
        return DeptryReport(why=f"{path.name} is not a report that `deptry --json-output` writes")
    return DeptryReport(ran=True, why="", source=path.name, issues=issues)


def _config(declared: Sequence[str], modules: Mapping[str, Sequence[str]]) -> str:
    names = sorted({canonicalize_name(name) for name in declared})
    known = [f"{json.dumps(name)} = {json.dumps(list(modules[name]))}" for name in names if name in modules]
    lines = ["[project]", 'name = "audited"', 'version = "0"', f"dependencies = {json.dumps(names)}"]
    return "\n".join([*lines, "[tool.deptry.package_module_name_map]", *known, ""])


def _parse(data: bytes, ours: str = "") -> tuple[DeptryIssue, ...] | None:
    try:
        issues = msgspec.json.decode(data, type=list[_Issue])
    except (msgspec.DecodeError, RecursionError):
        return None
    return tuple(
        DeptryIssue(
            item.error.code,
            item.module,
            "" if item.location.file == ours else item.location.file,
            item.location.line or 0,
        )
        for item in issues
    )
