"""Serializers: which fields they write out, and where each one takes its value from.

`Serializers(models)` gives the `Shape` of a serializer class: the fields of Meta, of the class and of its bases, in the
form that Django REST framework would build. What each kind of field reads is measured (DRF 3.18): a foreign key as a
plain primary key field reads the column alone, everything else reads the related row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from stackaudit.facts import python as py
from stackaudit.link.classes import Classes, SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, Relation, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import is_true
from stackaudit.link.serializers import kinds
from stackaudit.link.serializers.chosen import added, narrowed, of_call
from stackaudit.link.serializers.kinds import FieldKind
from stackaudit.model.source import Place

_DEEPEST = 10


@dataclass(frozen=True)
class SerialField:
    """One field as it is written out.

    `source` holds the lookups from the object ("author", "name"), empty for `source="*"`. `slug` is the attribute of a
    slug field. `method` names the method of a method field. `shape` is that of a nested serializer. `custom` is the
    field's own class where it has its own `get_attribute` or shows a value by a method of its own, `shows`; `is_key`
    says that such a field gets no row, but what holds its key alone.
    """

    name: str
    kind: FieldKind
    source: tuple[str, ...]
    place: Place
    many: bool = False
    slug: str = ""
    method: str = ""
    shape: Shape | None = None
    custom: SourceClass | None = None
    shows: str = ""
    is_key: bool = False
    owner: SourceClass | None = None
    why: str = ""


@dataclass
class Shape:
    """What a serializer writes out. `open` says why some of its fields cannot be told, "" where all can be.

    `to_representation` is the class that overrides that method, `cls` is None for the serializer that `depth` makes.
    `lists` is the class of the repository that writes out its lists, None for the stock one.
    """

    cls: SourceClass | None
    model: Model | None
    place: Place
    fields: list[SerialField] = field(default_factory=list)
    open: str = ""
    to_representation: SourceClass | None = None
    lists: SourceClass | None = None

    @property
    def label(self) -> str:
        """The class's name, or the model's for the serializer that `depth` makes."""
        if self.cls is not None:
            return self.cls.label
        return self.model.name if self.model is not None else "nested"


class Serializers:
    """The serializers of a stack, each read once when it is asked for."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.classes: Classes = models.classes
        self._shapes: dict[SourceClass, Shape] = {}

    def is_serializer(self, cls: SourceClass | str | None) -> bool:
        """Whether a class is a serializer by the names of what it derives from."""
        if isinstance(cls, str):
            return cls.rpartition(".")[2].endswith("Serializer") and not cls.startswith("django.core")
        return cls is not None and any(self.is_serializer(base) for base in cls.mro if isinstance(base, str))

    def shape(self, cls: SourceClass) -> Shape:
        """The shape of a serializer class."""
        if cls not in self._shapes:
            model, options = self._meta(cls)
            shape = Shape(cls, model, cls.module.place(cls.node))
            self._shapes[cls] = shape
            shape.fields = list(self._fields(cls, shape, options))
            for name, call, owner in added(cls):
                if self._field_class(owner.module, call) is not None:
                    made = list(self._one(name, call, owner))
                    shape.fields = [item for item in shape.fields if item.name != name] + made
            if "list_serializer_class" in options:
                node, module = options["list_serializer_class"]
                lists = self.classes.resolve(module, node)
                shape.lists = lists if isinstance(lists, SourceClass) else None
            for base in cls.mro:
                if isinstance(base, SourceClass) and "to_representation" in base.members:
                    shape.to_representation = base
                    break
        return self._shapes[cls]

    # Meta

    def listed(self, cls: SourceClass, option: str) -> tuple[str, ...] | None:
        """The names that an option of `Meta` lists; None where it has none, or they cannot be told."""
        member = cls.find("Meta")
        if member is None or not isinstance(member.node, py.ClassDef):
            return None
        meta = self.classes.build(member.owner.module, member.node, f"{member.owner.name}.Meta")
        found = meta.find(option)
        if found is None or not isinstance(found.node, py.Node):
            return None
        names = [value for value, _ in self._strings(found.node, found.owner.module)]  # type: ignore[arg-type]
        return None if None in names else tuple(name for name in names if name is not None)

    def _meta(self, cls: SourceClass) -> tuple[Model | None, dict[str, tuple[py.Expr, SourceModule]]]:
        member = cls.find("Meta")
        options: dict[str, tuple[py.Expr, SourceModule]] = {}
        if member is None or not isinstance(member.node, py.ClassDef):
            return None, options
        meta = self.classes.build(member.owner.module, member.node, f"{member.owner.name}.Meta")
        for name in ("model", "fields", "exclude", "depth", "extra_kwargs", "list_serializer_class"):
            found = meta.find(name)
            if found is not None and isinstance(found.node, py.Node):
                options[name] = (found.node, found.owner.module)  # type: ignore[assignment]
        model = None
        if "model" in options:
            model = self.models.of_expr(options["model"][1], options["model"][0])
        return model, options

    def _declared(self, cls: SourceClass) -> dict[str, tuple[py.Call | None, SourceClass]]:
        """The fields that the class and its bases assign; None where a subclass takes a field away."""
        found: dict[str, tuple[py.Call | None, SourceClass]] = {}
        for base in reversed(cls.mro):
            if not isinstance(base, SourceClass):
                continue
            for name, bound in base.members.items():
                node = bound[-1].node
                if isinstance(node, py.Call) and self._field_class(base.module, node) is not None:
                    found[name] = (node, base)
                elif isinstance(node, py.Constant) and node.value is None and name in found:
                    found[name] = (None, base)
        return {name: item for name, item in found.items() if item[0] is not None}

    def _field_class(self, module: SourceModule, call: py.Call) -> SourceClass | str | None:
        """The class that a call makes a field of, None where it is no field."""
        found = self.classes.resolve(module, call.func)
        name = found.label if isinstance(found, SourceClass) else (found or dotted(call.func)).rpartition(".")[2]
        if isinstance(found, SourceClass):
            external = [base for base in found.externals if base.rpartition(".")[2].endswith(("Field", "Serializer"))]
            return found if external or name.endswith(("Field", "Serializer")) else None
        if name.endswith(("Field", "Serializer")) and not (found or "").startswith("django.db"):
            return found or dotted(call.func)
        return None

    def _fields(
        self, cls: SourceClass, shape: Shape, options: dict[str, tuple[py.Expr, SourceModule]]
    ) -> Iterator[SerialField]:
        declared = self._declared(cls)
        if shape.model is None and "fields" not in options:
            for name, (call, owner) in declared.items():
                if call is not None:
                    yield from self._one(name, call, owner)
            return
        depth = options["depth"][0] if "depth" in options else None
        levels = depth.value if isinstance(depth, py.Constant) and isinstance(depth.value, int) else 0
        hidden = self._write_only(options)
        linked = any(base.rpartition(".")[2] == "HyperlinkedModelSerializer" for base in cls.externals)
        for name, place in self._names(cls, shape, options, declared):
            if name in hidden:
                continue
            call, owner = declared.get(name, (None, cls))
            if call is not None:
                yield from self._one(name, call, owner)
            elif shape.model is not None:
                if "depth" in options and levels and shape.model.relation(name) is not None:
                    place = options["depth"][1].place(options["depth"][0])
                yield self._automatic(name, shape.model, place, levels, linked)
            else:
                yield SerialField(name, "unknown", (name,), place, why="the serializer's model cannot be told")

    def _names(
        self,
        cls: SourceClass,
        shape: Shape,
        options: dict[str, tuple[py.Expr, SourceModule]],
        declared: dict[str, tuple[py.Call | None, SourceClass]],
    ) -> Iterator[tuple[str, Place]]:
        """The names of the fields, each with the place that names it."""
        if "fields" in options:
            node, module = options["fields"]
            if not (isinstance(node, py.Constant) and node.value in ("__all__",)):
                known = list(self._strings(node, module))
                for value, place in known:
                    if value is None:
                        shape.open = "Meta.fields is computed"
                    else:
                        yield value, place
                return
            place = module.place(node)
        elif "exclude" in options:
            place = options["exclude"][1].place(options["exclude"][0])
        else:
            place = shape.place
        excluded = {value for value, _ in self._strings(*options["exclude"])} if "exclude" in options else set()
        if None in excluded:
            shape.open = "Meta.exclude is computed"
        for name, (call, owner) in declared.items():
            if call is not None:
                yield name, owner.module.place(call)
        for name in _all(shape.model):
            if name not in declared and name not in excluded:
                yield name, place

    def _strings(self, node: py.Expr, module: SourceModule, depth: int = 0) -> Iterator[tuple[str | None, Place]]:
        """The strings of a list or tuple, through `+`, `*` and names; None for what cannot be told."""
        place = module.place(node)
        if depth > _DEEPEST:
            yield None, place
        elif isinstance(node, py.Constant) and isinstance(node.value, str):
            yield node.value, place
        elif isinstance(node, (py.Tuple, py.List, py.Set)):
            for item in node.elts:
                yield from self._strings(item, module, depth + 1)
        elif isinstance(node, py.Starred):
            yield from self._strings(node.value, module, depth + 1)
        elif isinstance(node, py.BinOp) and node.op == "+":
            yield from self._strings(node.left, module, depth + 1)
            yield from self._strings(node.right, module, depth + 1)
        elif isinstance(node, py.Call) and dotted(node.func) in ("list", "tuple", "set") and len(node.args) == 1:
            yield from self._strings(node.args[0], module, depth + 1)
        elif (path := dotted(node)) and (symbol := self.models.modules.resolve(module, path)) is not None:
            if symbol.kind == "value" and symbol.node is not None and symbol.module is not None:
                yield from self._strings(symbol.node, symbol.module, depth + 1)  # type: ignore[arg-type]
            else:
                yield None, place
        else:
            yield None, place

    def _write_only(self, options: dict[str, tuple[py.Expr, SourceModule]]) -> set[str]:
        """The fields that `extra_kwargs` makes write-only."""
        node = options["extra_kwargs"][0] if "extra_kwargs" in options else None
        found = set()
        if isinstance(node, py.Dict):
            for key, value in zip(node.keys, node.values, strict=False):
                if isinstance(key, py.Constant) and isinstance(value, py.Dict):
                    for option, on in zip(value.keys, value.values, strict=False):
                        if isinstance(option, py.Constant) and option.value == "write_only" and is_true(on):
                            found.add(str(key.value))
        return found

    # Fields

    def _one(self, name: str, call: py.Call, owner: SourceClass) -> Iterator[SerialField]:
        """A declared field, or nothing where it is only ever written to."""
        if is_true(keyword(call, "write_only")):
            return
        module = owner.module
        cls = self._field_class(module, call)
        label = cls.label if isinstance(cls, SourceClass) else (cls or "").rpartition(".")[2]
        if label == "HiddenField":
            return
        place = module.place(call)
        given = keyword(call, "source") or keyword(call, "attr")
        source: tuple[str, ...] = (name,)
        if given is not None:
            if not (isinstance(given, py.Constant) and isinstance(given.value, str)):
                yield SerialField(name, "unknown", (name,), place, owner=owner, why="its source is computed")
                return
            source = () if given.value == "*" else tuple(given.value.split("."))
        base = SerialField(name, "plain", source, place, is_true(keyword(call, "many")), owner=owner)
        if label in ("ListField", "ListSerializer") and isinstance(child := keyword(call, "child"), py.Call):
            inner = self._field_class(module, child)
            if isinstance(inner, SourceClass) and self.is_serializer(inner):
                yield replace(base, kind="nested", shape=narrowed(self, self.shape(inner), of_call(child)), many=True)
            else:
                yield base
            return
        if isinstance(cls, SourceClass) and self.is_serializer(cls):
            own = cls if cls.find("get_attribute") is not None else None
            yield replace(base, kind="nested", shape=narrowed(self, self.shape(cls), of_call(call)), custom=own)
        elif isinstance(cls, str) and label.endswith("Serializer"):
            yield replace(base, kind="unknown", why=f"{label} is not defined in the repository")
        else:
            yield kinds.of_field(base, call, cls, label)

    def _automatic(self, name: str, model: Model, place: Place, depth: int, linked: bool) -> SerialField:
        """The field that a ModelSerializer makes for a name of Meta.fields."""
        relation = model.relation(name)
        if relation is None or relation.relation == "generic_fk":
            return SerialField(name, "plain", () if name == "url" and linked else (name,), place)
        if depth and relation.target is not None:
            shape = Shape(None, relation.target, place)
            shape.fields = [
                self._automatic(item, relation.target, place, depth - 1, linked) for item in _all(relation.target)
            ]
            return SerialField(name, "nested", (name,), place, relation.many, shape=shape)
        return SerialField(name, "link" if linked else "pk", (name,), place, relation.many)


def _all(model: Model | None) -> Iterator[str]:
    """What `fields = "__all__"` means: the columns and the relations that the model itself declares."""
    if model is None:
        return
    seen = set()
    for item in model.family():
        for name in (item.pk, *item.columns):
            if name not in seen:
                seen.add(name)
                yield name
        for name, relation in item.relations.items():
            if name not in seen and _declares(relation):
                seen.add(name)
                yield name


def _declares(relation: Relation) -> bool:
    return relation.relation in ("fk", "o2o", "m2m")
