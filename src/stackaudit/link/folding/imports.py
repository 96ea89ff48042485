"""Imports: modules of the project are folded, all others are names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.folding import attributes
from stackaudit.link.folding.journal import FELL, Exit
from stackaudit.link.folding.objects import External, FoldedList, Frame, Maybe, ModuleObject, Raised
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine

IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError"})
LOCAL_WORDS = ("local", "setting", "secret", "overrid", "custom", "private", "config")
"""Parts of the names of modules that a project imports if they are there, and never from a package index."""


def absolute(node: ir.ImportFrom, frame: Frame) -> str:
    """The dotted name of the module that `from ... import` names."""
    if node.level == 0:
        return node.module
    parts = frame.module.name.split(".") if frame.module.name else []
    drop = node.level - 1 if frame.module.path.endswith("__init__.py") else node.level
    parts = parts[: len(parts) - drop] if drop <= len(parts) else []
    return ".".join([*parts, node.module] if node.module else parts)


def plain(machine: Machine, node: ir.Import, frame: Frame) -> Exit:
    """`import a.b, c as d`."""
    for alias in node.names:
        top = alias.name.partition(".")[0]
        wanted = alias.name if alias.asname else top
        found = machine.find(wanted, frame.module.path)
        if found is None and not alias.asname and machine.find(alias.name, frame.module.path) is not None:
            value: AnyValue = Unknown(f"{top} is a folder without a module of its own")
        elif found is None:
            _absent(machine, alias.name, 0, frame)
            value = Known(External(wanted))
        else:
            value = Known(found)
        machine.write(frame.names, alias.asname or top, value)
    return FELL


def names(machine: Machine, node: ir.ImportFrom, frame: Frame) -> Exit:
    """`from a import b, c as d` and `from a import *`."""
    if node.module == "__future__" and not node.level:
        return FELL
    dotted = absolute(node, frame)
    module = machine.find(dotted, frame.module.path)
    if module is None:
        _from_outside(machine, node, dotted, frame)
        return FELL
    if node.names[0].name == "*":
        _everything(machine, module, frame)
        return FELL
    for alias in node.names:
        try:
            value = attributes.of_module(machine, module, alias.name)
        except Raised as raised:
            raise Raised("ImportError", raised.why) from None
        machine.write(frame.names, alias.asname or alias.name, value)
    return FELL


def _from_outside(machine: Machine, node: ir.ImportFrom, dotted: str, frame: Frame) -> None:
    why = machine.world.broken(dotted)
    if not why:
        below = [machine.find(f"{dotted}.{alias.name}" if dotted else alias.name, frame.module.path)
                 for alias in node.names]  # fmt: skip
        if node.level and all(each is not None for each in below):
            for alias, each in zip(node.names, below, strict=True):
                machine.write(frame.names, alias.asname or alias.name, Known(each))
            return
        _absent(machine, dotted, node.level, frame)
        if node.level:
            why = f"the module {dotted} that it imports is not in the repository"
    if node.names[0].name == "*":
        machine.journal.touch(frame.names)
        why = why or f"{dotted} is outside of the project and all its names are imported"
        for name in frame.names:
            if not name.startswith("__"):
                frame.names[name] = Unknown(why)
        frame.names.open = frame.names.open or why
        return
    for alias in node.names:
        value: AnyValue = Unknown(why) if why else attributes.external(machine, f"{dotted}.{alias.name}")
        machine.write(frame.names, alias.asname or alias.name, value)


def _everything(machine: Machine, module: ModuleObject, frame: Frame) -> None:
    found = machine.run(module)
    public = found.get("__all__")
    chosen: list[str] = [name for name in found if not name.startswith("_")]
    if isinstance(public, Known) and isinstance(public.value, (FoldedList, tuple)):
        listed = [item.value for item in public.value if isinstance(item, Known) and isinstance(item.value, str)]
        if len(listed) == len(public.value):
            chosen = [name for name in listed if name in found]
    machine.journal.touch(frame.names)
    for name in chosen:
        value = found[name]
        before = frame.names.get(name)
        frame.names[name] = Unknown(value.why, value.places) if isinstance(value, Maybe) and before else value
    if found.open and module is not frame.module:
        frame.names.open = frame.names.open or found.open


def _absent(machine: Machine, dotted: str, level: int, frame: Frame) -> None:
    """Raises `Raised` for ImportError where a module that is not in the project is imported under a guard."""
    if machine.catches("ImportError") and is_missing(machine, dotted, level, frame):
        machine.absent.setdefault(dotted, frame.module.path)
        raise Raised("ImportError", f"the module {dotted} is not in the repository")


def is_missing(machine: Machine, dotted: str, level: int, frame: Frame) -> bool:
    """Whether a module that is not found belongs to the project, so that it is known to be missing."""
    top = dotted.partition(".")[0]
    if level or machine.find(top, frame.module.path) is not None:
        return True
    if machine.world.installed(top) is False:
        return True
    return "." not in dotted and any(word in dotted.lower() for word in LOCAL_WORDS) and not _is_standard(top)


def _is_standard(top: str) -> bool:
    return top in sys.stdlib_module_names or top == "django"


def doubt(machine: Machine, body: Sequence[ir.Stmt], kinds: tuple[str, ...], frame: Frame) -> Unknown | None:
    """Why it is unknown whether the imports in a `try` work; None where it is known or nothing catches a failure."""
    if not IMPORT_ERRORS & set(kinds) and not {"Exception", "BaseException"} & set(kinds):
        return None
    for statement in body:
        wanted: list[tuple[str, int]] = []
        if isinstance(statement, ir.Import):
            wanted = [(alias.name, 0) for alias in statement.names]
        elif isinstance(statement, ir.ImportFrom):
            wanted = [(absolute(statement, frame), statement.level)]
        for dotted, level in wanted:
            top = dotted.partition(".")[0]
            if machine.find(dotted, frame.module.path) is not None or is_missing(machine, dotted, level, frame):
                continue
            if machine.world.broken(dotted) or _is_standard(top) or machine.world.installed(top):
                continue
            return Unknown(f"whether the package {top} is installed decides it")
    return None


def catches(handler: ir.Handler, kinds: Callable[[ir.Expr | None], tuple[str, ...]]) -> bool:
    """Whether `handler` catches a failed import."""
    return bool(set(kinds(handler.type)) & {*IMPORT_ERRORS, "Exception", "BaseException"})
