"""Calls: functions and classes of the project, methods of values, and the functions outside that matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from stackaudit.facts import python as ir
from stackaudit.link.folding import (
    builtin,
    containers,
    decoupled,
    enumerations,
    heroku,
    outside,
    paths,
    readers,
    records,
    reflection,
    rooted,
    strings,
    targets,
)
from stackaudit.link.folding.journal import join_values
from stackaudit.link.folding.objects import (
    Bound,
    ClassObject,
    External,
    ExternalResult,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Frame,
    Function,
    Instance,
    Maybe,
    Method,
    Namespace,
    Raised,
)
from stackaudit.link.folding.operators import merged, noted
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine


@dataclass(slots=True)
class Call:
    """A call with its arguments folded."""

    args: list[AnyValue]
    keywords: dict[str, AnyValue]
    place: Place
    frame: Frame

    def first(self) -> AnyValue:
        """The first argument. Raises `Raised` for TypeError where there is none."""
        if not self.args:
            raise Raised("TypeError", "an argument is missing")
        return self.args[0]

    def get(self, index: int, name: str) -> AnyValue | None:
        """The argument at `index`, or the one called `name`."""
        return self.args[index] if len(self.args) > index else self.keywords.get(name)


Handler: TypeAlias = "Callable[[Machine, Call], AnyValue]"
CALLS: dict[str, Handler] = {
    name: handler
    for room in (builtin, reflection, paths, rooted, outside, readers, decoupled, heroku)
    for name, handler in room.CALLS.items()
}


def call(
    machine: Machine,
    function: AnyValue,
    args: list[AnyValue],
    keywords: dict[str, AnyValue],
    node: ir.Node,
    frame: Frame,
) -> AnyValue:
    """The result of calling `function`."""
    if isinstance(function, Unknown):
        return Unknown(function.why, function.places)
    held = function.value
    made = Call(args, keywords, machine.place(node, frame), frame)
    if isinstance(held, External):
        return call_external(machine, held.name, made)
    if isinstance(held, Function):
        return call_function(machine, held, args, keywords)
    if isinstance(held, Bound):
        return call_function(machine, held.function, [held.first, *args], keywords)
    if isinstance(held, Method):
        return call_method(machine, held, made)
    if isinstance(held, ClassObject):
        return instantiate(machine, held, made)
    handler = getattr(held, "folded_call", None)
    if handler is not None:
        return handler(machine, function, made)  # type: ignore[no-any-return]
    return Unknown("an object of Python is called", function.places)


def call_external(machine: Machine, name: str, made: Call) -> AnyValue:
    """The result of a function outside of the project."""
    handler = CALLS.get(name)
    if handler is not None:
        return handler(machine, made)
    for arg in (*made.args, *made.keywords.values()):
        if isinstance(arg, Known) and isinstance(arg.value, Namespace):
            machine.spoil(arg, f"{name} may change it")
    result = ExternalResult(name, tuple(made.args), tuple(made.keywords.items()))
    return Known(result, (made.place,))


def call_method(machine: Machine, method: Method, made: Call) -> AnyValue:
    """The result of a method of a value."""
    owner, held = method.owner, method.owner.value
    if machine.assumptions and made.frame.kind == "module" and isinstance(held, (FoldedList, FoldedDict)):
        made.args = [targets.assumed(arg, machine.assumptions[-1], deeply=True) for arg in made.args]
    if isinstance(held, FoldedList):
        return containers.list_method(machine, made, owner, method.name)
    if isinstance(held, FoldedDict):
        return containers.dict_method(machine, made, owner, method.name)
    if isinstance(held, FoldedSet):
        return containers.set_method(machine, made, owner, method.name)
    if isinstance(held, (str, bytes)):
        return strings.method(made, owner, method.name)
    if isinstance(held, PurePosixPath) and not hasattr(held, "folded_method"):
        return paths.path_method(machine, made, owner, method.name)
    if isinstance(held, timedelta) and method.name == "total_seconds":
        return merged(held.total_seconds(), owner)
    if isinstance(held, tuple):
        return containers.tuple_method(made, owner, method.name)
    handler = getattr(held, "folded_method", None)
    if handler is not None:
        return handler(machine, owner, method.name, made)  # type: ignore[no-any-return]
    return Unknown(f"the method {method.name} of an object decides it", owner.places)


def call_function(
    machine: Machine, function: Function, args: list[AnyValue], keywords: dict[str, AnyValue]
) -> AnyValue:
    """The result of a function of the project, whose body is folded."""
    if function.is_odd:
        for value in (*args, *keywords.values()):
            machine.spoil(value, function.is_odd)
        return Unknown(function.is_odd)
    names = _parameters(function, args, keywords)
    frame = Frame(function.frame.module, names, function.frame, "function")
    machine.enter()
    try:
        if not isinstance(function.body, tuple):
            return machine.evaluate(function.body, frame)
        end, returned = machine.execute(function.body, frame)
    finally:
        machine.leave()
    result: AnyValue = returned if end == "return" and returned is not None else Known(None)
    for why, early in frame.returned:
        result = join_values(early, result, why)
    for note in frame.assumed[:2]:
        result = noted(result, note)
    return result


def _parameters(function: Function, args: list[AnyValue], keywords: dict[str, AnyValue]) -> Namespace:
    names = Namespace()
    rest, left = list(args), dict(keywords)
    for param in function.params:
        if param.kind == "args":
            names[param.name] = Known(tuple(rest))
            rest = []
        elif param.kind == "kwargs":
            names[param.name] = Known(FoldedDict(left))
            left = {}
        elif param.kind in ("plain", "positional") and rest:
            names[param.name] = rest.pop(0)
        elif param.name in left:
            names[param.name] = left.pop(param.name)
        elif param.name in function.defaults:
            names[param.name] = function.defaults[param.name]
        else:
            raise Raised("TypeError", f"{function.name}() is called without {param.name}")
    if rest or left:
        raise Raised("TypeError", f"{function.name}() is called with too many arguments")
    return names


def instantiate(machine: Machine, cls: ClassObject, made: Call) -> AnyValue:
    """An object of a class of the project."""
    if enumerations.is_enumeration(cls):
        return enumerations.member_of(machine, cls, made)
    instance = Known(Instance(cls, Namespace()), (made.place,))
    if cls.is_dataclass and all(isinstance(each, ClassObject) for each in cls.ancestry()):
        records.make(machine, cls, instance.value.names, made)
        return instance
    for each in cls.ancestry():
        if isinstance(each, External):
            maker = outside.CLASSES.get(each.name)
            if maker is not None:
                return maker(machine, cls, instance, made)
            if each.name not in ("builtins.object", "abc.ABC", "typing.Protocol") or cls.is_dataclass:
                instance.value.names.open = f"{cls.name} is made by {each.name}"
                return instance
            continue
        found = each.names.get("__init__")
        if isinstance(found, Known) and isinstance(found.value, Function):
            call_function(machine, found.value, [instance, *made.args], made.keywords)
            return instance
        if isinstance(found, Maybe) or found is not None or "__new__" in each.names:
            instance.value.names.open = f"how {cls.name} is made is not known"
            return instance
    return instance


__all__ = ["Call", "Handler", "call"]
