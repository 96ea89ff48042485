"""Batches of files, lowered by processes: whatever one file does to its process, the others get their facts."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager

from stackaudit.lower.task import ENCODER, TIME_LIMIT, Work, failed, lower_batch

Batch = Sequence[Work]
Done = Callable[[Batch, list[bytes]], None]
"""Told each batch with what came of it, in any order."""

SILENCE = 2 * TIME_LIMIT
"""Seconds without any result after which processes are taken to hang where no signal reaches them."""


def lower_in_processes(batches: Sequence[Batch], jobs: int, done: Done, silence: float = SILENCE) -> None:
    """Lower `batches` in `jobs` processes. A batch whose process dies is tried again alone, and then file by file."""
    left = _attempt(batches, jobs, done, silence)
    for batch in left:
        if not _attempt([batch], 1, done, silence):
            continue
        for work in batch if len(batch) > 1 else ():
            if _attempt([[work]], 1, done, silence):
                done([work], [ENCODER.encode(failed(CRASHED))])
        if len(batch) == 1:
            done(batch, [ENCODER.encode(failed(CRASHED))])


CRASHED = "its reader crashed or hung"


def lower_with(executor: Executor, batches: Sequence[Batch], done: Done) -> None:
    """Lower `batches` with an executor of somebody else's; a file whose task fails there is given up."""
    futures = {executor.submit(lower_batch, batch): batch for batch in batches}
    for future, batch in futures.items():
        try:
            results = future.result()
        except BrokenExecutor:
            results = [ENCODER.encode(failed(CRASHED))] * len(batch)
        except Exception as error:
            results = [ENCODER.encode(failed(f"its reader failed: {type(error).__name__}: {error}"))] * len(batch)
        done(batch, results)


def _attempt(batches: Sequence[Batch], jobs: int, done: Done, silence: float) -> list[Batch]:
    """Lower `batches`; those of which nothing came because a process died are returned."""
    left: list[Batch] = []
    with _processes(min(jobs, len(batches))) as (executor, kill):
        futures: dict[Future[list[bytes]], Batch] = {}
        for batch in batches:
            try:
                futures[executor.submit(lower_batch, batch)] = batch
            except BrokenExecutor:
                left.append(batch)
        waiting = set(futures)
        while waiting:
            finished, waiting = wait(waiting, silence, FIRST_COMPLETED)
            if not finished:
                kill()  # breaks the executor, so that the rest finishes with an error
                continue
            for future in finished:
                try:
                    results = future.result()
                except Exception:
                    left.append(futures[future])
                else:
                    done(futures[future], results)
    return left


@contextmanager
def _processes(jobs: int) -> Iterator[tuple[Executor, Callable[[], None]]]:
    """An executor of `jobs` processes, and the way to kill them. None of them outlives this context."""
    # A process that has threads must not be forked: a lock that one of them holds stays locked in the child.
    safe_to_fork = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if safe_to_fork else "spawn")
    before = {process.pid for process in multiprocessing.active_children()}
    executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(os.getpid(),))

    def kill() -> None:
        for process in multiprocessing.active_children():
            if process.pid not in before:
                process.kill()

    try:
        yield executor, kill
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        kill()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int) -> None:
    """Set up a worker: the parent alone answers Ctrl-C, and a worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Trees hold no cycles, and what the parent had is none of a worker's business.
    gc.disable()
    gc.freeze()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    process = multiprocessing.parent_process()
    if process is not None:
        process.join()
        os._exit(1)
