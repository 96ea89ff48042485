"""Serializers at work: every list of an API view, walked field by field over the rows of its queryset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import PageHooks
from stackaudit.link.pages import walk as q
from stackaudit.link.pages.events import certain
from stackaudit.link.pages.files import Templates
from stackaudit.link.queries import calls, expressions, fresh_walk
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Method,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Super,
    Value,
)
from stackaudit.link.queries.walk import At, Walk, place_of
from stackaudit.link.serializers import SerialField, Serializers, Shape
from stackaudit.link.serializers.views import ApiView, ApiViews
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

DEEPEST = 6
_INHERITED = frozenset({
    "get_queryset", "filter_queryset", "paginate_queryset", "get_serializer", "get_paginated_response", "list",
    "get_object", "get_serializer_class", "get_serializer_context", "initial", "to_representation",
})  # fmt: skip
_SERVED = Mapping(Other(name="@request"), (("request", Other(name="@request")),))
"""The context of a serializer that a view makes."""
_NO_CONTEXT = Mapping(Const(None))
"""The context of a serializer that is made without one: nothing stands under any key (measured on DRF 3.18)."""


@dataclass(frozen=True)
class Listing:
    """A view that lists rows through a serializer; `why` says what of it cannot be told ("" where all can be)."""

    view: ApiView
    shapes: tuple[Shape, ...]
    rows: Value
    why: str = ""


class ApiHooks(PageHooks):
    """What the walk does not know of itself: the methods of API views and serializers."""

    def __init__(self, api: Api, walk: Walk, templates: Templates) -> None:
        super().__init__(walk, templates)
        self.api = api

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether Django REST framework gives the method to a view or a serializer."""
        return (name in _INHERITED and instance.cls in self.api.by_class) or super().offers(instance, name)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """A method of API views."""
        view = self.api.by_class.get(instance.cls)
        if view is None:
            return super().inherited(instance, name, args, keywords, at)
        if name == "get_queryset":
            return self.api.stock_rows(instance, at)
        if name in ("filter_queryset", "paginate_queryset") and args:
            return args[0]
        if name == "get_object":
            rows = self.api.rows(instance, at)
            return Row(rows.model, rows.load, rows.origin) if isinstance(rows, Rows) and rows.model else UNKNOWN
        if name == "get_serializer_class":
            return self.api.serializer_class(view, instance)
        if name in ("get_serializer", "get_pagination_serializer") and args:
            many = keywords.get("many")
            if name == "get_pagination_serializer" or (isinstance(many, Const) and many.value is True):
                for shape in self.api.views.shapes(view, _action(instance))[0]:
                    self.api.serialize(shape, args[0], at, view)
            return UNKNOWN
        if name == "list":
            self.api.stock_list(view, instance)
        return UNKNOWN

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """`SomeSerializer(rows, many=True)`."""
        many = keywords.get("many")
        held = args[0] if args else keywords.get("instance")
        if (
            held is not None
            and isinstance(many, Const)
            and many.value is True
            and self.api.serializers.is_serializer(cls)
        ):
            context = keywords.get("context", _NO_CONTEXT)
            self.api.serialize(self.api.serializers.shape(cls), held, at, None, context)


class Api:
    """The API views of a stack."""

    def __init__(self, serializers: Serializers, walk: Walk, templates: Templates) -> None:
        self.serializers = serializers
        self.views = ApiViews(serializers)
        self.walk = walk
        self.by_class = {view.cls: view for view in self.views}
        self.hooks = ApiHooks(self, walk, templates)
        self.fields: dict[Place, SerialField] = {}
        walk.anchors = self.fields
        self.open: list[Shape] = []
        self.listings: list[Listing] = []
        self.seen: set[SourceClass] = set()
        self.context = _SERVED
        self._many: dict[py.FunctionDef, bool] = {}
        for view in self.views:
            self._view(view)
        self._functions()

    @cached_property
    def events(self) -> list[Event]:
        """What serializers ask the database for, in the order of the walk."""
        return [event for event in certain(self.walk.record.events) if event.place in self.fields]

    def field(self, event: Event) -> SerialField:
        """The field whose value an event of `events` is asked for."""
        return self.fields[event.place]

    def rows(self, view: Instance, at: At) -> Value:
        """What `get_queryset()` gives."""
        found = view.cls.find("get_queryset")
        if found is not None and isinstance(found.node, py.FunctionDef):
            made = q.call(self.walk, calls.member(self.walk, view, found, at), (), {}, at, "get_queryset()")
            return calls.base_rows(self.walk, made) if isinstance(made, (Manager, Related)) else made
        return self.stock_rows(view, at)

    def stock_rows(self, view: Instance, at: At) -> Value:
        """The queryset that the class names."""
        if view.cls.find("queryset") is None:
            return UNKNOWN
        found = calls.attribute(self.walk, view, "queryset", at)
        return calls.base_rows(self.walk, found) if isinstance(found, (Rows, Manager)) else UNKNOWN

    def serializer_class(self, view: ApiView, instance: Instance) -> Value:
        """What `get_serializer_class()` gives for the view's action, UNKNOWN where it may be one of several."""
        shapes, why = self.views.shapes(view, _action(instance))
        cls = shapes[0].cls if len(shapes) == 1 and not why else None
        return ClassRef(cls) if cls is not None else UNKNOWN

    def _view(self, view: ApiView) -> None:
        for name, node, owner in self._methods(view):
            if name != "list" and not self._writes_many(node):
                continue
            if name != "list" and owner is not view.cls and owner in self.by_class:
                continue
            self.walk.spent = 0
            instance = self.instance(view, name)
            function = Function(owner.module, node, instance, owner)
            calls.call(
                self.walk, function, (Other(name="@request"),), {}, (owner.module, node), f"{view.cls.label}.{name}"
            )
        if view.lists and view.own_list is None:
            self.walk.spent = 0
            self.stock_list(view, self.instance(view, "list"))

    def instance(self, view: ApiView, action: str) -> Instance:
        """A view that serves a request for `action`."""
        made = Instance(
            view.cls, {"request": Other(name="@request"), "action": Const(action), "kwargs": Mapping(UNKNOWN)}
        )
        for name in (
            "get_serializer", "get_serializer_class", "get_pagination_serializer", "filter_queryset",
            "paginate_queryset",
        ):  # fmt: skip
            made.attributes[name] = Method(Super(view.cls, made), name)
        for name in ("serializer_class", "queryset"):
            given = self.views.given(view, action, name)
            if given is not None:
                made.attributes[name] = expressions.constant(self.walk, *given)
        return made

    def _methods(self, view: ApiView) -> Iterator[tuple[str, py.FunctionDef, SourceClass]]:
        names = set()
        for base in view.cls.mro:
            for name, bound in base.members.items() if isinstance(base, SourceClass) else ():
                node = bound[-1].node
                if name not in names and isinstance(node, py.FunctionDef) and isinstance(base, SourceClass):
                    names.add(name)
                    yield name, node, base

    def stock_list(self, view: ApiView, instance: Instance) -> None:
        """The `list` of the mixin: the queryset through the serializer."""
        place = view.place
        with self.walk.step(place, f"{view.cls.label}.list()", view.cls.name):
            rows = self.rows(instance, place)
            shapes, why = self.views.shapes(view)
            if not isinstance(rows, (Rows, Seq)):
                why = why or "its queryset cannot be followed"
            self.listings.append(Listing(view, tuple(shapes), rows, why))
            for shape in shapes:
                self.serialize(shape, rows, place, view)

    def _writes_many(self, node: py.FunctionDef) -> bool:
        if node not in self._many:
            self._many[node] = _mentions_many(node)
        return self._many[node]

    def _functions(self) -> None:
        """Functions that serialize many rows by hand."""
        for module in self.serializers.models.modules:
            for node, owner in functions(self.walk, module):
                if (owner is None or owner not in self.by_class) and self._writes_many(node):
                    self._function(module, node, owner)

    def _function(self, module: SourceModule, node: py.FunctionDef, owner: SourceClass | None) -> None:
        model = self.serializers.models.of_class(owner) if owner is not None else None
        bound: Value | None = None
        if owner is not None:
            bound = Row(model) if model is not None else Instance(owner, {"request": Other(name="@request")})
        self.walk.spent = 0
        calls.call(self.walk, Function(module, node, bound, owner), (), {}, (module, node), node.name)

    # Writing out

    def serialize(self, shape: Shape, rows: Value, at: At, view: ApiView | None, context: Value = _SERVED) -> None:
        """Write out rows through a serializer that was made with `context`, and those nested in it."""
        if isinstance(rows, Row) or (isinstance(rows, Other) and not rows.loops):
            return
        by = f"{view.cls.label} lists its rows" if view is not None else f"{shape.label}(many=True)"
        before, self.context = self.context, context if isinstance(context, Mapping) else _SERVED
        with q.each(self.walk, rows, place_of(at), by) as row:
            self.row(shape, row)
        self.context = before

    def row(self, shape: Shape, row: Value) -> None:
        """Write out one row."""
        if len(self.open) > DEEPEST or self.open.count(shape) > 1:
            return
        self.open.append(shape)
        own = shape.to_representation
        serializer = Instance(shape.cls) if shape.cls is not None else None
        if serializer is not None:
            serializer.attributes |= {"context": self.context, "instance": row}
        stock = True
        if own is not None and serializer is not None:
            member = serializer.cls.find("to_representation")
            if member is not None and isinstance(member.node, py.FunctionDef):
                stock = _calls_super(member.node)
                place = own.module.place(py.Name(member.node.start, member.node.start + 4, "def"))
                self.fields.setdefault(
                    place, SerialField("to_representation", "method", (), place, owner=own, method="to_representation")
                )
                function = calls.member(self.walk, serializer, member, place)
                q.call(self.walk, function, (row,), {}, place, f"{shape.label}.to_representation(…)")
        if stock:
            for item in shape.fields:
                self.write(item, row, shape, serializer)
        self.open.pop()

    def write(self, item: SerialField, row: Value, shape: Shape, serializer: Instance | None) -> None:
        """Write out one field of one row."""
        place = item.place
        self.fields.setdefault(place, item)
        if item.kind in ("pk", "link"):
            self.key(item, row)
        elif item.kind == "method":
            if serializer is not None and (member := serializer.cls.find(item.method)) is not None:
                function = calls.member(self.walk, serializer, member, place)
                q.call(self.walk, function, (row,), {}, place, f"{item.method}(…)")
        elif item.kind == "custom" and item.custom is not None:
            value = self.source(row, item.source, place)
            field = Instance(item.custom, {"context": Mapping(UNKNOWN)})
            member = item.custom.find("to_representation")
            if member is not None:
                if item.many:
                    with q.each(self.walk, value, place, f"`{item.name}` of each row") as element:
                        q.call(
                            self.walk, calls.member(self.walk, field, member, place), (element,), {}, place, item.name
                        )
                else:
                    q.call(self.walk, calls.member(self.walk, field, member, place), (value,), {}, place, item.name)
        elif item.kind != "unknown":
            value = self.source(row, item.source, place)
            if isinstance(value, (Rows, Related)) or (item.many and isinstance(value, Seq)):
                with q.each(self.walk, value, place, f"`{item.name}` of each row") as element:
                    self.shown(item, element)
            else:
                self.shown(item, value)

    def shown(self, item: SerialField, value: Value) -> None:
        """One related row as the field shows it."""
        if item.kind == "string":
            q.text(self.walk, value, item.place)
        elif item.kind == "slug" and item.slug:
            self.source(value, tuple(item.slug.split("__")), item.place)
        elif item.kind == "nested" and item.shape is not None and isinstance(value, (Row, Instance)):
            with self.walk.step(item.place, f"{item.name} = {item.shape.label}"):
                self.row(item.shape, value)

    def key(self, item: SerialField, row: Value) -> None:
        """A primary key or hyperlink: the key column of a foreign key is there already."""
        if not item.source:
            return
        holder = self.source(row, item.source[:-1], item.place)
        name = item.source[-1]
        relation = holder.model.relation(name) if isinstance(holder, Row) else None
        if not item.many and relation is not None and relation.relation in ("fk", "o2o"):
            return
        value = self.source(holder, (name,), item.place)
        if isinstance(value, (Rows, Related)):
            with q.each(self.walk, value, item.place, f"`{item.name}` of each row"):
                pass

    def source(self, row: Value, source: tuple[str, ...], place: Place) -> Value:
        """Follow a source as `Field.get_attribute` does: attributes, keys, and calls of what can be called."""
        value = row
        for index, part in enumerate(source):
            if isinstance(value, Mapping) and (held := value.get(part)) is not None:
                value = held
            else:
                value = q.attribute(self.walk, value, part, place)
            if not isinstance(value, ClassRef) and type(value).__name__ in ("Function", "Method"):
                value = q.call(self.walk, value, (), {}, place, ".".join(source[: index + 1]) + "()")
        return value


def _action(view: Instance) -> str:
    """The action that a view serves."""
    action = view.attributes.get("action")
    return str(action.value) if isinstance(action, Const) else "list"


def _mentions_many(node: py.FunctionDef) -> bool:
    """Whether a function passes `many=True` to something."""
    return any(item.name == "many" for call in nodes((node,)) if type(call) is py.Call for item in call.keywords)


def _calls_super(node: py.FunctionDef) -> bool:
    """Whether a method calls the one above it."""
    return any(
        type(item) is py.Call and type(item.func) is py.Name and item.func.id == "super" for item in nodes((node,))
    )


def resolve(stack: Stack) -> Api:
    """Walk every list of an API."""
    return Api(Serializers(stack.models), fresh_walk(stack), stack.templates)
