"""The work on one file or on a batch of them: bytes go in, encoded facts come out.

The results are MessagePack, not objects: they go from process to process and into the cache as they are.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec

from stackaudit.facts.files import FileFacts, Note, UnreadableError
from stackaudit.lower.collector import collector_at_rest
from stackaudit.lower.comments import waivers
from stackaudit.lower.kinds import reader
from stackaudit.model.source import Waiver

MAX_BYTES = 20_000_000
"""A file that is larger is not read, whatever its kind."""
TIME_LIMIT = 60.0
"""Seconds for one file; the slowest file of the standard library takes one."""

Work = tuple[str, str, bytes]
"""Path, kind and content of one file."""


class Lowered(msgspec.Struct, array_like=True, frozen=True):
    """What came of one file. `lasting` is False where another run may have another result."""

    facts: msgspec.Raw
    unread: Note | None = None
    notes: tuple[Note, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    lasting: bool = True

    def file(self, path: str, kind: str) -> FileFacts:
        """The facts in their own type. msgspec.DecodeError if they are not of that type."""
        facts = None if self.unread is not None else msgspec.msgpack.decode(self.facts, type=reader(kind).type())
        return FileFacts(path, kind, facts, self.unread, self.notes, self.waivers)


NOTHING = msgspec.Raw(msgspec.msgpack.encode(None))
ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Lowered)


def lower_batch(batch: Sequence[Work], time_limit: float = TIME_LIMIT) -> list[bytes]:
    """Lower every file of `batch`; one encoded `Lowered` for each, whatever happens."""
    with collector_at_rest():
        return [ENCODER.encode(lower_one(*work, time_limit)) for work in batch]


def lower_one(path: str, kind: str, data: bytes, time_limit: float = TIME_LIMIT) -> Lowered:
    """Lower one file. Nothing is raised: what cannot be read says why."""
    if len(data) > MAX_BYTES:
        size = f"it has {len(data) / 1e6:.1f} MB, and more than {MAX_BYTES / 1e6:.0f} MB are not read"
        return Lowered(NOTHING, Note(size))
    found: tuple[Waiver, ...] = ()
    try:
        with deadline(time_limit):
            found = waivers(data, kind)
            facts: Any = reader(kind).lower()(data, path)
            return Lowered(msgspec.Raw(ENCODER.encode(facts)), None, tuple(getattr(facts, "notes", ())), found)
    except UnreadableError as error:
        return Lowered(NOTHING, Note(error.why, error.line), (), found)
    except RecursionError:
        return Lowered(NOTHING, Note("it nests too deeply"), (), found)
    except TimeUpError:
        return Lowered(NOTHING, Note(f"reading it took longer than {time_limit:.0f} s"), (), found, lasting=False)
    except (Exception, MemoryError) as error:
        return failed(f"its reader failed: {type(error).__name__}: {error}", found)


def failed(why: str, found: tuple[Waiver, ...] = ()) -> Lowered:
    """A file that a defect of ours, or of a library, kept from being read."""
    return Lowered(NOTHING, Note(why), (), found, lasting=False)


class TimeUpError(BaseException):
    """The time for one file is over. Not an `Exception`, so that no reader takes it for one of its own."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise TimeUpError within this context after `seconds`, where signals can: in a main thread, not on Windows."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
    ):
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TimeUpError

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
