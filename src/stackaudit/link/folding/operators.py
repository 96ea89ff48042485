"""Operators over Values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any

from stackaudit.link.folding.objects import (
    ROOT,
    ClassObject,
    EnumMember,
    External,
    ExternalResult,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Function,
    Maybe,
    Raised,
    Unset,
    equal_members,
    key_of,
    same,
    scalar,
)
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, first_unknown

LARGEST = 20_000
"""How many items a container may hold, all the way down, where all of them must be looked at."""
LONGEST = 100_000
"""No string, bytes or list grows past this many items, and no number past this many bits."""

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "|": operator.or_,
    "&": operator.and_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def merged(value: Any, *sources: AnyValue, places: tuple[Place, ...] = ()) -> Known[Any]:
    """`value`, resting on the places and notes of `sources`."""
    found = list(places)
    notes: list[str] = []
    for source in sources:
        found += [place for place in source.places if place not in found]
        if isinstance(source, Known) and source.note and source.note not in notes:
            notes.append(source.note)
    return Known(value, tuple(found[:4]), "; ".join(notes[:3]))


def noted(value: AnyValue, note: str) -> AnyValue:
    """`value` with `note` added to what it rests on."""
    if isinstance(value, Unknown) or note in value.note:
        return value
    return Known(value.value, value.places, f"{value.note}; {note}" if value.note else note)


def placed(value: AnyValue, place: Place) -> AnyValue:
    """`value`, of which `place` has the last word."""
    places = (place, *(each for each in value.places[:3] if each != place))
    if isinstance(value, Unset):
        return Unset(value.why, places, value.variable, value.fallback)
    if isinstance(value, Unknown):
        return Unknown(value.why, places)
    return Known(value.value, places, value.note)


def truth(value: AnyValue) -> bool | Unknown:
    """Whether `value` counts as true."""
    if isinstance(value, Unset):
        return Unset(value.why, value.places, value.variable, bool(value.fallback))
    if isinstance(value, Unknown):
        return value
    held = value.value
    if isinstance(held, (FoldedDict, FoldedSet)):
        certain = [item for item in held.values() if not isinstance(item, Maybe)]
        if certain:
            return True
        if held.open:
            return Unknown(held.open, value.places)
        return Unknown(next(iter(held.values())).why, value.places) if held else False  # type: ignore[union-attr]
    if isinstance(held, FoldedList):
        if any(not isinstance(item, Maybe) for item in held):
            return True
        return Unknown(held[0].why, value.places) if held else False  # type: ignore[union-attr]
    if scalar(held) or isinstance(held, (tuple, timedelta)):
        return bool(held)
    if isinstance(held, (External, PurePosixPath, ClassObject, Function)):
        return True
    return Unknown("whether it counts as true is not known", value.places)


def negated(value: AnyValue) -> AnyValue:
    """`not value`."""
    result = truth(value)
    if isinstance(result, Unset):
        return Unset(result.why, result.places, result.variable, not result.fallback)
    return result if isinstance(result, Unknown) else merged(not result, value)


def binary(left: AnyValue, op: str, right: AnyValue) -> AnyValue:
    """`left op right`."""
    if op == "+" and (joined := _concatenated(left, right)) is not None:
        return joined
    unknown = first_unknown(left, right)
    if unknown is not None:
        return Unknown(unknown.why, unknown.places)
    assert isinstance(left, Known) and isinstance(right, Known)
    a, b = left.value, right.value
    if op == "%" and isinstance(a, str):
        return _formatted(left, right)
    if isinstance(a, PurePosixPath) or isinstance(b, PurePosixPath):
        if op == "/" and isinstance(a, (str, PurePosixPath)) and isinstance(b, (str, PurePosixPath)):
            return merged(PurePosixPath(a) / b, left, right)
        raise Raised("TypeError", f"a path has no operator {op}")
    if op == "|" and isinstance(a, FoldedDict) and isinstance(b, FoldedDict):
        united = FoldedDict({**a, **laid_over(a, b)})
        united.open = a.open or b.open
        return merged(united, left, right)
    if isinstance(a, FoldedSet) and isinstance(b, FoldedSet):
        return _set_operation(left, op, right)
    if op == "*" and isinstance(a, FoldedList) and isinstance(b, int):
        if len(a) * b > LONGEST:
            return Unknown("it is too large")
        return merged(FoldedList(list(a) * b), left, right)
    if op == "*" and isinstance(a, tuple) and isinstance(b, int) and len(a) * b <= LONGEST:
        return merged(a * b, left, right)
    plain = (int, float, str, bytes, timedelta, date)
    if not (isinstance(a, plain) and isinstance(b, plain)) or op not in ARITHMETIC:
        return Unknown(f"the operator {op} is applied to objects", left.places)
    if _too_large(a, op, b):
        return Unknown("it is too large")
    try:
        return merged(ARITHMETIC[op](a, b), left, right)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Raised(type(error).__name__, f"computing it raises {type(error).__name__}") from None


def laid_over(old: dict[Any, AnyValue], new: dict[Any, AnyValue]) -> dict[Any, AnyValue]:
    """`new`, for laying over `old`: an entry that may be absent does not hide the old one for certain."""
    return {
        key: Unknown(item.why, item.places) if isinstance(item, Maybe) and key in old else item
        for key, item in new.items()
    }


def _concatenated(left: AnyValue, right: AnyValue) -> AnyValue | None:
    """The sum of two lists or tuples, of which one may be unknown; None where they are none."""
    a = left.value if isinstance(left, Known) else None
    b = right.value if isinstance(right, Known) else None
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) + len(b) > LONGEST:
        return Unknown("it is too large")
    if isinstance(a, FoldedList) and isinstance(b, FoldedList):
        return merged(FoldedList([*a, *b]), left, right)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return merged((*a, *b), left, right)
    if isinstance(a, FoldedList) and isinstance(right, Unknown):
        return merged(FoldedList([*a, Maybe(right.why, right.places)]), left)
    if isinstance(b, FoldedList) and isinstance(left, Unknown):
        return merged(FoldedList([Maybe(left.why, left.places), *b]), right)
    return None


def _too_large(a: Any, op: str, b: Any) -> bool:
    if op == "*":
        if isinstance(a, (str, bytes)) and isinstance(b, int):
            return len(a) * b > LONGEST
        if isinstance(b, (str, bytes)) and isinstance(a, int):
            return len(b) * a > LONGEST
        if isinstance(a, int) and isinstance(b, int):
            return a.bit_length() + b.bit_length() > LONGEST
    if op == "**":
        return not (isinstance(b, (int, float)) and abs(b) < 1000 and abs(a) < 1e6)
    if op == "<<":
        return not (isinstance(b, int) and b < 10_000)
    if op == "+" and isinstance(a, (str, bytes)) and isinstance(b, (str, bytes)):
        return len(a) + len(b) > 50 * LONGEST
    return False


def _formatted(left: Known[Any], right: Known[Any]) -> AnyValue:
    """`"..." % right`."""
    given = as_plain(right)
    if isinstance(given, Unknown):
        return given
    if any(mark in left.value for mark in ("%*", "%.*")) or _wide(left.value):
        return Unknown("its format is odd", left.places)
    try:
        return merged(left.value % given, left, right)
    except (TypeError, ValueError, KeyError) as error:
        raise Raised(type(error).__name__, f"formatting it raises {type(error).__name__}") from None


def _wide(template: str) -> bool:
    """Whether a format has a width or precision of five digits or more."""
    run = 0
    for char in template:
        run = run + 1 if char.isdigit() else 0
        if run > 4:
            return True
    return False


def _set_operation(left: Known[Any], op: str, right: Known[Any]) -> AnyValue:
    a, b = left.value, right.value
    loose = a.open or b.open or next((v.why for v in (*a.values(), *b.values()) if isinstance(v, Maybe)), "")
    if loose:
        return Unknown(loose, left.places)
    if op == "|":
        found = {**a, **b}
    elif op == "&":
        found = {key: item for key, item in a.items() if key in b}
    elif op == "-":
        found = {key: item for key, item in a.items() if key not in b}
    elif op == "^":
        found = {k: v for k, v in (*a.items(), *b.items()) if (k in a) != (k in b)}
    else:
        return Unknown(f"the operator {op} is applied to objects", left.places)
    return merged(FoldedSet(found), left, right)


def unary(op: str, value: AnyValue) -> AnyValue:
    """`op value`."""
    if op == "not":
        return negated(value)
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    if not isinstance(held, (int, float, timedelta)):
        raise Raised("TypeError", f"the operator {op} is applied to an object")
    if op == "-":
        return merged(-held, value)
    if op == "+":
        return merged(+held, value)
    if isinstance(held, int):
        return merged(~held, value)
    raise Raised("TypeError", f"the operator {op} is applied to an object")


def compare(left: AnyValue, op: str, right: AnyValue) -> AnyValue:
    """`left op right` for comparisons."""
    if op in ("in", "not in"):
        found = contains(right, left)
        if op == "in":
            return found
        return negated(found)
    if isinstance(left, Unset) and isinstance(right, Known):
        result = compare(Known(left.fallback), op, right)
        if isinstance(result, Known):
            return Unset(left.why, left.places, left.variable, result.value)
    unknown = first_unknown(left, right)
    if unknown is not None:
        return Unknown(unknown.why, unknown.places)
    assert isinstance(left, Known) and isinstance(right, Known)
    a, b = left.value, right.value
    if op in ("is", "is not"):
        if scalar(a) and scalar(b):
            alike = a is b if (a is None or b is None or isinstance(a, bool) or isinstance(b, bool)) else a == b
        elif isinstance(a, ExternalResult) or isinstance(b, ExternalResult):
            held = a if isinstance(a, ExternalResult) else b
            return Unknown(f"it is {described(held)}", left.places)
        else:
            alike = a is b or (isinstance(a, (External, EnumMember)) and a == b)
        return merged(alike == (op == "is"), left, right)
    if op in ("==", "!="):
        equal = _equal(left, right)
        if isinstance(equal, Unknown):
            return equal
        return merged(equal == (op == "=="), left, right)
    plain_left, plain_right = as_plain(left), as_plain(right)
    if isinstance(plain_left, Unknown):
        return plain_left
    if isinstance(plain_right, Unknown):
        return plain_right
    try:
        return merged(bool(ORDER[op](plain_left, plain_right)), left, right)
    except (TypeError, KeyError):
        raise Raised("TypeError", f"the operator {op} is applied to objects") from None


def _equal(left: Known[Any], right: Known[Any]) -> bool | Unknown:
    a, b = left.value, right.value
    if scalar(a) and scalar(b):
        return bool(a == b)
    if same(left, right):
        return True
    if isinstance(a, EnumMember) or isinstance(b, EnumMember):
        return equal_members(a, b)
    plain_left, plain_right = as_plain(left), as_plain(right)
    if isinstance(plain_left, Unknown):
        return plain_left
    if isinstance(plain_right, Unknown):
        return plain_right
    return bool(plain_left == plain_right)


def contains(container: AnyValue, item: AnyValue) -> AnyValue:
    """`item in container`."""
    if isinstance(item, Unset) and isinstance(container, Known):
        result = contains(container, Known(item.fallback))
        if isinstance(result, Known):
            return Unset(item.why, item.places, item.variable, result.value)
    unknown = first_unknown(container, item)
    if unknown is not None:
        return Unknown(unknown.why, unknown.places)
    assert isinstance(container, Known) and isinstance(item, Known)
    held = container.value
    if isinstance(held, (FoldedDict, FoldedSet)):
        key = key_of(item)
        if isinstance(key, Unknown):
            return key
        entry = held.get(key)
        if isinstance(entry, Maybe):
            return Unknown(entry.why, entry.places)
        if entry is None and held.open:
            return Unknown(held.open, container.places)
        return merged(entry is not None, container, item)
    if isinstance(held, str):
        if not isinstance(item.value, str):
            raise Raised("TypeError", "something other than a string is looked for in a string")
        if ROOT in held:
            return Unknown("it depends on where the project is installed", container.places)
        return merged(item.value in held, container, item)
    if isinstance(held, (list, tuple)):
        doubt: Unknown | None = None
        for each in held:
            candidate = each.item if isinstance(each, Maybe) and each.item is not None else each
            equal = candidate if isinstance(candidate, Unknown) else _equal(candidate, item)
            if equal is True and each is candidate:
                return merged(True, container, item)
            if equal is not False:
                doubt = doubt or (each if isinstance(each, Unknown) else Unknown("an item of it is unknown"))
        return Unknown(doubt.why, doubt.places) if doubt else merged(False, container, item)
    return Unknown("it looks into an object", container.places)


def as_plain(value: AnyValue) -> Any:
    """`value` as Python's own objects all the way down, or the first Unknown inside it."""
    return _plain(value, [LARGEST])


def _plain(value: AnyValue, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        return Unknown("it is too large")
    if isinstance(value, Unknown):
        return value
    held = value.value
    if scalar(held) or isinstance(held, (timedelta, date)):
        return held
    if isinstance(held, PurePosixPath):
        return str(held)
    if isinstance(held, (FoldedDict, FoldedSet)) and held.open:
        return Unknown(held.open, value.places)
    if isinstance(held, FoldedDict):
        items = {key: _plain(item, left) for key, item in held.items()}
        return next((item for item in items.values() if isinstance(item, Unknown)), items)
    if isinstance(held, FoldedSet):
        return next((item for item in held.values() if isinstance(item, Unknown)), set(held))
    if isinstance(held, (list, tuple)):
        found = [_plain(item, left) for item in held]
        unknown = next((item for item in found if isinstance(item, Unknown)), None)
        return unknown if unknown is not None else (tuple(found) if isinstance(held, tuple) else found)
    return Unknown(f"it is {described(held)}", value.places)


def of_plain(value: Any, places: tuple[Place, ...] = (), note: str = "") -> AnyValue:
    """A plain Python object as a Value, with folded containers."""
    if isinstance(value, dict):
        return Known(FoldedDict({key: of_plain(item, places) for key, item in value.items()}), places, note)
    if isinstance(value, list):
        return Known(FoldedList(of_plain(item, places) for item in value), places, note)
    if isinstance(value, tuple):
        return Known(tuple(of_plain(item, places) for item in value), places, note)
    if isinstance(value, (set, frozenset)):
        return Known(FoldedSet({item: Known(item, places) for item in value}), places, note)
    return Known(value, places, note)


def items_of(value: AnyValue) -> list[AnyValue] | Unknown:
    """What iterating over `value` gives, in order."""
    if isinstance(value, Unknown):
        return value
    held = value.value
    if isinstance(held, (FoldedDict, FoldedSet)):
        if held.open:
            return Unknown(held.open, value.places)
        doubt = next((item for item in held.values() if isinstance(item, Maybe)), None)
        if doubt:
            return doubt
        return [Known(key, held[key].places) if not isinstance(key, tuple) else of_plain(key) for key in held]
    if isinstance(held, (list, tuple)):
        return list(held)
    if isinstance(held, str):
        return Unknown("it depends on where the project is installed") if ROOT in held else [Known(c) for c in held]
    if isinstance(held, (int, float, bool)) or held is None:
        raise Raised("TypeError", "something that is no sequence is iterated")
    return Unknown(f"it iterates over {described(held)}", value.places)


def described(held: Any) -> str:
    """An object that is no plain value, in words: by what made it, where that is known."""
    if isinstance(held, ExternalResult):
        return f"what {held.name}() gives"
    return f"{held.name} of Python" if isinstance(held, External) else "an object of Python"


def text_of(value: AnyValue) -> AnyValue:
    """`str(value)`."""
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    if isinstance(held, str):
        return value
    if isinstance(held, PurePosixPath):
        return merged(str(held), value)
    if scalar(held) or isinstance(held, (timedelta, date)):
        return merged(str(held), value)
    plain = as_plain(value)
    if isinstance(plain, Unknown):
        return plain
    text = str(plain)
    if ROOT in text and not isinstance(held, Iterable):
        return Unknown("it depends on where the project is installed", value.places)
    return merged(text, value)
