"""Attributes, items and slices of Values."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as ir
from stackaudit.link.folding import enumerations, operators, paths
from stackaudit.link.folding.objects import (
    ROOT,
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
    ModuleObject,
    Raised,
    Unset,
    key_of,
)
from stackaudit.link.folding.operators import merged
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.machine import Machine

METHODS: dict[type[Any], frozenset[str]] = {
    FoldedList: frozenset(name for name in dir(list) if not name.startswith("_")),
    FoldedDict: frozenset(name for name in dir(dict) if not name.startswith("_")),
    FoldedSet: frozenset(name for name in dir(set) if not name.startswith("_")),
    str: frozenset(name for name in dir(str) if not name.startswith("_")),
    bytes: frozenset(name for name in dir(bytes) if not name.startswith("_")),
    tuple: frozenset(("index", "count")),
}

COMMANDS = frozenset(
    {
        "test", "pytest", "py.test", "jenkins", "behave", "makemigrations", "migrate", "collectstatic", "runserver",
        "runserver_plus", "shell", "shell_plus", "compress", "compilemessages", "check", "celery", "--test",
        "createsuperuser", "loaddata", "testserver", "harvest", "spectacular", "makemessages", "nosetests", "tests",
        "manage", "manage.py", "django-admin",
    }
)  # fmt: skip
"""What `sys.argv` of a production server does not hold: commands of manage.py and test runners."""

CONSTANTS: dict[str, Any] = {
    "os.sep": "/",
    "os.path.sep": "/",
    "os.pardir": "..",
    "os.path.pardir": "..",
    "os.curdir": ".",
    "os.pathsep": ":",
    "os.linesep": "\n",
    "os.name": "posix",
    "sys.platform": "linux",
    "logging.DEBUG": 10,
    "logging.INFO": 20,
    "logging.WARNING": 30,
    "logging.WARN": 30,
    "logging.ERROR": 40,
    "logging.CRITICAL": 50,
    "typing.TYPE_CHECKING": False,
    "sys.maxsize": 2**63 - 1,
    "string.ascii_letters": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "string.ascii_lowercase": "abcdefghijklmnopqrstuvwxyz",
    "string.ascii_uppercase": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "string.digits": "0123456789",
    "math.inf": float("inf"),
    "django.contrib.messages.constants.DEBUG": 10,
    "django.contrib.messages.constants.INFO": 20,
    "django.contrib.messages.constants.SUCCESS": 25,
    "django.contrib.messages.constants.WARNING": 30,
    "django.contrib.messages.constants.ERROR": 40,
}
"""Attributes of modules outside of the project with a value that never differs in production."""


GLOBAL_SETTINGS = "django.conf.global_settings."


def get(machine: Machine, value: AnyValue, name: str, node: ir.Node, frame: Frame) -> AnyValue:
    """`value.name`."""
    if isinstance(value, Unset):
        raised = machine.raised(frame, "AttributeError", value)
        return Unknown(raised.why, raised.places)
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    if isinstance(held, External):
        return external(machine, f"{held.name}.{name}")
    if name == "__dict__" and isinstance(held, (ModuleObject, ClassObject, Instance)):
        return machine.call(Known(External("builtins.vars")), [value], {}, node, frame)
    if isinstance(held, ModuleObject):
        return of_module(machine, held, name)
    if isinstance(held, (ClassObject, Instance)):
        return _of_class(machine, value, name, node, frame)
    if isinstance(held, PurePosixPath) and not hasattr(held, "folded_attribute"):
        return paths.attribute(value, name)
    if isinstance(held, Method) and held.name in ("parents",):
        return Unknown("it is an object of Python", value.places)
    attribute = getattr(held, "folded_attribute", None)
    if attribute is not None:
        return attribute(machine, value, name)  # type: ignore[no-any-return]
    for kind, names in METHODS.items():
        if isinstance(held, kind) and name in names:
            return Known(Method(value, name), value.places)
    if isinstance(held, timedelta):
        return merged(getattr(held, name), value) if name in ("days", "seconds") else Known(Method(value, name))
    if held is None:
        raise Raised("AttributeError", f"None has no attribute {name}")
    if isinstance(held, ExternalResult):
        return Unknown(f"{operators.described(held)} decides it", value.places)
    return Unknown(f"the attribute {name} of an object decides it", value.places)


def external(machine: Machine, dotted: str) -> AnyValue:
    """A name outside of the project."""
    if dotted in CONSTANTS:
        return Known(CONSTANTS[dotted])
    if dotted == "django.VERSION" and machine.world.django is not None and len(machine.world.django) > 1:
        return operators.of_plain((*machine.world.django, 0)[:3], (), "the version of Django")
    if dotted.startswith(GLOBAL_SETTINGS):
        from stackaudit.link.settings.defaults import default  # the room of settings begins with an import of this one

        known, value, why = default(dotted.removeprefix(GLOBAL_SETTINGS), machine.world.django)
        if known:
            return Unknown(why) if why else operators.of_plain(value, (), "Django's default")
    if dotted == "environs.env":
        return machine.call(Known(External("environs.Env")), [], {}, ir.Constant(0, 0, None), machine.nowhere)
    return Known(External(dotted))


def of_module(machine: Machine, module: ModuleObject, name: str) -> AnyValue:
    """`module.name`, which may be a module below it."""
    names = machine.run(module)
    if name in names:
        held = names[name]
        return Unknown(held.why, held.places) if isinstance(held, Maybe) else held
    below = machine.find(f"{module.name}.{name}", module.path)
    if below is not None:
        return Known(below)
    if names.open:
        return Unknown(names.open)
    raise Raised("AttributeError", f"the module {module.name} has no name {name}")


def _of_class(machine: Machine, value: Known[Any], name: str, node: ir.Node, frame: Frame) -> AnyValue:
    held = value.value
    cls = held if isinstance(held, ClassObject) else held.cls
    if isinstance(held, Instance) and name in held.names:
        found = held.names[name]
        return Unknown(found.why, found.places) if isinstance(found, Maybe) else found
    if name == "__name__" and isinstance(held, ClassObject):
        return Known(cls.name)
    for each in cls.ancestry():
        if isinstance(each, External):
            if each.name in ("builtins.object", "typing.NamedTuple", "typing.Protocol", "abc.ABC"):
                continue
            return Unknown(f"{cls.name} takes {name} from {each.name}", value.places)
        if name in each.names:
            found = each.names[name]
            if isinstance(held, ClassObject) and (member := enumerations.member(cls, name, found)) is not None:
                return member
            return bind(machine, found, value, node, frame)
    if isinstance(held, Instance) and held.names.open:
        return Unknown(held.names.open)
    raise Raised("AttributeError", f"{cls.name} has no attribute {name}")


def bind(machine: Machine, found: AnyValue, owner: Known[Any], node: ir.Node, frame: Frame) -> AnyValue:
    """An attribute of a class as it is seen from the class or an instance."""
    if isinstance(found, Maybe):
        return Unknown(found.why, found.places)
    if not isinstance(found, Known) or not isinstance(found.value, Function):
        return found
    function = found.value
    cls = owner if isinstance(owner.value, ClassObject) else Known(owner.value.cls)
    if function.is_property:
        return machine.call(found, [owner], {}, node, frame) if isinstance(owner.value, Instance) else found
    if function.is_static:
        return found
    if function.is_class:
        return Known(Bound(function, cls), found.places)
    return found if isinstance(owner.value, ClassObject) else Known(Bound(function, owner), found.places)


def item(machine: Machine, value: AnyValue, index: AnyValue, frame: Frame) -> AnyValue:
    """`value[index]`."""
    if isinstance(value, Unset):
        raised = machine.raised(frame, "TypeError", value)
        return Unknown(raised.why, raised.places)
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    held = value.value
    plain = key_of(index)
    if isinstance(plain, Unknown):
        return Unknown(plain.why, plain.places)
    if isinstance(held, FoldedDict):
        if plain in held:
            found = held[plain]
            return Unknown(found.why, found.places) if isinstance(found, Maybe) else found
        if held.open:
            return Unknown(held.open, value.places)
        raise Raised("KeyError", f"the key {plain!r} is missing")
    if held == External("os.environ"):
        return machine.required(str(plain), frame)
    if held == External("sys.argv"):
        return Known(External("sys.argv[]"))
    if held == External("sys.modules"):
        module = next((each for each in machine.modules.values() if each.name == plain), None)
        return Unknown("a module outside of the project decides it") if module is None else Known(module)
    if isinstance(held, Method) and held.name == "parents":
        return paths.parents(held.owner, plain)
    if isinstance(held, (FoldedList, tuple)):
        return _numbered(value, plain)
    if isinstance(held, str) and isinstance(plain, int):
        if ROOT in held:
            return Unknown("it depends on where the project is installed", value.places)
        try:
            return merged(held[plain], value, index)
        except IndexError:
            raise Raised("IndexError", "an index is out of range") from None
    lookup = getattr(held, "folded_item", None)
    if lookup is not None:
        return lookup(machine, value, plain, frame)  # type: ignore[no-any-return]
    if held is None or isinstance(held, (bool, int, float)):
        raise Raised("TypeError", "something that is no container is subscripted")
    if isinstance(held, ExternalResult):
        return Unknown(f"{operators.described(held)} decides it", value.places)
    return Unknown("an item of an object decides it", value.places)


def _numbered(value: Known[Any], index: Any) -> AnyValue:
    items = value.value
    if not isinstance(index, int):
        raise Raised("TypeError", "an index is no number")
    passed = items[: index + 1] if index >= 0 else items[index:]
    doubt = next((each for each in passed if isinstance(each, Maybe)), None)
    if doubt is not None:
        return Unknown(doubt.why, doubt.places)
    try:
        return items[index]  # type: ignore[no-any-return]
    except IndexError:
        doubt = next((each for each in items if isinstance(each, Maybe)), None)
        if doubt is not None:
            return Unknown(doubt.why, doubt.places)
        raise Raised("IndexError", "an index is out of range") from None


def sliced(value: AnyValue, bounds: list[AnyValue | None]) -> AnyValue:
    """`value[lower:upper:step]`."""
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    plain: list[Any] = []
    for bound in bounds:
        if isinstance(bound, Unknown):
            return Unknown(bound.why, bound.places)
        plain.append(None if bound is None else bound.value)
    held = value.value
    if any(part is not None and not isinstance(part, int) for part in plain) or plain[2] == 0:
        raise Raised("TypeError", "a slice is odd")
    if held == External("sys.argv"):
        return Known(External("sys.argv[:]"))
    if isinstance(held, (str, bytes)):
        if isinstance(held, str) and ROOT in held:
            return Unknown("it depends on where the project is installed", value.places)
        return merged(held[plain[0] : plain[1] : plain[2]], value)
    if isinstance(held, (FoldedList, tuple)):
        doubt = next((each for each in held if isinstance(each, Maybe)), None)
        if doubt is not None:
            return Unknown(doubt.why, doubt.places)
        part = held[plain[0] : plain[1] : plain[2]]
        return merged(part if isinstance(held, tuple) else FoldedList(part), value)
    return Unknown("a part of an object decides it", value.places)


def operated(left: AnyValue, op: str, right: AnyValue) -> AnyValue | None:
    """`left op right` where an object has its own operators, None else."""
    if isinstance(left, Known) and (operate := getattr(left.value, "folded_operator", None)) is not None:
        return operate(left, op, right)  # type: ignore[no-any-return]
    return None


def compared(machine: Machine, left: AnyValue, op: str, right: AnyValue) -> AnyValue | None:
    """`left op right` for comparisons with the process's environment or arguments, None for all others."""
    if isinstance(left, Known) and left.value in (External("sys.argv[]"), External("sys.argv[:]")):
        return _argument(operators.as_plain(right), op)
    if not isinstance(right, Known) or not isinstance(right.value, External) or op not in ("in", "not in"):
        return None
    name = right.value.name
    if isinstance(left, Unknown):
        return None
    if name == "os.environ" and isinstance(left.value, str):
        found = machine.variable(left.value)
        if isinstance(found, Unset):
            return Unset(found.why, found.places, found.variable, op == "not in")
        if isinstance(found, Unknown):
            return found
        return merged((found.value is not None) == (op == "in"), found)
    if name == "sys.modules" and left.value in ("pytest", "unittest", "nose", "behave", "test"):
        return Known(op == "not in", (), "production runs no tests")
    if name in ("sys.argv", "sys.argv[]", "sys.argv[:]") and left.value in COMMANDS:
        return Known(op == "not in", (), "a server's command line is not manage.py's")
    return None


def _argument(other: Any, op: str) -> AnyValue | None:
    """An element or slice of `sys.argv` against something plain."""
    given = other if isinstance(other, (list, tuple, set)) else [other]
    if isinstance(other, Unknown) or not all(each in COMMANDS for each in given if isinstance(each, str)):
        return None
    if not given or not all(isinstance(each, str) for each in given):
        return None
    return Known(op in ("!=", "not in"), (), "a server's command line is not manage.py's")
