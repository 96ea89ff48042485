"""Serializers at work: every list of an API view and every single object that one shows, walked field by field.

Of a single object counts what is asked of the rows nested in it: what it is asked for itself is asked once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import PageHooks
from stackaudit.link.pages import walk as q
from stackaudit.link.pages.events import certain
from stackaudit.link.pages.files import Templates
from stackaudit.link.queries import bases, calls, expressions, fresh_walk
from stackaudit.link.queries.comparisons import Action
from stackaudit.link.queries.entries import from_url, functions
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
from stackaudit.link.queries.walk import At, Walk
from stackaudit.link.serializers import SerialField, Serializers, Shape
from stackaudit.link.serializers.chosen import ANY, TAKEN, narrowed
from stackaudit.link.serializers.details import Details, routes
from stackaudit.link.serializers.pagination import page_size
from stackaudit.link.serializers.views import ApiView, ApiViews
from stackaudit.link.serializers.writing import ONE, SERVED, WRITES_ROW, Writer
from stackaudit.link.settings import Settings

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_INHERITED = frozenset({
    "get_queryset", "filter_queryset", "paginate_queryset", "get_serializer", "get_paginated_response", "list",
    "get_object", "get_serializer_class", "retrieve", "get_serializer_context", "initial", "to_representation",
})  # fmt: skip
_LOADS = re.compile(r"prefetch", re.IGNORECASE)
"""Mixins of other packages that read the serializer and load what it needs, as django-auto-prefetching does."""
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
        if name == WRITES_ROW and self.api.serializers.is_serializer(instance.cls):
            return True
        return (name in _INHERITED and instance.cls in self.api.by_class) or super().offers(instance, name)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """A method of API views, and of the fields of their serializers."""
        view = self.api.by_class.get(instance.cls)
        if view is None:
            if name == WRITES_ROW and self.api.serializers.is_serializer(instance.cls):
                row = args[0] if args else keywords.get("instance", UNKNOWN)
                context = instance.attributes.get("context", _NO_CONTEXT)
                self.api.writer.stock_row(self.api.serializers.shape(instance.cls), instance, row, context)
                return Mapping(UNKNOWN)
            asked = self.api.writer.inherited_attribute(instance, args[0]) if name == "get_attribute" and args else None
            return asked if asked is not None else super().inherited(instance, name, args, keywords, at)
        if name == "get_queryset":
            return self.api.stock_rows(instance, at)
        if name == "paginate_queryset" and args:
            return self.api.page(view, args[0])
        if name == "filter_queryset" and args:
            return args[0]
        if name == "get_object":
            rows = self.api.rows(instance, at)
            return Row(rows.model, rows.load, rows.origin) if isinstance(rows, Rows) and rows.model else UNKNOWN
        if name == "get_serializer_class":
            return self.api.serializer_class(view, instance)
        if name == "get_serializer_context":
            return SERVED
        if name in ("get_serializer", "get_pagination_serializer") and args:
            shapes = self.api.views.shapes(view, _action(instance))[0]
            context = keywords["context"] if "context" in keywords else self.api.context(instance, at)
            if name == "get_pagination_serializer" or _is_true(keywords.get("many")):
                for shape in shapes:
                    self.api.serialize(shape, args[0], at, view, context)
            elif _only_shows(args, keywords):
                for shape in shapes:
                    self.api.details.shown(shape, args[0], at, view, context)
            return UNKNOWN
        if name == "list":
            self.api.stock_list(view, instance)
        if name in ("retrieve", "get") and view.retrieves:
            self.api.details.stock(view, instance)
        return UNKNOWN

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """`SomeSerializer(rows, many=True)`, or of a single object."""
        held = args[0] if args else keywords.get("instance")
        if held is None or not self.api.serializers.is_serializer(cls):
            return
        context = keywords.get("context", _NO_CONTEXT)
        given = {name: _texts(value) for name, value in keywords.items() if name not in TAKEN and not _is_off(value)}
        shape = narrowed(self.api.serializers, self.api.serializers.shape(cls), given)
        if _is_true(keywords.get("many")):
            self.api.serialize(shape, held, at, None, context)
        elif _only_shows(args, keywords):
            self.api.details.shown(shape, held, at, None, context)


class Api:
    """The API views of a stack."""

    def __init__(
        self, serializers: Serializers, walk: Walk, templates: Templates, settings: Settings | None = None
    ) -> None:
        self.serializers = serializers
        self.settings = settings
        self.views = ApiViews(serializers)
        self.walk = walk
        self.by_class = {view.cls: view for view in self.views}
        self.hooks = ApiHooks(self, walk, templates)
        self.writer = Writer(walk)
        self.fields = self.writer.fields
        self.listings: list[Listing] = []
        self.details = Details(self)
        self._many: dict[py.FunctionDef, bool] = {}
        for view in self.views:
            self._view(view)
        self._functions()
        self.details.walk_all()

    @cached_property
    def events(self) -> list[Event]:
        """What serializers ask the database for, in the order of the walk."""
        return [
            event
            for event in certain(self.walk.record.events)
            if (event.place in self.fields or (event.loop is not None and event.where in self.writer.lists))
            and (event.loop is None or event.loop.bounded != ONE)
        ]

    def field(self, event: Event) -> SerialField:
        """The field whose value an event of `events` is asked for."""
        return self.fields.get(event.place) or self.writer.lists[event.where]

    def rows(self, view: Instance, at: At) -> Value:
        """What `get_queryset()` gives, with what a mixin that prefetches by itself may do to it."""
        found = view.cls.find("get_queryset")
        if found is not None and isinstance(found.node, py.FunctionDef):
            made = q.call(self.walk, calls.member(self.walk, view, found, at), (), {}, at, "get_queryset()")
            made = calls.base_rows(self.walk, made) if isinstance(made, (Manager, Related)) else made
        else:
            made = self.stock_rows(view, at)
        loads = next((base.rpartition(".")[2] for base in view.cls.externals if _LOADS.search(base)), "")
        if loads and isinstance(made, Rows):
            return replace(made, load=replace(made.load, unknown=f"{loads} may load what the serializer reads"))
        return made

    def stock_rows(self, view: Instance, at: At) -> Value:
        """The queryset that the class names."""
        found = bases.queryset(self.walk, view, at)
        return calls.base_rows(self.walk, found) if isinstance(found, (Rows, Manager)) else UNKNOWN

    def page(self, view: ApiView, rows: Value) -> Value:
        """The rows on one page of a view's list; how many belong to one row does not hang on the size of a page."""
        if not isinstance(rows, Rows) or rows.page or rows.owner is not None or rows.via is not None:
            return rows
        return replace(rows, page=page_size(self.walk, self.settings, view))

    def serializer_class(self, view: ApiView, instance: Instance) -> Value:
        """What `get_serializer_class()` gives for the view's action, UNKNOWN where it may be one of several."""
        shapes, why = self.views.shapes(view, _action(instance))
        cls = shapes[0].cls if len(shapes) == 1 and not why else None
        return ClassRef(cls) if cls is not None else UNKNOWN

    def context(self, view: Instance, at: At) -> Value:
        """What a view gives to its serializers: by its own `get_serializer_context()`, or the stock one."""
        found = view.cls.find("get_serializer_context")
        if found is None or not isinstance(found.node, py.FunctionDef):
            return SERVED
        return q.call(self.walk, calls.member(self.walk, view, found, at), (), {}, at, "get_serializer_context()")

    def _view(self, view: ApiView) -> None:
        for name, node, owner in self.methods(view):
            if name == "list" or (self._writes_many(node) and (owner is view.cls or owner not in self.by_class)):
                self.serve(view, name, node, owner)
        if view.lists and view.own_list is None:
            self.walk.spent = 0
            self.stock_list(view, self.instance(view, "list"))

    def serve(self, view: ApiView, name: str, node: py.FunctionDef, owner: SourceClass) -> None:
        """Walk a method of a view."""
        self.walk.spent = 0
        function = Function(owner.module, node, self.instance(view, name), owner)
        request = (Other(name="@request"),)
        calls.call(self.walk, function, request, from_url(node), (owner.module, node), f"{view.cls.label}.{name}")

    def instance(self, view: ApiView, action: str) -> Instance:
        """A view that serves a request for `action`."""
        made = Instance(
            view.cls, {"request": Other(name="@request"), "action": Const(Action(action)), "kwargs": Mapping(UNKNOWN)}
        )
        is_detail = self.views.is_detail(view, action)
        if is_detail is not None:
            made.attributes["detail"] = Const(is_detail)
        for name in (
            "get_serializer", "get_serializer_class", "get_pagination_serializer", "filter_queryset",
            "paginate_queryset",
        ):  # fmt: skip
            made.attributes[name] = Method(Super(view.cls, made), name)
        for name in ("serializer_class", "queryset"):
            given = self.views.given(view, action, name)
            if given is not None:
                made.attributes[name] = expressions.constant(self.walk, *given)
        own = view.cls.find("initial")
        if own is not None and isinstance(own.node, py.FunctionDef):
            function = Function(own.owner.module, own.node, made, own.owner)
            at = (own.owner.module, own.node)
            calls.call(self.walk, function, (Other(name="@request"),), {}, at, f"{view.cls.label}.initial()")
        return made

    def methods(self, view: ApiView) -> Iterator[tuple[str, py.FunctionDef, SourceClass]]:
        """The methods of a view and its bases, each with the class that defines it."""
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
            rows = self.page(view, self.rows(instance, place))
            shapes, why = self.views.shapes(view)
            if not isinstance(rows, (Rows, Seq)):
                why = why or "its queryset cannot be followed"
            self.listings.append(Listing(view, tuple(shapes), rows, why))
            context = self.context(instance, place)
            for shape in shapes:
                self.serialize(shape, rows, place, view, context)

    def _writes_many(self, node: py.FunctionDef) -> bool:
        if node not in self._many:
            self._many[node] = _mentions_many(node)
        return self._many[node]

    def _functions(self) -> None:
        """Functions that serialize rows by hand, many at once or one after the other."""
        for module in self.serializers.models.modules:
            for node, owner in functions(self.walk, module):
                wanted = self._writes_many(node) or _writes_by_hand(node) or (_reads_data(node) and not routes(node))
                if wanted and (owner is None or owner not in self.by_class):
                    self._function(module, node, owner)

    def _function(self, module: SourceModule, node: py.FunctionDef, owner: SourceClass | None) -> None:
        model = self.serializers.models.of_class(owner) if owner is not None else None
        bound: Value | None = None
        if owner is not None:
            bound = Row(model) if model is not None else Instance(owner, {"request": Other(name="@request")})
        self.walk.spent = 0
        called = Function(module, node, bound, owner)
        calls.call(self.walk, called, (), {}, (module, node), node.name, is_entry=True)

    def serialize(self, shape: Shape, rows: Value, at: At, view: ApiView | None, context: Value = SERVED) -> None:
        """Write out rows through a serializer that was made with `context`."""
        if self.details.on and not self.writer.is_busy:
            return
        by = f"{view.cls.label} lists its rows" if view is not None else f"{shape.label}(many=True)"
        self.writer.many(shape, rows, at, by, context)


def _action(view: Instance) -> str:
    """The action that a view serves."""
    action = view.attributes.get("action")
    return str(action.value) if isinstance(action, Const) else "list"


def _is_true(value: Value | None) -> bool:
    return isinstance(value, Const) and value.value is True


def _is_off(value: Value) -> bool:
    return isinstance(value, Const) and not value.value


def _texts(value: Value) -> tuple[str, ...] | None:
    """The texts of a list that is written out; those of any other value cannot be told, a flag has none."""
    if isinstance(value, Seq) and value.items is not None:
        return tuple(str(item.value) if isinstance(item, Const) else ANY for item in value.items)
    return None if isinstance(value, Const) else (ANY,)


def _only_shows(args: tuple[Value, ...], keywords: dict[str, Value]) -> bool:
    """Whether a serializer is given an object and no data to write."""
    return len(args) < 2 and "data" not in keywords and "many" not in keywords


def _mentions_many(node: py.FunctionDef) -> bool:
    """Whether a function passes `many=True` to something."""
    return any(item.name == "many" for call in nodes((node,)) if type(call) is py.Call for item in call.keywords)


def _writes_by_hand(node: py.FunctionDef) -> bool:
    """Whether a function calls `to_representation()` of something, and is none itself."""
    called = (part.func for part in nodes((node,)) if type(part) is py.Call)
    return node.name != WRITES_ROW and any(type(func) is py.Attribute and func.attr == WRITES_ROW for func in called)


def _reads_data(node: py.FunctionDef) -> bool:
    """Whether a function reads the `data` of what it has just made: `BookSerializer(book).data`."""
    read = (part.value for part in nodes((node,)) if type(part) is py.Attribute and part.attr == "data")
    return any(type(value) is py.Call for value in read)


def resolve(stack: Stack) -> Api:
    """Walk every list of an API."""
    return Api(Serializers(stack.models), fresh_walk(stack), stack.templates, stack.settings)
