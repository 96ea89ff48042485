"""What kind of field a class of fields makes: what it reads of a row, and by which of its own methods.

Each is measured on Django REST framework 3.18, and held to it by a test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import keyword
from stackaudit.link.nodes import nodes

if TYPE_CHECKING:
    from stackaudit.link.serializers import SerialField

FieldKind: TypeAlias = Literal["plain", "pk", "link", "string", "slug", "nested", "method", "custom", "unknown"]

_KINDS: dict[str, FieldKind] = {
    "StringRelatedField": "string",
    "SlugRelatedField": "slug",
    "PrimaryKeyRelatedField": "pk",
    "HyperlinkedRelatedField": "link",
    "HyperlinkedIdentityField": "link",
    "SerializerMethodField": "method",
    "MethodField": "method",
    "RelatedField": "custom",
}


def of_field(base: SerialField, call: py.Call, cls: SourceClass | str | None, label: str) -> SerialField:
    """The field that a call makes, by the class that it calls."""
    own = cls if isinstance(cls, SourceClass) else None
    labels = _labels(own) if own is not None else [label]
    kind: FieldKind = next((_KINDS[item] for item in labels if item in _KINDS), "plain")
    if own is not None and own.find("get_attribute") is not None:
        base = replace(base, custom=own)
    if kind == "method":
        method = _text(keyword(call, "method_name") or (call.args[0] if call.args else None)) or f"get_{base.name}"
        return replace(base, kind="method", method=method, source=())
    if kind == "link" and any(item.endswith("IdentityField") for item in labels):
        base = replace(base, source=())
    lookup = _lookup(call, own) if kind == "link" else "pk"
    only_key = _takes_key(own, kind in ("pk", "link") and lookup == "pk")
    shows = next((name for name in _showing(kind) if own is not None and own.find(name) is not None), "")
    if shows:
        is_key = only_key and not base.many and bool(base.source) and base.custom is None
        return replace(base, kind="custom", custom=own, shows=shows, is_key=is_key)
    if kind == "slug":
        return replace(base, kind="slug", slug=_text(keyword(call, "slug_field") or (call.args or [None])[0]))
    if kind == "link" and lookup != "pk":
        return replace(base, kind="slug", slug=lookup)
    if kind == "custom" and base.custom is None:
        return replace(base, kind="unknown", why=f"what {label} reads cannot be told")
    return replace(base, kind="plain" if kind in ("pk", "link") and not only_key else kind)


def _labels(cls: SourceClass) -> list[str]:
    """The names that say what a class of the repository is: those of packages, where it derives from fields of one.

    A class of the repository may have a name of Django REST framework's and be something else.
    """
    packaged = [base.rpartition(".")[2] for base in cls.externals]
    if any(name.endswith("Field") for name in packaged):
        return packaged
    return [base.label if isinstance(base, SourceClass) else base.rpartition(".")[2] for base in cls.mro if base]


def _showing(kind: FieldKind) -> tuple[str, ...]:
    """The methods by which a field shows a value: a hyperlink asks `get_url(obj, view_name, request, format)`."""
    return ("to_representation", "get_url") if kind == "link" else ("to_representation",)


def _takes_key(cls: SourceClass | None, stock: bool) -> bool:
    """Whether a field reads the key of a relation alone: `use_pk_only_optimization()` may say that it never does.

    https://github.com/encode/django-rest-framework/blob/master/rest_framework/relations.py
    """
    found = cls.find("use_pk_only_optimization") if cls is not None else None
    if found is None or not isinstance(found.node, py.FunctionDef):
        return stock
    given = [item.value for item in nodes((found.node,)) if type(item) is py.Return]
    return stock and not (given and all(isinstance(item, py.Constant) and item.value is False for item in given))


def _lookup(call: py.Call, cls: SourceClass | None) -> str:
    """The attribute that a hyperlink is made of: as the call says, or the class."""
    given = keyword(call, "lookup_field")
    found = cls.find("lookup_field") if cls is not None and given is None else None
    return _text(given) or (_text(found.node) if found is not None else "") or "pk"


def _text(node: object) -> str:
    """A text that is written out, "" for all else."""
    return node.value if isinstance(node, py.Constant) and isinstance(node.value, str) else ""
