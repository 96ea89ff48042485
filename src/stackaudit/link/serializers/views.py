"""API views of Django REST framework: which rows they list, through which serializer, in pages or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.classes import Base, Classes, Member, SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import is_true, nodes
from stackaudit.link.serializers import Serializers, Shape
from stackaudit.model.source import Place

LISTS = frozenset({"ListAPIView", "ListCreateAPIView", "ModelViewSet", "ReadOnlyModelViewSet", "ListModelMixin"})
CREATES = frozenset({"ModelViewSet", "CreateModelMixin", "CreateAPIView", "ListCreateAPIView"})
RETRIEVES = frozenset({
    "RetrieveAPIView", "RetrieveUpdateAPIView", "RetrieveDestroyAPIView", "RetrieveUpdateDestroyAPIView",
    "ModelViewSet", "ReadOnlyModelViewSet", "RetrieveModelMixin",
})  # fmt: skip
VIEWS = LISTS | RETRIEVES | {
    "APIView", "GenericAPIView", "ViewSet", "GenericViewSet", "CreateAPIView", "UpdateAPIView", "DestroyAPIView",
    "CreateModelMixin",
}  # fmt: skip


@dataclass(eq=False)
class ApiView:
    """One view or viewset. `lists` and `retrieves` say whether it has the stock actions of a mixin of these names."""

    cls: SourceClass
    lists: bool
    retrieves: bool

    @property
    def place(self) -> Place:
        """The head of the class."""
        node = self.cls.node
        return self.cls.module.place(py.Name(node.start, min(node.start + 6 + len(node.name), node.end), node.name))

    def member(self, name: str) -> Member | None:
        """An attribute that the class or a base of the repository sets."""
        return self.cls.find(name)

    @property
    def own_list(self) -> Member | None:
        """A `list` or `get` method of the repository's own."""
        member = self.cls.find("list")
        return member if member is not None and isinstance(member.node, py.FunctionDef) else None


class ApiViews:
    """Every API view of a stack that is not a base of another one."""

    def __init__(self, serializers: Serializers) -> None:
        self.serializers = serializers
        self.classes = serializers.classes
        found = list(self._found())
        bases = {base for view in found for base in view.cls.mro[1:]}
        self.all = [view for view in found if view.cls not in bases or self._is_served(view)]

    def __iter__(self) -> Iterator[ApiView]:
        return iter(self.all)

    def _is_served(self, view: ApiView) -> bool:
        """Whether a base class of other views is one of its own: it says what it serves, and is not only derived from.

        A router that finds its viewsets by itself registers those that nothing derives from.
        """
        if view.cls.node.name not in self.serializers.models.mentions.names:
            return False
        has_rows = view.cls.find("queryset") or view.cls.find("get_queryset")
        return bool(has_rows and (view.cls.find("serializer_class") or view.cls.find("get_serializer_class")))

    def _found(self) -> Iterator[ApiView]:
        for module in self.serializers.models.modules:
            for bound in module.names.values():
                for binding in bound:
                    if isinstance(binding.node, py.ClassDef) and binding.node.bases:
                        cls = self.classes.build(module, binding.node)
                        labels = {label_of(base) for base in cls.mro[1:]}
                        if labels & VIEWS and _is_of_api(cls):
                            yield ApiView(cls, bool(labels & LISTS), bool(labels & RETRIEVES))

    def shapes(self, view: ApiView, action: str = "list") -> tuple[list[Shape], str]:
        """The serializers of an action, and why some cannot be told ("" where all can be)."""
        method = view.cls.find("get_serializer_class")
        if method is not None and isinstance(method.node, py.FunctionDef):
            reader = _Chosen(self, view, action)
            reader.body(method.node.body, method.owner)
            return reader.shapes, reader.open
        given = self.given(view, action, "serializer_class")
        if given is None:
            return [], "it names no serializer_class"
        cls = self.classes.resolve(*given[:2])
        if isinstance(cls, SourceClass):
            return [self.serializers.shape(cls)], ""
        return [], "its serializer_class cannot be told"

    def is_detail(self, view: ApiView, action: str) -> bool | None:
        """What a viewset has as `detail` while it serves an action; None where the router does not tell here."""
        if action in ("list", "retrieve"):
            return action == "retrieve"
        given = self.given(view, action, "detail")
        return is_true(given[1]) if given is not None and isinstance(given[1], py.Constant) else None

    def given(self, view: ApiView, action: str, name: str) -> tuple[SourceModule, py.Expr, SourceClass] | None:
        """What a view has under `name` while it serves an action: of `@action(…, serializer_class=X)`, or its own."""
        method = view.cls.find(action)
        for item in method.node.decorators if method is not None and isinstance(method.node, py.FunctionDef) else ():
            if isinstance(item, py.Call) and dotted(item.func).rpartition(".")[2] == "action" and method is not None:
                node = keyword(item, name)
                if node is not None:
                    return method.owner.module, node, view.cls
        member = view.cls.find(name)
        if member is None or not isinstance(member.node, py.Node):
            return None
        return member.owner.module, member.node, member.owner  # type: ignore[return-value]


class _Chosen:
    """The classes that `get_serializer_class` may return for one action."""

    def __init__(self, views: ApiViews, view: ApiView, action: str) -> None:
        self.views = views
        self.view = view
        self.action = action
        self.shapes: list[Shape] = []
        self.open = ""
        self.assigned: dict[str, py.Expr] = {}

    def body(self, body: tuple[py.Stmt, ...], owner: SourceClass) -> bool:
        """Read statements; True where they always return."""
        for stmt in body:
            if isinstance(stmt, py.Return):
                self.returned(stmt.value, owner)
                return True
            if isinstance(stmt, py.Assign) and isinstance(stmt.targets[0], py.Name):
                self.assigned[stmt.targets[0].id] = stmt.value
            if isinstance(stmt, py.If):
                known = self.decides(stmt.test)
                first = known is not False and self.body(stmt.body, owner)
                second = known is not True and self.body(stmt.orelse, owner)
                if (known is True and first) or (known is False and second) or (known is None and first and second):
                    return True
            if isinstance(stmt, py.Match):
                for case in stmt.cases:
                    self.body(case.body, owner)
            if isinstance(stmt, (py.Try, py.With)) and not self.is_missing(stmt) and self.body(stmt.body, owner):
                return True
            if isinstance(stmt, py.Try) and self.is_missing(stmt):
                return any(self.body(handler.body, owner) for handler in stmt.handlers)
        return False

    def is_missing(self, stmt: py.Stmt) -> bool:
        """Whether `try: return self.serializer_classes[self.action]` finds nothing there."""
        first = stmt.body[0] if isinstance(stmt, py.Try) and stmt.body else None
        picked = self.picked(first.value) if isinstance(first, py.Return) else None
        return picked is not None and picked[0] is None

    def decides(self, test: py.Expr) -> bool | None:
        """Whether a test on `self.action`, `self.detail` or the method holds, None where that cannot be told."""
        if isinstance(test, py.Attribute) and dotted(test) == "self.detail":
            return self.views.is_detail(self.view, self.action)
        if isinstance(test, py.Name) and (picked := self.picked(test)) is not None:
            return picked[0] is not None
        if isinstance(test, py.UnaryOp) and test.op == "not":
            inner = self.decides(test.operand)
            return None if inner is None else not inner
        if isinstance(test, py.BoolOp):
            sides = (self.decides(test.left), self.decides(test.right))
            if test.op == "and":
                return False if False in sides else True if sides == (True, True) else None
            return True if True in sides else False if sides == (False, False) else None
        if not isinstance(test, py.Compare) or len(test.ops) != 1:
            return None
        picked = self.picked(test.left) if isinstance(test.left, py.Name) else None
        if picked is not None and test.ops[0] in ("is", "is not") and _is_none(test.comparators[0]):
            return (picked[0] is None) is (test.ops[0] == "is")
        subject = dotted(test.left)
        actual = {"self.action": self.action, "self.request.method": "GET"}.get(subject)
        other = test.comparators[0]
        if actual is None:
            return None
        if isinstance(other, (py.Tuple, py.List, py.Set)):
            values = [item.value if isinstance(item, py.Constant) else None for item in other.elts]
        elif isinstance(other, py.Constant):
            values = [other.value]
        else:
            return None
        if test.ops[0] in ("==", "in"):
            return actual in values
        return actual not in values if test.ops[0] in ("!=", "not in") else None

    def picked(self, value: py.Expr | None) -> tuple[py.Expr | None, SourceClass] | None:
        """What the class holds under a name, or a dictionary of it for the action, with the class that writes it out.

        `getattr(self, "list_serializer_class", None)`, `self.serializer_classes.get(self.action, default)` or
        `self.serializer_classes[self.action]`; no expression where it holds nothing, None for anything else.
        """
        if isinstance(value, py.Name) and value.id in self.assigned:
            value = self.assigned[value.id]
        if isinstance(value, py.Call) and dotted(value.func) == "getattr":
            return self.named(*value.args[:3])
        default: py.Expr | None = None
        if isinstance(value, py.Call) and isinstance(value.func, py.Attribute) and value.func.attr == "get":
            key, held = value.args[0] if value.args else None, value.func.value
            default = value.args[1] if len(value.args) > 1 else None
        elif isinstance(value, py.Subscript):
            key, held = value.index, value.value
        else:
            return None
        name = dotted(held).removeprefix("self.")
        found = self.view.cls.find(name) if dotted(key) == "self.action" and dotted(held) == f"self.{name}" else None
        if found is None or not isinstance(found.node, py.Dict):
            return None
        for entry, item in zip(found.node.keys, found.node.values, strict=True):
            if not isinstance(entry, py.Constant):
                return None
            if entry.value == self.action:
                return item, found.owner
        return default, self.view.cls

    def named(
        self, holder: py.Expr, name: py.Expr, default: py.Expr | None = None
    ) -> tuple[py.Expr | None, SourceClass] | None:
        """What `getattr()` gives of the view."""
        if dotted(holder) != "self" or not isinstance(name, py.Constant):
            return None
        given = self.views.given(self.view, self.action, str(name.value))
        found, owner = (given[1], given[2]) if given is not None else (default, self.view.cls)
        return (None if found is None or _is_none(found) else found), owner

    def returned(self, value: py.Expr | None, owner: SourceClass) -> None:
        picked = self.picked(value.left if isinstance(value, py.BoolOp) and value.op == "or" else value)
        if picked is not None:
            is_there = picked[0] is not None
            value, owner = picked if is_there else (value.right if isinstance(value, py.BoolOp) else None, owner)
        if isinstance(value, py.IfExp):
            known = self.decides(value.test)
            if known is not False:
                self.returned(value.body, owner)
            if known is not True:
                self.returned(value.orelse, owner)
            return
        if isinstance(value, py.Name) and value.id in self.assigned:
            value = self.assigned[value.id]
        path = dotted(value)
        given = None
        if path.startswith("self.") and path.count(".") == 1:
            given = self.views.given(self.view, self.action, path[5:])
        elif (
            isinstance(value, py.Call)
            and isinstance(value.func, py.Attribute)
            and value.func.attr == "get_serializer_class"
        ):
            above = self.view.cls.find("get_serializer_class", after=owner)
            if above is not None and isinstance(above.node, py.FunctionDef):
                self.body(above.node.body, above.owner)
                return
            given = self.views.given(self.view, self.action, "serializer_class")
        found = self.views.classes.resolve(*(given[:2] if given is not None else (owner.module, value)))
        if isinstance(found, SourceClass):
            shape = self.views.serializers.shape(found)
            if shape not in self.shapes:
                self.shapes.append(shape)
        else:
            self.open = self.open or "get_serializer_class returns what cannot be told"


def _is_none(node: py.Expr) -> bool:
    return isinstance(node, py.Constant) and node.value is None


def _is_of_api(cls: SourceClass) -> bool:
    """Whether a class serves an API: other frameworks have a ModelViewSet, too (Wagtail's shows admin pages)."""
    names = ("serializer_class", "get_serializer_class", "get_serializer")
    packaged = any("rest_framework" in base or "drf" in base for base in cls.externals)
    return packaged or any(cls.find(name) is not None for name in names)


def is_creating(cls: SourceClass) -> bool:
    """Whether a view has the stock action that makes a row."""
    return any(label_of(base) in CREATES for base in cls.mro[1:])


def asks_for_staff(cls: SourceClass, classes: Classes) -> bool:
    """Whether one of the permissions of a view is for staff alone, or looks at who belongs to it."""
    member = cls.find("permission_classes")
    node = member.node if member is not None else None
    for item in node.elts if member is not None and isinstance(node, (py.List, py.Tuple)) else ():
        found = classes.resolve(member.owner.module, item) if member is not None else None
        if isinstance(found, str) and found.rpartition(".")[2] == "IsAdminUser":
            return True
        if isinstance(found, SourceClass) and any(
            isinstance(part, py.Attribute) and part.attr in ("is_staff", "is_superuser")
            for part in nodes(found.node.body)
        ):
            return True
    return False


def listed(cls: SourceClass, models: Models, name: str = "queryset") -> Model | None:
    """The model of the `queryset` of a view, or what another of its attributes names."""
    member = cls.find(name)
    node = member.node if member is not None else None
    while member is not None and isinstance(node, (py.Call, py.Attribute, py.Name)):
        model = models.of_expr(member.owner.module, node) if not isinstance(node, py.Call) else None
        if model is not None or isinstance(node, py.Name):
            return model
        node = node.func if isinstance(node, py.Call) else node.value
    return None


def label_of(base: Base) -> str:
    """The name of a class without its module."""
    if isinstance(base, SourceClass):
        return base.label
    return (base or "").rpartition(".")[2]
