"""What a server does with a path: hand it on, open a file, or answer by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from stackaudit.link.nginx.choose import Choice, choose, compiled, file_of
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.servers import Location, Server, Target, target_of
from stackaudit.model.values import Known, Unknown, Value

Kind: TypeAlias = Literal["proxy", "files", "return"]


@dataclass(frozen=True)
class Answer:
    """How a path is answered; `level` is the one whose directives are in force.

    `file` is set for "files" (Unknown where its name cannot be told), `target` for "proxy". `fallback` is the answer
    for files that are not there (the last word of try_files).
    """

    kind: Kind
    level: Level
    location: Location | None
    target: Target | None = None
    file: Value[str] | None = None
    fallback: Answer | None = None


def answer(server: Server, path: str) -> Value[Answer]:
    """What `server` does with a GET of `path`."""
    rewritten = _rewritten(server.level, path)
    if isinstance(rewritten, Unknown):
        return rewritten
    if rewritten.value:
        return Known(Answer("return", server.level, None))
    choice = choose(server, path)
    return choice if isinstance(choice, Unknown) else _at(server, choice.value, path)


def _at(server: Server, choice: Choice, path: str) -> Value[Answer]:
    level = choice.level
    if choice.location is not None:
        rewritten = _rewritten(level, path)
        if isinstance(rewritten, Unknown):
            return rewritten
        if rewritten.value:
            return Known(Answer("return", level, choice.location))
    target = target_of(level)
    if isinstance(target, Unknown):
        return target
    tries = level.lines.get("try_files")
    fallback = _fallback(server, tries[-1], level) if tries else None
    if target is not None:
        return Known(Answer("proxy", level, choice.location, target.value))
    if fallback is None or isinstance(fallback, Unknown):
        gap = level.gap_for("proxy_pass") if level is not server.level else None
        if gap is not None and not (level.lines.get("alias") or level.lines.get("root") or tries):
            return Unknown(gap.why, (gap.place,))
    if isinstance(fallback, Unknown):
        return fallback
    return Known(Answer("files", level, choice.location, None, file_of(choice, path), fallback))


def _fallback(server: Server, line: Line, level: Level) -> Answer | Unknown | None:
    """Where try_files ends up; None for a status or a file."""
    if not line.words:
        return None
    last = line.words[-1]
    if last.hole:
        return Unknown(f"the template fills in {last.hole}", (line.place,))
    if not last.text.startswith("@"):
        return None
    for location in server.every_location:
        if location.pattern == last.text:
            target = target_of(location.level)
            if isinstance(target, Unknown):
                return target
            return Answer("proxy" if target else "return", location.level, location, target.value if target else None)
    gap = server.level.gap_for("location")
    return Unknown(gap.why if gap else f"there is no location {last.text}", (line.place,))


def _rewritten(level: Level, path: str) -> Value[bool]:
    """Whether `return` or `rewrite` of this very level answer `path`; Unknown where a rewrite sends it elsewhere."""
    for line in level.lines.get("rewrite", []):
        if len(line.words) < 2 or line.words[0].hole or line.maybe:
            return Unknown("a rewrite depends on the template", (line.place,))
        expression = compiled(line.words[0].text, ignore_case=False)
        if isinstance(expression, Unknown):
            return expression
        if expression.value.search(path):
            flag = line.words[2].text if len(line.words) > 2 else ""
            if flag in ("permanent", "redirect") or line.words[1].text.startswith(("http://", "https://", "$scheme")):
                return Known(True)
            return Unknown(f"a rewrite sends {path} elsewhere", (line.place,))
    returns = level.lines.get("return", [])
    if returns and returns[0].maybe:
        return Unknown(f"return depends on {returns[0].maybe} of the template", (returns[0].place,))
    return Known(bool(returns))
