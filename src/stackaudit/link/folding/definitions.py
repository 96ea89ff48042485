"""Functions and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.folding import records
from stackaudit.link.folding.journal import FELL, Exit
from stackaudit.link.folding.objects import ClassObject, External, Frame, Function, Namespace
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine


TRANSPARENT = frozenset(
    {"functools.lru_cache", "functools.cache", "typing.overload", "typing.no_type_check", "pydantic.computed_field"}
)
"""Decorators that leave what a function gives as it is."""
HARMLESS = frozenset({"enum.unique", "functools.total_ordering", "typing.final", "typing.runtime_checkable"})
"""Decorators that leave a class's attributes as they are."""


def function(machine: Machine, node: ir.FunctionDef, frame: Frame) -> Exit:
    """Defines a function."""
    defaults = {p.name: machine.evaluate(p.default, frame) for p in node.params if p.default is not None}
    made = Function(node.name, node.params, node.body, frame, defaults)
    if node.is_async:
        made.is_odd = f"{node.name}() is asynchronous"
    for decorator in node.decorators:
        value = machine.evaluate(decorator.func if isinstance(decorator, ir.Call) else decorator, frame)
        name = value.value.name if isinstance(value, Known) and isinstance(value.value, External) else ""
        args = tuple(machine.evaluate(arg, frame) for arg in decorator.args) if isinstance(decorator, ir.Call) else ()
        made.decorations = (*made.decorations, (name, args))
        if name in ("builtins.property", "functools.cached_property", "django.utils.functional.cached_property"):
            made.is_property = True
        elif name == "builtins.staticmethod":
            made.is_static = True
        elif name == "builtins.classmethod":
            made.is_class = True
        elif name not in TRANSPARENT:
            made.is_odd = f"{node.name}() is decorated"
    machine.write(frame.names, node.name, Known(made, (machine.place(node, frame),)))
    return FELL


def class_(machine: Machine, node: ir.ClassDef, frame: Frame) -> Exit:
    """Runs the body of a class."""
    bases = tuple(machine.evaluate(base, frame) for base in node.bases)
    names = Namespace()
    inner = Frame(frame.module, names, frame, "class")
    machine.execute(node.body, inner)
    annotations = {
        each.target.id: each.annotation
        for each in node.body
        if isinstance(each, ir.AnnAssign) and isinstance(each.target, ir.Name)
    }
    given = {each.name: machine.evaluate(each.value, frame) for each in node.keywords if each.name is not None}
    cls = ClassObject(node.name, bases, names, frame, annotations, keywords=given)
    made: AnyValue = Known(cls, (machine.place(node, frame),))
    for decorator in node.decorators:
        value = machine.evaluate(decorator.func if isinstance(decorator, ir.Call) else decorator, frame)
        name = value.value.name if isinstance(value, Known) and isinstance(value.value, External) else ""
        if name == records.DATACLASS:
            cls.is_dataclass = True
        elif name not in HARMLESS:
            made = Unknown(f"{node.name} is decorated", made.places)
    machine.write(frame.names, node.name, made)
    return FELL
