"""Stacks of files that lie in a folder, linked as a scan links them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def stack_of(root: Path, files: Mapping[str, str] | None = None, config: Config | None = None) -> Stack:
    """The stack of what lies in a folder, with `files` written into it first."""
    write(root, files or {})
    inputs = discover(root)
    return Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), config or Config())
