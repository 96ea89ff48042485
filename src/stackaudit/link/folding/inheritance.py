"""`super()`: the classes behind a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding import attributes
from stackaudit.link.folding.objects import EMPTY, ClassObject, External, Frame, Instance, Raised
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine


@dataclass(frozen=True, slots=True)
class Super:
    """What `super()` gives: the object and the classes that are asked next."""

    owner: Known[Any]
    rest: tuple[ClassObject | External, ...]

    def folded_attribute(self, machine: Machine, owner: Known[Any], name: str) -> AnyValue:
        """`super().name`."""
        for each in self.rest:
            if isinstance(each, ClassObject):
                if name in each.names:
                    return attributes.bind(machine, each.names[name], self.owner, machine.blank, machine.nowhere)
            elif each.name not in EMPTY:
                return Unknown(f"it takes {name} from {each.name}", owner.places)
        if name in ("__init__", "__init_subclass__", "setup", "pre_setup", "post_setup"):
            return Known(Nothing())
        raise Raised("AttributeError", f"super() has no attribute {name}")


@dataclass(frozen=True, slots=True)
class Nothing:
    """A method that does nothing."""

    def folded_call(self, machine: Machine, owner: Known[Any], call: Call) -> AnyValue:
        """Its result."""
        return Known(None)


def super_of(machine: Machine, frame: Frame) -> AnyValue:
    """`super()` in a method."""
    method: Frame | None = frame
    while method is not None and method.kind != "function":
        method = method.parent
    body = method.parent if method is not None else None
    first = next(iter(method.names.values()), None) if method is not None else None
    if body is None or body.kind != "class" or not isinstance(first, Known):
        return Unknown("it is asked of a base class")
    owner = first.value
    cls = owner if isinstance(owner, ClassObject) else owner.cls if isinstance(owner, Instance) else None
    line = cls.ancestry() if cls is not None else []
    at = next(
        (index for index, each in enumerate(line) if isinstance(each, ClassObject) and each.names is body.names), None
    )
    if at is None:
        return Unknown("it is asked of a base class")
    return Known(Super(first, tuple(line[at + 1 :])))
