"""What functions do with the querysets that they make: the base of the rules that look at one function.

Rooms: `bodies` (a function as a tree, with branches and names), `uses` (what is done with rows), `chains` (the calls
that make a queryset), `effects` (what may change an answer). The walk over queries tells which expressions stand for
rows; nothing is walked once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.link.usage.bodies import Body

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

__all__ = ["Body", "Usage", "resolve"]


class Usage:
    """The functions of a stack that handle rows."""

    def __init__(self, bodies: list[Body]) -> None:
        self.bodies = bodies

    def __iter__(self) -> Iterator[Body]:
        return iter(self.bodies)


def resolve(stack: Stack) -> Usage:
    """Every function in which the walk met rows, in the order of the files.

    None of modules that make up data, and of commands that nobody can run.
    """
    walk, left_out = stack.queries.walk, stack.management.samples | stack.management.dead
    keepers = ((node, held) for node, held in walk.keepers.items() if held[0].path not in left_out)
    held = sorted(keepers, key=lambda item: (item[1][0].path, item[0].start))
    return Usage([Body(module, node, where, walk.kept) for node, (module, where) in held])
