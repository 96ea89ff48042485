"""What the prefetches that template/n-plus-one asks for answer besides."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from stackaudit.checks.template.rows import repeats
from stackaudit.link.pages.events import Repeat
from stackaudit.link.pages.repeated import Asked, Path
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.reading import is_answered
from stackaudit.link.queries.sharing import apart_from_lists
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place


class Prefetches:
    """The findings of template/n-plus-one, made when they are asked for."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @cached_property
    def _reads(self) -> dict[Place, list[tuple[Repeat, Event]]]:
        """What asks for many rows of a row, by its place."""
        found: dict[Place, list[tuple[Repeat, Event]]] = {}
        for repeat in repeats(self._stack):
            for event in repeat.events:
                if event.path and event.kind in ("reverse", "bypassed"):
                    found.setdefault(event.place, []).append((repeat, event))
        return found

    def answering(self, path: Path, asked: Iterable[Asked]) -> list[Place]:
        """Where the findings stand whose prefetches answer all that is asked along a path; [] where one does not.

        Whatever page renders the template: of rows that may be prefetched already no finding tells.
        """
        found: dict[int, Repeat] = {}
        *_, name = path.text.split(".")
        for one in asked:
            reads = [read for read in self._reads.get(one.place, ()) if read[1].path[-1] == name]
            failing = [(repeat, event) for repeat, event in reads if event.outcome == "fail"]
            if not failing or any(event.outcome == "unknown" for _, event in reads):
                return []
            if not path.plain or not all(_is_brought(repeat, event) for repeat, event in failing):
                return []
            found.update((id(repeat), repeat) for repeat, _ in failing)
        return [repeat.first.place for repeat in found.values()]


def _is_brought(repeat: Repeat, event: Event) -> bool:
    """Whether the rows that a finding tells to prefetch are those which the event asks for, and answer it."""
    if event.kind != "reverse" or not is_answered(event) or event in repeat.counted:
        return False
    if event not in apart_from_lists(repeat.failing):
        return False
    return any(path[: len(event.path)] == event.path for path in repeat.prefetches)
