"""Where a function of the stack is called: as a walk saw it, and by the names that it goes by.

A function is not always called by its own name: `notify = Mail()` calls `Mail.__call__`, `notify = Mail().process` a
bound method, and what is handed to other code is called there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.classes import Classes, SourceClass
from stackaudit.link.mentions import Found, Mentions, Named, meaning
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries.events import Record


@dataclass(frozen=True, slots=True)
class Calling:
    """A call that runs a function: `is_plain` says that it stands for what the function gives."""

    module: SourceModule
    call: py.Call
    is_plain: bool


class Callings:
    """The calls of the functions of one stack."""

    def __init__(self, stack: Named, classes: Classes, mentions: Mentions) -> None:
        self._stack, self._classes, self._mentions = stack, classes, mentions
        self._walked: dict[int, dict[py.FunctionDef, list[Found]]] = {}
        self._bound: dict[py.FunctionDef, list[tuple[str, py.Expr]]] | None = None
        self._handed: dict[str, list[tuple[Found, py.Expr]]] | None = None

    def of(self, function: py.FunctionDef, record: Record, is_unique: bool) -> Iterator[Calling]:
        """The calls of a function.

        `is_unique` says that nothing else has its name: a call that the walk did not see is one of it then.
        """
        named = [item for item in self._mentions.named(function.name) if is_unique or record.leads(item.call)]
        calls = {item.call: item for item in (*named, *self._under_others(function))}
        plain = {node: item for node, item in calls.items() if not (led := record.leads(node)) or function in led}
        yield from (Calling(item.module, node, is_plain=True) for node, item in plain.items())
        beside = [*self._seen(function, record), *self._handed_on(function, is_unique)]
        others = {item.call: item for item in beside if item.call not in plain}
        yield from (Calling(item.module, node, is_plain=False) for node, item in others.items())

    def _seen(self, function: py.FunctionDef, record: Record) -> list[Found]:
        """The calls that the walk saw to lead to a function, whatever their name."""
        if id(record) not in self._walked:
            found = self._walked[id(record)] = {}
            for item in (item for several in self._mentions.calls.values() for item in several):
                for led in record.leads(item.call):
                    found.setdefault(led, []).append(item)
        return self._walked[id(record)].get(function, [])

    def _under_others(self, function: py.FunctionDef) -> Iterator[Found]:
        """The calls of the names of modules that stand for a function: of an object, or of a method bound to one."""
        if self._bound is None:
            self._bound = {}
            for module in self._stack.modules:
                for stmt in module.facts.body:
                    target = stmt.targets[0] if isinstance(stmt, py.Assign) and len(stmt.targets) == 1 else None
                    target = stmt.target if isinstance(stmt, py.AnnAssign) else target
                    value = stmt.value if isinstance(stmt, (py.Assign, py.AnnAssign)) else None
                    held = self._held(module, value) if isinstance(target, py.Name) and value is not None else None
                    if held is not None and isinstance(target, py.Name) and value is not None:
                        self._bound.setdefault(held, []).append((target.id, value))
        for name, value in self._bound.get(function, ()):
            for item in self._mentions.named(name):
                symbol = meaning(self._stack, item, item.call.func)
                if symbol is not None and (symbol.node is value or symbol.node is function):
                    yield item

    def _held(self, module: SourceModule, value: py.Expr) -> py.FunctionDef | None:
        """The function that a call of a value runs."""
        if isinstance(value, py.Call):
            return self._method(module, value, "__call__")
        if not isinstance(value, py.Attribute):
            return None
        if isinstance(value.value, py.Call):
            return self._method(module, value.value, value.attr)
        symbol = self._stack.modules.resolve(module, dotted(value.value)) if dotted(value.value) else None
        if symbol is None or symbol.module is None or not isinstance(symbol.node, py.Call):
            return None
        return self._method(symbol.module, symbol.node, value.attr)

    def _method(self, module: SourceModule, made: py.Call, name: str) -> py.FunctionDef | None:
        """A method of what a call makes, where that is an object of a class of the stack."""
        cls = self._classes.resolve(module, made.func) if dotted(made.func) else None
        found = cls.find(name) if isinstance(cls, SourceClass) else None
        return found.node if found is not None and isinstance(found.node, py.FunctionDef) else None

    def _handed_on(self, function: py.FunctionDef, is_unique: bool) -> Iterator[Found]:
        """The calls in functions that a function is an argument of: whoever gets it calls it."""
        if self._handed is None:
            self._handed = {}
            for item in (item for several in self._mentions.calls.values() for item in several):
                given = (*item.call.args, *(keyword.value for keyword in item.call.keywords))
                for arg in given if item.function is not None else ():
                    name = arg.attr if isinstance(arg, py.Attribute) else arg.id if isinstance(arg, py.Name) else ""
                    self._handed.setdefault(name, []).append((item, arg))
        for item, arg in self._handed.get(function.name, ()):
            if isinstance(arg, py.Attribute):
                if is_unique:
                    yield item
            elif (symbol := meaning(self._stack, item, arg)) is not None and symbol.node is function:
                yield item
