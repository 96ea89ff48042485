"""Settings written as classes: django-configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as ir
from stackaudit.link.folding.machine import Machine
from stackaudit.link.folding.objects import (
    ClassObject,
    External,
    ExternalResult,
    Frame,
    Function,
    Instance,
    ModuleObject,
    Namespace,
    Raised,
    Unset,
)
from stackaudit.link.folding.operators import noted
from stackaudit.link.folding.readers import CASTS, boolean
from stackaudit.link.modules import dotted
from stackaudit.link.settings.choice import DEVELOPMENT, calls_and_items
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

VARIABLE = "DJANGO_CONFIGURATION"
NOT_PLAIN = frozenset({"DatabaseURLValue", "CacheURLValue", "EmailURLValue", "SearchURLValue", "BackendsValue"})
CAST_OF = {"BooleanValue": "bool", "IntegerValue": "int", "FloatValue": "float", "ListValue": "list",
           "TupleValue": "tuple", "PositiveIntegerValue": "int"}  # fmt: skip


def apply(stack: Stack, machine: Machine, module: ModuleObject) -> None:
    """Adds the settings of the configuration class that production chooses to the names of `module`."""
    classes = {
        name: value.value
        for name, value in module.names.items()
        if isinstance(value, Known) and isinstance(value.value, ClassObject) and _is_configuration(value.value)
    }
    if not classes:
        return
    chosen = _choose(stack, classes)
    if chosen is None:
        module.names.open = f"which of the classes {', '.join(sorted(classes))} production chooses is not known"
        return
    frame = Frame(module, module.names)
    instance = Known(Instance(chosen, Namespace()))
    settings: dict[str, AnyValue] = {}
    for base in reversed(chosen.ancestry()):
        if isinstance(base, ClassObject):
            settings.update({name: value for name, value in base.names.items() if name.isupper()})
    for name, value in settings.items():
        try:
            module.names[name] = _setting(machine, name, value, instance, frame)
        except Raised as raised:
            module.names[name] = Unknown(raised.why, value.places)


def _is_configuration(cls: ClassObject) -> bool:
    return any(
        isinstance(base, External) and base.name.startswith("configurations.") and base.name.endswith("Configuration")
        for base in cls.ancestry()
    )


def _choose(stack: Stack, classes: dict[str, ClassObject]) -> ClassObject | None:
    for process in stack.processes.servers:
        value = process.environment.get(VARIABLE)
        if process.audience == "production" and isinstance(value, Known) and value.value in classes:
            return classes[str(value.value)]
    named = [name for name in classes if name.lower() in ("production", "prod", "live")]
    if named:
        return classes[named[0]]
    for module in stack.modules:
        if module.path.endswith(("wsgi.py", "asgi.py")):
            for node in calls_and_items(module.facts.body):
                if isinstance(node, ir.Call) and dotted(node.func).endswith("environ.setdefault"):
                    values = [arg.value for arg in node.args if isinstance(arg, ir.Constant)]
                    if len(values) == 2 and values[0] == VARIABLE and values[1] in classes:
                        name = str(values[1])
                        return None if DEVELOPMENT.search(name.lower()) else classes[name]
    return next(iter(classes.values())) if len(classes) == 1 else None


def _setting(machine: Machine, name: str, value: AnyValue, instance: Known[Any], frame: Frame) -> AnyValue:
    if not isinstance(value, Known):
        return value
    held = value.value
    if isinstance(held, Function):
        if held.is_property:
            return machine.call(value, [instance], {}, machine.blank, frame)
        return Unknown(f"it is the object {held.name} of Python", value.places)
    if isinstance(held, ExternalResult) and held.name.startswith("configurations.values."):
        return _value(machine, name, held, value)
    return value


def _value(machine: Machine, name: str, made: ExternalResult, value: Known[Any]) -> AnyValue:
    """A `configurations.values.*` object: the environment variable, or its default."""
    kind = made.name.rpartition(".")[2]
    prefix = made.keyword("environ_prefix")
    named = made.keyword("environ_name")
    if isinstance(prefix, Unknown) or isinstance(named, Unknown) or kind in NOT_PLAIN:
        return Unknown("a part of the environment decides it", value.places)
    stem = str(named.value) if named is not None and named.value else name
    start = "DJANGO" if prefix is None else prefix.value
    variable = f"{start}_{stem}" if start else stem
    default = made.args[0] if made.args else made.keyword("default")
    off = made.keyword("environ")
    found = Known(None) if isinstance(off, Known) and off.value is False else machine.variable(variable)
    if isinstance(found, Unset) or (isinstance(found, Known) and found.value is None):
        if default is None or kind == "SecretValue":
            why = f"the environment variable {variable} decides it and the repository does not set it"
            return Unknown(why, value.places)
        return noted(default, by_default(variable))
    if isinstance(found, Unknown):
        return found
    if kind == "Value" and isinstance(default, Known) and not isinstance(default.value, str):
        return Unknown(f"the environment variable {variable} decides it", value.places)
    cast = CAST_OF.get(kind)
    if cast == "bool":
        return Known(boolean(str(found.value), "environ"), found.places, found.note)
    if cast in ("int", "float"):
        return Known(CASTS[cast](str(found.value), "environ"), found.places, found.note)
    if kind in ("Value", "SecretValue"):
        return found
    return Unknown(f"the environment variable {variable} decides it", value.places)
