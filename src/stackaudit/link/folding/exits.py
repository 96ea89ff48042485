"""How branches end that may or may not run."""

from __future__ import annotations

from collections.abc import Sequence

from stackaudit.link.folding.journal import FELL, Arm, Exit, join_values
from stackaudit.link.folding.objects import Frame
from stackaudit.model.values import Unknown

MIXED: Exit = ("mixed", None)
"""How statements end of which it is not known whether they break or continue a loop."""


def joined_exit(arms: Sequence[Arm], why: Unknown, frame: Frame) -> Exit:
    """How it ends where any of `arms` may have run."""
    kinds = {arm.exit[0] for arm in arms}
    returned = [arm.exit[1] for arm in arms if arm.exit[0] == "return" and arm.exit[1] is not None]
    if kinds == {"return"}:
        result = returned[0]
        for value in returned[1:]:
            result = join_values(result, value, why)
        return "return", result
    frame.returned += [(why, value) for value in returned]
    kinds.discard("return")
    if len(kinds) == 1:
        return kinds.pop(), None
    if kinds <= {"", "continue"}:
        return FELL
    return MIXED
