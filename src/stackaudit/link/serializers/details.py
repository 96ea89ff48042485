"""Single objects that an API shows: `retrieve`, and views that serialize one object by hand.

Walked after all lists, so that what a list asks already is not said a second time of the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.models.model import keyword
from stackaudit.link.modules import callee, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import walk as q
from stackaudit.link.queries import calls
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.origins import FETCHES_ONE, Loop, Origin
from stackaudit.link.queries.trials import trial
from stackaudit.link.queries.values import Function, Instance, Row, Value
from stackaudit.link.queries.walk import At
from stackaudit.link.serializers import Shape
from stackaudit.link.serializers.views import ApiView
from stackaudit.link.serializers.writing import SERVED

if TYPE_CHECKING:
    from stackaudit.link.serializers.walk import Api

_WRITES = frozenset({
    "post", "put", "patch", "delete", "create", "update", "partial_update", "destroy",
})  # fmt: skip
_ROUTES = ("action", "detail_route", "list_route", "api_view")


@dataclass(frozen=True)
class Detail:
    """A view whose single object cannot be told, though its serializer nests lists; `why` says what of it."""

    view: ApiView
    why: str


class Details:
    """The single objects that the views of `api` show. `unclear` are those that cannot be followed.

    Only what answers GET is told, and while it is walked (`on`), lists are left alone: they have been walked before. Of
    what answers a write alone (`writes`) counts which code is run for the object that it shows.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self.unclear: list[Detail] = []
        self.loops: set[Loop | None] = set()
        self.on = False
        self.writes = False
        self._shows: dict[py.FunctionDef, bool] = {}

    def walk_all(self) -> None:
        """Walk what shows a single object."""
        self.on = True
        for view in self.api.views:
            self._view(view)
        for module in self.api.serializers.models.modules:
            for node, owner in functions(self.api.walk, module):
                if owner is None and routes(node) and not _only_writes(node) and self._shows_one(node):
                    self.api.walk.spent = 0
                    calls.call(self.api.walk, Function(module, node), (), {}, (module, node), node.name, is_entry=True)
        self._after_writes()
        self.on = False

    def _after_writes(self) -> None:
        """Walk what shows the object that a request has written, for the code that is run for it alone."""
        with trial(self.api.walk) as tried:
            self.writes = True
            for view in self.api.views:
                for name, node, owner in self.api.methods(view):
                    is_own = owner is view.cls or owner not in self.api.by_class
                    if is_own and _only_writes(node) and self._shows_one(node):
                        self.api.serve(view, name, node, owner)
            self.writes = False
        for asked, rows in tried.once.items():
            known = self.api.walk.record.once.setdefault(asked, {})
            known.update((place, row) for place, row in rows.items() if place not in known)

    def _view(self, view: ApiView) -> None:
        own = False
        for name, node, owner in self.api.methods(view):
            own = own or name in ("retrieve", "get")
            if (
                name == "retrieve"
                or (name == "get" and view.retrieves)
                or (
                    self._shows_one(node)
                    and not _only_writes(node)
                    and (owner is view.cls or owner not in self.api.by_class)
                )
            ):
                self.api.serve(view, name, node, owner)
        if view.retrieves and not own and _answers_get(view):
            self.api.walk.spent = 0
            self.stock(view, self.api.instance(view, "retrieve"))

    def stock(self, view: ApiView, instance: Instance) -> None:
        """The `retrieve` of the mixin: one object of the queryset through the serializer."""
        if not self.on:
            return
        place = view.place
        with self.api.walk.step(place, f"{view.cls.label}.retrieve()", view.cls.name):
            row = q.method(self.api.walk, instance, "get_object", (), place)
            context = self.api.context(instance, place)
            for shape in self.api.views.shapes(view, "retrieve")[0]:
                self._write(shape, row, place, view, context)

    def shown(self, shape: Shape, row: Value, at: At, view: ApiView | None, context: Value = SERVED) -> None:
        """A serializer that somebody makes with a single object, where its `data` is read."""
        walk = self.api.walk
        node = walk.frame.node if walk.frames else None
        if not isinstance(node, py.FunctionDef) or not self._shows_one(node):
            return
        if isinstance(row, Row) and row.loop is not None and row.loop in walk.loops:
            if not (isinstance(at, tuple) and _depends_on_self(node, at[1])):
                self.api.writer.nested(shape, row, context)
        elif self.on:
            self._write(shape, row, at, view, context)

    def _write(self, shape: Shape, row: Value, at: At, view: ApiView | None, context: Value = SERVED) -> None:
        if not isinstance(row, Row) or row.origin is None or row.load.unknown:
            if (
                view is not None
                and not self.writes
                and not view.lists
                and any(item.many and item.shape for item in shape.fields)
            ):
                why = row.load.unknown if isinstance(row, Row) else ""
                self.unclear.append(Detail(view, why or "its object cannot be followed"))
            return
        record = self.api.walk.record
        before = len(record)
        by = f"{view.cls.label} shows one object" if view is not None else f"{shape.label} shows one object"
        self.api.writer.one(shape, replace(row, origin=_queryset(row.origin)), at, by, context)
        self.loops.update(event.loop for event in record.since(before))

    def _shows_one(self, node: py.FunctionDef) -> bool:
        """Whether a function reads what a serializer wrote out: `serializer.data`."""
        if node not in self._shows:
            self._shows[node] = any(
                item.attr == "data" and dotted(item.value).rpartition(".")[2] != "request"
                for item in nodes((node,))
                if type(item) is py.Attribute
            )
        return self._shows[node]


def _depends_on_self(function: py.FunctionDef, call: py.Node) -> bool:
    """Whether a condition on `self` stands around a call: what the serializer is nested in, or its context, decides."""
    return any(
        type(item) is py.If
        and any(type(part) is py.Name and part.id == "self" for part in nodes((item.test,)))
        and any(part is call for part in nodes(item.body))
        for item in nodes((function,))
    )


def _queryset(origin: Origin) -> Origin:
    """The queryset that a row was taken from, which a list may show, too; where it has none, the origin of the row."""
    return origin.refined if origin.by in FETCHES_ONE and origin.refined is not None else origin


def routes(node: py.FunctionDef) -> list[py.Expr]:
    """The decorators that make a function an API view (`@api_view(["GET"])`), or a method an action of a viewset."""
    return [item for item in node.decorators if callee(item).rpartition(".")[2] in _ROUTES]


def _only_writes(node: py.FunctionDef) -> bool:
    """Whether GET never leads to a method or function: by its name, or by the methods of `@action(methods=[...])`."""
    for route in routes(node):
        methods = keyword(route, "methods") if type(route) is py.Call else None
        if methods is None and type(route) is py.Call and route.args and isinstance(route.args[0], (py.List, py.Tuple)):
            methods = route.args[0]
        return methods is not None and not _gets(methods)
    return node.name in _WRITES


def _gets(methods: py.Expr) -> bool:
    """Whether GET may be among the methods."""
    if not isinstance(methods, (py.List, py.Tuple)):
        return True
    names = [item.value if isinstance(item, py.Constant) else None for item in methods.elts]
    return any(not isinstance(name, str) or name.lower() == "get" for name in names)


def _answers_get(view: ApiView) -> bool:
    """Whether `http_method_names` of a view leaves GET."""
    member = view.member("http_method_names")
    node = member.node if member is not None else None
    return not isinstance(node, (py.List, py.Tuple)) or _gets(node)
