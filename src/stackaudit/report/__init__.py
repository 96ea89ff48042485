"""The result drawn for people and machines: every format is a pure function from the result to text."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from stackaudit.model.result import Result

FORMATS: dict[str, str] = {
    "terminal": "for reading in a terminal",
    "concise": "one line for each finding: path:line:col: severity rule message",
    "json": "the whole result; its schema is docs/result.schema.json",
    "sarif": "SARIF 2.1.0 for code scanning: findings that are not waived",
    "sarif-full": "SARIF 2.1.0 with what passed, what is unknown and what is waived",
    "html": "one page that needs nothing else",
    "markdown": "for a pull request or a job summary",
    "github": "workflow commands that annotate a pull request on GitHub",
    "gitlab": "a code quality report for GitLab",
}
"""The name of each format with what it is for; `sarif-full` is drawn by `report/sarif_full.py`, and so on."""


@dataclass(frozen=True)
class Look:
    """How a report is to look: everything that is not in the result. Only formats for people heed it.

    `width` is in columns; `name` is what to call the stack; `verbose` shows what is folded otherwise, `quiet` only what
    has to be mended; `statistics` adds a table of all rules; `category` keeps the SARIF of several stacks apart.
    """

    width: int = 100
    colour: bool = False
    name: str = ""
    verbose: bool = False
    quiet: bool = False
    statistics: bool = False
    category: str = ""


def render(name: str, result: Result, look: Look | None = None) -> str:
    """`result` in the format called `name` (a key of FORMATS), ending with a line break."""
    module = importlib.import_module(f"stackaudit.report.{name.replace('-', '_')}")
    text: str = module.render(result, look or Look())
    return text
