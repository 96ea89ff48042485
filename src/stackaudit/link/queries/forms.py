"""The fields of forms: the rows that they offer, and the rows that a valid form holds.

A form has one dictionary of its fields. Fields that its class declares or its model gives stand there from the
beginning; `__init__()`, class methods and views add others and replace their querysets.
https://docs.djangoproject.com/en/stable/ref/forms/fields/#fields-which-handle-relationships
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import Base, SourceClass
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import Binding, SourceModule, dotted
from stackaudit.link.queries import calls, expressions
from stackaudit.link.queries.loading import SOMEWHERE
from stackaudit.link.queries.values import UNKNOWN, Instance, Manager, Mapping, Other, Row, Rows, Value
from stackaudit.link.queries.walk import At, Walk

REST = Other(name="@form field")
"""A field of which nothing is known here, under any name that `form.fields` does not tell."""


@dataclass(eq=False)
class FieldClass(SourceClass):
    """A field of a form as a class of its own; `call` makes it, None where a relation of the form's model does."""

    call: py.Call | None = None
    kind: SourceClass | str | None = None


def field(name: str, module: SourceModule, call: py.Call, kind: SourceClass | str | None) -> Instance:
    """The field that `call` makes, of the class `kind`."""
    node = py.ClassDef(call.start, call.end, name.rpartition(".")[2], (), (), (), ())
    cls = FieldClass(name, module, node, call=call, kind=kind)
    bases: tuple[Base, ...] = kind.mro if isinstance(kind, SourceClass) else (kind,) if kind else ()
    cls.mro = (cls, *bases)
    if (given := offered(call)) is not None:
        cls.members["queryset"] = [Binding(given)]
    return Instance(cls, {}, made=True)


def of_relation(form: SourceClass, name: str, *, many: bool) -> Instance:
    """The field that a form of a model has for a relation."""
    node = py.ClassDef(form.node.start, form.node.start, name, (), (), (), ())
    cls = FieldClass(f"{form.name}.{name}", form.module, node)
    cls.mro = (cls, "django.forms.ModelMultipleChoiceField" if many else "django.forms.ModelChoiceField")
    return Instance(cls, {}, made=True)


def offered(call: py.Call) -> py.Expr | None:
    """The queryset that the call of a field names: its first parameter."""
    return keyword(call, "queryset") or (call.args[0] if call.args else None)


def made(name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
    """`ModelChoiceField(queryset=rows)` inside a function; None for what is no such field."""
    label = name.rpartition(".")[2]
    if label not in _SHAPES or not isinstance(at, tuple):
        return None
    module, call = at
    if not isinstance(call, py.Call):
        return None
    one = field(f"{module.name}.{label}", module, call, name)
    one.attributes["queryset"] = keywords.get("queryset") or (args[0] if args else UNKNOWN)
    return one


def fields(walk: Walk, form: Instance, model: Model | None) -> Mapping:
    """`form.fields` of a form that nobody has given any other, `model` being that of its rows."""
    items: dict[str, Value] = {}
    for one in model.family() if model is not None else ():
        for name, relation in one.relations.items():
            if relation.relation in ("fk", "o2o", "m2m"):
                items[name] = of_relation(form.cls, name, many=relation.many)
    items.update(_declared(walk, form))
    held = form.attributes["fields"] = Mapping(REST, tuple(items.items()))
    walk.record.forms.append(form)
    return held


def _declared(walk: Walk, form: Instance) -> Iterator[tuple[str, Instance]]:
    for base in (base for base in reversed(form.cls.mro) if isinstance(base, SourceClass)):
        for name, bound in base.members.items():
            call = bound[-1].node
            if not isinstance(call, py.Call):
                continue
            kind = walk.classes.resolve(base.module, call.func) or dotted(call.func)
            names = kind.externals if isinstance(kind, SourceClass) else (kind,)
            if any(item.rpartition(".")[2] in _SHAPES for item in names):
                found = offered(call)
                if found is not None:
                    expressions.constant(walk, base.module, found, base)  # names of the body mean that class's own
                yield name, field(f"{base.name}.{name}", base.module, call, kind)


def valid(walk: Walk, form: Instance, row: Row | None, at: At) -> Mapping | None:
    """The valid data of a form or a serializer of `row`, with the rows that were chosen in it.

    A key that bears the name of a foreign key holds the row, or is not there at all.
    """
    items: list[tuple[str, Value]] = [(name, UNKNOWN) for name in row.model.columns] if row is not None else []
    for name, relation in row.model.relations.items() if row is not None else ():
        if relation.relation in ("fk", "o2o") and relation.target is not None:
            items.append((name, Row(relation.target, SOMEWHERE, loops=form.loops)))
    held = calls.attribute(walk, form, "fields", at)
    for name, one in held.items if isinstance(held, Mapping) else ():
        shape = _shape(one) if isinstance(one, Instance) else None
        rows = calls.attribute(walk, one, "queryset", at) if shape is not None else UNKNOWN
        if shape is not None and isinstance(rows, (Rows, Manager)):
            items.append((str(name), shape(calls.base_rows(walk, rows))))
    return Mapping(UNKNOWN, tuple(items), loops=form.loops) if items else None


def _shape(one: Instance) -> Callable[[Rows], Value] | None:
    names = (base.rpartition(".")[2] for base in one.cls.externals)
    return next((_SHAPES[name] for name in names if name in _SHAPES), None)


def _one(rows: Rows) -> Value:
    return Row(rows.model, rows.load, rows.origin) if rows.model is not None else UNKNOWN


def _many(rows: Rows) -> Value:
    return replace(rows, evaluated=True)


_SHAPES: dict[str, Callable[[Rows], Value]] = {"ModelChoiceField": _one, "ModelMultipleChoiceField": _many}
"""Fields of forms whose valid value is one row, or many, of the queryset that they offer."""
