"""Assignment, augmented assignment and deletion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.folding import attributes, containers, operators
from stackaudit.link.folding.objects import (
    ClassObject,
    External,
    FoldedDict,
    FoldedList,
    Frame,
    Instance,
    Maybe,
    ModuleObject,
    Raised,
    key_of,
)
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine


def bound(body: Iterable[ir.Stmt]) -> set[str]:
    """The names that statements bind by assignment, without those inside of further blocks."""
    found: list[ir.Expr] = []
    for statement in body:
        if isinstance(statement, ir.Assign):
            found += statement.targets
        elif isinstance(statement, (ir.AnnAssign, ir.AugAssign)):
            found.append(statement.target)
    return {target.id for target in found if isinstance(target, ir.Name)}


def assign(machine: Machine, target: ir.Expr, value: AnyValue, frame: Frame) -> None:
    """`target = value`."""
    if machine.assumptions and frame.kind == "module":
        value = assumed(value, machine.assumptions[-1])
    if isinstance(target, ir.Name):
        names = frame.module.names if target.id in frame.globals else frame.nonlocals.get(target.id, frame.names)
        if frame.kind in ("module", "class"):
            value = operators.placed(value, machine.place(target, frame))
        machine.write(names, target.id, value)
    elif isinstance(target, (ir.Tuple, ir.List)):
        _unpack(machine, target.elts, value, frame)
    elif isinstance(target, ir.Starred):
        assign(machine, target.value, value, frame)
    elif isinstance(target, ir.Attribute):
        owner = machine.evaluate(target.value, frame)
        if isinstance(owner, Known) and isinstance(owner.value, (Instance, ClassObject, ModuleObject)):
            machine.write(owner.value.names, target.attr, value)
    elif isinstance(target, ir.Subscript):
        _assign_item(machine, target, value, frame)


def assumed(value: AnyValue, note: str, deeply: bool = False) -> AnyValue:
    """A value that is assigned only because of `note`, and with `deeply` the items of a list too."""
    if deeply and isinstance(value, Known) and type(value.value) in (FoldedList, tuple):
        items = [assumed(item, note) if isinstance(item, Known) else item for item in value.value]
        made = FoldedList(items) if isinstance(value.value, FoldedList) else tuple(items)
        return operators.noted(Known(made, value.places, value.note), note)
    if isinstance(value, Known):
        return operators.noted(value, note)
    return value if note in value.why else Unknown(f"{value.why} (with the {note})", value.places)


def _assign_item(machine: Machine, target: ir.Subscript, value: AnyValue, frame: Frame) -> None:
    owner = machine.evaluate(target.value, frame)
    if isinstance(owner, Unknown):
        return
    held = owner.value
    if isinstance(target.index, ir.Slice):
        if not _assign_slice(machine, held, target.index, value, frame):
            machine.spoil(owner, "a slice of it is replaced")
        return
    key = key_of(machine.evaluate(target.index, frame))
    if held == External("os.environ"):
        if isinstance(key, str):
            machine.write(machine.environ, key, value)
    elif isinstance(held, FoldedDict):
        if isinstance(key, Unknown):
            machine.journal.touch(held)
            containers.blur(held, key.why)
        else:
            copied = bool(value.places) and not isinstance(target.index, ir.Constant)
            machine.write(held, key, value if copied else operators.placed(value, machine.place(target, frame)))
    elif isinstance(held, FoldedList):
        machine.journal.touch(held)
        passed = held[: key + 1] if isinstance(key, int) and key >= 0 else list(held)
        if not isinstance(key, int) or any(isinstance(item, Maybe) for item in passed):
            machine.spoil(owner, "an item at an unknown index is replaced")
            return
        try:
            held[key] = value
        except IndexError:
            raise Raised("IndexError", "an index is out of range") from None


def _assign_slice(machine: Machine, held: object, index: ir.Slice, value: AnyValue, frame: Frame) -> bool:
    """`items[lower:upper] = value` for a list whose length is known; False for any other."""
    bounds = [None if part is None else operators.as_plain(machine.evaluate(part, frame))
              for part in (index.lower, index.upper)]  # fmt: skip
    new = operators.items_of(value)
    if not isinstance(held, FoldedList) or index.step is not None or isinstance(new, Unknown):
        return False
    if any(isinstance(item, Maybe) for item in held) or any(isinstance(bound, Unknown) for bound in bounds):
        return False
    machine.journal.touch(held)
    held[bounds[0] : bounds[1]] = new
    return True


def _unpack(machine: Machine, elements: tuple[ir.Expr, ...], value: AnyValue, frame: Frame) -> None:
    items = operators.items_of(value)
    doubt: Unknown | None = items if isinstance(items, Unknown) else None
    if not isinstance(items, Unknown):
        doubt = next((item for item in items if isinstance(item, Maybe)), None)
    star = next((index for index, each in enumerate(elements) if isinstance(each, ir.Starred)), None)
    if doubt is not None or isinstance(items, Unknown):
        assert doubt is not None
        for each in elements:
            assign(machine, each, Unknown(doubt.why, doubt.places), frame)
        return
    if star is None:
        if len(items) != len(elements):
            raise Raised("ValueError", "unpacking the wrong number of values")
        for each, item in zip(elements, items, strict=True):
            assign(machine, each, item, frame)
        return
    after = len(elements) - star - 1
    if len(items) < star + after:
        raise Raised("ValueError", "unpacking the wrong number of values")
    for each, item in zip(elements[:star], items[:star], strict=True):
        assign(machine, each, item, frame)
    assign(machine, elements[star], Known(FoldedList(items[star : len(items) - after])), frame)
    for each, item in zip(elements[star + 1 :], items[len(items) - after :], strict=True):
        assign(machine, each, item, frame)


def bind_unknown(machine: Machine, target: ir.Expr, why: Unknown, frame: Frame) -> None:
    """Makes what `target` names unknown."""
    if isinstance(target, (ir.Tuple, ir.List)):
        for each in target.elts:
            bind_unknown(machine, each, why, frame)
        return
    try:
        assign(machine, target, why, frame)
    except Raised:
        return


def augment(machine: Machine, node: ir.AugAssign, frame: Frame) -> None:
    """`target op= value`; lists, dicts and sets are changed in place."""
    value = machine.evaluate(node.value, frame)
    try:
        current = machine.evaluate(node.target, frame)
    except Raised as raised:
        if machine.catches(raised.kind):
            raise
        current = Unknown(raised.why)
    held = current.value if isinstance(current, Known) else None
    if machine.assumptions and frame.kind == "module":
        value = assumed(value, machine.assumptions[-1], deeply=True)
    if isinstance(held, FoldedList) and node.op == "+":
        machine.journal.touch(held)
        containers.extend(held, value)
        result: AnyValue = Known(held, (*value.places, *current.places)[:4])
    elif type(held) is FoldedDict and node.op == "|":
        machine.journal.touch(held)
        containers.lay_over(held, value)
        result = current
    else:
        result = attributes.operated(current, node.op, value) or operators.binary(current, node.op, value)
    assign(machine, node.target, result, frame)


def delete(machine: Machine, target: ir.Expr, frame: Frame) -> None:
    """`del target`."""
    if isinstance(target, ir.Name):
        machine.journal.touch(frame.names)
        frame.names.pop(target.id, None)
    elif isinstance(target, (ir.Tuple, ir.List)):
        for each in target.elts:
            delete(machine, each, frame)
    elif isinstance(target, ir.Subscript):
        owner = machine.evaluate(target.value, frame)
        if isinstance(owner, Unknown):
            return
        if isinstance(target.index, ir.Slice):
            machine.spoil(owner, "a slice of it is deleted")
            return
        key = key_of(machine.evaluate(target.index, frame))
        held = owner.value
        if held == External("os.environ") and isinstance(key, str):
            machine.write(machine.environ, key, Known(None))
        elif isinstance(held, FoldedDict) and not isinstance(key, Unknown):
            machine.journal.touch(held)
            if key not in held and not held.open:
                raise Raised("KeyError", f"the key {key!r} is missing")
            held.pop(key, None)
        elif isinstance(held, FoldedList) and isinstance(key, int) and not any(isinstance(i, Maybe) for i in held):
            machine.journal.touch(held)
            if not -len(held) <= key < len(held):
                raise Raised("IndexError", "an index is out of range")
            del held[key]
        else:
            machine.spoil(owner, "an unknown item of it is deleted")
