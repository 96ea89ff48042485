"""The floors hold: imports only go down, parsers stay in lower/, files stay small, and nothing is a drawer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "helper", "common", "core", "misc", "manager", "base"}


def test_imports_only_go_down() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    run = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_file_wants_to_be_two() -> None:
    assert [path.name for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > 450] == []


def test_no_drawers() -> None:
    assert [path for path in SOURCES if path.stem in DRAWERS or path.parent.name in DRAWERS] == []


def test_the_corridor_fits_on_a_screen_and_a_half() -> None:
    assert len((ROOT / "src/stackaudit/scan.py").read_text(encoding="utf-8").splitlines()) <= 120
