"""Tasks: functions that a decorator of Celery turns into tasks, with the options that it is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.celery.apps import is_app
from stackaudit.link.celery.constants import constant
from stackaudit.link.modules import SourceModule, callee
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

DECORATORS = frozenset({"celery.shared_task", "celery.app.shared_task", "celery.decorators.task", "celery.task.task"})
PERIODIC = frozenset({"celery.decorators.periodic_task", "celery.task.periodic_task"})


@dataclass(eq=False)
class Task:
    """A task; `options` are those of its decorator ("time_limit", "acks_late"), `open` why there may be others."""

    name: str
    module: SourceModule
    node: py.FunctionDef
    place: Place
    options: dict[str, AnyValue] = field(default_factory=dict)
    open: str = ""

    def option(self, name: str) -> AnyValue | None:
        """An option of the decorator, None where it gives none."""
        found = self.options.get(name)
        return found if found is not None or not self.open else Unknown(self.open)


def tasks(stack: Stack) -> Iterator[Task]:
    """The tasks of every module, in source order."""
    if not stack.modules.imports("celery"):
        return
    for module in stack.modules:
        for node in _functions(module.facts.body):
            for decorator in node.decorators:
                call = decorator if isinstance(decorator, py.Call) else None
                if makes_task(stack, module, decorator):
                    yield _task(stack, module, node, call)
                    break


def _functions(body: tuple[py.Stmt, ...]) -> Iterator[py.FunctionDef]:
    """The decorated functions at the top level of a module and in its classes and conditions."""
    for stmt in body:
        if isinstance(stmt, py.FunctionDef) and stmt.decorators:
            yield stmt
        elif isinstance(stmt, py.ClassDef):
            yield from _functions(stmt.body)
        elif isinstance(stmt, (py.If, py.Try)):
            yield from _functions((*stmt.body, *stmt.orelse))


def makes_task(stack: Stack, module: SourceModule, expr: py.Expr) -> bool:
    """Whether a decorator is `shared_task` or the `task` of an application."""
    path = callee(expr)
    if not path:
        return False
    symbol = stack.modules.resolve(module, path)
    if symbol is not None and symbol.name in DECORATORS | PERIODIC:
        return True
    owner, _, last = path.rpartition(".")
    return last == "task" and bool(owner) and is_app(stack, module, owner)


def _task(stack: Stack, module: SourceModule, node: py.FunctionDef, call: py.Call | None) -> Task:
    task = Task(f"{module.name}.{node.name}", module, node, module.place(node))
    if call is None or not call.keywords:
        return task
    for keyword in call.keywords:
        if keyword.name is None:
            task.open = "the decorator takes options from elsewhere"
        else:
            value = constant(stack, module, keyword.value)
            place = module.place(keyword.value)
            task.options[keyword.name] = (
                Known(value.value, (place, *value.places), value.note)
                if isinstance(value, Known)
                else Unknown(value.why, (place,))
            )
    return task
