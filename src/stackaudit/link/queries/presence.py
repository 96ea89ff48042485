"""What is certain of a value: that it is there and not None, and that it is true."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.link.queries.loading import SET, TRUE, Load
from stackaudit.link.queries.values import KEY, KNOWN, NO_KEY, Choice, Const, Other, Row, Rows, Value


def decided(value: Value) -> bool | None:
    """Whether a value is true; None where that depends."""
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Other) and value.name in (KEY, NO_KEY):
        return value.name == KEY
    if isinstance(value, Row):
        return True if value.there and _is_plain(value.model) else None
    if isinstance(value, Choice) and isinstance(value.options[0], Row) and not value.is_open:
        return True if all(map(decided, value.options)) else None
    return None


def _is_plain(model: Model) -> bool:
    """Whether each row of a model is true, as any object of a class that says nothing else."""
    return model.cls is not None and not any(model.cls.find(name) for name in ("__bool__", "__len__"))


def is_there(value: Value) -> bool | None:
    """Whether a value is anything but None; None where that depends."""
    if isinstance(value, Const):
        return value.value is not None
    if isinstance(value, Other) and value.name in (KEY, KNOWN, NO_KEY):
        return value.name != NO_KEY
    if isinstance(value, Choice) and isinstance(value.options[0], Row) and not value.is_open:
        return True if all(map(is_there, value.options)) else None
    return True if isinstance(value, (Row, Rows)) and value.there else None


def unsure(value: Value) -> Value:
    """A value that may be missing: one of several branches, or what a dictionary holds under some keys alone."""
    if isinstance(value, (Row, Rows)) and value.there:
        return replace(value, there=False)
    return replace(value, is_open=True) if isinstance(value, Choice) else value


def marks(name: str, value: Value) -> frozenset[str]:
    """What `Load.attributes` holds of an attribute that rows get: its name, and what is certain of its value."""
    if is_there(value) is not True:
        return frozenset({name})
    return frozenset({name, SET + name, TRUE + name} if decided(value) else {name, SET + name})


def without(load: Load, name: str) -> frozenset[str]:
    """`Load.attributes` before an attribute gets another value."""
    return load.attributes - {name, SET + name, TRUE + name}


def marked(load: Load, name: str) -> str:
    """The name of the value that an attribute of `Load.attributes` has."""
    return KEY if TRUE + name in load.attributes else KNOWN if SET + name in load.attributes else ""
