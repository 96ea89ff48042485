"""Work done by a second process beside this one, on what this one has in memory."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

Outcome = Callable[[], bytes | None]
"""Waits for the work's bytes; None where it failed."""


def start(work: Callable[[], bytes]) -> Outcome | None:
    """Begin `work` in a copy of this process; None where there is no second CPU, or no safe way to make a copy.

    A process that has threads must not be copied: a lock that one of them holds stays locked in the copy.
    """
    if sys.platform != "linux" or threading.active_count() > 1 or len(os.sched_getaffinity(0)) < 2:
        return None
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    gc.freeze()  # the collector of the copy would write to every page that both share
    process = context.Process(target=_run, args=(work, sender), daemon=True)
    process.start()
    sender.close()

    def outcome() -> bytes | None:
        try:
            return receiver.recv_bytes()
        except (EOFError, OSError):
            return None
        finally:
            process.join()
            receiver.close()
            gc.unfreeze()

    return outcome


def _run(work: Callable[[], bytes], sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process alone answers Ctrl-C
    try:
        sender.send_bytes(work())
    except Exception:
        os._exit(1)  # the first process does the work itself, and meets what went wrong
    finally:
        sender.close()
