"""`match`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.folding.exits import joined_exit
from stackaudit.link.folding.journal import FELL, Exit
from stackaudit.link.folding.objects import EnumMember, Frame, scalar
from stackaudit.link.folding.operators import compare
from stackaudit.model.values import AnyValue, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine


def match_(machine: Machine, node: ir.Match, frame: Frame) -> Exit:
    """Runs a `match`."""
    subject = machine.evaluate(node.subject, frame)
    for index, case in enumerate(node.cases):
        matched = _matches(machine, subject, case, frame)
        if matched is True:
            return machine.execute_assumed(case.body, subject, frame)
        if isinstance(matched, Unknown):
            rest = node.cases[index:]

            def arm(case: ir.Case) -> Callable[[], Exit]:
                def run() -> Exit:
                    for name in case.names:
                        machine.write(frame.names, name, Unknown("a pattern binds it"))
                    return machine.execute(case.body, frame)

                return run

            arms: list[Callable[[], Exit]] = [arm(each) for each in rest]
            return joined_exit(machine.either(matched, [*arms, lambda: FELL]), matched, frame)
    return machine.execute_assumed((), subject, frame)


def _matches(machine: Machine, subject: AnyValue, case: ir.Case, frame: Frame) -> bool | Unknown:
    if case.guard is None and not case.values and not case.names:
        return True
    if isinstance(subject, Unknown):
        return subject
    if case.guard is not None or case.names or not (scalar(subject.value) or isinstance(subject.value, EnumMember)):
        return Unknown("a pattern decides it")
    for each in case.values:
        value = machine.evaluate(each, frame)
        if isinstance(value, Unknown):
            return value
        if not isinstance(each, (ir.Constant, ir.Attribute)) or not (
            scalar(value.value) or isinstance(value.value, EnumMember)
        ):
            return Unknown("a pattern decides it")
        equal = compare(subject, "==", value)
        if isinstance(equal, Unknown):
            return equal
        if equal.value:
            return True
    return False
