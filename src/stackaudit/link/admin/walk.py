"""Changelists: the rows of each admin class, walked column by column.

What Django joins by itself is measured (5.2, 6.0 and 6.1): without `list_select_related`, a foreign key among the
columns makes Django call a bare `select_related()`, which follows every foreign key that is not null; from 6.1 on it
names exactly the columns that are foreign keys. `list_select_related = ()` switches this off.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.admin import Admin, Admins
from stackaudit.link.admin.options import Item, Option
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.nodes import is_false
from stackaudit.link.pages import PageHooks
from stackaudit.link.pages import walk as q
from stackaudit.link.pages.events import certain
from stackaudit.link.pages.files import Templates
from stackaudit.link.queries import calls, expressions, fresh_walk
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.loading import joined
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Value,
    default_manager,
)
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_ADMIN = frozenset({"get_queryset", "get_list_display", "get_list_select_related"})


@dataclass(frozen=True)
class Column:
    """One column of a changelist; `admin` is the class that shows it."""

    name: str
    admin: Admin
    place: Place


@dataclass(frozen=True)
class Changelist:
    """A changelist that was walked; `why` says why its columns or rows cannot be told ("" where they can be)."""

    admin: Admin
    why: str = ""


class AdminHooks(PageHooks):
    """What the walk does not know of itself: the methods of ModelAdmin."""

    def __init__(self, lists: Changelists, walk: Walk, templates: Templates) -> None:
        super().__init__(walk, templates)
        self.lists = lists

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether Django gives the method to an admin class."""
        return (name in _ADMIN and instance in self.lists.instances) or super().offers(instance, name)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """`super().get_queryset(request)` and its like."""
        admin = self.lists.instances.get(instance)
        if admin is None:
            return super().inherited(instance, name, args, keywords, at)
        if name == "get_queryset" and admin.model is not None:
            return self.lists.all_rows(admin.model, admin.place)
        if name == "get_list_display":
            option = admin.option("list_display")
            return (
                Seq(UNKNOWN, tuple(Const(item.text) for item in option.items))
                if option is not None
                else Seq(UNKNOWN, ())
            )
        return UNKNOWN


class Changelists:
    """The changelists of a stack's admin."""

    def __init__(self, admins: Admins, walk: Walk, templates: Templates) -> None:
        self.admins = admins
        self.walk = walk
        self.instances: dict[Instance, Admin] = {}
        self.columns: dict[Place, Column] = {}
        self._owned: dict[tuple[Place, Place], Column] = {}
        """The columns by the list that shows them and their place: a base class lists the same for several."""
        walk.anchors = self.columns
        self.lists: list[Changelist] = []
        self._joining: set[Admin] = set()
        self.hooks = AdminHooks(self, walk, templates)
        for admin in admins:
            if admin.model is not None:
                self.lists.append(Changelist(admin, self._list(admin, admin.model)))
        above: dict[SourceClass, set[Model | None]] = {}
        inlines: dict[SourceClass, Admin] = {}
        for admin in admins:
            for inline in admin.inlines:
                if inline.model is not None and not _is_single(inline, admin):
                    inlines[inline.cls] = inline
                    above.setdefault(inline.cls, set()).add(admin.model)
        self.inlines = list(inlines.values())
        for inline in self.inlines:
            owners = above[inline.cls]
            self._inline(inline, owners.pop() if len(owners) == 1 else None)

    @cached_property
    def events(self) -> list[Event]:
        """What the columns ask the database for, in the order of the walk."""
        return [event for event in certain(self.walk.record.events) if event.place in self.columns]

    def column(self, event: Event) -> Column:
        """The column that an event of `events` belongs to."""
        loop = event.turns.place if event.turns is not None else event.place
        return self._owned.get((loop, event.place)) or self.columns[event.place]

    def joins_itself(self, admin: Admin) -> bool:
        """Whether the admin's own queryset joins something, so that Django joins nothing else to it."""
        return admin in self._joining

    def all_rows(self, model: Model, place: Place) -> Rows:
        """What ModelAdmin's own `get_queryset` gives."""
        manager = default_manager(model)
        rows = calls.base_rows(self.walk, manager)
        origin = self.walk.origin(place)
        return replace(rows, origin=replace(origin, text=f"{model.name}.{model.default_manager}.all()"))

    def rows(self, admin: Admin) -> Value | str:
        """The rows of a changelist with what Django joins to them; why they cannot be told."""
        if admin.model is None:
            return "the model of the admin class is not known"
        instance = Instance(admin.cls, {"request": Other(name="@request"), "model": _class_of(admin.model)})
        self.instances[instance] = admin
        asked = self._rows(admin, instance, admin.model)
        columns = admin.option("list_display")
        chosen = self._chosen(admin, instance, columns)
        if isinstance(chosen, str):
            chosen = columns.items if columns is not None else []
        return self._joined(admin, asked, admin.model, chosen) if isinstance(asked, Rows) else asked

    def _list(self, admin: Admin, model: Model) -> str:
        """Walk one changelist; why it cannot be told, "" where it can be."""
        instance = Instance(admin.cls, {"request": Other(name="@request"), "model": _class_of(model)})
        self.instances[instance] = admin
        place = admin.place
        self.walk.spent = 0
        columns = admin.option("list_display")
        chosen = self._chosen(admin, instance, columns)
        if isinstance(chosen, str):
            return chosen
        with self.walk.step(place, f"{admin.cls.label} lists its rows", admin.name):
            asked = self._rows(admin, instance, model)
            if not isinstance(asked, Rows) or asked.model is None:
                return "its get_queryset() cannot be followed"
            rows = self._joined(admin, asked, model, chosen)
            if isinstance(rows, str):
                return rows
            with q.each(self.walk, rows, place, f"the changelist of {model.name}") as row:
                for item in chosen:
                    with _guarding(self.walk, item):
                        self._column(admin, instance, item, row)
                if columns is None and not chosen:
                    self._shown(admin, "__str__", place, row)
                elif self._has_checkbox(admin) and "__str__" not in {item.text for item in chosen}:
                    self._shown(admin, "__str__", columns.place if columns is not None else place, row)
        return f"list_display: {columns.open}" if columns is not None and columns.open else ""

    def _inline(self, inline: Admin, owner: Model | None) -> None:
        """Walk the rows of an inline: Django shows `str()` of each above its fields, and what is read only in them.

        `owner` is the model of the row in whose form it stands, None where it stands in forms of several models.

        The rows do not know the row that they belong to: measured on Django 5.2, three rows whose `__str__` names their
        parent run three queries.
        """
        assert inline.model is not None
        instance = Instance(inline.cls, {"request": Other(name="@request")})
        self.instances[instance] = inline
        place = inline.place
        self.walk.spent = 0
        most = inline.constant("max_num")
        if most is not None and isinstance(most.value, int) and most.value <= q.FEW:
            return
        with self.walk.step(place, f"{inline.cls.label} shows its rows", inline.name):
            asked = self._rows(inline, instance, inline.model)
            if not isinstance(asked, Rows) or asked.model is None:
                return
            asked = replace(asked, owner=owner)
            with q.each(self.walk, asked, place, f"the rows of {inline.cls.label}") as row:
                if not inline.overrides("template"):
                    self._shown(inline, "__str__", place, row)
                for item in _readonly(inline):
                    with _guarding(self.walk, item):
                        self._column(inline, instance, item, row)

    def _chosen(self, admin: Admin, instance: Instance, columns: Option | None) -> list[Item] | str:
        """The entries of `list_display`, or of what `get_list_display()` makes of them; why they cannot be told."""
        held = columns.items if columns is not None else []
        found = admin.cls.find("get_list_display")
        if found is None or not isinstance(found.node, py.FunctionDef):
            return held
        request = (Other(name="@request"),)
        made = q.call(self.walk, calls.member(self.walk, instance, found, admin.place), request, {}, admin.place, "")
        names = made.items if isinstance(made, Seq) else None
        if names is None or not all(map(_is_column, names)):
            read = admin.effective("list_display")
            return read.items if read is not None and not read.open else "get_list_display() decides the columns"
        known = {item.text: item for item in held}
        head = py.Name(found.node.start, found.node.start + 4, "def")
        return [
            known.get(name.value) or Item(name.value, head, found.owner.module)
            if isinstance(name, Const)
            else Item("", head, found.owner.module, value=name)
            for name in names
        ]

    def _has_checkbox(self, admin: Admin) -> bool:
        """Whether rows have a checkbox for actions: since 5.2 it is labelled with str(row).

        Django's own action is there for those who may delete; where nobody may, or get_actions() decides, it is not
        known to be shown.
        """
        actions = admin.constant("actions")
        switched_off = actions is not None and actions.value is None
        if self.walk.django < (5, 2) or switched_off or admin.overrides("get_actions"):
            return False
        held = admin.option("actions")
        return bool(held is not None and (held.items or held.open)) or not _never(admin, "has_delete_permission")

    def _rows(self, admin: Admin, instance: Instance, model: Model) -> Value:
        found = admin.cls.find("get_queryset")
        if found is None or not isinstance(found.node, py.FunctionDef):
            return self.all_rows(model, admin.place)
        request = (Other(name="@request"),)
        made = q.call(self.walk, calls.member(self.walk, instance, found, admin.place), request, {}, admin.place, "")
        return calls.base_rows(self.walk, made) if isinstance(made, (Manager, Related)) else made

    def _joined(self, admin: Admin, rows: Rows, model: Model, columns: list[Item]) -> Rows | str:
        """What `list_select_related` and Django itself, which looks at the columns, join."""
        if admin.overrides("get_list_select_related"):
            return "get_list_select_related() decides what is joined"
        if rows.load.joined or rows.load.every_one:
            # ChangeList.get_queryset adds nothing then, whatever list_select_related says (measured on Django 5.2).
            self._joining.add(admin)
            return rows
        constant = admin.constant("list_select_related")
        if constant is not None and constant.value is True:
            return replace(rows, load=replace(rows.load, every_one=True))
        option = admin.option("list_select_related") if constant is None else None
        if option is not None:
            if option.open:
                return f"list_select_related: {option.open}"
            load = rows.load
            for item in option.items:
                load = joined(load, model, item.text)
            return replace(rows, load=load)
        foreign = [
            item.text
            for item in columns
            if (relation := model.relation(item.text)) is not None and relation.relation in ("fk", "o2o")
            and admin.cls.find(item.text) is None
        ]  # fmt: skip
        if not foreign:
            return rows
        if self.walk.django >= (6, 1):
            load = rows.load
            for name in foreign:
                load = joined(load, model, name)
            return replace(rows, load=load)
        return replace(rows, load=replace(rows.load, every_one=True))

    def _column(self, admin: Admin, instance: Instance, item: Item, row: Value) -> None:
        place = item.place
        self._keep(Column(item.text or "…", admin, place))
        if not item.text:
            value = self._callable(item)
            if value is not None:
                text = "the column of each row"
                is_lambda = isinstance(value, Function) and isinstance(value.node, py.Lambda)  # it has no frame
                with self.walk.step(place, text, admin.name) if is_lambda else nullcontext():
                    shown = q.call(self.walk, value, (row,), {}, place, text)
                q.text(self.walk, shown, place)
            return
        found = admin.cls.find(item.text)
        if found is not None:
            method = calls.member(self.walk, instance, found, place)
            if isinstance(method, Function):
                shown = q.call(self.walk, method, (row,), {}, place, f"{item.text}(…)")
                q.text(self.walk, shown, place)
            return
        self._shown(admin, item.text, place, row)

    def _keep(self, column: Column) -> None:
        self.columns.setdefault(column.place, column)
        self._owned.setdefault((column.admin.place, column.place), column)

    def _callable(self, item: Item) -> Value | None:
        value = item.value or expressions.constant(self.walk, item.module, item.node)
        return value if isinstance(value, Function) else None

    def _shown(self, admin: Admin, name: str, place: Place, row: Value) -> None:
        """An attribute of the row as a column: `__str__`, a field, a property, a method, a path with `__`."""
        self._keep(Column(name, admin, place))
        if name == "__str__":
            q.text(self.walk, row, place)
            return
        value = row
        parts = name.split("__") if not name.startswith("__") else [name]
        for part in parts:
            value = q.attribute(self.walk, value, part, place)
            if type(value).__name__ in ("Function", "Method"):
                value = q.call(self.walk, value, (), {}, place, f"{part}()")
        if isinstance(value, Row):
            q.text(self.walk, value, place)


def _guarding(walk: Walk, item: Item) -> AbstractContextManager[None]:
    """The condition that a column or field is shown under, where there is one."""
    return q.guarded(walk) if item.is_conditional else nullcontext()


def _readonly(inline: Admin) -> list[Item]:
    """The fields of an inline that are only read, as far as `fields` or `get_fields()` let them be shown."""
    option, fields = inline.effective("readonly_fields"), inline.effective("fields")
    items = option.items if option is not None else []
    if fields is None or fields.open or inline.overrides("fieldsets") or inline.overrides("get_fieldsets"):
        return items
    shown = {name for item in fields.items for name in (item.text, *item.names)}
    return [item for item in items if item.text in shown or not item.text]


def _is_column(value: Value) -> bool:
    """Whether a value tells a column: the name of one, or a function of the row."""
    return isinstance(value, Function) or (isinstance(value, Const) and isinstance(value.value, str))


def _never(admin: Admin, method: str) -> bool:
    """Whether a method of the repository ends in `return False`."""
    found = admin.cls.find(method)
    body = found.node.body if found is not None and isinstance(found.node, py.FunctionDef) else ()
    return bool(body) and isinstance(body[-1], py.Return) and is_false(body[-1].value)


def _class_of(model: Model) -> ClassRef:
    return ClassRef(model.cls or "", model)


def _is_single(inline: Admin, admin: Admin) -> bool:
    """Whether an inline can show one row at most: its model points at the form's row one to one."""
    name = inline.constant("fk_name")
    family = set(admin.model.family()) if admin.model is not None else set()
    relations = inline.model.relations.values() if inline.model is not None else ()
    links = [
        item.relation
        for item in relations
        if item.relation in ("fk", "o2o") and item.target in family and (name is None or item.name == name.value)
    ]
    return bool(links) and set(links) == {"o2o"}


def resolve(stack: Stack) -> Changelists:
    """Walk every changelist of a stack."""
    return Changelists(Admins(stack.models), fresh_walk(stack), stack.templates)


__all__ = ["Changelist", "Changelists", "Column", "Const", "Mapping", "resolve"]
