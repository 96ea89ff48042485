"""What is being done, on one line of stderr that is gone when it is done; only on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from types import TracebackType

from stackaudit.config import Config

EVERY = 0.1
"""The least time between two drawings, in seconds."""


class Progress:
    """A context; `tell` is what a scan calls."""

    def __init__(self, wanted: Config) -> None:
        known = os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        self.shown = not wanted.quiet and known and sys.stderr.isatty()
        self.last = 0.0
        self.what = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shown and self.what:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def tell(self, what: str, done: int, total: int) -> None:
        """Draw `what` with `done` of `total` (no numbers where nothing is done yet or there is only one thing)."""
        if not self.shown:
            return
        now = time.monotonic()
        if what == self.what and now - self.last < EVERY:
            return
        self.what, self.last = what, now
        width = shutil.get_terminal_size().columns
        told = f"{what} {done:,} of {total:,}" if done and total > 1 else f"{what} ..."
        sys.stderr.write(f"\r\x1b[K{told[: width - 1]}")
        sys.stderr.flush()
