"""What statements leave behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as ir
from stackaudit.link.folding import definitions, imports, loops, matching, targets
from stackaudit.link.folding.exits import joined_exit
from stackaudit.link.folding.journal import FELL, Exit
from stackaudit.link.folding.objects import (
    ExternalResult,
    Frame,
    Raised,
    Unset,
)
from stackaudit.link.folding.operators import noted, truth
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine

_VARIABLE = re.compile(r"the environment variable (\w+) decides it")

HARMLESS = frozenset(
    {
        "builtins.print", "sys.path.insert", "sys.path.append", "warnings.warn", "warnings.filterwarnings",
        "warnings.simplefilter", "sentry_sdk.init", "os.makedirs", "mimetypes.add_type", "logging.basicConfig",
        "logging.config.dictConfig", "logging.disable", "locale.setlocale", "dotenv.load_dotenv",
    }
)  # fmt: skip
"""Functions that leave their arguments as they are."""


def execute(machine: Machine, body: Sequence[ir.Stmt], frame: Frame) -> Exit:
    """Runs `body` in `frame`; tells how it ends."""
    for index, statement in enumerate(body):
        machine.step()
        if isinstance(statement, ir.If):
            end = _if(machine, statement, body[index + 1 :], frame)
            if end is None:
                continue
            return end
        handler = TABLE.get(type(statement))
        if handler is None:
            continue
        try:
            end = handler(machine, statement, frame)
        except Raised as raised:
            if isinstance(statement, (ir.Raise, ir.Return)) or machine.catches(raised.kind):
                raise
            _give_up(machine, statement, Unknown(raised.why), frame)
            continue
        if end != FELL:
            return end
    return FELL


def _give_up(machine: Machine, statement: ir.Stmt, why: Unknown, frame: Frame) -> None:
    """What `statement` binds is unknown, since working it out raises where nothing catches it."""
    if isinstance(statement, ir.Assign):
        for target in statement.targets:
            targets.bind_unknown(machine, target, why, frame)
    elif isinstance(statement, (ir.AnnAssign, ir.AugAssign)):
        targets.bind_unknown(machine, statement.target, why, frame)
    elif isinstance(statement, (ir.Import, ir.ImportFrom)):
        for alias in statement.names:
            if alias.name == "*":
                frame.names.open = frame.names.open or why.why
            else:
                name = alias.asname or alias.name.partition(".")[0]
                machine.write(frame.names, name, why)


def jumps(body: Sequence[ir.Stmt]) -> bool:
    """Whether `body` may end before its end, by `return`, `break`, `continue` or `raise`."""
    for statement in body:
        if isinstance(statement, (ir.Return, ir.Raise)):
            return True
        if isinstance(statement, ir.Jump) and statement.kind != "pass":
            return True
        if isinstance(statement, ir.If) and (jumps(statement.body) or jumps(statement.orelse)):
            return True
        if isinstance(statement, (ir.With, ir.For, ir.While)) and jumps(statement.body):
            return True
        if isinstance(statement, ir.Try) and (
            jumps(statement.body)
            or jumps(statement.orelse)
            or jumps(statement.finalbody)
            or any(jumps(handler.body) for handler in statement.handlers)
        ):
            return True
        if isinstance(statement, ir.Match) and any(jumps(case.body) for case in statement.cases):
            return True
    return False


def _if(machine: Machine, node: ir.If, rest: Sequence[ir.Stmt], frame: Frame) -> Exit | None:
    """Runs an `if`; None where the statements after it are still to be run."""
    test: AnyValue = Known(None)
    try:
        test = machine.evaluate(node.test, frame)
        decided = truth(test)
    except Raised as raised:
        if machine.catches(raised.kind):
            raise
        decided = Unknown(raised.why)
    if isinstance(decided, Unset) and frame.kind == "function":
        frame.assumed.append(by_default(decided.variable))
        decided = bool(decided.fallback)
    if not isinstance(decided, Unknown):
        chosen, other = (node.body, node.orelse) if decided else (node.orelse, node.body)
        if frame.kind == "module" and not machine.catchers and _only_raises(chosen):
            return _refuted(machine, node, other, frame)
        end = machine.execute_assumed(chosen, test, frame)
        return None if end == FELL else end
    after: Sequence[ir.Stmt] = rest if jumps(node.body) or jumps(node.orelse) else ()

    def arm(branch: Sequence[ir.Stmt]) -> Callable[[], Exit]:
        return lambda: machine.execute([*branch, *after], frame)

    alive = machine.either(decided, [arm(node.body), arm(node.orelse)])
    end = joined_exit(alive, decided, frame)
    if after or end != FELL:
        return end
    return None


def _only_raises(body: Sequence[ir.Stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ir.Raise)


def _refuted(machine: Machine, node: ir.If, other: Sequence[ir.Stmt], frame: Frame) -> Exit | None:
    """An `if` of a module whose chosen branch raises: production starts, so what it tests is not what it seems."""
    why = Unknown("with its default the settings raise an error, so production sets it", (machine.place(node, frame),))
    held = {name: frame.names.get(name) for name in names_in(node.test)}
    assumed = {name: value for name, value in held.items() if isinstance(value, Known) and value.note}
    texts = {name: value for name, value in assumed.items() if not isinstance(value.value, bool)}
    for name in texts or assumed:  # `if not DEBUG and not SECRET_KEY`: the switch is right and the text is missing
        machine.write(frame.names, name, why)
    end = machine.execute(other, frame)
    return None if end == FELL else end


def names_in(node: ir.Expr) -> list[str]:
    """The names that a test reads, as far as tests are made of the usual parts."""
    if isinstance(node, ir.Name):
        return [node.id]
    if isinstance(node, ir.UnaryOp):
        return names_in(node.operand)
    if isinstance(node, ir.BoolOp):
        return names_in(node.left) + names_in(node.right)
    if isinstance(node, ir.Compare):
        return names_in(node.left) + [name for each in node.comparators for name in names_in(each)]
    return []


def _expression(machine: Machine, node: ir.ExprStmt, frame: Frame) -> Exit:
    value = machine.evaluate(node.value, frame)
    followed = isinstance(value, Known) and not isinstance(value.value, ExternalResult)
    if isinstance(node.value, ir.Call) and not followed:
        name = value.value.name if isinstance(value, Known) else ""
        if name not in HARMLESS:
            why = f"the call of {name} may change it" if name else "a call that is not followed may change it"
            for each in (*node.value.args, *(keyword.value for keyword in node.value.keywords)):
                if isinstance(each, (ir.Name, ir.Attribute, ir.Subscript)):
                    machine.spoil(machine.evaluate(each, frame), why)
    return FELL


def _assign(machine: Machine, node: ir.Assign, frame: Frame) -> Exit:
    value = machine.evaluate(node.value, frame)
    for target in node.targets:
        targets.assign(machine, target, value, frame)
    return FELL


def _annotated(machine: Machine, node: ir.AnnAssign, frame: Frame) -> Exit:
    if node.value is not None:
        targets.assign(machine, node.target, machine.evaluate(node.value, frame), frame)
    return FELL


def _augmented(machine: Machine, node: ir.AugAssign, frame: Frame) -> Exit:
    targets.augment(machine, node, frame)
    return FELL


def _return(machine: Machine, node: ir.Return, frame: Frame) -> Exit:
    return "return", (Known(None) if node.value is None else machine.evaluate(node.value, frame))


def _raise(machine: Machine, node: ir.Raise, frame: Frame) -> Exit:
    why = machine.handled[-1] if machine.handled else "the code raises an error"
    kind = "Exception"
    named = node.exc.func if isinstance(node.exc, ir.Call) else node.exc
    if isinstance(named, (ir.Name, ir.Attribute)):
        kind = named.id if isinstance(named, ir.Name) else named.attr
        if not machine.handled:
            why = f"the code raises {kind}"
    raise Raised(kind, why)


def _delete(machine: Machine, node: ir.Delete, frame: Frame) -> Exit:
    for target in node.targets:
        targets.delete(machine, target, frame)
    return FELL


def _jump(machine: Machine, node: ir.Jump, frame: Frame) -> Exit:
    return FELL if node.kind == "pass" else (node.kind, None)


def _scope(machine: Machine, node: ir.Scope, frame: Frame) -> Exit:
    if node.kind == "global":
        frame.globals |= set(node.names)
    outer = frame.parent
    while node.kind == "nonlocal" and outer is not None and outer.kind != "module":
        for name in node.names:
            if name in outer.names:
                frame.nonlocals.setdefault(name, outer.names)
        outer = outer.parent
    return FELL


def _opens(node: ir.Expr) -> bool:
    """Whether an expression is a call of `open`, the function or a path's method."""
    return isinstance(node, ir.Call) and isinstance(node.func, ir.Attribute) and node.func.attr == "open"


def _with(machine: Machine, node: ir.With, frame: Frame) -> Exit:
    left: list[Callable[[], None]] = []
    for item in node.items:
        value = machine.evaluate(item.value, frame)
        enter = getattr(value.value, "folded_enter", None) if isinstance(value, Known) else None
        if enter is not None:
            left.append(enter())
        if item.target is not None:
            why = value.why if isinstance(value, Unknown) else "a context manager gives it"
            if _opens(item.value) and "read from" not in why:
                why = f"it is read from a file ({why})"
            targets.assign(machine, item.target, Unknown(why), frame)
    try:
        return machine.execute(node.body, frame)
    finally:
        for leave in reversed(left):
            leave()


def _try(machine: Machine, node: ir.Try, frame: Frame) -> Exit:
    end = _tried(machine, node, frame)
    last = machine.execute(node.finalbody, frame)
    return end if last == FELL else last


def _tried(machine: Machine, node: ir.Try, frame: Frame) -> Exit:
    kinds = tuple(kind for handler in node.handlers for kind in _kinds(handler.type))
    doubt = imports.doubt(machine, node.body, kinds, frame)
    before = machine.doubts

    def body() -> Exit:
        try:
            with machine.catching(kinds):
                end = machine.execute(node.body, frame)
        except Raised as raised:
            for handler in node.handlers:
                if machine.is_caught(raised.kind, _kinds(handler.type)):
                    end = _handle(machine, handler, raised.why, frame)
                    _left_out(machine, node.body, raised.why, frame)
                    return end
            raise
        return machine.execute(node.orelse, frame) if end == FELL else end

    if not node.handlers:
        return body()
    others = [handler for handler in node.handlers if not set(_kinds(handler.type)) <= imports.IMPORT_ERRORS]
    arms: list[Callable[[], Exit]] = [body]
    first = machine.journal.run(body)
    if doubt is not None:
        arms += [_arm(machine, handler, doubt, frame) for handler in node.handlers if imports.catches(handler, _kinds)]
    elif machine.doubts > before and others and first.exit[0] != "raise":
        doubt = Unknown(machine.last_doubt)
        arms += [_arm(machine, handler, doubt, frame) for handler in others]
    if len(arms) == 1 or doubt is None:
        return body()
    return joined_exit(machine.either(doubt, arms), doubt, frame)


def _left_out(machine: Machine, body: Sequence[ir.Stmt], why: str, frame: Frame) -> None:
    """What `body` would have set where a variable is set rests on its not being set."""
    unset = _VARIABLE.match(why)
    for name in sorted(targets.bound(body)) if unset else ():
        value = frame.names.get(name)
        if unset and value is not None:
            machine.write(frame.names, name, noted(value, by_default(unset[1])))


def _arm(machine: Machine, handler: ir.Handler, why: Unknown, frame: Frame) -> Callable[[], Exit]:
    return lambda: _handle(machine, handler, why.why, frame)


def _handle(machine: Machine, handler: ir.Handler, why: str, frame: Frame) -> Exit:
    if handler.name is not None:
        machine.write(frame.names, handler.name, Unknown("it is an error"))
    machine.handled.append(why)
    unset = _VARIABLE.match(why)
    note = by_default(unset[1]) if unset else ""
    if note and frame.kind == "function":
        frame.assumed.append(note)
    machine.assumptions += [note] if note else []
    try:
        return machine.execute(handler.body, frame)
    finally:
        machine.handled.pop()
        if note:
            machine.assumptions.pop()


def _kinds(node: ir.Expr | None) -> tuple[str, ...]:
    """The names of the exceptions that a handler catches."""
    if node is None:
        return ("BaseException",)
    if isinstance(node, ir.Tuple):
        return tuple(kind for each in node.elts for kind in _kinds(each))
    if isinstance(node, ir.Name):
        return (node.id,)
    return (node.attr,) if isinstance(node, ir.Attribute) else ("?",)


TABLE: dict[type[ir.Node], Callable[[Machine, Any, Frame], Exit]] = {
    ir.ExprStmt: _expression,
    ir.Assign: _assign,
    ir.AugAssign: _augmented,
    ir.AnnAssign: _annotated,
    ir.Return: _return,
    ir.Raise: _raise,
    ir.Delete: _delete,
    ir.Jump: _jump,
    ir.Scope: _scope,
    ir.Import: imports.plain,
    ir.ImportFrom: imports.names,
    ir.For: loops.for_,
    ir.While: loops.while_,
    ir.With: _with,
    ir.Try: _try,
    ir.Match: matching.match_,
    ir.FunctionDef: definitions.function,
    ir.ClassDef: definitions.class_,
}
