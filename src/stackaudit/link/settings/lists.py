"""Settings that are lists of names: INSTALLED_APPS, MIDDLEWARE, PASSWORD_HASHERS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.link.folding.objects import Maybe
from stackaudit.link.settings import Settings
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known


@dataclass(frozen=True, slots=True)
class Item:
    """A name in a list and where it was put there; `doubt` says why it may be missing, "" where it is there.

    `note` says what its being there rests on ("default of env DEBUG"), "" where it stands there plainly.
    """

    name: str
    place: Place
    doubt: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """The names of a list in order; `hole` says why there may be others, "" where these are all."""

    all: tuple[Item, ...]
    hole: str = ""

    def __iter__(self) -> Iterator[Item]:
        return iter(self.all)

    def find(self, *names: str) -> Item | None:
        """The first item with one of `names`."""
        return next((item for item in self.all if item.name in names), None)

    def within(self, *packages: str) -> Item | None:
        """The first item that is one of `packages` or lies in one."""
        return next((item for item in self.all if _within(item.name, packages)), None)


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def items(settings: Settings, name: str) -> Items:
    """The strings in a setting; a setting that is unknown or no list has none, and a hole."""
    value = settings.get(name)
    if not isinstance(value, Known):
        return Items((), value.why)
    if not isinstance(value.value, (list, tuple)):
        return Items((), f"{name} is no list")
    found: list[Item] = []
    hole = ""
    for item in value.value:
        held: AnyValue = item
        doubt = ""
        if isinstance(item, Maybe) and item.item is not None:
            held, doubt = item.item, item.why
        if isinstance(held, Known) and isinstance(held.value, str):
            found.append(Item(held.value, (held.places or (settings.place(name),))[0], doubt, held.note))
        elif not isinstance(held, Known):
            hole = hole or held.why
    return Items(tuple(found), hole)
