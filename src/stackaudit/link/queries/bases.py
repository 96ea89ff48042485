"""What base classes of Django and Django REST framework give to the objects of classes that derive from them.

Model forms and serializers hold a row and return it from `save()`; views ask for one row or for many; and Django hands
rows, forms and serializers to methods that it calls itself. Whoever walks pages or an API knows more (`Walk.hooks`),
and is asked first.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.queries import calls, forms
from stackaudit.link.queries.loading import SOMEWHERE, Load
from stackaudit.link.queries.origins import MODEL, Origin
from stackaudit.link.queries.values import (
    OBJECT,
    UNKNOWN,
    ClassRef,
    Const,
    Instance,
    Manager,
    Mapping,
    Method,
    Other,
    Row,
    Rows,
    Seq,
    Super,
    Value,
    default_manager,
)
from stackaudit.link.queries.walk import At, Walk
from stackaudit.link.serializers.views import LISTS

Kind: TypeAlias = Literal["admin", "form", "serializer", "view"]

_ENDS: tuple[tuple[str, Kind], ...] = (
    ("Form", "form"), ("ModelSerializer", "serializer"), ("ViewSet", "view"), ("View", "view"),
    ("ObjectMixin", "view"), ("Admin", "admin"),
)  # fmt: skip
"""How the names of base classes end, also those of other packages that derive from Django's."""
_METHODS: dict[Kind, frozenset[str]] = {
    "admin": frozenset({"get_queryset"}),
    "form": frozenset({"save"}),
    "serializer": frozenset({"create", "save", "update"}),
    "view": frozenset({"filter_queryset", "get_form", "get_object", "get_queryset", "get_serializer"}),
}
_GIVEN = frozenset({"cleaned_data", "fields", "instance", "object", "validated_data"}).union(*_METHODS.values())
OF_ONE_ROW = frozenset({
    "DetailView", "BaseDetailView", "SingleObjectMixin", "UpdateView", "DeleteView", "DateDetailView",
})  # fmt: skip
"""Django's generic views of one row."""
OF_MANY = frozenset({"ListView", "BaseListView", "MultipleObjectMixin", "ArchiveIndexView", "YearArchiveView"} | {
    "MonthArchiveView", "WeekArchiveView", "DayArchiveView", "TodayArchiveView", "FilterView", "SingleTableView",
    "SingleTableMixin", "ListFilterView",
})  # fmt: skip
"""Views of many rows: Django's, and those that other packages derive from them."""
_ADMIN = frozenset({
    "delete_model", "formfield_for_foreignkey", "get_deleted_objects", "get_exclude", "get_fields", "get_fieldsets",
    "get_form", "get_formset_kwargs", "get_formsets_with_inlines", "get_inline_instances", "get_inlines",
    "get_prepopulated_fields", "get_readonly_fields", "has_add_permission", "has_change_permission",
    "has_delete_permission", "has_view_permission", "log_change", "response_add", "response_change", "save_model",
})  # fmt: skip
"""Methods of ModelAdmin that are handed the row of a form as `obj`."""
_OF_ACTION = 3
"""An action of the admin is handed itself, the request and the rows."""
_STOCK = ("get_", "delete_queryset", "response_")
"""How the names of ModelAdmin's own methods begin that are handed rows, too."""


def kind_of(cls: SourceClass) -> Kind | None:
    """What a class is, by the names of what it derives from outside the repository."""
    names = [base.rpartition(".")[2] for base in cls.externals]
    return next((kind for end, kind in _ENDS if any(name.endswith(end) for name in names)), None)


def attribute(walk: Walk, value: Instance, name: str, at: At) -> Value | None:
    """What an object has of its base class under a name; None where that is not known here."""
    kind = kind_of(value.cls) if name in _GIVEN else None
    if kind is None:
        return None
    if name in _METHODS[kind]:
        return Method(Super(value.cls, value, value.loops), name, value.loops)
    if name == "instance" and kind in ("form", "serializer"):
        return _row(walk, value, at)
    if name == "object" and any(base.rpartition(".")[2] in OF_ONE_ROW for base in value.cls.externals):
        return _object(walk, value, at)
    if (kind, name) in (("form", "cleaned_data"), ("serializer", "validated_data")):
        return forms.valid(walk, value, _row(walk, value, at), at)
    if (kind, name) == ("form", "fields"):
        row = _row(walk, value, at)
        return forms.fields(walk, value, row.model if row is not None else None)
    return None


def called(walk: Walk, bound: Instance, name: str, args: tuple[Value, ...], at: At) -> Value | None:
    """What a method gives that an object has of its base class."""
    if name == "get_queryset":
        return _rows(walk, bound, at, is_own=False)
    kind = kind_of(bound.cls)
    if kind is None or name not in _METHODS[kind]:
        return None
    if kind != "view":
        return _row(walk, bound, at)
    if name == "filter_queryset":
        return replace(args[0], narrowed=args[0].narrowed | {"?"}) if args and isinstance(args[0], Rows) else None
    if name in ("get_form", "get_serializer"):
        option = "form_class" if name == "get_form" else "serializer_class"
        return _made(walk, bound, option, at, args[0] if args else None)
    rows = _rows(walk, bound, at, is_own=True)
    return Row(rows.model, rows.load, rows.origin) if rows is not None and rows.model is not None else None


def queryset(walk: Walk, view: Instance, at: At) -> Value | None:
    """What `queryset` of a view holds, by its class or set on the object; None where nothing sets it."""
    if "queryset" not in view.attributes and view.cls.find("queryset") is None:
        return None
    return calls.attribute(walk, view, "queryset", at)


def given(walk: Walk, cls: SourceClass, node: py.FunctionDef, admins: dict[SourceClass, Model]) -> dict[str, Value]:
    """What the framework hands to a method that it calls itself, by the names of its parameters.

    `admins` are the classes of the admin with their models.
    """
    names = {param.name for param in node.params}
    own = Instance(cls)
    found: dict[str, Value | None] = {}
    at = (cls.module, node)
    kind = kind_of(cls)
    if (model := admins.get(cls)) is not None:
        if "obj" in names and node.name in _ADMIN:
            found["obj"] = Row(model, SOMEWHERE)
        if "queryset" in names and len(names) == _OF_ACTION and not node.name.startswith(_STOCK):
            found["queryset"] = _selected(walk, cls, node, model)
    elif kind == "view":
        found["form"] = _made(walk, own, "form_class", at) if "form" in names else None
        found["serializer"] = _made(walk, own, "serializer_class", at) if "serializer" in names else None
        if "context" in names and node.name == "render_to_response":
            found["context"] = context(walk, own, {}, at)
        if "instance" in names and node.name == "perform_destroy":
            found["instance"] = called(walk, own, "get_object", (), at)
        if node.name == "get_serializer":
            return _to_serialize(walk, own, node)
    elif kind == "serializer":
        found["validated_data"] = forms.valid(walk, own, _row(walk, own, at), at) if "validated_data" in names else None
        found["instance"] = _row(walk, own, at) if "instance" in names and node.name == "update" else None
    return {name: value for name, value in found.items() if value is not None and name in names}


def _to_serialize(walk: Walk, view: Instance, node: py.FunctionDef) -> dict[str, Value]:
    """What `list()` of Django REST framework hands to a view's own `get_serializer()`: the rows, and `many=True`.

    https://github.com/encode/django-rest-framework/blob/master/rest_framework/mixins.py
    """
    is_list = any(base.rpartition(".")[2] in LISTS for base in view.cls.externals)
    rows = _rows(walk, view, (view.cls.module, node), is_own=True) if is_list else None
    first = next((param for param in node.params[1:] if param.kind != "kwargs"), None)
    if rows is None or first is None:
        return {}
    page = replace(rows, evaluated=True, limited=True)
    given: Value = Seq(UNKNOWN, (page,), bounded="its arguments") if first.kind == "args" else page
    return {first.name: given, "many": Const(True)}


def context(walk: Walk, view: Instance, keywords: dict[str, Value], at: At) -> Mapping:
    """What `get_context_data()` of Django's views gives: the rows or the row of the view, under the names it has there.

    https://docs.djangoproject.com/en/stable/ref/class-based-views/mixins-multiple-object/
    """
    items: dict[str, Value] = {}
    labels = {base.rpartition(".")[2] for base in view.cls.externals}
    if labels & OF_MANY:
        rows = keywords.get("object_list") or view.attributes.get("object_list") or _listed(walk, view, at)
        is_divided = view.cls.find("paginate_by") is not None
        if isinstance(rows, Rows) and is_divided:
            size = walk.number(calls.attribute(walk, view, "paginate_by", at))
            rows = replace(rows, limited=True, page=size or rows.page)
        if isinstance(rows, Rows) and rows.model is not None:
            items = dict.fromkeys(("object_list", f"{rows.model.name.lower()}_list"), rows)
            items["page_obj"] = replace(rows, paged=is_divided)
    elif labels & OF_ONE_ROW:
        row = _object(walk, view, at)
        if isinstance(row, Row):
            items = dict.fromkeys(("object", row.model.name.lower()), row)
    name = calls.attribute(walk, view, "context_object_name", at) if view.cls.find("context_object_name") else UNKNOWN
    if items and isinstance(name, Const) and isinstance(name.value, str):
        items[name.value] = next(iter(items.values()))
    return Mapping(UNKNOWN, tuple((items | keywords).items()))


def _listed(walk: Walk, view: Instance, at: At) -> Value:
    """The rows of a view of many rows."""
    named = view.cls.find("model")
    if view.cls.find("get_queryset") is None and view.cls.find("queryset") is None and named is not None:
        model = calls.attribute(walk, view, "model", at)
        if isinstance(model, ClassRef) and model.model is not None:
            return of_model(walk, view.cls, model.model)
    return _rows(walk, view, at, is_own=True) or UNKNOWN


def of_model(walk: Walk, cls: SourceClass, model: Model) -> Rows:
    """The rows of a view that names only their model."""
    manager = default_manager(model)
    rows = calls.base_rows(walk, manager)
    found = cls.find("model")
    if found is None or found.node is None:
        return rows
    made = walk.origin((found.owner.module, found.node), MODEL, rows)
    return replace(rows, origin=replace(made, text=f"{model.name}.{manager.name}.all()", where=cls.name, refined=None))


def _selected(walk: Walk, cls: SourceClass, node: py.FunctionDef, model: Model) -> Value:
    """The rows that were selected in a changelist, as an action gets them: with what the list joins for its columns.

    https://docs.djangoproject.com/en/stable/ref/contrib/admin/actions/
    """
    rows = calls.base_rows(walk, default_manager(model))
    param = next(param for param in node.params if param.name == "queryset")
    place = cls.module.place(param)
    if any(cls.find(name) is not None for name in ("list_select_related", "get_queryset", "get_list_select_related")):
        rows = replace(rows, load=Load(unknown="what the changelist joins is not known here"))
    return replace(rows, origin=Origin(place, "queryset", f"{cls.name}.{node.name}"))


def _row(walk: Walk, value: Instance, at: At) -> Row | None:
    """The row of a form or a serializer, of the model that its class `Meta` names."""
    meta = value.cls.find("Meta")
    options = calls.member(walk, ClassRef(value.cls), meta, at) if meta is not None else UNKNOWN
    named = calls.attribute(walk, options, "model", at) if isinstance(options, ClassRef) else UNKNOWN
    model = named.model if isinstance(named, ClassRef) else None
    return Row(model, SOMEWHERE, loops=value.loops) if model is not None else None


def _object(walk: Walk, view: Instance, at: At) -> Value:
    """The row of a view of one row."""
    own = view.cls.find("get_object")
    if own is not None and isinstance(own.node, py.FunctionDef):
        found = calls.apply(walk, calls.member(walk, view, own, at), (), {}, at, "get_object()")
    else:
        found = called(walk, view, "get_object", (), at) or UNKNOWN
    return found if isinstance(found, Row) else Other(view.loops, OBJECT)


def _rows(walk: Walk, view: Instance, at: At, *, is_own: bool) -> Rows | None:
    """The rows of a view: of its `get_queryset()` where it has its own (`is_own`), its `queryset`, or its `model`."""
    own = view.cls.find("get_queryset") if is_own else None
    if own is not None and isinstance(own.node, py.FunctionDef):
        found = calls.apply(walk, calls.member(walk, view, own, at), (), {}, at, "get_queryset()")
        return found if isinstance(found, Rows) else None
    value = queryset(walk, view, at)
    if isinstance(value, (Rows, Manager)):
        return calls.base_rows(walk, value)
    if value is not None and value != Const(None):
        return None
    is_named = "model" in view.attributes or view.cls.find("model") is not None
    named = calls.attribute(walk, view, "model", at) if is_named else UNKNOWN
    model = named.model if isinstance(named, ClassRef) else None
    if model is None:
        return None
    rows = calls.base_rows(walk, default_manager(model))
    return replace(rows, origin=walk.origin(at, rows=rows))


def _made(walk: Walk, view: Instance, option: str, at: At, row: Value | None = None) -> Value | None:
    """The form or serializer that a view makes of the class which an option names."""
    if view.cls.find(option) is None:
        return None
    cls = calls.attribute(walk, view, option, at)
    if not isinstance(cls, ClassRef) or not isinstance(cls.cls, SourceClass) or kind_of(cls.cls) in (None, "view"):
        return None
    is_form = kind_of(cls.cls) == "form"  # its `__init__()` changes its fields
    return Instance(cls.cls, {"instance": row} if isinstance(row, Row) else {}, made=not is_form)
