"""What a program asks of its own modules, classes and objects: imports by name, attributes by name, kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding.builtin import spread
from stackaudit.link.folding.objects import (
    EMPTY,
    Bound,
    ClassObject,
    External,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Frame,
    Function,
    Instance,
    Method,
    ModuleObject,
    Raised,
    scalar,
)
from stackaudit.link.folding.operators import items_of, merged
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine


def _import_module(machine: Machine, call: Call) -> AnyValue:
    """`importlib.import_module(".prod", __package__)`: a module of the project, or a name outside of it."""
    name, package = call.first(), call.get(1, "package")
    if isinstance(name, Unknown):
        return Unknown(name.why, name.places)
    if not isinstance(name.value, str):
        return Unknown("which module is imported is not known", name.places)
    dotted = name.value
    if dotted.startswith("."):
        if not isinstance(package, Known) or not isinstance(package.value, str):
            return Unknown(package.why if isinstance(package, Unknown) else "which package it belongs to is not known")
        parts = package.value.split(".")
        level = len(dotted) - len(dotted.lstrip("."))
        dotted = ".".join([*parts[: len(parts) - level + 1], dotted.lstrip(".")]).rstrip(".")
    found = machine.find(dotted, call.frame.module.path)
    if found is not None:
        machine.run(found)
        return merged(found, name)
    top = dotted.partition(".")[0]
    if name.value.startswith(".") or machine.find(top, call.frame.module.path) is not None:
        return Unknown(f"the module {dotted} that it imports is not in the repository", name.places)
    return Known(External(dotted), name.places, name.note)


def _import(machine: Machine, call: Call) -> AnyValue:
    """`__import__("a.b")` gives `a`, and with `fromlist` `a.b`."""
    chosen = call.get(3, "fromlist")
    name = call.first()
    if chosen is None and isinstance(name, Known) and isinstance(name.value, str):
        _import_module(machine, call)
        call.args = [Known(name.value.partition(".")[0], name.places, name.note)]
    call.args = call.args[:1]
    return _import_module(machine, call)


def names_of(machine: Machine, value: AnyValue) -> AnyValue:
    """`vars(value)`, which is `value.__dict__`: the names themselves and no copy of them."""
    held = value.value if isinstance(value, Known) else None
    if isinstance(held, ModuleObject):
        return Known(machine.run(held), value.places)
    if isinstance(held, (ClassObject, Instance)):
        return Known(held.names, value.places)
    return Unknown(value.why if isinstance(value, Unknown) else "it is an object's names", value.places)


def _vars(machine: Machine, call: Call) -> AnyValue:
    return names_of(machine, call.args[0]) if call.args else _locals(machine, call)


def _inherited(cls: ClassObject) -> tuple[list[FoldedDict], str]:
    """The names that a class and its bases in the project have; a base from elsewhere that brings more, "" for none."""
    line = cls.ancestry()
    outside = next((each.name for each in line if isinstance(each, External) and each.name not in EMPTY), "")
    return [each.names for each in line if isinstance(each, ClassObject)], outside


def _dir(machine: Machine, call: Call) -> AnyValue:
    """`dir(value)`: the names of a module, class or object of the project, with those of its bases, sorted."""
    value = call.args[0] if call.args else Known(call.frame.module)
    held = value.value if isinstance(value, Known) else None
    scopes: list[FoldedDict] = []
    if isinstance(held, ModuleObject):
        scopes = [machine.run(held)]
    elif isinstance(held, (ClassObject, Instance)):
        scopes, outside = _inherited(held if isinstance(held, ClassObject) else held.cls)
        if outside:
            return Unknown(f"an object has names from {outside}", value.places)
        scopes += [held.names] if isinstance(held, Instance) else []
    if not scopes:
        return Unknown(value.why if isinstance(value, Unknown) else "the names of an object decide it", value.places)
    for scope in scopes:
        doubt = items_of(Known(scope))
        if isinstance(doubt, Unknown):
            return Unknown(doubt.why, doubt.places)
    found = sorted({str(name) for scope in scopes for name in scope})
    return Known(FoldedList(Known(name) for name in found), (call.place,))


def _names(machine: Machine, call: Call) -> AnyValue:
    return Known(call.frame.module.names)


def _locals(machine: Machine, call: Call) -> AnyValue:
    at: Frame | None = call.frame
    while at is not None and at.kind == "comprehension":
        at = at.parent
    return Known((at or call.frame).names)


def _getattr(machine: Machine, call: Call) -> AnyValue:
    if len(call.args) < 2 or not isinstance(call.args[1], Known) or not isinstance(call.args[1].value, str):
        return Unknown("which attribute is taken is not known")
    from_, name = call.args[0], call.args[1].value
    if isinstance(from_, Known) and isinstance(from_.value, External) and len(call.args) > 2:
        return Unknown(f"whether {from_.value.name} has {name} decides it")
    try:
        return machine.attribute(from_, name, call.frame)
    except Raised:
        if len(call.args) > 2:
            return call.args[2]
        raise


def _setattr(machine: Machine, call: Call) -> AnyValue:
    if len(call.args) == 3 and isinstance(call.args[0], Known) and isinstance(call.args[1], Known):
        held = call.args[0].value
        if isinstance(held, (Instance, ClassObject, ModuleObject)):
            machine.write(held.names, call.args[1].value, call.args[2])
            return Known(None)
    why = "an attribute of an object is set, which may be the module itself"
    for arg in call.args[:1]:
        if isinstance(arg, Known) and isinstance(arg.value, (Instance, ClassObject, ModuleObject)):
            machine.spoil(Known(arg.value.names), why)
        elif isinstance(arg, Unknown):
            machine.spoil(Known(call.frame.module.names), why)
    return Known(None)


def _members(machine: Machine, call: Call) -> AnyValue:
    """`inspect.getmembers(object)`: the names of an object of the project with their values, properties asked."""
    owner = call.first()
    if not isinstance(owner, Known) or not isinstance(owner.value, Instance) or len(call.args) > 1 or call.keywords:
        return Unknown("the members of an object decide it")
    held = owner.value
    scopes, outside = _inherited(held.cls)
    if outside or held.names.open:
        return Unknown(held.names.open or f"{held.cls.name} has members from {outside}")
    names = {name for scope in scopes for name in scope} | set(held.names)
    rows: list[AnyValue] = []
    for name in sorted(names):
        try:
            value = machine.attribute(owner, name, call.frame)
        except Raised as raised:
            value = Unknown(raised.why)
        rows.append(Known((Known(name), value)))
    return Known(FoldedList(rows), (call.place,))


def _hasattr(machine: Machine, call: Call) -> AnyValue:
    if len(call.args) == 2 and isinstance(call.args[0], Known) and isinstance(call.args[1], Known):
        held, name = call.args[0].value, call.args[1].value
        if isinstance(held, (Instance, ModuleObject)):
            try:
                machine.attribute(call.args[0], name, call.frame)
            except Raised:
                return Known(False)
            return Known(True)
    return Unknown("whether an object has an attribute decides it")


TYPES: dict[str, tuple[type[Any], ...]] = {
    "builtins.str": (str,),
    "builtins.int": (int,),
    "builtins.bool": (bool,),
    "builtins.float": (float,),
    "builtins.list": (FoldedList,),
    "builtins.dict": (FoldedDict,),
    "builtins.set": (FoldedSet,),
    "builtins.tuple": (tuple,),
    "builtins.bytes": (bytes,),
    "pathlib.Path": (PurePosixPath,),
    "types.NoneType": (type(None),),
    "builtins.property": (property,),
}


def _isinstance(machine: Machine, call: Call) -> AnyValue:
    if len(call.args) != 2:
        raise Raised("TypeError", "isinstance() takes two arguments")
    value, kinds = call.args
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    wanted = spread(kinds) if isinstance(kinds, Known) and isinstance(kinds.value, tuple) else [kinds]
    found: list[type[Any]] = []
    for each in wanted:
        if not isinstance(each, Known) or not isinstance(each.value, External) or each.value.name not in TYPES:
            return Unknown("what kind of object it is is not known")
        found += TYPES[each.value.name]
    if isinstance(value.value, (External, Function, Instance)):
        return Unknown("what kind of object it is is not known")
    return merged(isinstance(value.value, tuple(found)), value)


def _type(machine: Machine, call: Call) -> AnyValue:
    """`type(value)` for plain values and objects of the project's classes."""
    value = call.first()
    if len(call.args) > 1 or call.keywords:
        return Unknown("a class is made at run time", (call.place,))
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    if isinstance(held, Instance):
        return Known(held.cls, value.places)
    plain = scalar(held) or isinstance(held, (FoldedList, FoldedDict, FoldedSet, tuple))
    name = next((each for each, kinds in TYPES.items() if plain and type(held) in kinds), "")
    return merged(External(name), value) if name else Unknown("what kind of object it is is not known", value.places)


def _callable(machine: Machine, call: Call) -> AnyValue:
    value = call.first()
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    if isinstance(held, (Function, Bound, Method, ClassObject, External)):
        return merged(True, value)
    plain = scalar(held) or isinstance(held, (FoldedList, FoldedDict, FoldedSet, tuple))
    return merged(False, value) if plain else Unknown("whether an object can be called decides it", value.places)


CALLS: dict[str, Callable[[Machine, Call], AnyValue]] = {
    "importlib.import_module": _import_module,
    "builtins.__import__": _import,
    "builtins.globals": _names,
    "builtins.locals": _locals,
    "builtins.vars": _vars,
    "builtins.dir": _dir,
    "builtins.callable": _callable,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.hasattr": _hasattr,
    "builtins.isinstance": _isinstance,
    "builtins.type": _type,
    "inspect.getmembers": _members,
}
