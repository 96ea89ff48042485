"""Methods of lists, dicts, sets and tuples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackaudit.link.folding import operators
from stackaudit.link.folding.objects import (
    FoldedDict,
    FoldedList,
    FoldedSet,
    Maybe,
    Raised,
    key_of,
    of_key,
    same,
)
from stackaudit.link.folding.operators import merged
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

NOTHING: Known[Any] = Known(None)


def _blurred(items: FoldedList) -> list[AnyValue]:
    """The same items in an unknown order."""
    return [item if isinstance(item, Maybe) else _maybe(item) for item in items]


def _maybe(item: AnyValue) -> Maybe:
    if isinstance(item, Unknown):
        return Maybe(item.why, item.places)
    return Maybe("its order is not known", item.places, item)


def _position(items: FoldedList, wanted: AnyValue) -> int | Unknown:
    """The index of `wanted`. Raises `Raised` for ValueError where it is not there."""
    doubt: Unknown | None = wanted if isinstance(wanted, Unknown) else None
    for index, item in enumerate(items):
        if same(item, wanted):
            return index if doubt is None else Unknown(doubt.why, doubt.places)
        held = item.item if isinstance(item, Maybe) and item.item is not None else item
        equal = operators.compare(held, "==", wanted)
        if isinstance(equal, Unknown) or (equal.value and held is not item):
            doubt = doubt or (item if isinstance(item, Unknown) else equal if isinstance(equal, Unknown) else None)
        elif equal.value:
            return index if doubt is None else Unknown(doubt.why, doubt.places)
        if isinstance(item, Maybe):
            doubt = doubt or item
    if doubt is not None:
        return Unknown(doubt.why, doubt.places)
    raise Raised("ValueError", "an item that is not in the list is looked for")


def list_method(machine: Machine, call: Call, owner: Known[Any], name: str) -> AnyValue:
    """`owner.name(...)` for a list."""
    items: FoldedList = owner.value
    if name in ("append", "extend", "insert", "remove", "pop", "clear", "reverse", "sort"):
        machine.journal.touch(items)
        return _change_list(machine, call, items, name)
    if name == "copy":
        return merged(FoldedList(items), owner)
    if name == "index":
        found = _position(items, call.first())
        return found if isinstance(found, Unknown) else merged(found, owner)
    if name == "count":
        return _count(owner, call.first())
    return Unknown(f"the method {name} of a list decides it", owner.places)


def _change_list(machine: Machine, call: Call, items: FoldedList, name: str) -> AnyValue:
    if name == "append":
        items.append(call.first())
        if len(items) > operators.LONGEST:
            machine.exhaust()
    elif name == "extend":
        extend(items, call.first())
    elif name == "insert":
        call.first()
        index = call.args[0]
        value = call.args[1] if len(call.args) > 1 else NOTHING
        if isinstance(index, Known) and isinstance(index.value, int):
            at = index.value
            before = items[:at] if at >= 0 else items[at:]
            if not any(isinstance(item, Maybe) for item in before):
                items.insert(at, value)
                return NOTHING
        items[:] = [*_blurred(items), _maybe(value)]
    elif name == "remove":
        found = _position(items, call.first())
        if isinstance(found, Unknown):
            items[:] = _blurred(items)
        else:
            del items[found]
    elif name == "pop":
        return _pop(call, items)
    elif name == "clear":
        items.clear()
    elif name == "reverse":
        items.reverse()
    else:
        plain = operators.as_plain(Known(items))
        if isinstance(plain, Unknown) or call.keywords:
            items[:] = _blurred(items)
        else:
            try:
                items[:] = sorted(items, key=operators.as_plain)
            except TypeError:
                raise Raised("TypeError", "sorting raises TypeError") from None
    return NOTHING


def _pop(call: Call, items: FoldedList) -> AnyValue:
    index = call.args[0] if call.args else Known(-1)
    if isinstance(index, Known) and isinstance(index.value, int):
        at = index.value
        passed = items[: at + 1] if at >= 0 else items[at:]
        if not any(isinstance(item, Maybe) for item in passed):
            try:
                return items.pop(at)
            except IndexError:
                raise Raised("IndexError", "pop from an empty list") from None
    items[:] = _blurred(items)
    return Unknown("an item at an unknown index is taken")


def _count(owner: Known[Any], wanted: AnyValue) -> AnyValue:
    plain = operators.as_plain(owner)
    other = operators.as_plain(wanted)
    if isinstance(plain, Unknown):
        return plain
    return other if isinstance(other, Unknown) else merged(plain.count(other), owner)


def extend(items: FoldedList, value: AnyValue) -> None:
    """`items.extend(value)`, for a list that has been touched."""
    if isinstance(value, Known) and isinstance(value.value, (FoldedList, tuple)):
        if len(items) + len(value.value) > operators.LONGEST:
            items[:] = [Maybe("it is too large")]
            return
        items += list(value.value)
        return
    more = operators.items_of(value)
    items += [Maybe(more.why, more.places)] if isinstance(more, Unknown) else more


def dict_method(machine: Machine, call: Call, owner: Known[Any], name: str) -> AnyValue:
    """`owner.name(...)` for a dict."""
    held: FoldedDict = owner.value
    if name in ("get", "setdefault", "pop"):
        return _entry(machine, call, owner, name)
    if name == "copy":
        copied = FoldedDict(held)
        copied.open = held.open
        return merged(copied, owner)
    if name == "update":
        update(machine, call, held)
        return NOTHING
    if name == "clear":
        machine.journal.touch(held)
        held.clear()
        held.open = ""
        return NOTHING
    if name in ("keys", "values", "items"):
        keys = operators.items_of(owner)
        if isinstance(keys, Unknown):
            return Unknown(keys.why, keys.places)
        if name == "keys":
            return merged(FoldedList(keys), owner)
        if name == "values":
            return merged(FoldedList(held.values()), owner)
        return merged(FoldedList(Known((of_key(key), item)) for key, item in held.items()), owner)
    machine.spoil(owner, f"the method {name} of a dict decides it")
    return Unknown(f"the method {name} of a dict decides it", owner.places)


def _entry(machine: Machine, call: Call, owner: Known[Any], name: str) -> AnyValue:
    held: FoldedDict = owner.value
    key = key_of(call.first())
    default = call.get(1, "default")
    if isinstance(key, Unknown):
        if name != "get":
            machine.spoil(owner, key.why)
        return Unknown(key.why, key.places)
    found = held.get(key)
    certain = found is not None and not isinstance(found, Maybe)
    doubt = found.why if isinstance(found, Maybe) else held.open if found is None else ""
    if name == "pop" and found is not None:
        machine.journal.touch(held)
        del held[key]
    if name == "setdefault" and not certain:
        machine.write(held, key, Unknown(doubt) if doubt else default or NOTHING)
        return held[key]
    if certain:
        assert found is not None
        return found
    if doubt:
        return Unknown(doubt, owner.places)
    if default is not None:
        return default
    if name == "pop":
        raise Raised("KeyError", f"the key {key!r} is missing")
    return NOTHING


def update(machine: Machine, call: Call, held: FoldedDict) -> None:
    """`held.update(...)`."""
    machine.journal.touch(held)
    for value in call.args:
        if isinstance(value, Known) and isinstance(value.value, FoldedDict):
            lay_over(held, value)
            continue
        pairs = operators.items_of(value)
        if isinstance(pairs, Unknown):
            blur(held, pairs.why)
            continue
        for pair in pairs:
            parts = operators.items_of(pair)
            key: Any = parts if isinstance(parts, Unknown) else key_of(parts[0]) if len(parts) == 2 else None
            if isinstance(key, Unknown) or isinstance(parts, Unknown):
                blur(held, key.why)
            elif key is None:
                raise Raised("ValueError", "update() with something other than pairs")
            else:
                held[key] = parts[1]
    for name, value in call.keywords.items():
        held[name] = value


def lay_over(target: FoldedDict, value: AnyValue) -> None:
    """`target.update(value)`, for a dict that has been touched."""
    if isinstance(value, Known) and isinstance(value.value, FoldedDict):
        source = value.value
        if source.open:
            blur(target, source.open)
        target.update(operators.laid_over(target, source))
        return
    blur(target, value.why if isinstance(value, Unknown) else "it is made from an object")


def blur(target: FoldedDict, why: str) -> None:
    """Some key of `target`, and nobody knows which, is set."""
    for key in target:
        target[key] = Unknown(why)
    target.open = target.open or why


def set_method(machine: Machine, call: Call, owner: Known[Any], name: str) -> AnyValue:
    """`owner.name(...)` for a set."""
    held: FoldedSet = owner.value
    if name == "copy":
        copied = FoldedSet(held)
        copied.open = held.open
        return merged(copied, owner)
    if name in ("add", "discard", "remove"):
        machine.journal.touch(held)
        value = call.first()
        key = key_of(value)
        if isinstance(key, Unknown):
            held.open = held.open or key.why
        elif name == "add":
            held[key] = value
        elif not isinstance(held.pop(key, None), Known) and not held.open and name == "remove":
            raise Raised("KeyError", "an item that is not in the set is removed")
        return NOTHING
    if name == "update":
        machine.journal.touch(held)
        for arg in call.args:
            for item in _items(held, arg):
                key = key_of(item)
                if isinstance(key, Unknown):
                    held.open = held.open or key.why
                else:
                    held[key] = item
        return NOTHING
    symbols = {"union": "|", "intersection": "&", "difference": "-", "symmetric_difference": "^"}
    if name in symbols:
        result: AnyValue = owner
        for arg in call.args:
            other = FoldedSet()
            for item in _items(other, arg):
                key = key_of(item)
                if isinstance(key, Unknown):
                    other.open = key.why
                else:
                    other[key] = item
            result = operators.binary(result, symbols[name], Known(other))
        return result
    machine.spoil(owner, f"the method {name} of a set decides it")
    return Unknown(f"the method {name} of a set decides it", owner.places)


def _items(held: FoldedSet, value: AnyValue) -> list[AnyValue]:
    items = operators.items_of(value)
    if isinstance(items, Unknown):
        held.open = held.open or items.why
        return []
    return items


def tuple_method(call: Call, owner: Known[Any], name: str) -> AnyValue:
    """`owner.name(...)` for a tuple."""
    if name == "count":
        return _count(owner, call.first())
    found = _position(FoldedList(owner.value), call.first())
    return found if isinstance(found, Unknown) else merged(found, owner)
