"""The values of expressions."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as ir
from stackaudit.link.folding import attributes, inheritance, operators
from stackaudit.link.folding.containers import blur, lay_over
from stackaudit.link.folding.journal import FELL, Exit, join_values
from stackaudit.link.folding.objects import (
    ROOT,
    External,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Frame,
    Function,
    Maybe,
    Namespace,
    Raised,
    Unset,
    key_of,
    scalar,
)
from stackaudit.link.folding.operators import merged, noted, truth
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine

BUILTINS = frozenset(dir(builtins))


def evaluate(machine: Machine, node: ir.Expr, frame: Frame) -> AnyValue:
    """The value of `node` in `frame`."""
    return TABLE[type(node)](machine, node, frame)


def lookup(machine: Machine, name: str, frame: Frame) -> AnyValue:
    """What `name` stands for."""
    at: Frame | None = frame
    while at is not None:
        usable = at.kind != "class" or at is frame
        if usable and name not in at.globals:
            held = at.names.get(name)
            if held is not None:
                return Unknown(held.why, held.places) if isinstance(held, Maybe) else held
        at = at.parent
    held = frame.module.names.get(name)
    if held is not None:
        return Unknown(held.why, held.places) if isinstance(held, Maybe) else held
    if name in BUILTINS:
        return Known(External(f"builtins.{name}"))
    if frame.module.names.open:
        return Unknown(frame.module.names.open)
    raise Raised("NameError", f"the name {name} is not defined")


def _name(machine: Machine, node: ir.Name, frame: Frame) -> AnyValue:
    return lookup(machine, node.id, frame)


def _attribute(machine: Machine, node: ir.Attribute, frame: Frame) -> AnyValue:
    return attributes.get(machine, machine.evaluate(node.value, frame), node.attr, node, frame)


def arguments(
    machine: Machine, node: ir.Call, frame: Frame
) -> tuple[list[AnyValue], dict[str, AnyValue], Unknown | None]:
    """The arguments of a call, and what is unknown of their number."""
    args: list[AnyValue] = []
    keywords: dict[str, AnyValue] = {}
    loose: Unknown | None = None
    for arg in node.args:
        if isinstance(arg, ir.Starred):
            items = operators.items_of(machine.evaluate(arg.value, frame))
            if isinstance(items, Unknown):
                loose = loose or items
            else:
                args += items
        else:
            args.append(machine.evaluate(arg, frame))
    for keyword in node.keywords:
        value = machine.evaluate(keyword.value, frame)
        if keyword.name is not None:
            keywords[keyword.name] = value
        elif isinstance(value, Known) and isinstance(value.value, FoldedDict):
            keywords.update({str(key): item for key, item in value.value.items()})
            if value.value.open:
                loose = loose or Unknown(value.value.open)
        else:
            loose = loose or (value if isinstance(value, Unknown) else Unknown("its arguments are unknown"))
    return args, keywords, loose


def _call(machine: Machine, node: ir.Call, frame: Frame) -> AnyValue:
    function = machine.evaluate(node.func, frame)
    if _is_super(node, function) and not node.args:
        return inheritance.super_of(machine, frame)
    args, keywords, loose = arguments(machine, node, frame)
    if isinstance(function, Unknown) or loose is not None:
        for arg in (*args, *keywords.values()):
            if isinstance(arg, Known) and isinstance(arg.value, Namespace):
                machine.spoil(arg, "a call that is not followed may change it")
        unknown = function if isinstance(function, Unknown) else loose
        assert unknown is not None
        return Unknown(unknown.why, unknown.places)
    return machine.call(function, args, keywords, node, frame)


def _is_super(node: ir.Call, function: AnyValue) -> bool:
    return isinstance(function, Known) and function.value == External("builtins.super")


def _constant(machine: Machine, node: ir.Constant, frame: Frame) -> AnyValue:
    return Known(node.value, (machine.place(node, frame),))


def _bytes(machine: Machine, node: ir.Bytes, frame: Frame) -> AnyValue:
    return Known(node.value, (machine.place(node, frame),))


def _opaque(machine: Machine, node: ir.Opaque, frame: Frame) -> AnyValue:
    place = (machine.place(node, frame),)
    return Known(..., place) if node.kind == "..." else Unknown("it is no plain value", place)


def _joined(machine: Machine, node: ir.JoinedStr, frame: Frame) -> AnyValue:
    parts = [machine.evaluate(part, frame) for part in node.values]
    text = ""
    for part in parts:
        if isinstance(part, Unknown):
            return Unknown(part.why, part.places)
        text += str(part.value)
        if len(text) > operators.LONGEST:
            return Unknown("it is too large")
    return merged(text, *parts, places=(machine.place(node, frame),))


def _formatted_value(machine: Machine, node: ir.FormattedValue, frame: Frame) -> AnyValue:
    value = machine.evaluate(node.value, frame)
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    if node.conversion.lstrip("!") in ("r", "a"):
        if not scalar(value.value) or (isinstance(value.value, str) and ROOT in value.value):
            return Unknown("it shows an object", value.places)
        value = merged(repr(value.value), value)
    if node.format_spec:
        spec = [machine.evaluate(part, frame) for part in node.format_spec]
        plain = [part.value for part in spec if isinstance(part, Known)]
        if len(plain) != len(spec) or not scalar(value.value) or any(len(str(part)) > 5 for part in plain):
            return Unknown("its format is odd", value.places)
        try:
            return merged(format(value.value, "".join(str(part) for part in plain)), value)
        except (ValueError, TypeError):
            raise Raised("ValueError", "formatting it raises ValueError") from None
    return operators.text_of(value)


def _binary(machine: Machine, node: ir.BinOp, frame: Frame) -> AnyValue:
    left, right = machine.evaluate(node.left, frame), machine.evaluate(node.right, frame)
    return attributes.operated(left, node.op, right) or operators.binary(left, node.op, right)


def _boolean(machine: Machine, node: ir.BoolOp, frame: Frame) -> AnyValue:
    left = machine.evaluate(node.left, frame)
    test = truth(left)
    if isinstance(test, Unset):
        if bool(test.fallback) == (node.op == "or"):
            return left
        right = machine.evaluate(node.right, frame)
        note = by_default(test.variable)
        if isinstance(right, Unset) or node.op == "and":
            return right if isinstance(right, Unset) else Unknown(test.why, test.places)
        return noted(right, note)
    if isinstance(test, Unknown):
        try:
            right = machine.evaluate(node.right, frame)
        except Raised:
            return Unknown(test.why, test.places)
        decided = truth(right)
        if decided is (node.op == "or") and isinstance(right, Known) and isinstance(right.value, bool):
            return right if _is_test(node.left) else Unknown(test.why, test.places)
        return Unknown(test.why, test.places)
    if test == (node.op == "or"):
        return left
    right = machine.evaluate(node.right, frame)
    return noted(right, left.note) if isinstance(left, Known) and left.note else right


def _is_test(node: ir.Expr) -> bool:
    """Whether an expression gives nothing but True or False."""
    if isinstance(node, ir.BoolOp):
        return _is_test(node.left) and _is_test(node.right)
    return isinstance(node, ir.Compare) or (isinstance(node, ir.UnaryOp) and node.op == "not")


def _unary(machine: Machine, node: ir.UnaryOp, frame: Frame) -> AnyValue:
    return operators.unary(node.op, machine.evaluate(node.operand, frame))


def _compare(machine: Machine, node: ir.Compare, frame: Frame) -> AnyValue:
    left = machine.evaluate(node.left, frame)
    result: AnyValue = Known(True)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = machine.evaluate(comparator, frame)
        result = attributes.compared(machine, left, op, right) or operators.compare(left, op, right)
        if truth(result) is not True:
            return result
        left = right
    return result


def _conditional(machine: Machine, node: ir.IfExp, frame: Frame) -> AnyValue:
    test = machine.evaluate(node.test, frame)
    decided = truth(test)
    if isinstance(decided, Unset):
        value = machine.evaluate(node.body if decided.fallback else node.orelse, frame)
        return noted(value, by_default(decided.variable))
    if isinstance(decided, Unknown):
        found: list[AnyValue] = []

        def arm(branch: ir.Expr) -> Callable[[], Exit]:
            def run() -> Exit:
                found.append(machine.evaluate(branch, frame))
                return FELL

            return run

        machine.either(decided, [arm(node.body), arm(node.orelse)])
        if len(found) == 1:
            return found[0]
        return join_values(found[0], found[1], Unknown(decided.why, decided.places))
    chosen = machine.evaluate(node.body if decided else node.orelse, frame)
    return noted(chosen, test.note) if isinstance(test, Known) and test.note else chosen


def _lambda(machine: Machine, node: ir.Lambda, frame: Frame) -> AnyValue:
    defaults = {p.name: machine.evaluate(p.default, frame) for p in node.params if p.default is not None}
    return Known(Function("<lambda>", node.params, node.body, frame, defaults), (machine.place(node, frame),))


def _subscript(machine: Machine, node: ir.Subscript, frame: Frame) -> AnyValue:
    value = machine.evaluate(node.value, frame)
    if isinstance(node.index, ir.Slice):
        bounds = [
            None if part is None else machine.evaluate(part, frame)
            for part in (node.index.lower, node.index.upper, node.index.step)
        ]
        return attributes.sliced(value, bounds)
    return attributes.item(machine, value, machine.evaluate(node.index, frame), frame)


def elements(machine: Machine, nodes: tuple[ir.Expr, ...], frame: Frame) -> list[AnyValue]:
    """The items of a list, tuple or set display."""
    found: list[AnyValue] = []
    for node in nodes:
        if not isinstance(node, ir.Starred):
            found.append(machine.evaluate(node, frame))
            continue
        value = machine.evaluate(node.value, frame)
        if isinstance(value, Known) and isinstance(value.value, (FoldedList, tuple)):
            found += value.value
            continue
        items = operators.items_of(value)
        found += [Maybe(items.why, items.places)] if isinstance(items, Unknown) else items
    return found


def _tuple(machine: Machine, node: ir.Tuple, frame: Frame) -> AnyValue:
    return Known(tuple(elements(machine, node.elts, frame)), (machine.place(node, frame),))


def _list(machine: Machine, node: ir.List, frame: Frame) -> AnyValue:
    return Known(FoldedList(elements(machine, node.elts, frame)), (machine.place(node, frame),))


def _set(machine: Machine, node: ir.Set, frame: Frame) -> AnyValue:
    return Known(set_of(elements(machine, node.elts, frame)), (machine.place(node, frame),))


def set_of(items: list[AnyValue]) -> FoldedSet:
    """A set of `items`."""
    found = FoldedSet()
    for item in items:
        key = key_of(item)
        if isinstance(key, Unknown):
            found.open = found.open or key.why
        else:
            found.setdefault(key, item)
    return found


def _dict(machine: Machine, node: ir.Dict, frame: Frame) -> AnyValue:
    found = FoldedDict()
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            under = machine.evaluate(value, frame)
            if isinstance(under, Known) and not isinstance(under.value, FoldedDict) and is_plain(under.value):
                raise Raised("TypeError", "something that is no dict is unpacked into one")
            lay_over(found, under)
            continue
        name, held = machine.evaluate(key, frame), machine.evaluate(value, frame)
        if not held.places:
            held = operators.placed(held, machine.place(value, frame))
        plain = key_of(name)
        if isinstance(plain, Unknown):
            blur(found, plain.why)
        else:
            found[plain] = held
    return Known(found, (machine.place(node, frame),))


def is_plain(held: Any) -> bool:
    """Whether something is a plain value or a container, and no object that might be more than it seems."""
    return scalar(held) or isinstance(held, (FoldedList, FoldedSet, tuple))


def _comprehension(machine: Machine, node: ir.Comp, frame: Frame) -> AnyValue:
    inner = Frame(frame.module, Namespace(), frame, "comprehension")
    rows: list[tuple[AnyValue, AnyValue]] = []
    _generate(machine, node, 0, inner, rows)
    place = (machine.place(node, frame),)
    if node.kind == "dict":
        found = FoldedDict()
        for key, value in rows:
            plain = key_of(key)
            if isinstance(plain, Unknown):
                blur(found, plain.why)
            else:
                found[plain] = value
        return Known(found, place)
    items = [element for element, _ in rows]
    if node.kind == "set":
        return Known(set_of(items), place)
    return Known(FoldedList(items), place)


def _generate(machine: Machine, node: ir.Comp, index: int, frame: Frame, rows: list[tuple[AnyValue, AnyValue]]) -> None:
    """Fills `rows` with element and value; a `Maybe` stands where there may be rows or not."""
    if index == len(node.generators):
        nothing: AnyValue = Known(None)
        element = machine.evaluate(node.element, frame) if node.element is not None else nothing
        rows.append((element, machine.evaluate(node.value, frame) if node.value is not None else nothing))
        return
    generator = node.generators[index]
    items = operators.items_of(machine.evaluate(generator.iter, frame))
    if isinstance(items, Unknown):
        rows.append((Maybe(items.why, items.places), items))
        return
    for item in items:
        if isinstance(item, Maybe):
            rows.append((Maybe(item.why, item.places), item))
            continue
        machine.assign(generator.target, item, frame)
        keep: bool | Unknown = True
        for condition in generator.ifs:
            keep = truth(machine.evaluate(condition, frame))
            if keep is not True:
                break
        if isinstance(keep, Unknown):
            rows.append((Maybe(keep.why, keep.places), keep))
        elif keep:
            _generate(machine, node, index + 1, frame, rows)


def _named(machine: Machine, node: ir.NamedExpr, frame: Frame) -> AnyValue:
    value = machine.evaluate(node.value, frame)
    at = frame
    while at.kind == "comprehension" and at.parent is not None:
        at = at.parent
    machine.assign(node.target, value, at)
    return value


def _starred(machine: Machine, node: ir.Starred, frame: Frame) -> AnyValue:
    return Unknown("it is unpacked", (machine.place(node, frame),))


def _waiting(machine: Machine, node: ir.Await | ir.Yield | ir.Slice, frame: Frame) -> AnyValue:
    return Unknown("it is no plain value", (machine.place(node, frame),))


TABLE: dict[type[ir.Node], Callable[[Machine, Any, Frame], AnyValue]] = {
    ir.Name: _name,
    ir.Attribute: _attribute,
    ir.Call: _call,
    ir.Constant: _constant,
    ir.Bytes: _bytes,
    ir.Opaque: _opaque,
    ir.JoinedStr: _joined,
    ir.FormattedValue: _formatted_value,
    ir.BinOp: _binary,
    ir.BoolOp: _boolean,
    ir.UnaryOp: _unary,
    ir.Compare: _compare,
    ir.IfExp: _conditional,
    ir.Lambda: _lambda,
    ir.Subscript: _subscript,
    ir.Slice: _waiting,
    ir.Tuple: _tuple,
    ir.List: _list,
    ir.Set: _set,
    ir.Dict: _dict,
    ir.Starred: _starred,
    ir.Comp: _comprehension,
    ir.Await: _waiting,
    ir.Yield: _waiting,
    ir.NamedExpr: _named,
}
