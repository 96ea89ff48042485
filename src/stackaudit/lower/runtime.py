"""Reads files that name a Python and nothing else: runtime.txt, .python-version, .tool-versions."""

from __future__ import annotations

import re

from stackaudit.facts.packages import PackageFile, Python
from stackaudit.lower.requirements import decode
from stackaudit.model.source import Region

_PLAIN = re.compile(r"[ \t]*(?:python-|cpython-)?(\d+(?:\.\d+){0,2}(?:(?:a|b|rc)\d+)?)[ \t]*(?:#.*)?")
_TOOL = re.compile(r"python[ \t]+(\d+(?:\.\d+){0,2})\b.*")


def lower(data: bytes, path: str) -> PackageFile:
    """The facts of such a file; what names another interpreter (pypy) or an environment says nothing."""
    pattern = _TOOL if path.endswith(".tool-versions") else _PLAIN
    for number, line in enumerate(decode(data).splitlines(), 1):
        if match := pattern.fullmatch(line):
            return PackageFile(python=Python(match[1], Region(number, match.start(1) + 1, number, match.end(1) + 1)))
    return PackageFile()
