"""Classes of pydantic-settings, whose fields come from the environment, and pydantic's models in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as ir
from stackaudit.link.folding import operators, records
from stackaudit.link.folding.objects import (
    ClassObject,
    External,
    ExternalResult,
    FoldedDict,
    FoldedList,
    Function,
    Instance,
    Maybe,
    Raised,
    Unset,
    scalar,
)
from stackaudit.link.folding.operators import noted
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

TRUE = ("1", "on", "t", "true", "y", "yes")
FALSE = ("0", "off", "f", "false", "n", "no")
"""What pydantic takes for booleans, in lower case (pydantic.v1 and 2, "Conversion table")."""
FIELDS = ("pydantic.Field", "pydantic.fields.Field", "pydantic.v1.Field")
CONFIGS = ("pydantic_settings.SettingsConfigDict", "pydantic.ConfigDict", "pydantic_settings.main.SettingsConfigDict")
WHOLE = ("model_validator", "root_validator", "settings_customise_sources")


@dataclass(frozen=True, slots=True)
class Secret:
    """A SecretStr."""

    held: Known[Any]

    def folded_attribute(self, machine: Machine, owner: Known[Any], name: str) -> AnyValue:
        """`secret.get_secret_value`."""
        if name == "get_secret_value":
            return Known(Revealed(self.held))
        return Unknown("it is a secret of pydantic", owner.places)


@dataclass(frozen=True, slots=True)
class Revealed:
    """`secret.get_secret_value`, to be called."""

    held: Known[Any]

    def folded_call(self, machine: Machine, owner: Known[Any], call: Call) -> AnyValue:
        """The text."""
        return self.held


@dataclass(frozen=True, slots=True)
class Config:
    """How a class reads the environment; `odd` says why that is not known."""

    prefix: str = ""
    delimiter: str = ""
    odd: str = ""


def settings(machine: Machine, cls: ClassObject, instance: Known[Any], call: Call) -> AnyValue:
    """An object of a subclass of BaseSettings."""
    return _made(machine, cls, instance, call, _config(cls))


def model(machine: Machine, cls: ClassObject, instance: Known[Any], call: Call) -> AnyValue:
    """An object of a subclass of BaseModel, which reads no environment."""
    return _made(machine, cls, instance, call, None)


def _made(machine: Machine, cls: ClassObject, instance: Known[Any], call: Call, config: Config | None) -> AnyValue:
    names = instance.value.names
    validated = _validators(cls)
    for owner, name, annotation in records.fields(cls):
        if name.startswith("_") or name == "model_config":
            continue
        given = call.keywords.get(name)
        default = owner.names.get(name)
        value = _field(machine, owner, name, annotation, default, given, config)
        odd = config.odd if config is not None else ""
        if isinstance(value, Known) and (odd or name in validated or "*" in validated):
            value = Unknown(odd or f"a validator of {cls.name} may change {name}", value.places)
        names[name] = value
    return instance


def _validators(cls: ClassObject) -> frozenset[str]:
    """The fields that a validator may change, "*" for all."""
    found: set[str] = set()
    for each in cls.ancestry():
        for value in each.names.values() if isinstance(each, ClassObject) else ():
            held = value.value if isinstance(value, Known) else None
            if not isinstance(held, Function):
                continue
            if held.name in WHOLE:
                found.add("*")
            for name, args in held.decorations:
                last = name.rpartition(".")[2]
                if last in WHOLE or (last in ("field_validator", "validator") and not all(map(_is_text, args))):
                    found.add("*")
                elif last in ("field_validator", "validator"):
                    found |= {str(arg.value) for arg in args if isinstance(arg, Known)}
    return frozenset(found)


def _is_text(value: AnyValue) -> bool:
    return isinstance(value, Known) and isinstance(value.value, str)


def _config(cls: ClassObject) -> Config:
    options: dict[str, AnyValue] = {}
    for each in reversed(cls.ancestry()):
        if not isinstance(each, ClassObject):
            continue
        made, inner = each.names.get("model_config"), each.names.get("Config")
        if isinstance(made, Known) and isinstance(made.value, ExternalResult) and made.value.name in CONFIGS:
            options.update(dict(made.value.keywords))
        elif isinstance(made, Known) and isinstance(made.value, FoldedDict):
            options.update({str(key): item for key, item in made.value.items()})
        elif made is not None:
            return Config(odd="how it reads the environment is not known")
        if isinstance(inner, Known) and isinstance(inner.value, ClassObject):
            options.update(inner.value.names)
        options.update(each.keywords)
    prefix, delimiter = options.get("env_prefix", Known("")), options.get("env_nested_delimiter", Known(None))
    if not _is_text(prefix) or isinstance(delimiter, Unknown):
        return Config(odd="the prefix of its variables is not known")
    assert isinstance(prefix, Known)
    return Config(str(prefix.value), str(delimiter.value or ""))


def _field(
    machine: Machine,
    owner: ClassObject,
    name: str,
    annotation: ir.Expr,
    default: AnyValue | None,
    given: AnyValue | None,
    config: Config | None,
) -> AnyValue:
    """The value of a field: what the call gives, then the environment, then the default."""
    aliases: list[str] = []
    if isinstance(default, Maybe):
        return Unknown(default.why, default.places)
    if isinstance(default, Known) and isinstance(default.value, ExternalResult) and default.value.name in FIELDS:
        alias = default.value.keyword("validation_alias") or default.value.keyword("alias")
        found = _aliases(alias)
        if isinstance(found, Unknown):
            return found
        aliases = found
        default = _default(machine, owner, default.value)
    if given is not None:
        return given if isinstance(given, Unknown) else _cast(machine, owner, annotation, given)
    note = ""
    if config is not None:
        names = aliases or [config.prefix + name]
        for variable in names:
            value = _variable(machine, variable)
            if isinstance(value, Unset):
                continue
            if isinstance(value, Unknown):
                return value
            if value.value is not None:
                return _parsed(machine, owner, annotation, value, variable)
        shown = names[0] if aliases else names[0].upper()
        note = by_default(shown)
        if default is None:
            why = f"the environment variable {shown} decides it and the repository does not set it"
            return Unknown(why, ())
    if default is None:
        return Unknown(f"nothing gives {name} a value")
    if isinstance(default, Unknown):
        return default
    value = _cast(machine, owner, annotation, default)
    return noted(value, note) if note else value


def _default(machine: Machine, owner: ClassObject, made: ExternalResult) -> AnyValue | None:
    """The default that `Field(...)` gives, None where it gives none."""
    factory = made.keyword("default_factory")
    if factory is not None:
        return machine.call(factory, [], {}, machine.blank, owner.frame)
    first = made.args[0] if made.args else made.keyword("default")
    if isinstance(first, Known) and first.value is Ellipsis:
        return None
    return first


def _aliases(value: AnyValue | None) -> list[str] | Unknown:
    if value is None:
        return []
    held = value.value if isinstance(value, Known) else None
    if isinstance(held, str):
        return [held]
    if isinstance(held, ExternalResult) and held.name.endswith("AliasChoices") and all(map(_is_text, held.args)):
        return [str(arg.value) for arg in held.args if isinstance(arg, Known)]
    return Unknown("which environment variable is read is not known")


def _variable(machine: Machine, name: str) -> AnyValue:
    """A variable whose case does not matter, as people write it first."""
    found: AnyValue = Unset("", (), name.upper())
    for spelling in dict.fromkeys((name.upper(), name, name.lower())):
        found = machine.variable(spelling)
        if not isinstance(found, Unset) and not (isinstance(found, Known) and found.value is None):
            return found
    return Unset("", (), name.upper())


def _kind(machine: Machine, owner: ClassObject, annotation: ir.Expr) -> str:
    """The name of the type that an annotation stands for, without `None` beside it; "" for all others."""
    expr = annotation
    if isinstance(expr, ir.BinOp) and expr.op == "|":
        sides = [side for side in (expr.left, expr.right) if not (isinstance(side, ir.Constant) and side.value is None)]
        if len(sides) != 1:
            return ""
        expr = sides[0]
    if isinstance(expr, ir.Subscript):
        outer = machine.evaluate(expr.value, owner.frame)
        name = outer.value.name if isinstance(outer, Known) and isinstance(outer.value, External) else ""
        if name == "typing.Optional":
            return _kind(machine, owner, expr.index)
        if name == "typing.Annotated" and isinstance(expr.index, ir.Tuple):
            return _kind(machine, owner, expr.index.elts[0])
        return {"typing.List": "list", "typing.Dict": "dict"}.get(name, name.removeprefix("builtins."))
    if isinstance(expr, ir.Constant):
        return ""
    value = machine.evaluate(expr, owner.frame)
    name = value.value.name if isinstance(value, Known) and isinstance(value.value, External) else ""
    return name.removeprefix("builtins.")


def _parsed(machine: Machine, owner: ClassObject, annotation: ir.Expr, value: Known[Any], variable: str) -> AnyValue:
    """The text of a variable as a field of its type."""
    kind = _kind(machine, owner, annotation)
    if kind in ("list", "dict"):
        try:
            return operators.of_plain(json.loads(value.value), value.places, value.note)
        except ValueError:
            raise Raised("SettingsError", f"the environment variable {variable} is no JSON") from None
    if kind in PLAIN or kind == "typing.Literal":
        return _cast(machine, owner, annotation, value)
    return Unknown(f"the environment variable {variable} decides it", value.places)


def _boolean(held: Any) -> bool:
    if isinstance(held, str) and held.lower() in (*TRUE, *FALSE):
        return held.lower() in TRUE
    if held in (0, 1):
        return bool(held)
    raise ValueError


def _text(held: Any) -> str:
    if isinstance(held, str):
        return held
    raise ValueError


PLAIN: dict[str, Callable[[Any], Any]] = {
    "bool": _boolean,
    "int": int,
    "float": float,
    "str": _text,
    "pathlib.Path": PurePosixPath,
    "pydantic.SecretStr": _text,
}


def _cast(machine: Machine, owner: ClassObject, annotation: ir.Expr, value: AnyValue) -> AnyValue:
    """A value as a field of a type holds it; pydantic-settings validates defaults too."""
    if not isinstance(value, Known):
        return value
    held = value.value
    kind = _kind(machine, owner, annotation)
    if held is None or isinstance(held, (Instance, FoldedDict)) or (kind == "list" and isinstance(held, FoldedList)):
        return value
    if kind == "typing.Literal" and scalar(held):
        return value
    if kind == "pydantic.SecretStr" and isinstance(held, ExternalResult) and held.name == kind and held.args:
        text = held.args[0]
        return Known(Secret(text), value.places, value.note) if isinstance(text, Known) else text
    if kind == "int" and isinstance(held, float):
        return Unknown("it is a number of another kind", value.places)
    if kind not in PLAIN or isinstance(held, (External, ExternalResult, tuple, FoldedList)):
        return Unknown("its type decides what becomes of it", value.places)
    if kind == "pathlib.Path" and isinstance(held, PurePosixPath):
        return value
    try:
        made = value.map(PLAIN[kind])
    except (ValueError, TypeError):
        return Unknown("pydantic does not accept its default", value.places)
    return Known(Secret(made), value.places, value.note) if kind == "pydantic.SecretStr" else made
