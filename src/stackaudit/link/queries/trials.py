"""What code would ask if something were loaded that is not: it is walked for that alone, and nothing of it counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stackaudit.link.queries.events import Record
from stackaudit.link.queries.walk import Walk


@contextmanager
def trial(walk: Walk) -> Iterator[Record]:
    """What is walked inside leaves its events in a record of its own, and is not remembered as an answer."""
    tried = Record()
    tried.apart, tried.sources = walk.record.apart, walk.record.sources
    before = walk.record, walk.answers, walk.states, walk.reached
    walk.record, walk.answers, walk.states, walk.reached = tried, {}, {}, []
    try:
        yield tried
    finally:
        walk.record, walk.answers, walk.states, walk.reached = before
