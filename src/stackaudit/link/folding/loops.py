"""Loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.folding import operators, targets
from stackaudit.link.folding.exits import MIXED, joined_exit
from stackaudit.link.folding.journal import FELL, Exit
from stackaudit.link.folding.objects import Frame, Maybe
from stackaudit.link.folding.operators import truth
from stackaudit.model.values import AnyValue, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine


def for_(machine: Machine, node: ir.For, frame: Frame) -> Exit:
    """Runs a `for`."""
    items = operators.items_of(machine.evaluate(node.iter, frame))
    if isinstance(items, Unknown):
        return _any_number(machine, node, items, frame)
    doubt: Unknown | None = None
    for item in items:
        machine.step()
        each = doubt or (item if isinstance(item, Maybe) else None)
        held: AnyValue = item
        if isinstance(item, Maybe):
            held = item.item if item.item is not None else Unknown(item.why, item.places)

        def arm(held: AnyValue = held) -> Exit:
            targets.assign(machine, node.target, held, frame)
            return machine.execute(node.body, frame)

        if each is None:
            end = arm()
        elif isinstance(item, Maybe) and item.item is None:
            end = _any_number(machine, node, each, frame)
        else:
            end = joined_exit(machine.either(each, [arm, lambda: FELL]), each, frame)
        if end[0] == "break":
            return FELL
        if end[0] == "return":
            return end
        if end == MIXED:
            doubt = Unknown("whether a loop goes on is not known")
    return machine.execute(node.orelse, frame) if doubt is None else FELL


def _any_number(machine: Machine, node: ir.For | ir.While, why: Unknown, frame: Frame) -> Exit:
    """Runs a loop of which the number of rounds is unknown."""

    def arm() -> Exit:
        if isinstance(node, ir.For):
            targets.assign(machine, node.target, Unknown(why.why, why.places), frame)
        return machine.execute(node.body, frame)

    ran = machine.journal.run(arm)
    machine.journal.repeat(ran, why)
    if ran.exit[0] == "return" and ran.exit[1] is not None:
        frame.returned.append((why, ran.exit[1]))
    return FELL


def while_(machine: Machine, node: ir.While, frame: Frame) -> Exit:
    """Runs a `while`."""
    for _ in range(10_000):
        machine.step()
        decided = truth(machine.evaluate(node.test, frame))
        if isinstance(decided, Unknown):
            return _any_number(machine, node, decided, frame)
        if not decided:
            return machine.execute(node.orelse, frame)
        end = machine.execute(node.body, frame)
        if end[0] == "break":
            return FELL
        if end[0] == "return":
            return end
        if end == MIXED:
            return _any_number(machine, node, Unknown("whether a loop goes on is not known"), frame)
    machine.exhaust()
    return FELL
