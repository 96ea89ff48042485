"""Background tasks of Django that run in the request."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as ir
from stackaudit.link.modules import SourceModule, decorators, dotted
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

MAKERS = {"django.tasks.task": "django.tasks", "django_tasks.task": "django_tasks"}
"""The decorator of Django 6.0, and of the package that brings it to earlier releases: the module it comes from."""
CALLS = frozenset({"enqueue", "aenqueue"})


def tasks_immediate_backend(stack: Stack) -> Iterator[Verdict]:
    """Tasks that the project enqueues have a backend that runs them elsewhere."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    made = _tasks(stack)
    call = _first_call(stack, made) if made else None
    if call is None:
        return
    library = next(iter(made.values()))
    value = settings.at("TASKS", "default", "BACKEND", default=f"{library}.backends.immediate.ImmediateBackend")
    site = Site(settings.place_at("TASKS", "default", "BACKEND"), "TASKS.default")
    if settings.doubt:
        yield Unsure(site, settings.doubt)
        return
    if isinstance(value, Unknown) and settings.is_set("TASKS"):
        yield Unsure(site, value.why)
        return
    backend = "" if isinstance(value, Unknown) else str(value.value)
    step = Step(call, "a task is enqueued here")
    if not backend or backend.endswith(".ImmediateBackend"):
        yield Fail(site, {"library": library}, related=(step,))
    elif backend.endswith(".DummyBackend"):
        yield Fail(site, {"library": library}, cause="dummy", related=(step,))
    else:
        yield Pass(site)


def _tasks(stack: Stack) -> dict[ir.Node, str]:
    """The functions that are tasks, and the library that makes them so."""
    found: dict[ir.Node, str] = {}
    for module in stack.modules:
        for statement in module.facts.body:
            if isinstance(statement, ir.FunctionDef):
                for name in decorators(statement):
                    symbol = stack.modules.resolve(module, name)
                    if symbol is not None and symbol.name in MAKERS:
                        found[statement] = MAKERS[symbol.name]
    return found


def _first_call(stack: Stack, made: dict[ir.Node, str]) -> Place | None:
    """Where one of the tasks is first enqueued, outside of tests."""
    for found in stack.mentions.named(*CALLS):
        func = found.call.func
        if isinstance(func, ir.Attribute) and _is_task(stack, found.module, func.value, made):
            return found.module.place(found.node)
    return None


def _is_task(stack: Stack, module: SourceModule, expr: ir.Expr, made: dict[ir.Node, str]) -> bool:
    while isinstance(expr, ir.Call) and isinstance(expr.func, ir.Attribute) and expr.func.attr == "using":
        expr = expr.func.value
    symbol = stack.modules.resolve(module, dotted(expr))
    return symbol is not None and symbol.node in made
