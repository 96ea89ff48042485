"""The command line laid over the configuration file, key by key."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from stackaudit import config
from stackaudit.config import Config

_PLAIN = ("settings", "fail_on", "fail_under", "since", "jobs", "output_format", "category")
_SWITCHES = ("offline", "no_tools", "no_cache", "statistics", "quiet", "verbose")
_PATHS = ("baseline", "pip_audit_report", "deptry_report")


def gather(options: Namespace, root: Path) -> Config:
    """What the file of `root` (or --config) and the command line ask for together. Raises ConfigError.

    Paths of the command line are relative to the current folder, those of the file to the root; the answer holds them
    relative to the root, so that no result names this machine's folders.
    """
    path = getattr(options, "config", None)
    wanted, _ = config.load(root, Path(path) if path else None)
    changes = _plain(options)
    for key in _PATHS:
        if getattr(options, key, None):
            changes[key] = from_root(getattr(options, key), root)
    for key in ("select", "ignore"):
        if getattr(options, key, None):
            changes[key] = _words(getattr(options, key))
    if getattr(options, "host", None):
        changes["host"] = config.host_from(Path(options.host))
    if getattr(options, "output_file", None):
        changes["output_file"] = from_root(options.output_file, root)
    if getattr(options, "report", None):
        changes["report"] = tuple(_relative(each, root) for each in options.report)
    return msgspec.structs.replace(wanted, **changes)


def from_root(path: str | Path, root: Path) -> str:
    """A path of the command line as one from the root; ".." leads out of the folder that a link stands for."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(root))


def outputs_alone(options: Namespace) -> Config:
    """What the command line asks for where no configuration is read; paths are relative to the current folder."""
    changes = _plain(options)
    if options.output_file:
        changes["output_file"] = options.output_file
    return Config(**changes, report=tuple(options.report or ()))


def _plain(options: Namespace) -> dict[str, Any]:
    given = {key: getattr(options, key, None) for key in _PLAIN}
    changes = {key: value for key, value in given.items() if value is not None}
    return changes | {key: True for key in _SWITCHES if getattr(options, key, False)}


def _words(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.strip() for each in given for word in each.split(",") if word.strip())


def _relative(report: str, root: Path) -> str:
    name, equals, path = report.partition("=")
    return f"{name}{equals}{from_root(path, root)}" if path else report
