"""`if` inside a location, where it does something else than it says."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.directives import HANDLERS
from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_REWRITING = frozenset({"set", "break", "rewrite", "return", "rewrite_log", "uninitialized_variable_warn"})
_EQUAL = frozenset({"=", "!="})


def if_is_evil(stack: Stack) -> Iterator[Verdict]:
    """One site for each `if` of a location that does not end the request."""
    yield from once_for_each_place(
        verdict for location in stack.nginx.locations for verdict in _judge(location.level, location.site.name)
    )


def _judge(level: Level, name: str) -> Iterator[Verdict]:
    blocks = level.inside("if")
    tries = level.lines.get("try_files", [])
    for index, block in enumerate(blocks):
        condition = " ".join(word.text for word in block.directive.args) if block.directive is not None else ""
        if _ends(block):
            continue
        site = Site(block.place, f"{name} if ({condition})")
        values: dict[str, str] = {"condition": condition}
        if tries and not any(name in block.lines for name in HANDLERS):
            step = Step(tries[0].place, "is not looked at where the condition holds")
            yield Fail(site, values, cause="try-files", related=(step,))
            continue
        yield _beside_later(site, values, block, blocks[index + 1 :])


def _beside_later(site: Site, values: dict[str, str], block: Level, later: list[Level]) -> Verdict:
    """Of several conditions that hold, the last one's directives are in force, and no other's."""
    if "break" in block.lines:
        return Pass(site)
    doubt = False
    for other in later:
        if _ends(other):
            continue
        lost = sorted(
            name
            for name, lines in block.lines.items()
            if name not in _REWRITING and not (name in other.lines and _same(block, other, name)) and lines
        )
        if not lost:
            continue
        exclusive = _exclusive(block, other)
        if exclusive is False:
            step = Step(other.place, "where this condition holds as well, only its own directives count")
            return Fail(site, {**values, "lost": ", ".join(lost)}, related=(step,))
        doubt = doubt or exclusive is None
    return Unsure(site, "nothing tells whether two of the conditions can hold at once") if doubt else Pass(site)


def _same(block: Level, other: Level, name: str) -> bool:
    """Whether the later block repeats every line of the earlier one."""
    mine = [tuple(word.text for word in line.words) for line in block.lines[name]]
    theirs = [tuple(word.text for word in line.words) for line in other.lines[name]]
    return all(line in theirs for line in mine)


def _ends(block: Level) -> bool:
    """Whether requests do not get past the block: it answers, or sends them to another location."""
    if "return" in block.lines:
        return True
    for line in block.lines.get("rewrite", []):
        words = [word.text for word in line.words]
        flagged = len(words) > 2 and words[2] in ("last", "redirect", "permanent")
        away = len(words) > 1 and words[1].startswith(("http://", "https://", "$scheme"))
        if flagged or away:
            return True
    return False


def _exclusive(one: Level, other: Level) -> bool | None:
    """Whether two conditions never hold together; None where that cannot be told."""
    first = [word.text for word in one.directive.args] if one.directive is not None else []
    second = [word.text for word in other.directive.args] if other.directive is not None else []
    if first == second:
        return False
    if len(first) == 3 and len(second) == 3 and first[0] == second[0]:
        if first[1] == second[1] == "=":
            return True
        if {first[1], second[1]} == _EQUAL:
            return first[2] == second[2]
        if first[2] == second[2] and {first[1], second[1]} in ({"~", "!~"}, {"~*", "!~*"}):
            return True
        return None
    if len(first) == 2 and len(second) == 2 and first[1] == second[1]:
        return first[0] != second[0] and first[0].lstrip("!") == second[0].lstrip("!")
    return False if first[:1] != second[:1] else None
