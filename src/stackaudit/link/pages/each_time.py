"""What a function asks the database for each time that it is called, whatever it is called with."""

from __future__ import annotations

from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.models import Models
from stackaudit.link.modules import decorators, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import calls
from stackaudit.link.queries.events import Event, EventKind, Outcome
from stackaudit.link.queries.origins import Loop
from stackaudit.link.queries.values import Function, Value
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.source import Place

_AGAIN = frozenset({"property", "staticmethod", "classmethod", "filter", "stringfilter", "simple_tag", "inclusion_tag",
                    "assignment_tag", "simple_block_tag"})  # fmt: skip
"""Decorators of functions that run each time they are called."""


class _EachTime(Walk):
    """A walk that takes every query for one that repeats: once for each call."""

    turns: Loop
    again = False

    def add(self, kind: EventKind, outcome: Outcome, at: At, loop: Loop | None, **given: Any) -> None:
        """Record an event; where the same is asked `again`, a row or a function may have kept the answer."""
        running = (frame.node for frame in self.frames if isinstance(frame.node, py.FunctionDef))
        if not (self.again and any(_keeps(node) for node in running)):
            super().add(kind, outcome, at, loop, **given)

    def repeating(self, value_loops: frozenset[Loop]) -> Loop | None:
        """What calls, always."""
        return super().repeating(value_loops) or self.turns


def queries(
    models: Models,
    django: tuple[int, int],
    function: Function,
    args: tuple[Value, ...],
    keywords: dict[str, Value],
    place: Place,
    text: str,
    again: bool = False,
) -> list[Event]:
    """The events of a call of `function` that no condition stands before, also those that are not certain.

    `place` is where it is called, `text` says by what. With `again` it is called with the same rows each time, which
    may keep what they were asked before.
    """
    walk = _EachTime(models, django)
    walk.again = again
    walk.turns = Loop(place, 0, text=text)
    walk.loops.append(walk.turns)
    calls.apply(walk, function, args, keywords, place, text)
    return [
        event for event in walk.record.events
        if event.outcome != "pass" and not event.guarded and event.kind in ("query", "reverse")
    ]  # fmt: skip


def _keeps(node: py.FunctionDef) -> bool:
    """Whether a method remembers its answer: a decorator does, or it writes something down on its row."""
    if any(name.rpartition(".")[2] not in _AGAIN for name in decorators(node)):
        return True
    own = node.params[0].name if node.params else ""
    for item in nodes((node,)):
        written: tuple[py.Expr, ...] = ()
        if isinstance(item, py.Assign):
            written = item.targets
        elif isinstance(item, py.Call) and dotted(item.func) == "setattr":
            written = item.args[:1]
        if any(dotted(target).partition(".")[0] == own for target in map(_holder, written)):
            return True
    return False


def _holder(target: py.Expr) -> py.Expr:
    """What an entry is written into: `self.known` of `self.known[key]`."""
    while isinstance(target, py.Subscript):
        target = target.value
    return target
