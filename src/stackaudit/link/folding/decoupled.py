"""python-decouple: `config(NAME, default=..., cast=...)`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding import operators, outside
from stackaudit.link.folding.objects import External, ExternalResult, FoldedList, Raised, Unset
from stackaudit.link.folding.operators import merged, noted
from stackaudit.link.folding.readers import TRUE_WORDS, cast_name, reading
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine


def _config(machine: Machine, call: Call) -> AnyValue:
    name = call.get(0, "option")
    if not isinstance(name, Known) or not isinstance(name.value, str):
        return Unknown("which environment variable is read is not known", (call.place,))
    default = call.get(1, "default")
    given = call.get(2, "cast")
    found = machine.variable(name.value)
    unset = isinstance(found, Unset) or (isinstance(found, Known) and found.value is None)
    value = reading(machine, call, name.value, default, None, "decouple")
    if isinstance(value, Unknown) or given is None:
        return value
    if unset and default is not None and isinstance(value.value, bool) and cast_name(given) == "bool":
        return value
    return _cast(machine, call, value, given)


def _cast(machine: Machine, call: Call, value: Known[Any], given: AnyValue) -> AnyValue:
    if cast_name(given) == "bool":
        if isinstance(value.value, (bool, int)) or value.value is None:
            return merged(bool(value.value), value)
        return merged(str(value.value).lower() in TRUE_WORDS["decouple"], value)
    if isinstance(given, Known) and isinstance(given.value, ExternalResult) and given.value.name == "decouple.Csv":
        return _csv(machine, call, value, given.value)
    if isinstance(given, Known) and isinstance(given.value, ExternalResult) and given.value.name == "decouple.Choices":
        inner = given.value.keyword("cast")
        return value if inner is None else _cast(machine, call, value, inner)
    if isinstance(given, Known) and isinstance(given.value, ExternalResult):
        return Unknown("it is cast in an unusual way", value.places)
    return machine.call(given, [value], {}, machine.blank, call.frame)


def _csv(machine: Machine, call: Call, value: Known[Any], csv: ExternalResult) -> AnyValue:
    """`Csv(cast=str, delimiter=",", strip=string.whitespace, post_process=list)`, which splits as a shell does."""
    given = {**dict(zip(("cast", "delimiter", "strip", "post_process"), csv.args, strict=False)), **dict(csv.keywords)}
    delimiter = operators.as_plain(given.get("delimiter", Known(",")))
    if not isinstance(value.value, str) or not isinstance(delimiter, str) or "strip" in given:
        return Unknown("it is split in an unusual way", value.places)
    splitter = shlex.shlex(value.value, posix=True)
    splitter.whitespace, splitter.whitespace_split = delimiter, True
    try:
        parts = [part.strip() for part in splitter]
    except ValueError:
        raise Raised("ValueError", "a list with an open quotation mark") from None
    items: list[AnyValue] = [Known(part, value.places, value.note) for part in parts]
    if "cast" in given:
        items = [machine.call(given["cast"], [item], {}, machine.blank, call.frame) for item in items]
    made = Known(FoldedList(items), value.places, value.note)
    if "post_process" not in given:
        return made
    return noted(machine.call(given["post_process"], [made], {}, machine.blank, call.frame), value.note)


def _reader(machine: Machine, call: Call) -> AnyValue:
    """`AutoConfig(search_path=...)` and `Config(RepositoryEnv(...))` read as `decouple.config` does."""
    return Known(External("decouple.config"), (call.place,))


CALLS: dict[str, outside.Handler] = {
    "decouple.config": _config,
    "decouple.AutoConfig": _reader,
    "decouple.Config": _reader,
}
