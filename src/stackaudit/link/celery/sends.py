"""Where tasks are sent: `task.delay()`, `apply_async()`, `send_task()`, `enqueue()`, and what they are sent from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.celery.apps import is_app
from stackaudit.link.celery.tasks import Task, makes_task
from stackaudit.link.modules import SourceModule, callee, dotted

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

Way: TypeAlias = Literal["delay", "apply_async", "send_task", "enqueue", "delay_on_commit", "apply_async_on_commit"]

WAYS: Mapping[str, Way] = {
    "delay": "delay",
    "apply_async": "apply_async",
    "send_task": "send_task",
    "enqueue": "enqueue",
    "aenqueue": "enqueue",
    "delay_on_commit": "delay_on_commit",
    "apply_async_on_commit": "apply_async_on_commit",
}
ON_COMMIT = frozenset({"delay_on_commit", "apply_async_on_commit"})
SIGNATURES = frozenset({"s", "si", "signature", "subtask", "clone", "set"})
CANVAS = frozenset({"celery.chain", "celery.group", "celery.chord", "celery.canvas.chain", "celery.signature"})
_DJANGO_TASK = frozenset({"django.tasks.task", "django_tasks.task"})
_QUEUED = frozenset({"django_rq.job", "rq.decorators.job", "huey.contrib.djhuey.task", "huey.contrib.djhuey.db_task"})


@dataclass(frozen=True, slots=True)
class Send:
    """A call that hands a task to a worker. `task` is the task's function, None where it is not in the repository.

    `name` is how the task is named there; `arguments` are the expressions that the worker is given.
    """

    call: py.Call
    way: Way
    module: SourceModule
    name: str
    task: tuple[SourceModule, py.FunctionDef] | None
    arguments: tuple[py.Expr, ...]


def send_of(stack: Stack, module: SourceModule, call: py.Call, known: Mapping[py.FunctionDef, Task]) -> Send | None:
    """What a call sends, None where it sends no task."""
    func = call.func
    if not isinstance(func, py.Attribute) or func.attr not in WAYS:
        return None
    way = WAYS[func.attr]
    if way == "send_task":
        return _by_name(stack, module, call, func)
    owner = _unsigned(func.value)
    if isinstance(owner, py.Call):
        made = stack.modules.resolve(module, dotted(owner.func)) if dotted(owner.func) else None
        if made is None or made.name not in CANVAS:
            return None
        return Send(call, way, module, made.name.rpartition(".")[2], None, tuple(_inside(owner)))
    path = dotted(owner)
    symbol = stack.modules.resolve(module, path) if path else None
    if symbol is None or symbol.module is None or not isinstance(symbol.node, py.FunctionDef):
        return None
    if symbol.node not in known and not _queued(stack, symbol.module, symbol.node):
        return None
    given = [*_signed(func.value), *_given(call, way)]
    return Send(call, way, module, path, (symbol.module, symbol.node), tuple(given))


def _by_name(stack: Stack, module: SourceModule, call: py.Call, func: py.Attribute) -> Send | None:
    path = dotted(func.value)
    if not path or not is_app(stack, module, path) or not call.args:
        return None
    first = call.args[0]
    name = str(first.value) if isinstance(first, py.Constant) else "a task"
    tail, _, last = name.rpartition(".")
    found = stack.modules.find(tail, module.path) if tail else None
    symbol = stack.modules.member(found, last) if found is not None else None
    task = None
    if symbol is not None and symbol.module is not None and isinstance(symbol.node, py.FunctionDef):
        task = (symbol.module, symbol.node)
    return Send(call, "send_task", module, name, task, (*call.args[1:], *_keywords(call, "args", "kwargs")))


def _queued(stack: Stack, module: SourceModule, node: py.FunctionDef) -> bool:
    """Whether a decorator of another queue (django.tasks, RQ, Huey) makes the function a task."""
    for decorator in node.decorators:
        path = callee(decorator)
        symbol = stack.modules.resolve(module, path) if path else None
        if symbol is not None and symbol.name in _DJANGO_TASK | _QUEUED:
            return True
        if makes_task(stack, module, decorator):
            return True
    return False


def _unsigned(expr: py.Expr) -> py.Expr:
    """`task` of `task.s(1).set(queue="x")`."""
    while isinstance(expr, py.Call) and isinstance(expr.func, py.Attribute) and expr.func.attr in SIGNATURES:
        expr = expr.func.value
    return expr


def _signed(expr: py.Expr) -> Iterator[py.Expr]:
    while isinstance(expr, py.Call) and isinstance(expr.func, py.Attribute) and expr.func.attr in SIGNATURES:
        yield from expr.args
        yield from (keyword.value for keyword in expr.keywords)
        expr = expr.func.value


def _given(call: py.Call, way: Way) -> Iterator[py.Expr]:
    if way in ("apply_async", "apply_async_on_commit"):
        yield from call.args[:2]
        yield from _keywords(call, "args", "kwargs")
    else:
        yield from call.args
        yield from (keyword.value for keyword in call.keywords)


def _keywords(call: py.Call, *names: str) -> Iterator[py.Expr]:
    return (keyword.value for keyword in call.keywords if keyword.name in names)


def _inside(call: py.Call) -> Iterator[py.Expr]:
    for argument in call.args:
        yield from _signed(argument) if isinstance(argument, py.Call) else (argument,)
