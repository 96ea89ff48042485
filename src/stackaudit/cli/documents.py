"""Where the reports go: stdout, and files that are known to be writable before the work begins."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from stackaudit import report
from stackaudit.cli import UsageError, close_quietly
from stackaudit.config import Config
from stackaudit.model.result import Result

PIPED_WIDTH = 100
"""The width of a report that goes into a file or a pipe, in columns."""


@dataclass(frozen=True)
class Document:
    """A report to be written: `path` is None for stdout."""

    format: str
    path: Path | None


def plan(wanted: Config, root: Path) -> tuple[Document, ...]:
    """What `wanted` asks for. Raises UsageError for an unknown format or a path that cannot be written."""
    outputs = [Document(_format(wanted.output_format), root / wanted.output_file if wanted.output_file else None)]
    for each in wanted.report:
        name, _, path = each.partition("=")
        if not path:
            raise UsageError(f"--report {each}: write it as FORMAT=PATH, for instance sarif=audit.sarif")
        outputs.append(Document(_format(name), root / path))
    for output in outputs:
        if output.path is not None:
            check(output.path)
    return tuple(outputs)


def check(path: Path) -> None:
    """Raise UsageError where `path` cannot be written, so that nobody waits for a report in vain."""
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file in it")
    if not folder.is_dir():
        raise UsageError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{path}: it cannot be written (permission denied)")


def write(outputs: tuple[Document, ...], result: Result, look: report.Look) -> None:
    """Draw and write every document; colour is for a terminal alone."""
    for output in outputs:
        if output.path is not None:
            still = replace(look, width=PIPED_WIDTH, colour=False)
            save(output.path, report.render(output.format, result, still))
    for output in outputs:
        if output.path is None:
            _print(report.render(output.format, result, look))


def save(path: Path, text: str) -> None:
    """Write `text` as UTF-8. Raises UsageError."""
    try:
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror})") from None


def look(wanted: Config, name: str) -> report.Look:
    """How the report on stdout looks."""
    return report.Look(width(), colour(), name, wanted.verbose, wanted.quiet, wanted.statistics, wanted.category)


def width() -> int:
    """The columns of the terminal; 100 (or COLUMNS) where stdout is none."""
    return shutil.get_terminal_size((PIPED_WIDTH, 24)).columns


def colour() -> bool:
    """FORCE_COLOR, then NO_COLOR (https://no-color.org), then whether stdout is a terminal that knows colours."""
    if os.environ.get("FORCE_COLOR", "") not in ("", "0"):
        return True
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def _format(name: str) -> str:
    if name in report.FORMATS:
        return name
    near = difflib.get_close_matches(name, report.FORMATS, 1, 0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(report.FORMATS)}"
    raise UsageError(f"`{name}` is no output format; {hint}")


def _print(text: str) -> None:
    try:
        # Bytes, so that neither an old code page nor an odd file name can break the report.
        sys.stdout.flush()
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.buffer.write(text.encode(encoding, "replace"))
        sys.stdout.flush()
    except BrokenPipeError:
        close_quietly()
