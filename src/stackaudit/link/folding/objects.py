"""What a value can be while statements are folded.

Scalars are Python's own. Containers are the classes below: their items are Values, they are changed in place and
shared by reference as Python's are, and each can say that it may hold more than is known (`open`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from stackaudit.facts import python as ir
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

ROOT = "/<root>"
"""Stands for the absolute path of the audited folder in strings and paths."""


@dataclass(frozen=True, slots=True)
class Maybe(Unknown):
    """An item that may be there or not; `item` is what it is if it is there, None stands for any number of items."""

    item: Known[Any] | None = None


@dataclass(frozen=True, slots=True)
class Unset(Unknown):
    """What follows from an environment variable that the repository does not set.

    `fallback` is the value where it stays unset.
    """

    variable: str = ""
    fallback: Any = None


class Raised(Exception):  # noqa: N818
    """Folded code raises; `kind` is the name of the exception, `why` completes "unknown, because ..."."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


class GaveUpError(Exception):
    """The budget of steps is used up."""


class FoldedList(list[AnyValue]):
    """A list; a `Maybe` among its items makes its length unknown."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    aliases: tuple[Any, ...] = ()


class FoldedDict(dict[Any, AnyValue]):
    """A dict with plain keys; `open` says why it may hold other keys as well, "" where it does not."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    open: str = ""
    aliases: tuple[Any, ...] = ()


class FoldedSet(dict[Any, AnyValue]):
    """A set, as a dict from plain items to their Values; `open` as for `FoldedDict`."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    open: str = ""
    aliases: tuple[Any, ...] = ()


class Namespace(FoldedDict):
    """The names of a module, class, function call or instance."""


Container: TypeAlias = FoldedList | FoldedDict | FoldedSet


@dataclass(frozen=True, slots=True)
class External:
    """Something outside of the project, by its dotted name ("os.environ", "builtins.int")."""

    name: str


@dataclass(frozen=True, slots=True)
class ExternalResult:
    """What calling something outside of the project gave, where only its kind is known."""

    name: str
    args: tuple[AnyValue, ...] = ()
    keywords: tuple[tuple[str, AnyValue], ...] = ()

    def keyword(self, name: str) -> AnyValue | None:
        """The keyword argument `name`, if it was given."""
        return dict(self.keywords).get(name)


@dataclass(eq=False, slots=True)
class ModuleObject:
    """A module of the project; its names are worked out when they are first asked for."""

    name: str
    path: str
    facts: ir.Module
    names: Namespace = field(default_factory=Namespace)
    ran: bool = False
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Frame:
    """Where names are looked up: a module, a class body or a function call."""

    module: ModuleObject
    names: Namespace
    parent: Frame | None = None
    kind: str = "module"
    returned: list[tuple[Unknown, AnyValue]] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    globals: frozenset[str] = frozenset()
    nonlocals: dict[str, Namespace] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Function:
    """A function or lambda of the project with the frame that it was defined in."""

    name: str
    params: tuple[ir.Param, ...]
    body: tuple[ir.Stmt, ...] | ir.Expr
    frame: Frame
    defaults: dict[str, AnyValue]
    is_property: bool = False
    is_static: bool = False
    is_class: bool = False
    is_odd: str = ""
    decorations: tuple[tuple[str, tuple[AnyValue, ...]], ...] = ()


EMPTY = frozenset({"builtins.object", "abc.ABC", "typing.Protocol", "configurations.Configuration"})
"""Classes outside of the project that add no settings and whose `__init__` does nothing with them."""


@dataclass(eq=False, slots=True)
class ClassObject:
    """A class of the project; `bases` are `ClassObject` or `External`."""

    name: str
    bases: tuple[AnyValue, ...]
    names: Namespace
    frame: Frame
    annotations: dict[str, ir.Expr]
    is_dataclass: bool = False
    keywords: dict[str, AnyValue] = field(default_factory=dict)

    def ancestry(self) -> list[ClassObject | External]:
        """The class and its bases as Python asks them (C3); a base that is unknown stands as External("?")."""
        held = [base.value if isinstance(base, Known) else External("?") for base in self.bases]
        lines = [each.ancestry() if isinstance(each, ClassObject) else [each] for each in held]
        waiting: list[list[ClassObject | External]] = [list(line) for line in (*lines, held)]
        found: list[ClassObject | External] = [self]
        while waiting := [line for line in waiting if line]:
            heads = [line[0] for line in waiting]
            first = next((head for head in heads if not any(head in line[1:] for line in waiting)), heads[0])
            found.append(first)
            waiting = [[each for each in line if each != first] for line in waiting]
        return found


@dataclass(eq=False, slots=True)
class Instance:
    """An object of a class of the project."""

    cls: ClassObject
    names: Namespace


@dataclass(frozen=True, slots=True)
class EnumMember:
    """A member of an enumeration of the project; `is_text` where it is a string as well."""

    kind: str
    name: str
    member: Known[Any] = field(compare=False)
    is_text: bool = False

    def folded_attribute(self, machine: object, owner: Known[Any], name: str) -> AnyValue:
        """`member.name`."""
        if name == "value":
            return self.member
        return Known(self.name, owner.places) if name == "name" else Unknown("a member of an enumeration decides it")


@dataclass(frozen=True, slots=True)
class Method:
    """An attribute of a value that can be called: `self`, the owner, is folded too."""

    owner: Known[Any]
    name: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A function of the project with its first argument."""

    function: Function
    first: AnyValue


def scalar(value: Any) -> bool:
    """Whether `value` is a plain, immutable Python value whose operators may be used as they are."""
    return value is None or isinstance(value, (bool, int, float, str, bytes))


def equal_members(a: Any, b: Any) -> bool | Unknown:
    """Whether a member of an enumeration equals another, or a string that it is as well."""
    parts = [each.member.value if isinstance(each, EnumMember) and each.is_text else each for each in (a, b)]
    if isinstance(a, EnumMember) and isinstance(b, EnumMember) and not (a.is_text and b.is_text):
        return False
    if all(scalar(part) or isinstance(part, EnumMember) for part in parts):
        return bool(parts[0] == parts[1])
    return Unknown("a member of an enumeration is compared with an object")


def key_of(value: AnyValue) -> Any:
    """`value` as a plain, hashable key, or an Unknown where it or a part of it is not known.

    Raises `Raised` for TypeError where it has no hash.
    """
    if isinstance(value, Unknown):
        return value
    held = value.value
    if isinstance(held, tuple):
        parts = tuple(key_of(item) for item in held)
        return next((part for part in parts if isinstance(part, Unknown)), parts)
    if isinstance(held, (FoldedList, FoldedDict, FoldedSet)):
        raise Raised("TypeError", "a container is used as a key")
    return held.member.value if isinstance(held, EnumMember) and held.is_text else held


def of_key(key: Any, places: tuple[Place, ...] = ()) -> Known[Any]:
    """The Value of a plain key."""
    if isinstance(key, tuple):
        return Known(tuple(of_key(item, places) for item in key), places)
    return Known(key, places)


def same(left: AnyValue, right: AnyValue) -> bool:
    """Whether two values are known to be the same: equal and of the same type, all the way down."""
    return _same(left, right, [20_000])


def _same(left: AnyValue, right: AnyValue, steps: list[int]) -> bool:
    steps[0] -= 1
    if steps[0] < 0:
        return False
    if left is right:
        return not isinstance(left, Unknown)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return False
    a, b = left.value, right.value
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_same(x, y, steps) for x, y in zip(a, b, strict=True))
    if isinstance(a, (FoldedDict, FoldedSet)):
        return not (a.open or b.open) and a.keys() == b.keys() and all(_same(a[key], b[key], steps) for key in a)
    if isinstance(a, Method):
        return a.name == b.name and _same(a.owner, b.owner, steps)
    if isinstance(a, ExternalResult):
        return a is b
    return bool(a == b)


def export(value: AnyValue) -> AnyValue:
    """`value` for the world outside: plain containers of Values, paths and names as strings.

    Containers keep their classes, which are Python's own by inheritance. A function, class or other thing that is no
    setting becomes Unknown, and so does what contains itself or is nested more than 12 deep.
    """
    return _export(value, 0, set())


def _export(value: AnyValue, depth: int, above: set[int]) -> AnyValue:
    if isinstance(value, Unknown):
        return value
    held = value.value
    if scalar(held) or isinstance(held, (timedelta, date)):
        return value
    if depth > 12 or id(held) in above:
        return Unknown("it is nested too deeply", value.places)
    inside = {*above, id(held)}
    if isinstance(held, FoldedList):
        for index, item in enumerate(held):
            held[index] = _export(item, depth + 1, inside)
        return value
    if isinstance(held, (tuple, set)):
        return Known(type(held)(_export(item, depth + 1, inside) for item in held), value.places, value.note)
    if isinstance(held, FoldedSet):
        if held.open:
            return Unknown(held.open, value.places)
        return Known({_export(item, depth + 1, inside) for item in held.values()}, value.places, value.note)
    if isinstance(held, FoldedDict) and not isinstance(held, Namespace):
        for key, item in held.items():
            held[key] = _export(item, depth + 1, inside)
        return value
    if isinstance(held, PurePosixPath):
        return Known(str(held), value.places, value.note)
    if isinstance(held, (External, ClassObject, Function)):
        return Unknown(f"it is the object {held.name} of Python", value.places)
    if isinstance(held, ExternalResult):
        return Unknown(f"it is what {held.name}() gives", value.places)
    exported: AnyValue = getattr(held, "exported", lambda: Unknown("it is an object of Python", value.places))()
    return exported
