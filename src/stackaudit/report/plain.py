"""Text from strange files made harmless, and small wordings that several formats share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from stackaudit.model.result import Interval, Location, QueryCost
from stackaudit.model.rule import Severity

# Bidirectional overrides and isolates can show a line in another order than it is read (CVE-2021-42574).
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

KIND_NAMES = {
    "python": "Python", "nginx": "nginx", "manifest": "manifest", "procfile": "Procfile", "systemd": "systemd",
    "dockerfile": "Dockerfile", "compose": "compose", "supervisor": "supervisor", "shell": "shell",
    "kubernetes": "Kubernetes", "platform": "platform",
    "requirements": "requirements", "pyproject": "pyproject", "pipfile": "Pipfile", "setupcfg": "setup.cfg",
    "lock": "lock", "dotenv": ".env", "runtime": "runtime",
}  # fmt: skip


def visible(text: str, keep: str = "") -> str:
    """`text` with everything written out that a terminal would obey or could not show, but for characters in `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in keep else _shown(char) for char in text)


def one_line(text: str) -> str:
    """`text` on one line, made harmless: runs of white space become one space."""
    return visible(" ".join(text.split()))


def paragraphs(text: str) -> list[str]:
    """`text` made harmless, in paragraphs of one line each; lines that are indented or itemised stay apart."""
    found: list[str] = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines: list[str] = []
        for line in block.splitlines():
            apart = line[:1].isspace() or re.match(r"[-*] |\d+[.)] ", line)
            if lines and not apart and not lines[-1][:1].isspace():
                lines[-1] += " " + line.strip()
            else:
                lines.append(line.rstrip())
        found.append("\n".join(visible(line.expandtabs(4)) for line in lines))
    return [each for each in found if each]


def spans(text: str) -> list[tuple[bool, str]]:
    """`text` as (is it code, words) pairs: rules write code between backticks. An odd backtick is a plain one."""
    parts = re.split(r"`([^`\n]+)`", text)
    return [(number % 2 == 1, part) for number, part in enumerate(parts) if part]


LINE = 200
"""A fix of so many signs stands in one line of a page."""


def steps(fix: str, width: int = LINE) -> list[str]:
    """A fix as lines: the whole where it fits into `width` signs, else its sentences.

    What stands between backticks holds no end of a sentence.
    """
    line = one_line(fix)
    found, start = [], 0
    for match in re.finditer(r"`[^`]+`|\.\s+(?=[A-Z`])", line):
        if match[0].startswith(".") and len(line) > width:
            found.append(line[start : match.start() + 1])
            start = match.end()
    return [item for item in (*found, line[start:]) if item.strip()]


def where(location: Location) -> str:
    """`path:line:column`, made harmless; a line that starts with two colons would command a runner of GitHub."""
    path = visible(location.path)
    return f"{'./' if path.startswith('::') else ''}{path}:{location.line}:{location.column}"


def excerpt_of(location: Location) -> tuple[str, str, str]:
    """The line of a location without its indentation, made harmless: before, inside and after the region."""
    raw = location.snippet.rstrip("\r\n")
    first = min(max(location.column - 1, 0), len(raw))
    last = min(location.end_column - 1, len(raw)) if location.end_line <= location.line else len(raw.rstrip())
    before, meant, after = raw[:first], raw[first : max(last, first)], raw[max(last, first) :]
    return visible(before.lstrip()), visible(meant), visible(after.rstrip())


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 finding`, `2 findings`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def span(score: Interval) -> str:
    """`72.4`, or `40 to 61.5` where unknown sites leave it open; "-" where nothing applies."""
    if score.floor is None or score.ceiling is None:
        return "-"
    low, high = number(score.floor), number(score.ceiling)
    return low if low == high else f"{low} to {high}"


def number(value: float) -> str:
    """A score without a trailing `.0`."""
    return f"{value:.1f}".removesuffix(".0")


def costs(cost: QueryCost) -> str:
    """What a finding costs a request, with what that rests on."""
    time = f", {cost.milliseconds:g} ms" if cost.milliseconds is not None else ""
    assumed = f" ({one_line(cost.assumed)})" if cost.assumed else ""
    return f"{counted(cost.queries, 'query', 'queries')} for {counted(cost.rows, 'row')}{time}{assumed}"


def kinds(files: Mapping[str, int]) -> str:
    """`83 Python, 12 templates`: what was read, most of it first."""
    order = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    names = {**KIND_NAMES, "template": "template" if files.get("template") == 1 else "templates"}
    return ", ".join(f"{n:,} {names.get(kind, visible(kind))}" for kind, n in order if n)


def left_out(counts: Mapping[str, int]) -> str:
    """`34 folders of tests, 1 file that git ignores`: what was not read."""
    return ", ".join(f"{n:,} {one_line(_singular(why) if n == 1 else why)}" for why, n in counts.items() if n)


def _singular(why: str) -> str:
    return re.sub(r"^(\w+ that lead)\b", r"\1s", re.sub(r"^(file|folder|link)s\b", r"\1", why))


def level_of(severity: Severity) -> str:
    """The three steps that SARIF and workflow commands know: error, warning, note."""
    return {"critical": "error", "high": "error", "medium": "warning"}.get(severity, "note")


def _shown(char: str) -> str:
    if char == "\t":
        return "    "
    if char not in _REORDERING and (char.isprintable() or char == "\u00a0"):
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(char) in ("Zs", "Zl", "Zp"):
        return " "
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
