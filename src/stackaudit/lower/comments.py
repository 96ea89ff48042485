"""Waiver comments: `# stackaudit: ignore[rule, ...] reason`, in the comment form of every kind of file."""

from __future__ import annotations

import re
from bisect import bisect_right

from stackaudit.model.source import Waiver

MARK = b"stackaudit:"
"""Without these bytes a file waives nothing and is not looked at again."""

LINE_BREAK = re.compile(r"\r\n?|\n")
STRING_OR_COMMENT = re.compile(
    r"""(?P<comment>\#[^\r\n]*+)
    |'''(?:[^'\\]|\\.|'(?!''))*+'''
    |\"{3}(?:[^"\\]|\\.|"(?!""))*+\"{3}
    |'(?:[^'\\\r\n]|\\.)*+'
    |"(?:[^"\\\r\n]|\\.)*+\"""",
    re.VERBOSE | re.DOTALL,
)
OPENING = {
    "template": r"\{\#-?|<!--|/\*|//|\#\#|\#",
    "systemd": r"[\#;]",
    "supervisor": r"[\#;]",
    "setupcfg": r"[\#;]",
    "uwsgi": r"[\#;]",
    "pgbouncer": r"[\#;]",
}
CLOSING = re.compile(r"\s*(?:-?\#\}|--+>|\*/).*")
# Other tools' words for the same are taken too: whoever writes them is told what is missing.
WAIVER = (
    r"stackaudit:[ \t]*(?:ignore|noqa|disable|skip|allow)\b[ \t]*(?:\[(?P<rules>[^\]\r\n]*)\])?(?P<reason>[^\r\n]*)"
)
PYTHON_WAIVER = re.compile(WAIVER)
WAIVERS = {kind: re.compile(rf"(?P<open>{opening})[ \t]*{WAIVER}") for kind, opening in OPENING.items()}
PLAIN_WAIVER = re.compile(rf"(?P<open>\#+)[ \t]*{WAIVER}")


def waivers(data: bytes, kind: str) -> tuple[Waiver, ...]:
    """The waiver comments of a file, from its raw bytes; no rules where the brackets are missing."""
    if MARK not in data:
        return ()
    text = data.decode("utf-8-sig", "replace")
    starts = [0, *(match.end() for match in LINE_BREAK.finditer(text))]
    found: list[Waiver] = []
    if kind == "python":
        # The comments of Python are told from its strings; a waiver may follow other words in the same comment.
        for comment in STRING_OR_COMMENT.finditer(text):
            match = comment["comment"] and PYTHON_WAIVER.search(text, comment.start(), comment.end())
            if match:
                found.append(_waiver(text, starts, comment.start(), match))
    else:
        for match in WAIVERS.get(kind, PLAIN_WAIVER).finditer(text):
            found.append(_waiver(text, starts, match.start(), match))
    return tuple(found)


def _waiver(text: str, starts: list[int], comment: int, match: re.Match[str]) -> Waiver:
    line = bisect_right(starts, comment)
    written = match["reason"]
    reason = CLOSING.sub("", written)
    closed = CLOSING.search(written)
    behind = written[closed.start() :] if closed else ""
    alone = not text[starts[line - 1] : comment].strip() and not re.sub(r"-?#\}|--+>|\*/", "", behind).strip()
    rules = tuple(rule for rule in (part.strip() for part in (match["rules"] or "").split(",")) if rule)
    return Waiver(
        rules, reason.strip().lstrip(":,-–— ").strip(), line, _next_line(text, starts, line) if alone else line
    )


def _next_line(text: str, starts: list[int], line: int) -> int:
    """The line that a comment on a line of its own speaks for: the next one that is more than a comment."""
    for number in range(line, len(starts)):
        end = starts[number + 1] if number + 1 < len(starts) else len(text)
        content = text[starts[number] : end].strip()
        if not content.startswith(("#", ";", "//", "{#", "<!--")) or content.startswith("#!"):
            return number + 1
    return line
