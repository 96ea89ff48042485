"""Every input becomes facts: from the cache, here, or in several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

import msgspec

from stackaudit.facts.files import FileFacts, Note
from stackaudit.lower.cache import Cache
from stackaudit.lower.collector import collector_at_rest
from stackaudit.lower.task import DECODER, Work, lower_batch
from stackaudit.lower.workers import Batch, lower_in_processes, lower_with
from stackaudit.model.result import Notification

WORTH_A_PROCESS = 250_000
"""Bytes: what one process reads in the half second that another needs to start and to import its parsers."""
BATCH_BYTES = 128_000
BATCH_FILES = 200


class Input(Protocol):
    """A file to read: its path relative to the root, and the kind of its reader."""

    @property
    def path(self) -> str:
        """With forward slashes."""

    @property
    def kind(self) -> str:
        """A key of `kinds.KINDS`."""


def lower_all(
    inputs: Sequence[Input],
    read: Callable[[str], bytes],
    *,
    jobs: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[FileFacts]:
    """The facts of `inputs`, in their order; no file costs the run.

    `read` gives the bytes of a path or raises OSError. `jobs` is the number of processes (None: one for each CPU);
    with little to do, none is started. `cache` is the folder of the cache, None for none. `executor` does the work
    instead of processes of ours. `progress` is told (files done, files in all); `tell` what is wrong with the cache.
    """
    with collector_at_rest():
        return _Run(inputs, Cache(cache), progress or (lambda done, total: None)).facts(read, jobs, executor, tell)


class _Run:
    def __init__(self, inputs: Sequence[Input], cache: Cache, progress: Callable[[int, int], None]) -> None:
        self.inputs = inputs
        self.cache = cache
        self.progress = progress
        self.files: dict[str, FileFacts] = {}
        self.keys: dict[str, bytes] = {}

    def facts(
        self,
        read: Callable[[str], bytes],
        jobs: int | None,
        executor: Executor | None,
        tell: Callable[[str], None] | None,
    ) -> list[FileFacts]:
        complete = False
        try:
            todo = [work for item in self.inputs if (work := self._recall(item, read)) is not None]
            batches = _batches(todo)
            size = sum(len(data) for _, _, data in todo)
            workers = min(jobs or _cpus(), 1 + size // WORTH_A_PROCESS)
            if executor is not None:
                lower_with(executor, batches, self._done)
            elif workers > 1:
                lower_in_processes(batches, workers, self._done)
            else:
                for work in todo:
                    self._done([work], lower_batch([work]))
            complete = True
        finally:
            self.cache.save(complete=complete)
        if tell is not None and self.cache.problem:
            tell(self.cache.problem)
        return [self.files[item.path] for item in self.inputs]

    def _recall(self, item: Input, read: Callable[[str], bytes]) -> Work | None:
        """Settle `item` if it cannot be opened or its facts were kept; else the work that it makes."""
        try:
            data = read(item.path)
        except OSError as error:
            self._settle(FileFacts(item.path, item.kind, unread=Note(_reason(error))))
            return None
        self.keys[item.path] = key = Cache.key(item.path, item.kind, data)
        kept = self.cache.get(key)
        if kept is not None:
            try:
                self._settle(DECODER.decode(kept).file(item.path, item.kind))
                return None
            except msgspec.DecodeError:
                pass
        return item.path, item.kind, data

    def _done(self, batch: Batch, results: list[bytes]) -> None:
        for (path, kind, _), encoded in zip(batch, results, strict=True):
            lowered = DECODER.decode(encoded)
            self._settle(lowered.file(path, kind))
            if lowered.lasting:
                self.cache.put(self.keys[path], encoded)

    def _settle(self, file: FileFacts) -> None:
        self.files[file.path] = file
        self.progress(len(self.files), len(self.inputs))


def notifications(files: Sequence[FileFacts], problems: Sequence[str] = ()) -> list[Notification]:
    """What a person should know of the reading: what could not be read, and oddities of what could.

    `problems` are those of the cache.
    """
    found = [Notification(level="note", text=problem) for problem in problems]
    for file in files:
        if file.unread is not None:
            text = f"could not be read: {file.unread.text}"
            found.append(Notification(level="warning", text=text, path=file.path, line=file.unread.line))
        found += [Notification(level="note", text=note.text, path=file.path, line=note.line) for note in file.notes]
    return found


def _batches(todo: Sequence[Work]) -> list[Batch]:
    """`todo` in pieces, in order: many enough to keep all processes busy, large enough to be worth their way."""
    batches: list[Batch] = []
    batch: list[Work] = []
    size = 0
    for work in todo:
        batch.append(work)
        size += len(work[2])
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            batches.append(batch)
            batch, size = [], 0
    return [*batches, batch] if batch else batches


def _cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reason(error: OSError) -> str:
    """Why a file could not be opened, without the path that `error` may carry."""
    return f"it could not be opened: {error.strerror or type(error).__name__}"
