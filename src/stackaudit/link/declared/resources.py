"""Resources of django-import-export: the rows that are exported, field by field.

Before 4.0 the field of a foreign key read the related row for its key; since then it reads the key column
(`key_is_id`). A declared `Field(attribute="author")` reads the row in every version (measured with 4.4.3; 3.3.9 by its
source).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from stackaudit.facts import python as py
from stackaudit.link.admin import Admin
from stackaudit.link.admin.walk import Changelists
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.declared.columns import own_fields, place_in
from stackaudit.link.declared.lists import (
    LISTED,
    REQUEST,
    Kind,
    Lists,
    calls_one_of,
    class_place,
    derives,
    place_of,
    texts,
)
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule
from stackaudit.link.packages import Packages
from stackaudit.link.queries import calls
from stackaudit.link.queries.origins import GET_QUERYSET
from stackaudit.link.queries.values import UNKNOWN, ClassRef, Const, Instance, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import At
from stackaudit.model.source import Place
from stackaudit.model.values import Known

PACKAGE = ("import_export",)
_RESOURCE = frozenset({"ModelResource"})
_EXPORTS = frozenset({
    "ExportMixin", "ImportExportMixin", "ImportExportModelAdmin", "ExportActionMixin", "ExportActionModelAdmin",
    "ImportExportActionModelAdmin", "ExportViewMixin", "ExportViewFormMixin", "ExportView",
})  # fmt: skip
_NEW = ("4.0.0", "4.0.99", "4.1.99", "4.2.99", "4.3.99", "4.99", "99")
"""Releases in which a foreign key's own field is free: a requirement that allows none of them names an older one."""


@dataclass(frozen=True)
class Field:
    """One column of an export; `call` makes it, None where the model's field stands for it."""

    name: str
    path: tuple[str, ...]
    place: Place
    module: SourceModule
    call: py.Call | None = None

    def widget(self) -> py.Call | None:
        """The expression of the widget."""
        found = keyword(self.call, "widget") if self.call is not None else None
        return found if isinstance(found, py.Call) else None


class Resources(Kind):
    """Every resource with the rows that it exports."""

    def __init__(self, lists: Lists, admin: Changelists, packages: Packages) -> None:
        self.lists = lists
        self.admin = admin
        self.reads_keys = not _reads_rows(packages)
        self.classes = lists.derived(*PACKAGE, names=_RESOURCE)
        self.waiting: list[tuple[Instance, Value, At, str]] = []
        self._exported: set[SourceClass] = set()

    def run(self) -> None:
        """The resources of admins and views, those that some function exports, and those that name their rows."""
        for admin in self.admin.admins:
            if derives(admin.cls, PACKAGE, _EXPORTS):
                self._admin(admin)
        for cls in self.lists.classes:
            if derives(cls, PACKAGE, _EXPORTS) and not self.admin.admins.is_admin(cls):
                self._view(cls)
        self.lists.walk_functions(calls_one_of(frozenset(cls.label for cls in self.classes)))
        while self.waiting:
            resource, rows, at, where = self.waiting.pop(0)
            self.export(resource, rows, at, where)
        derived = {base for cls in self.classes for base in cls.mro[1:]}
        for cls in self.classes:
            if cls not in self._exported and cls not in derived:
                named = self._named(Instance(cls))
                if isinstance(named, Rows):
                    self.export(Instance(cls), named, class_place(cls), cls.name)

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether django-import-export gives the method to a resource."""
        return name in ("export", "get_queryset") and instance.cls in self.classes

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """`resource.export(queryset)`, and what resources and admins call of their base classes."""
        if name == "get_export_queryset":
            return next((self._changelist(item) for item in self.admin.admins if item.cls is instance.cls), UNKNOWN)
        if instance.cls not in self.classes:
            return None
        if name == "get_queryset":
            model = self._model(instance.cls)
            if model is None:
                return UNKNOWN
            return self.lists.all_rows(model, class_place(instance.cls), GET_QUERYSET, instance.cls.label)
        if name == "export":
            given = self.lists.rows(args[0] if args else keywords.get("queryset", UNKNOWN))
            if not args and "queryset" not in keywords:
                given = self._named(instance) or self.inherited(instance, "get_queryset", (), {}, at) or UNKNOWN
            if isinstance(given, LISTED):
                self.waiting.append((instance, given, at, self.lists.walk.where))
            return UNKNOWN
        return None

    # Where the rows come from

    def _named(self, resource: Instance) -> Value | None:
        """The rows that a resource names itself: `get_queryset()`, or an attribute that its `__init__` sets."""
        with self.lists.survived():
            self.lists.walk.spent = 0
            made = self.lists.called(resource, "get_queryset")
            if made is not None:
                return made
            found = calls.attribute(self.lists.walk, resource, "queryset", class_place(resource.cls))
            return found if isinstance(found, Rows) else None
        return None

    def _changelist(self, admin: Admin) -> Value:
        rows = self.admin.rows(admin)
        return rows if isinstance(rows, Rows) else UNKNOWN

    def _admin(self, admin: Admin) -> None:
        view = self.lists.view(admin.cls)
        for cls in self._resources(admin.cls):
            self._exported.add(cls)
            with self.lists.survived():
                self.lists.walk.spent = 0
                rows = self.lists.called(view, "get_export_queryset", (REQUEST,)) or self._changelist(admin)
                if isinstance(rows, Rows):
                    self.export(Instance(cls), rows, admin.place, admin.name)

    def _view(self, cls: SourceClass) -> None:
        view = self.lists.view(cls)
        for resource in self._resources(cls):
            self._exported.add(resource)
            rows = self.lists.called(view, "get_queryset") or self.lists.hooks.views.ask(
                view, "get_queryset", class_place(cls)
            )
            if isinstance(rows, Rows):
                self.export(Instance(resource), rows, class_place(cls), cls.name)

    def _resources(self, cls: SourceClass) -> Iterator[SourceClass]:
        for option in ("resource_classes", "resource_class", "export_resource_class"):
            value = self.lists.option(cls, option)
            for item in value.items or () if isinstance(value, Seq) else (value,):
                if isinstance(item, ClassRef) and isinstance(item.cls, SourceClass) and item.cls in self.classes:
                    yield item.cls

    # What is exported

    def export(self, resource: Instance, rows: Value, at: At, where: str) -> None:
        """Every field of every row."""
        cls = resource.cls
        self._exported.add(cls)
        with self.lists.each(rows, place_of(at), f"{cls.label} exports its rows", where) as row:
            for field in self._fields(cls):
                method = resource.cls.find(f"dehydrate_{field.name}")
                if method is not None:
                    self.lists.method(resource, method.name, row)
                    continue
                value = self.lists.path(row, field.path, field.place, between=False)
                if isinstance(value, Row):
                    self._related(field, value)
                elif isinstance(value, LISTED) or type(value).__name__ == "Related":
                    for item in self.lists.many(value, field.place, field.name):
                        self._related(field, item)

    def _related(self, field: Field, row: Value) -> None:
        """ForeignKeyWidget and ManyToManyWidget: one attribute of the related row, its key by default."""
        widget = field.widget()
        if widget is None:
            return
        named = keyword(widget, "field") or next((arg for arg in widget.args[1:] if isinstance(arg, py.Constant)), None)
        if isinstance(named, py.Constant) and isinstance(named.value, str) and len(named.value) > 1:
            self.lists.path(row, tuple(named.value.split("__")), field.place)

    def _option(self, cls: SourceClass, name: str) -> tuple[Value, Member] | None:
        """An option of `Meta`: the classes' options add up, the nearest one wins."""
        for base in cls.mro:
            options = self.lists.inner(base, own=True) if isinstance(base, SourceClass) else None
            member = options.find(name) if options is not None else None
            value = self.lists.option(options, name)
            if member is not None and value is not None:
                return value, member
        return None

    def _model(self, cls: SourceClass) -> Model | None:
        found = self._option(cls, "model")
        return found[0].model if found is not None and isinstance(found[0], ClassRef) else None

    def _fields(self, cls: SourceClass) -> list[Field]:
        declared: dict[str, Field] = {}
        for base in reversed(cls.mro):
            for name, bound in base.members.items() if isinstance(base, SourceClass) else ():
                assert isinstance(base, SourceClass)
                node = bound[-1].node
                kind = self.lists.kind_of(base.module, node)
                if isinstance(node, py.Call) and derives(kind, PACKAGE, frozenset({"Field"})):
                    given = keyword(node, "attribute") or (node.args[0] if node.args else None)
                    path = (
                        given.value.split("__")
                        if isinstance(given, py.Constant) and isinstance(given.value, str)
                        else []
                    )
                    declared[name] = Field(name, tuple(path), base.module.place(node), base.module, node)
        model = self._model(cls)
        if model is None:
            return list(declared.values())
        only, without = self._option(cls, "fields"), self._option(cls, "exclude")
        left_out = set(texts(without[0]) or ()) if without is not None else set()
        wanted = texts(only[0]) if only is not None else None
        if only is not None and wanted is None and not (isinstance(only[0], Const) and only[0].value is None):
            return list(declared.values())  # the list cannot be told
        if wanted is not None and only is not None:
            found = {name: declared.get(name) or self._field(name, model, only[1], cls) for name in wanted}
            if not self.reads_keys:
                found |= declared
        else:
            names = [*own_fields(model), *_many(model)]
            found = {name: self._field(name, model, None, cls) for name in names if name not in left_out} | declared
        return [field for field in found.values() if field is not None]

    def _field(self, name: str, model: Model, member: Member | None, cls: SourceClass) -> Field:
        relation = model.relation(name)
        path = tuple(name.split("__"))
        if relation is not None and relation.forward and self.reads_keys:
            path = (f"{name}_id",)
        place = place_in(member, name) if member is not None else class_place(cls)
        return Field(name, path, place, cls.module)


def _many(model: Model) -> list[str]:
    return [name for item in model.family() for name, found in item.relations.items() if found.relation == "m2m"]


def _reads_rows(packages: Packages) -> bool:
    """Whether the release that is installed reads related rows for their keys."""
    version = packages.version("django-import-export")
    if isinstance(version, Known):
        return version.value.major < 4
    declared = packages.requirement("django-import-export")
    try:
        allowed = SpecifierSet(declared.fact.specifier if declared is not None else "")
    except InvalidSpecifier:
        return False
    return not any(allowed.contains(release) for release in _NEW)
