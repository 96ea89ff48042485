"""Which fields a serializer writes out that is told so in code.

Where it is made, `AuthorSerializer(fields=["id", "name"])`, or in its methods, `self.fields["author"] = …`.

The recipe of Django REST framework's documentation pops a keyword of its own in `__init__` and takes the other fields
away: https://www.django-rest-framework.org/api-guide/serializers/#dynamically-modifying-fields
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes

if TYPE_CHECKING:
    from stackaudit.link.serializers import Serializers, Shape

TAKEN = frozenset({
    "instance", "data", "many", "context", "partial", "source", "read_only", "write_only", "required", "default",
    "allow_null", "allow_empty", "label", "help_text", "style", "error_messages", "validators", "initial",
    "max_length", "min_length",
})  # fmt: skip
"""What serializers of Django REST framework take themselves."""
_SETTERS = ("get_fields", "__init__", "to_representation")
_DROPS = re.compile(r"exclu|omit|remove|skip|without|hid")
ANY = "*"
"""A value that cannot be told, or is no list of names."""


def narrowed(serializers: Serializers, shape: Shape, given: Mapping[str, tuple[str, ...] | None]) -> Shape:
    """A shape without the fields that `given` leaves out, the keywords with the names of fields that each lists."""
    cls = shape.cls
    for name in given:
        if cls is None or name in TAKEN:
            continue
        for init in _inits(cls, name):
            held = given[name] or _listed(serializers, cls, init)
            if not _chooses(cls, init):
                continue
            if held is None or ANY in held or (not (drops := bool(_DROPS.search(name))) and not _keeps(cls, init)):
                return replace(shape, fields=[], open=f"{name}= chooses among its fields")
            shape = replace(shape, fields=[item for item in shape.fields if (item.name in held) is not drops])
            break
    return shape


def added(cls: SourceClass) -> Iterator[tuple[str, py.Call, SourceClass]]:
    """The fields that methods of a class and its bases always set: name, expression, and the class that does.

    https://www.django-rest-framework.org/api-guide/serializers/ names `get_fields()` and `self.fields`.
    """
    for base in reversed(cls.mro):
        for method in _SETTERS if isinstance(base, SourceClass) else ():
            found = base.members.get(method) if isinstance(base, SourceClass) else None
            node = found[-1].node if found else None
            for stmt in node.body if isinstance(node, py.FunctionDef) else ():
                target = stmt.targets[0] if isinstance(stmt, py.Assign) else None
                if not isinstance(stmt, py.Assign) or not isinstance(target, py.Subscript):
                    continue
                held = dotted(target.value)
                key = target.index.value if isinstance(target.index, py.Constant) else None
                is_own = held == "self.fields" or (held == "fields" and method == "get_fields")
                if is_own and isinstance(key, str) and isinstance(stmt.value, py.Call):
                    assert isinstance(base, SourceClass)
                    yield key, stmt.value, base


def of_call(call: py.Call) -> dict[str, tuple[str, ...] | None]:
    """The keywords of a call with the texts that each lists; None for what lists none."""
    found: dict[str, tuple[str, ...] | None] = {}
    for item in call.keywords:
        if item.name is not None and item.name not in TAKEN and not _is_off(item.value):
            found[item.name] = _texts(item.value)
    return found


def _texts(node: py.Expr) -> tuple[str, ...] | None:
    if isinstance(node, (py.Tuple, py.List, py.Set)):
        return tuple(item.value for item in node.elts if isinstance(item, py.Constant) and isinstance(item.value, str))
    return None if isinstance(node, py.Constant) else (ANY,)


def _is_off(node: py.Expr) -> bool:
    return isinstance(node, py.Constant) and not node.value


def _inits(cls: SourceClass, name: str) -> Iterator[py.FunctionDef]:
    """The `__init__` of a class and its bases that take a keyword, by a parameter or out of `**kwargs`."""
    for base in cls.mro:
        found = base.members.get("__init__") if isinstance(base, SourceClass) else None
        node = found[-1].node if found else None
        if isinstance(node, py.FunctionDef) and (
            any(param.name == name for param in node.params)
            or any(
                isinstance(call.func, py.Attribute) and call.func.attr in ("pop", "get") and _first(call) == name
                for call in _calls(node)
            )
        ):
            yield node


def _chooses(cls: SourceClass, init: py.FunctionDef) -> bool:
    """Whether a keyword changes `self.fields`: there, or in a property of that name which a base class defines."""
    return any(dotted(item) == "self.fields" for item in nodes(init.body) if type(item) is py.Attribute) or any(
        cls.find(name) is not None for name in ("fields", "get_fields", "get_field_names", "_readable_fields")
    )


def _keeps(cls: SourceClass, init: py.FunctionDef) -> bool:
    """Whether what is listed stays, and the rest goes: `set(self.fields) - set(fields)`, `if name not in fields`."""
    found = [cls.find(name) for name in ("fields", "get_fields", "get_field_names", "_readable_fields")]
    bodies = [init, *(item.node for item in found if item is not None and isinstance(item.node, py.FunctionDef))]
    return any(
        (type(item) is py.BinOp and item.op == "-")
        or (type(item) is py.Compare and "not in" in item.ops)
        or (type(item) is py.Attribute and item.attr == "difference")
        for item in nodes(bodies)
    )


def _listed(serializers: Serializers, cls: SourceClass, init: py.FunctionDef) -> tuple[str, ...] | None:
    """The fields that `Meta` lists for a flag: `getattr(self.Meta, "brief_fields", None)` in the `__init__`."""
    for call in _calls(init):
        if dotted(call.func) == "getattr" and len(call.args) > 1 and dotted(call.args[0]).endswith(".Meta"):
            option = call.args[1]
            if isinstance(option, py.Constant) and isinstance(option.value, str):
                return serializers.listed(cls, option.value)
    return None


def _calls(node: py.FunctionDef) -> Iterable[py.Call]:
    return (item for item in nodes(node.body) if type(item) is py.Call)


def _first(call: py.Call) -> object:
    return call.args[0].value if call.args and isinstance(call.args[0], py.Constant) else None
