"""Python's built-in functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding import operators
from stackaudit.link.folding.arguments import plain_arguments
from stackaudit.link.folding.containers import update
from stackaudit.link.folding.objects import (
    ROOT,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Maybe,
    Raised,
    key_of,
)
from stackaudit.link.folding.operators import LONGEST, items_of, merged, truth
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine


def _convert(make: Callable[..., Any]) -> Callable[[Machine, Call], AnyValue]:
    """`int`, `float` and the like over plain values."""

    def apply(machine: Machine, call: Call) -> AnyValue:
        if not call.args:
            return Known(make())
        plain = plain_arguments(call, machine)
        if isinstance(plain, Unknown):
            return plain
        args, keywords = plain
        try:
            return merged(make(*args, **keywords), *call.args)
        except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
            kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
            raise Raised(kind, f"{make.__name__}() raises {kind}") from None

    return apply


def _bool(machine: Machine, call: Call) -> AnyValue:
    if not call.args:
        return Known(False)
    found = truth(call.args[0])
    return found if isinstance(found, Unknown) else merged(found, call.args[0])


def _str(machine: Machine, call: Call) -> AnyValue:
    if not call.args:
        return Known("")
    if len(call.args) > 1 or call.keywords:
        return Unknown("it decodes bytes")
    return operators.text_of(call.args[0])


def _listed(machine: Machine, call: Call) -> AnyValue:
    if not call.args:
        return Known(FoldedList(), (call.place,))
    return merged(FoldedList(spread(call.args[0])), call.args[0])


def spread(value: AnyValue) -> list[AnyValue]:
    """The items of `value`; a `Maybe` where they are unknown."""
    if isinstance(value, Known) and isinstance(value.value, (FoldedList, tuple)):
        return list(value.value)
    items = items_of(value)
    return [Maybe(items.why, items.places)] if isinstance(items, Unknown) else items


def _tupled(machine: Machine, call: Call) -> AnyValue:
    return merged(tuple(spread(call.args[0])) if call.args else (), *call.args)


def _set(machine: Machine, call: Call) -> AnyValue:
    found = FoldedSet()
    for item in spread(call.args[0]) if call.args else ():
        key = key_of(item)
        if isinstance(key, Unknown):
            found.open = found.open or key.why
        else:
            found[key] = item
    return merged(found, *call.args)


def _dict(machine: Machine, call: Call) -> AnyValue:
    found = FoldedDict()
    update(machine, call, found)
    return Known(found, (call.place,))


def _from_keys(machine: Machine, call: Call) -> AnyValue:
    """`dict.fromkeys(names)`, by which lists lose what they hold twice."""
    keys = [item if isinstance(item, Maybe) else key_of(item) for item in spread(call.first())]
    doubt = next((key for key in keys if isinstance(key, Unknown)), None)
    if doubt is not None:
        return Unknown(doubt.why, doubt.places)
    value = call.get(1, "value") or Known(None)
    return merged(FoldedDict(dict.fromkeys(keys, value)), call.args[0])


def _len(machine: Machine, call: Call) -> AnyValue:
    value = call.first()
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    if isinstance(held, str):
        return Unknown("it depends on where the project is installed") if ROOT in held else merged(len(held), value)
    items = items_of(value)
    if isinstance(items, Unknown):
        return items
    doubt = next((item for item in items if isinstance(item, Maybe)), None)
    return Unknown(doubt.why, doubt.places) if doubt else merged(len(items), value)


def _plainly(make: Callable[..., Any]) -> Callable[[Machine, Call], AnyValue]:
    """`min`, `sorted` and the like, whose result is plain where their arguments are."""

    def apply(machine: Machine, call: Call) -> AnyValue:
        plain = plain_arguments(call)
        if isinstance(plain, Unknown):
            return plain
        args, keywords = plain
        try:
            result = make(*args, **keywords)
        except (TypeError, ValueError, ArithmeticError, IndexError) as error:
            raise Raised(type(error).__name__, f"{make.__name__}() raises {type(error).__name__}") from None
        rested = merged(None, *call.args)
        return operators.of_plain(result, rested.places, rested.note)

    return apply


def _range(*args: int) -> list[int]:
    found = range(*args)
    if len(found) > LONGEST // 10:
        raise ValueError
    return list(found)


def _any(machine: Machine, call: Call) -> AnyValue:
    return _quantified(call, True)


def _all(machine: Machine, call: Call) -> AnyValue:
    return _quantified(call, False)


def _quantified(call: Call, stop: bool) -> AnyValue:
    doubt: Unknown | None = None
    for item in spread(call.first()):
        found = truth(item)
        if isinstance(found, Unknown) or isinstance(item, Maybe):
            doubt = doubt or (found if isinstance(found, Unknown) else Unknown("an item of it is unknown"))
        elif found is stop:
            return Known(stop)
    return Unknown(doubt.why, doubt.places) if doubt else Known(not stop)


def _enumerate(machine: Machine, call: Call) -> AnyValue:
    items = spread(call.first())
    start = operators.as_plain(call.get(1, "start") or Known(0))
    if any(isinstance(item, Maybe) for item in items) or not isinstance(start, int):
        return Unknown("how many items are counted is not known")
    return Known(FoldedList(Known((Known(index), item)) for index, item in enumerate(items, start)))


def _zip(machine: Machine, call: Call) -> AnyValue:
    rows = [spread(arg) for arg in call.args]
    if any(isinstance(item, Maybe) for row in rows for item in row):
        return Unknown("how many items are paired is not known")
    return Known(FoldedList(Known(tuple(items)) for items in zip(*rows, strict=False)))


def _map(machine: Machine, call: Call) -> AnyValue:
    if len(call.args) != 2:
        return Unknown("it maps over several things")
    found: list[AnyValue] = []
    for item in spread(call.args[1]):
        if isinstance(item, Maybe):
            found.append(Maybe(item.why, item.places))
        else:
            found.append(machine.call(call.args[0], [item], {}, machine.blank, call.frame))
    return Known(FoldedList(found), (call.place,))


def _filter(machine: Machine, call: Call) -> AnyValue:
    if len(call.args) != 2:
        raise Raised("TypeError", "filter() takes two arguments")
    plain = isinstance(call.args[0], Known) and call.args[0].value is None
    found: list[AnyValue] = []
    for item in spread(call.args[1]):
        test = item if plain else machine.call(call.args[0], [item], {}, machine.blank, call.frame)
        keep = truth(test)
        if isinstance(item, Maybe) or isinstance(keep, Unknown):
            found.append(Maybe("whether an item is kept is not known", item.places))
        elif keep:
            found.append(item)
    return Known(FoldedList(found), (call.place,))


def _reversed(machine: Machine, call: Call) -> AnyValue:
    return merged(FoldedList(reversed(spread(call.first()))), call.first())


def _print(machine: Machine, call: Call) -> AnyValue:
    return Known(None)


def _open(machine: Machine, call: Call) -> AnyValue:
    """`open(path)`: what a file holds is never known, but its name often is."""
    path = call.args[0] if call.args else Unknown("its name is not known")
    text = path if isinstance(path, Unknown) else operators.text_of(path)
    shown = f"a file ({text.why})" if isinstance(text, Unknown) else str(text.value).removeprefix(f"{ROOT}/")
    return Unknown(f"it is read from {shown}", (call.place,))


def _exec(machine: Machine, call: Call) -> AnyValue:
    machine.spoil(Known(call.frame.module.names), "code that is read at run time may change it")
    return Known(None)


CALLS: dict[str, Callable[[Machine, Call], AnyValue]] = {
    "builtins.int": _convert(int),
    "builtins.float": _convert(float),
    "builtins.abs": _convert(abs),
    "builtins.round": _convert(round),
    "builtins.bool": _bool,
    "builtins.str": _str,
    "builtins.list": _listed,
    "builtins.tuple": _tupled,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.dict": _dict,
    "builtins.dict.fromkeys": _from_keys,
    "collections.OrderedDict": _dict,
    "builtins.len": _len,
    "builtins.min": _plainly(min),
    "builtins.max": _plainly(max),
    "builtins.sum": _plainly(sum),
    "builtins.sorted": _plainly(sorted),
    "builtins.range": _plainly(_range),
    "builtins.any": _any,
    "builtins.all": _all,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.reversed": _reversed,
    "builtins.print": _print,
    "builtins.exec": _exec,
    "builtins.open": _open,
    "itertools.chain": lambda machine, call: Known(FoldedList(item for arg in call.args for item in spread(arg))),
    "typing.cast": lambda machine, call: call.args[1] if len(call.args) > 1 else Unknown("it is cast"),
    "copy.copy": lambda machine, call: copied(call.first(), False),
    "copy.deepcopy": lambda machine, call: copied(call.first(), True),
}


def copied(value: AnyValue, deeply: bool) -> AnyValue:
    """A copy of `value` whose containers are new."""
    if isinstance(value, Unknown):
        return value
    held = value.value
    if isinstance(held, FoldedList):
        return merged(FoldedList(copied(item, True) if deeply else item for item in held), value)
    if isinstance(held, (FoldedDict, FoldedSet)):
        kind = FoldedDict if isinstance(held, FoldedDict) else FoldedSet
        made = kind({key: copied(item, True) if deeply else item for key, item in held.items()})
        made.open = held.open
        return merged(made, value)
    if isinstance(held, tuple) and deeply:
        return merged(tuple(copied(item, True) for item in held), value)
    return value
