"""Values that are known, with the places they came from, or unknown, with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from stackaudit.model.source import Place

T = TypeVar("T")
U = TypeVar("U")
_BY_DEFAULT = re.compile(r"default of env (\w+)")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A value that production will have. Containers hold values of their own: `dict[..., Value]`, `list[Value]`.

    `places` are the places that decided it, the last word first. `note` says what the value rests on where that is not
    plain ("default of env DJANGO_DEBUG", "Django's default").
    """

    value: T
    places: tuple[Place, ...] = ()
    note: str = ""

    def map(self, change: Callable[[T], U]) -> Known[U]:
        """The same origin with another value."""
        return Known(change(self.value), self.places, self.note)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that the repository does not tell; `why` completes the sentence "unknown, because ..."."""

    why: str
    places: tuple[Place, ...] = ()


Value: TypeAlias = Known[T] | Unknown
AnyValue: TypeAlias = "Known[Any] | Unknown"


def by_default(variable: str) -> str:
    """The note of a value that holds as long as nothing sets an environment variable."""
    return f"default of env {variable}"


def defaulted(note: str) -> str:
    """The environment variable by whose default a value holds, the first of several; "" where it holds by none."""
    return next(iter(all_defaulted(note)), "")


def all_defaulted(note: str) -> list[str]:
    """The environment variables by whose defaults a value holds."""
    return _BY_DEFAULT.findall(note)


def first_unknown(*values: Known[Any] | Unknown) -> Unknown | None:
    """The first of `values` that is unknown, if any is."""
    return next((value for value in values if isinstance(value, Unknown)), None)


def plain(value: Any) -> Any:
    """`value` with every `Known` inside replaced by what it holds; an `Unknown` inside stays as it is."""
    if isinstance(value, Known):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(plain(item) for item in value)
    return value
