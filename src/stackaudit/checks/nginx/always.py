"""Security headers that error pages do not have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stackaudit.checks.nginx.headers import SECURITY, sent_by_django
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.servers import Server, target_of
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


@dataclass
class _Block:
    """The lines of one level that are in force where pages come from."""

    name: str
    bare: dict[Place, Line] = field(default_factory=dict)
    right: dict[Place, Line] = field(default_factory=dict)


def add_header_without_always(stack: Stack) -> Iterator[Verdict]:
    """One site for each line with a security header that pages have; those of one level fail as one."""
    blocks: dict[Level, _Block] = {}
    for server in stack.nginx.servers:
        for level, name in _page_levels(server):
            found = level.in_force("add_header")
            if not isinstance(found, Known) or found.value.level is None:
                continue
            block = blocks.setdefault(found.value.level, _Block(name))
            for line in found.value.lines:
                if not line.words or line.words[0].text.lower() not in SECURITY or len(line.words) < 2:
                    continue
                header = line.words[0].text.lower()
                is_right = _is_always(line) or sent_by_django(stack, level, [header])
                (block.right if is_right else block.bare)[line.place] = line
    for block in blocks.values():
        yield from _judge(block)


def _is_always(line: Line) -> bool:
    return [word.text for word in line.words[2:]] == ["always"] or line.words[1].text == ""


def _page_levels(server: Server) -> Iterator[tuple[Level, str]]:
    """The levels whose answers may be errors that people see: what hands requests on, and what answers "/"."""
    root = answer(server, "/")
    if isinstance(root, Known) and root.value.level is server.level and root.value.kind == "return":
        return  # the server answers by itself, before any location
    for location in server.every_location:
        for level in (location.level, *location.level.inside("if")):
            is_root = isinstance(root, Known) and root.value.level is level and root.value.kind == "files"
            if (is_root or isinstance(target_of(level), Known)) and "return" not in level.lines:
                yield level, location.site.name
    is_own = isinstance(root, Known) and root.value.level is server.level and root.value.kind == "files"
    if is_own and "root" in server.level.lines:
        yield server.level, server.title


def _judge(block: _Block) -> Iterator[Verdict]:
    for place, line in block.right.items():
        if place not in block.bare:
            yield Pass(Site(place, f"{block.name} add_header {line.words[0].text}"))
    doubtful = [line for line in block.bare.values() if any(word.hole for word in line.words[2:])]
    for line in doubtful:
        why = f"the template fills in {next(word.hole for word in line.words[2:] if word.hole)}"
        yield Unsure(Site(line.place, f"{block.name} add_header {line.words[0].text}"), why)
    bare = [line for line in block.bare.values() if line not in doubtful]
    if bare:
        names = ", ".join(dict.fromkeys(line.words[0].text for line in bare))
        related = tuple(Step(line.place, f"{line.words[0].text}, too") for line in bare[1:])
        yield Fail(Site(bare[0].place, f"{block.name} add_header"), {"headers": names}, related=related)
