"""A program with what its findings propose, for the fixes that can be applied as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from stackaudit.checks.orm import (
    fk_id_dereference,
    n_plus_one_forward,
    n_plus_one_reverse,
    prefetch_bypassed,
    query_in_loop,
)
from stackaudit.config import Config
from stackaudit.link.stack import Stack
from stackaudit.model.source import Region
from stackaudit.model.verdict import Fail
from tests.link.queries import oracle

_TARGET = r"(it|`[^`]*`(?: and `[^`]*`)*)(?: in [\w.]+)?"
CALL = re.compile(rf"[Aa]ppend `(\.(?:select|prefetch)_related\([^`]*\))` to {_TARGET}")
ONLY = re.compile(rf"[Aa]dd ((?:\"\w+\"(?:, )?)+) to the only\(\) of {_TARGET}")
DEFER = re.compile(rf"[Tt]ake ((?:\"\w+\"(?:, )?)+) out of the defer\(\) of {_TARGET}")
RULES = (n_plus_one_forward, n_plus_one_reverse, prefetch_bypassed, fk_id_dereference, query_in_loop)
BEFORE = re.compile(
    r"[Pp]ut `(\.(?:select|prefetch)_related\([^`]*\))` before `\.\w+\(…\)` in (`[^`]*`)(?: in [\w.]+)?"
)
WRITE = re.compile(rf"[Ww]rite `([^`]*\.select_related\(\"[^`]*)` in place of {_TARGET}")
FORMS = (ONLY, DEFER, CALL, BEFORE, WRITE)
STAYS = re.compile(r"`first\(\)` of a prefetch that is ordered asks nothing: it stays in `[^`]+`\.")


@dataclass
class Applied:
    """What became of a program.

    `changed` are the functions that no longer ask for each row, by what was proposed; `fixes` are those of each
    function, also where they are no calls to append.
    """

    program: str
    changed: frozenset[str]
    fixes: dict[str, list[str]] = field(default_factory=dict)


def findings(program: str) -> list[Fail]:
    """What the rules on relations find in a program."""
    stack = Stack(oracle.files(program), Config())
    told = [verdict for check in RULES for verdict in check(stack)]
    return [item for item in told if isinstance(item, Fail) and item.site.place.path == oracle.VIEWS]


def function(verdict: Fail) -> str:
    """The function that a finding stands in."""
    return verdict.site.name.partition(":")[0].rpartition(".")[2]


def is_plain(fix: str) -> bool:
    """Whether a fix consists of calls to append and columns to let in, with nothing left open."""
    rest = STAYS.sub("", fix)
    for form in FORMS:
        rest = form.sub("", rest)
    calls = [*CALL.findall(fix), *BEFORE.findall(fix)]
    is_open = any("…" in call or ("…" in target and "` and `" in target) for call, target in calls)
    is_open = is_open or any("…" in target for form in (ONLY, DEFER) for _, target in form.findall(fix))
    return rest != fix and not rest.replace(" and ", "").strip(" .") and not is_open


@cache
def applied(program: str) -> Applied:
    """The program with all plain fixes of its findings."""
    fixes: dict[str, list[str]] = {}
    changes: dict[Region, list[tuple[re.Pattern[str], str]]] = {}
    left: set[str] = set()
    for verdict in findings(program):
        name, where = function(verdict), verdict.related[0].place if verdict.related else verdict.site.place
        fixes.setdefault(name, []).append(verdict.fix)
        if not is_plain(verdict.fix) or where.path != oracle.VIEWS:
            left.add(name)
            continue
        for form in FORMS:
            for given, target in form.findall(verdict.fix):
                for region in _regions(program, target, where.region, verdict.site.place.region):
                    changes.setdefault(region, []).append((form, given))
    lines = program.splitlines()
    for region in sorted(changes, key=lambda item: (item.end_line, item.end_column), reverse=True):
        chain = lines[region.line - 1 : region.end_line]
        tail = chain[-1][region.end_column - 1 :]
        chain[-1] = chain[-1][: region.end_column - 1]
        head, chain[0] = chain[0][: region.column - 1], chain[0][region.column - 1 :]
        body = "\n".join(chain)
        for form, given in sorted(changes[region], key=lambda change: FORMS.index(change[0])):
            body = _changed(body, form, given)
        lines[region.line - 1 : region.end_line] = (head + body + tail).split("\n")
    return Applied("\n".join(lines) + "\n", frozenset(set(fixes) - left), fixes)


def _regions(program: str, target: str, own: Region, site: Region) -> Iterator[Region]:
    """Where the querysets stand that a fix names, all of those in one function; `own` is that of the rows.

    They stand in the function of the rows, or in that of what the finding is about.
    """
    names = [] if "…" in target or target == "it" else target.strip("`").split("` and `")
    forms = [re.compile(rf"(?<!def ){re.escape(name)}(?![.(\w])") for name in names]
    found: set[Region] = set()
    for region in (own, site):
        begin, end = _function(program, region)
        found = found or {_region(program, match) for form in forms for match in form.finditer(program, begin, end)}
    start = sum(len(line) + 1 for line in program.split("\n")[: own.line - 1])
    if not names or program.startswith(names[0], start + own.column - 1):
        found.add(own)
    yield from found or {_region(program, match) for form in forms for match in form.finditer(program)} or {own}


def _function(program: str, region: Region) -> tuple[int, int]:
    """Where the function around a region begins and ends."""
    start = sum(len(line) + 1 for line in program.split("\n")[: region.line - 1])
    end = program.find("\ndef ", start)
    return program.rfind("\ndef ", 0, start) + 1, end if end > 0 else len(program)


def _region(program: str, match: re.Match[str]) -> Region:
    line, column = program.count("\n", 0, match.start()) + 1, match.start() - program.rfind("\n", 0, match.start())
    return Region(line, column, line, column + len(match.group()))


def _changed(chain: str, form: re.Pattern[str], given: str) -> str:
    """A queryset after one change: a call appended, or columns let in by its own `only()` or `defer()`."""
    if form is WRITE:
        return given
    if form is CALL:
        is_one = chain.startswith("(") and chain.endswith(")")
        return (f"({chain})" if not is_one and re.search(r" (?:or|and|if|\||&) ", chain) else chain) + given
    if form is BEFORE:
        at = chain.rindex(".first(")
        return chain[:at] + given + chain[at:]
    at = _arguments(chain, ".only(" if form is ONLY else ".defer(")
    if form is ONLY:
        return f"{chain[:at]}{given}, {chain[at:]}"
    for name in given.split(", "):
        chain = chain[:at] + re.sub(rf"{name},? ?", "", chain[at:], count=1)
    return chain


def _arguments(chain: str, method: str) -> int:
    """Where the arguments of a method of the chain itself begin, not of one in an argument."""
    depth = 0
    for at, sign in enumerate(chain):
        if depth == 0 and chain.startswith(method, at):
            return at + len(method)
        depth += (sign in "([{") - (sign in ")]}")
    raise AssertionError((chain, method))
