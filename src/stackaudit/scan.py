"""The corridor: the whole run on one screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from stackaudit import __version__, catalog, judge, score, waivers
from stackaudit.config import Config
from stackaudit.discover import Inputs, discover
from stackaudit.facts.tools import ToolFacts
from stackaudit.link.settings import projects
from stackaudit.link.stack import Stack
from stackaudit.link.summary import summary
from stackaudit.lower import pool, tools
from stackaudit.lower.collector import collector_at_rest
from stackaudit.model.result import SCHEMA, Result

Progress = Callable[[str, int, int], None]
"""Told (what is being done, how much of it is done, how much there is)."""

CACHE = ".stackaudit_cache"
_BREAK = re.compile(r"\r\n|\r|\n")


class NothingToAuditError(Exception):
    """There is no folder, or nothing in it that any rule reads."""


def scan(root: Path, config: Config, progress: Progress | None = None) -> Result:
    """Audit `root`. Raises NothingToAuditError and catalog.CatalogError; never writes outside its cache."""
    with collector_at_rest():  # a tenth of the time, and not a page of memory: facts and values hold few cycles
        return _scan(root, config, progress or (lambda *_: None))


def _scan(root: Path, config: Config, tell: Progress) -> Result:
    rules = catalog.load(root / config.rules if config.rules else None)
    catalog.choose(rules, (), config.ignore)
    chosen = catalog.choose(rules, config.select, ())  # what is ignored is judged too: hiding never raises the score
    inputs = _inputs(root, config, tell)
    problems: list[str] = []
    files = pool.lower_all(
        inputs.files, inputs.read, jobs=config.jobs, cache=None if config.no_cache else root / CACHE,
        progress=lambda done, total: tell("reading", done, total), tell=problems.append,
    )  # fmt: skip
    tell("linking", 0, 1)
    stack = Stack(files, config)
    if any({"pip-audit", "deptry"} & set(rule.needs) for rule in chosen):
        stack.tools = _ask_tools(root, stack, config, tell)
    tell("judging", 0, len(chosen))
    judged = judge.judge(stack, chosen, _snippets(inputs), config.jobs)
    settled = waivers.settle(judged, files, config, root, catalog.known_words(rules))
    return Result(
        schema=SCHEMA,
        version=__version__,
        stack=summary(stack, Counter(item.kind for item in inputs.files), inputs.left_out),
        score=score.score(settled.outcomes, judged.findings),
        rules=tuple(settled.outcomes),
        findings=tuple(settled.findings),
        unknowns=tuple(judged.unknowns),
        waived=tuple(settled.waived),
        passed=tuple(judged.passed),
        notifications=(
            *projects.notifications(stack), *pool.notifications(files, problems), *judged.notifications,
            *settled.notifications,
        ),
    )  # fmt: skip


def _ask_tools(root: Path, stack: Stack, config: Config, tell: Progress) -> ToolFacts:
    return tools.gather(
        root,
        stack.packages.pins,
        stack.packages.declared_names,
        enabled=not config.no_tools,
        offline=config.offline,
        pip_audit_report=root / config.pip_audit_report if config.pip_audit_report else None,
        deptry_report=root / config.deptry_report if config.deptry_report else None,
        timeout=config.tool_timeout,
        cache_dir=None if config.no_cache else root / CACHE,
        progress=lambda tool: tell(f"running {tool}", 0, 1),
    )


def _inputs(root: Path, config: Config, tell: Progress) -> Inputs:
    tell("looking for files", 0, 1)
    if not root.is_dir():
        raise NothingToAuditError(f"{root}: there is no such folder")
    inputs = discover(root, exclude=config.exclude, include=config.include)
    if not inputs.files:
        raise NothingToAuditError(
            f"{root}: nothing to audit: no Python, template, nginx, gunicorn, container or requirements file below it"
        )
    return inputs


def _snippets(inputs: Inputs) -> judge.Snippets:
    @lru_cache(maxsize=512)
    def lines(path: str) -> list[str]:
        try:
            return _BREAK.split(inputs.read(path).decode("utf-8-sig", "replace"))
        except OSError:
            return []

    def snippet(path: str, line: int) -> str:
        return lines(path)[line - 1] if 0 < line <= len(lines(path)) else ""

    return snippet
