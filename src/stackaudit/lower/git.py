"""Which lines changed since a revision, as git tells."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ALL = 1 << 30
"""The last line of a file of which every line is new."""

TIMEOUT = 60
"""How long git may take, in seconds."""

_HUNK = re.compile(rb"@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class GitError(Exception):
    """git could not tell; the text says why and names the way out."""


def changed_lines(root: Path, revision: str) -> dict[str, list[tuple[int, int]]]:
    """The ranges of lines (first and last, from 1) of each file below `root` that differ from `revision`.

    Compares with the commit where this branch left `revision`, and counts what is not committed or not tracked yet.
    Where lines were only removed, the lines on both sides count. Paths are relative to `root`. Raises GitError.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    if commit is None:
        if _git(root, "rev-parse", "--git-dir") is None:
            raise GitError(f"--since {revision}: {root} is not inside a git repository")
        raise GitError(
            f"--since {revision}: git knows no such revision (a shallow clone in CI needs `git fetch` of it first)"
        )
    start = (_git(root, "merge-base", commit.decode().strip(), "HEAD") or commit).decode().strip()
    diff = _git(
        root, "diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", "--relative",
        "--diff-filter=d", "--src-prefix=a/", "--dst-prefix=b/", start, "--", ".",
    )  # fmt: skip
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if diff is None or new is None:
        raise GitError(f"--since {revision}: git could not compare with it")
    changed = parse(diff)
    for path in new.split(b"\0"):
        if path:
            changed[path.decode("utf-8", "surrogateescape")] = [(1, ALL)]
    return changed


def parse(diff: bytes) -> dict[str, list[tuple[int, int]]]:
    """The ranges that a unified diff without context adds, by path."""
    changed: dict[str, list[tuple[int, int]]] = {}
    path, left = "", 0
    for line in diff.split(b"\n"):
        if left > 0:  # what was removed or added may itself look like a header
            left -= line[:1] in (b"-", b"+")
            continue
        if line.startswith(b"+++ "):
            path = _path(line[4:])
        elif hunk := _HUNK.match(line):
            first, count = int(hunk[1]), int(hunk[2]) if hunk[2] else 1
            removed = re.match(rb"@@ -\d+(?:,(\d+))?", line)
            left = count + (int(removed[1]) if removed and removed[1] else 1)
            span = (first, first + count - 1) if count else (max(first, 1), first + 1)
            changed.setdefault(path, []).append(span)
    return changed


def _path(name: bytes) -> str:
    """`b/shop/views.py`, or the same in git's quotes, as a path."""
    name = name.rstrip(b"\t")
    if name.startswith(b'"'):
        name = _ESCAPE.sub(_unescape, name[1:-1])
    return name.removeprefix(b"b/").decode("utf-8", "surrogateescape")


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _LETTERS.get(code, code)


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git prints, or None where it fails. Nothing that the repository configures is run."""
    command = ["git", "-C", str(root), "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
    except FileNotFoundError:
        raise GitError("--since needs git, which is not installed here") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"--since: git took more than {TIMEOUT} s") from None
    return done.stdout if done.returncode == 0 else None
