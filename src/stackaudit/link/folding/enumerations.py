"""Enumerations of the project: `class Stage(Enum)`, `Stage.PROD`, `Stage(os.environ["STAGE"])`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackaudit.link.folding import operators
from stackaudit.link.folding.objects import ClassObject, EnumMember, External, Maybe, Raised, scalar
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

_TEXTS = ("enum.StrEnum", "builtins.str")


def is_enumeration(cls: ClassObject) -> bool:
    """Whether `cls` is an enumeration."""
    return any(isinstance(each, External) and each.name.startswith("enum.") for each in cls.ancestry())


def member(cls: ClassObject, name: str, found: AnyValue) -> AnyValue | None:
    """`cls.name` where that is a member with a plain value, None for anything else."""
    if not is_enumeration(cls) or not isinstance(found, Known) or not scalar(found.value):
        return None
    is_text = any(isinstance(each, External) and each.name in _TEXTS for each in cls.ancestry())
    return Known(EnumMember(cls.name, name, found, is_text), found.places)


def member_of(machine: Machine, cls: ClassObject, call: Call) -> AnyValue:
    """`cls(value)`: the member with this value. Raises `Raised` for ValueError where there is none."""
    wanted = call.first()
    if isinstance(wanted, Unknown):
        return Unknown(wanted.why, wanted.places)
    if isinstance(wanted.value, EnumMember):
        return wanted
    if "_missing_" in cls.names or not scalar(wanted.value):
        return Unknown(f"{cls.name} decides which member it is", wanted.places)
    for name, found in cls.names.items():
        if isinstance(found, Maybe) or name.startswith("_"):
            continue
        made = member(cls, name, found)
        if made is None and not (isinstance(found, Known) and hasattr(found.value, "body")):
            return Unknown(f"the value of {cls.name}.{name} is not known", wanted.places)
        if made is not None and isinstance(found, Known) and found.value == wanted.value:
            return operators.merged(made.value, wanted) if isinstance(made, Known) else made
    raise Raised("ValueError", f"{cls.name} has no member of this value")
