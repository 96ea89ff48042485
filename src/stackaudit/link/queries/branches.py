"""Which of what stands behind conditions is asked for all the same: by each of their branches, or by another call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from msgspec.structs import replace

from stackaudit.link.queries.events import Reached
from stackaudit.link.queries.values import Choice, Value
from stackaudit.link.queries.walk import Walk


def shared(walk: Walk, start: int, middle: int, guard: int) -> None:
    """Take what both of two branches ask for as asked wherever their condition stands.

    The first one was walked from `start` to `middle` of what the walk has reached, the other one since; `guard` is the
    number of conditions around both.
    """
    if not start < middle < len(walk.reached):
        return
    sure = [item for item in walk.reached[start:] if item.guard == guard + 1]
    deep = len([item for item in walk.reached[start:middle] if item.guard == guard + 1])
    one, other = ({item.what for item in part} for part in (sure[:deep], sure[deep:]))
    both = one & other
    if both:
        _go_through(walk, dict.fromkeys(replace(item, guard=guard) for item in sure if item.what in both))


def of_each(walk: Walk, choice: Choice, ask: Callable[[Value], Value]) -> list[Value]:
    """What asking each of several values gives, of which a turn has one.

    Where every one of them asks the database for sure, each turn does, though not all for the same rows.
    """
    marks, given = [len(walk.reached)], list[Value]()
    walk.guard += 1
    for option in choice.options:
        given.append(ask(option))
        marks.append(len(walk.reached))
    walk.guard -= 1
    parts = [
        [item for item in walk.reached[start:end] if item.guard == walk.guard + 1] for start, end in pairwise(marks)
    ]
    if all(parts) and not choice.is_open:
        _go_through(walk, dict.fromkeys(replace(item, guard=walk.guard) for part in parts for item in part))
    return given


def remembered(walk: Walk, start: int) -> tuple[Reached, ...]:
    """What a call that has just been walked asks for in the loops around it; it began at `start`."""
    found = [item for item in dict.fromkeys(walk.reached[start:]) if item.loop in walk.loops]
    return tuple(replace(item, guard=item.guard - walk.guard) for item in found)


def again(walk: Walk, asked: Iterable[Reached]) -> None:
    """Ask again for what was asked when a call was walked: fewer conditions may stand around it now."""
    if asked and not walk.shielded:
        _go_through(walk, [replace(item, guard=item.guard + walk.guard) for item in asked])


def _go_through(walk: Walk, asked: Iterable[Reached]) -> None:
    for item in asked:
        if item.loop in walk.loops:
            walk.reached.append(item)
            if item.guard <= item.loop.guard:
                walk.record.settle(item)
