"""Classes whose annotations are fields: dataclasses, and what they share with pydantic's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.folding.objects import ClassObject, ExternalResult, Maybe, Namespace, Raised
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

DATACLASS = "dataclasses.dataclass"


def fields(cls: ClassObject) -> Iterator[tuple[ClassObject, str, ir.Expr]]:
    """The annotated names of a class and of those above it, the furthest first, with the class that sets them last."""
    found: dict[str, tuple[ClassObject, ir.Expr]] = {}
    for each in reversed(cls.ancestry()):
        if isinstance(each, ClassObject):
            found.update({name: (each, expr) for name, expr in each.annotations.items()})
            found.update({name: (each, found[name][1]) for name in each.names if name in found})
    for name, (owner, expr) in found.items():
        yield owner, name, expr


def make(machine: Machine, cls: ClassObject, names: Namespace, call: Call) -> None:
    """Fills `names` with what calling a dataclass sets. Raises `Raised` for TypeError."""
    rest = list(call.args)
    if any("__post_init__" in each.names for each in cls.ancestry() if isinstance(each, ClassObject)):
        names.open = f"{cls.name} changes itself after it is made"
    for owner, name, _ in fields(cls):
        default = owner.names.get(name)
        if rest:
            value: AnyValue | None = rest.pop(0)
        elif name in call.keywords:
            value = call.keywords[name]
        else:
            value = _default(machine, owner, default)
        if value is None:
            raise Raised("TypeError", f"{cls.name}() is called without {name}")
        names[name] = Unknown(names.open) if names.open else value


def _default(machine: Machine, owner: ClassObject, default: AnyValue | None) -> AnyValue | None:
    if isinstance(default, Maybe):
        return Unknown(default.why, default.places)
    made = default.value if isinstance(default, Known) else None
    if isinstance(made, ExternalResult) and made.name == "dataclasses.field":
        factory = made.keyword("default_factory")
        return machine.call(factory, [], {}, machine.blank, owner.frame) if factory else made.keyword("default")
    return default
