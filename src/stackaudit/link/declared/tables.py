"""Tables of django-tables2: the rows that views hand to them, cell by cell.

A table without `Meta.model` shows what it is given all the same. `RequestConfig` and the views show 25 rows on a page
unless they say otherwise (`Table.paginate(per_page=None)`: 25).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.declared.columns import PACKAGE, Column, accessors, columns, split
from stackaudit.link.declared.inline import Inline
from stackaudit.link.declared.lists import LISTED, Kind, Lists, calls_one_of, class_place, derives, place_of
from stackaudit.link.models.model import Model, Relation
from stackaudit.link.nodes import nodes
from stackaudit.link.pages.views import kind_of
from stackaudit.link.queries import calls
from stackaudit.link.queries.loading import Load, prefetched
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
)
from stackaudit.link.queries.walk import At
from stackaudit.model.source import Place

PAGE = 25
_TABLE = frozenset({"Table"})
_VIEWS = frozenset({"SingleTableMixin", "SingleTableView"})
_OPTIONS = ("table_class", "table")
_NOT_FOLLOWED = "which rows this table shows cannot be followed"


class Tables(Kind):
    """Every table with the rows that are shown in it."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.waiting: list[tuple[SourceClass, Value, tuple[str, ...], At, str]] = []
        self.classes = lists.derived(*PACKAGE, names=_TABLE)
        self._columns: dict[SourceClass, list[Column]] = {}
        self._shown: set[SourceClass] = set()
        self._done: set[object] = set()

    def run(self) -> None:
        """The tables of views, then those that some function makes, then those that nothing was seen to fill."""
        for view, table in self._views():
            self._view(view, table)
        names = frozenset(cls.label for cls in self.classes) | {"table", "table_class"}
        self.lists.walk_functions(calls_one_of(names))
        while self.waiting:
            cls, data, left_out, at, where = self.waiting.pop(0)
            self.show(cls, data, at, where, left_out)
        derived = {base for cls in self.classes for base in cls.mro[1:]}
        for cls in self.classes:
            model = self.lists.model_of(self.lists.inner(cls))
            if cls not in self._shown and cls not in derived and model is not None:
                self.show(cls, Rows(model, Load(unknown=_NOT_FOLLOWED)), class_place(cls), cls.name)

    # Where tables are filled

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """`BookTable(books)`; where the class has an `__init__` of its own, what that hands on counts."""
        if cls in self.classes and cls.find("__init__") is None:
            self._filled(cls, args, keywords, at)

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether SingleTableMixin gives the method to a view."""
        return name in ("get_table_data", "get_table_class") and derives(instance.cls, PACKAGE, _VIEWS)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """`super().__init__(data, ...)` of a table, and the methods of SingleTableMixin."""
        if name == "__init__" and instance.cls in self.classes:
            self._filled(instance.cls, args, keywords, at)
            return UNKNOWN
        if name == "get_table_data":
            return instance.attributes.get("object_list") or self._queryset(instance)
        if name == "get_table_class":
            return self.lists.option(instance.cls, "table_class") or UNKNOWN
        return None

    def _filled(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        data = self.lists.rows(args[0] if args else keywords.get("data", UNKNOWN))
        if isinstance(data, LISTED):
            exclude = keywords.get("exclude")
            left_out = exclude.items if isinstance(exclude, Seq) and exclude.items is not None else ()
            names = tuple(str(item.value) for item in left_out if isinstance(item, Const))
            self.waiting.append((cls, data, names, at, self.lists.walk.where))

    def _views(self) -> Iterator[tuple[SourceClass, SourceClass]]:
        """Classes that name a table, with the table."""
        for cls in self.lists.classes:
            if cls in self.classes or self.lists.is_base(cls, "queryset", "get_queryset", "get_table_data", "model"):
                continue
            for option in (*_OPTIONS, "get_table_class"):
                if cls.find(option) is None:
                    continue
                value = self.lists.option(cls, option)
                if option == "get_table_class":
                    value = self.lists.called(self.lists.view(cls), option)
                if isinstance(value, ClassRef) and value.cls in self.classes and isinstance(value.cls, SourceClass):
                    yield cls, value.cls
                    break

    def _view(self, cls: SourceClass, table: SourceClass) -> None:
        view = self.lists.view(cls)
        with self.lists.survived():
            self.lists.walk.spent = 0
            rows = self._queryset(view)
            view.attributes["object_list"] = rows
            given = self.lists.called(view, "get_table_data") or self.lists.option(cls, "table_data")
            data = self.lists.rows(given) if isinstance(given, (*LISTED, Manager, Related)) else rows
            model = self.lists.model_of(self.lists.inner(table))
            if isinstance(data, Rows) and model is not None and not _same(data, model):
                return  # the queryset of the page's own object, not that of its table
            for shown in self._handed_on(table, data, class_place(cls)):
                self.show(table, shown, class_place(cls), cls.name, (), self._page(cls))

    def _handed_on(self, table: SourceClass, data: Value, at: At) -> list[Value]:
        """What the table's own `__init__` makes of the rows that it is given, or the rows."""
        if not isinstance(data, LISTED):
            return []
        if table.find("__init__") is None:
            return [data]
        before = len(self.waiting)
        calls.construct(self.lists.walk, ClassRef(table), (data,), {}, at)
        made = [item[1] for item in self.waiting[before:] if item[0] is table]
        del self.waiting[before:]
        return made or [data]

    def _queryset(self, view: Instance) -> Value:
        made = self.lists.called(view, "get_queryset")
        if made is not None:
            return self._own(view.cls, made)
        place = class_place(view.cls)
        if kind_of(view.cls) is not None:
            return self.lists.hooks.views.ask(view, "get_queryset", place)
        found = self.lists.option(view.cls, "queryset")
        return self.lists.rows(found) if found is not None else UNKNOWN

    def _own(self, cls: SourceClass, rows: Value) -> Value:
        """Rows that another file makes of `self.queryset` come from the queryset that the class itself names."""
        named = cls.find("queryset")
        if not isinstance(rows, Rows) or rows.origin is None or named is None or named.node is None:
            return rows
        if rows.origin.place.path in (cls.module.path, named.owner.module.path):
            return rows
        return replace(rows, origin=self.lists.walk.origin((named.owner.module, named.node)))

    def _page(self, cls: SourceClass) -> int:
        """How many rows a view's page shows, 0 for all."""
        given = self.lists.option(cls, "table_pagination")
        if isinstance(given, Const) and given.value is False:
            return 0
        found: Value | None = given.get("per_page") if isinstance(given, Mapping) else None
        found = found or self.lists.option(cls, "paginate_by")
        return found.value if isinstance(found, Const) and isinstance(found.value, int) and found.value else PAGE

    # What a table asks

    def show(
        self, cls: SourceClass, data: Value, at: At, where: str, left_out: tuple[str, ...] = (), page: int = PAGE
    ) -> None:
        """Every cell of every row."""
        # views of one table over one queryset (a list, a bulk edit) are one cause
        origin = data.origin.text if isinstance(data, Rows) and data.origin is not None else ""
        key = (cls, data.load if isinstance(data, Rows) else None, origin or place_of(at))
        if key in self._done:
            return
        self._done.add(key)
        self._shown.add(cls)
        if cls not in self._columns:
            self._columns[cls] = columns(self.lists, cls)
        shown = [column for column in self._columns[cls] if column.name not in left_out]
        if isinstance(data, Rows) and data.model is not None and self._loads_its_columns(cls):
            data = replace(data, load=_loaded(data, shown))
        table = Instance(cls, {"request": Other(name="@request"), "data": data, "context": Mapping(UNKNOWN)})
        if isinstance(data, Rows) and data.page:
            page = min(page or data.page, data.page)
        with self.lists.each(data, at, f"{cls.label} shows its rows", where, page) as row:
            for column in shown:
                self._cell(table, column, row)
            self._row(table, row)

    def _loads_its_columns(self, cls: SourceClass) -> bool:
        """Whether the table itself prefetches a list of paths that it makes of its columns."""
        return any(
            type(item) is py.Call
            and isinstance(item.func, py.Attribute)
            and item.func.attr in ("prefetch_related", "select_related")
            and any(isinstance(arg, py.Starred) for arg in item.args)
            for base in cls.mro
            if isinstance(base, SourceClass)
            for item in nodes(base.node.body)
        )

    def _cell(self, table: Instance, column: Column, row: Value) -> None:
        lists, place = self.lists, column.place
        value = lists.path(row, column.path, place)
        given = {"value": value, "record": row, "table": table, "bound_column": UNKNOWN, "column": UNKNOWN}
        own = table.cls.find(f"render_{column.name}")
        kind = column.kind
        if own is not None:
            self._result(lists.method(table, own.name, row, place, **given), place)
        elif isinstance(kind, SourceClass) and kind.find("render") is not None:
            self._result(lists.method(Instance(kind), "render", row, place, **given), place)
        elif column.is_a("TemplateColumn"):
            self._template(column, given)
        elif column.is_a("ManyToManyColumn") or (not kind and _to_many(row, column.path)):
            self._related(column, value, given)
        elif not self._own_text(column, row):
            lists.text(value, place)
        self._link(column, row, value, given)

    def _result(self, value: Value | None, place: Place) -> None:
        if isinstance(value, Row):
            self.lists.text(value, place)

    def _related(self, column: Column, value: Value, given: dict[str, Value]) -> None:
        """ManyToManyColumn: `exists()`, then `filter` (all rows) and `transform` (their text) of each."""
        chosen = self._function(column, "filter")
        if chosen is not None:
            value = self.lists.rows(self.lists.ask(chosen, value, column.place, "filter(…)"))
        for item in self.lists.many(value, column.place, column.name):
            shown = self._function(column, "transform")
            if shown is not None:
                self._result(self.lists.ask(shown, item, column.place, "transform(…)"), column.place)
            else:
                self.lists.text(item, column.place)
            if column.keyword("linkify_item") is not None:
                self._href(column, "linkify_item", item, item, given)

    def _own_text(self, column: Column, row: Value) -> bool:
        """LinkColumn(text=...): the text is that, or what a function makes of the row."""
        text = column.keyword("text")
        if text is None or not column.is_a("LinkColumn", "RelatedLinkColumn", "BaseLinkColumn"):
            return False
        value = self.lists.constant(column.module, text, column.owner)
        if isinstance(value, Function):
            self._result(self.lists.ask(value, row, column.place, "text(…)"), column.place)
        return True

    def _function(self, column: Column, name: str) -> Value | None:
        """A function given to the column, or a method of its class."""
        expr = column.keyword(name)
        if expr is not None:
            value = self.lists.constant(column.module, expr, column.owner)
            return value if isinstance(value, Function) else None
        if isinstance(column.kind, SourceClass) and (found := column.kind.find(name)) is not None:
            node = found.node
            return (
                Function(found.owner.module, node, Instance(column.kind), found.owner)
                if isinstance(node, py.FunctionDef)
                else None
            )
        return None

    def _link(self, column: Column, row: Value, value: Value, given: dict[str, Value]) -> None:
        if column.is_a("LinkColumn", "RelatedLinkColumn") and column.call is not None:
            for item in (*column.call.args, *(item.value for item in column.call.keywords if item.name != "accessor")):
                for path in accessors(item):
                    self.lists.path(row, split(path), column.place)
            if not column.call.args and column.keyword("viewname") is None:
                self.lists.url(value if isinstance(value, Row) else row, column.place)
        elif column.keyword("linkify") is not None:
            self._href(column, "linkify", row, value, given)
        attrs = column.keyword("attrs")
        if attrs is not None:
            self._leaves(self.lists.constant(column.module, attrs, column.owner), given, column.place)

    def _href(self, column: Column, option: str, row: Value, value: Value, given: dict[str, Value]) -> None:
        expr = column.keyword(option)
        assert expr is not None
        if isinstance(expr, py.Constant):
            if expr.value is True:
                self.lists.url(value if isinstance(value, Row) else row, column.place)
            return
        made = self.lists.constant(column.module, expr, column.owner)
        if isinstance(made, Function):
            self.lists.ask(made, row, column.place, f"{option}(…)", **{**given, "record": row, "value": value})
        for path in accessors(expr):
            self.lists.path(row, split(path), column.place)

    def _template(self, column: Column, given: dict[str, Value]) -> None:
        name, code = self._setting(column, "template_name"), self._setting(column, "template_code")
        if code is None and column.call is not None and column.call.args and isinstance(column.kind, str):
            first = self.lists.constant(column.module, column.call.args[0], column.owner)
            code = first.value if isinstance(first, Const) and isinstance(first.value, str) else None
        record = self._setting(column, "context_object_name") or "record"
        context: dict[str, Value] = {**given, record: given["record"]}
        extra = column.keyword("extra_context")
        if extra is not None:
            held = self.lists.constant(column.module, extra, column.owner)
            context |= {str(key): item for key, item in held.items} if isinstance(held, Mapping) else {}
        if code is not None:
            Inline(self.lists, code, context, column.place).walk()
        elif name is not None:
            self.lists.hooks.render((name,), Mapping(UNKNOWN, tuple(context.items())), column.place)

    def _setting(self, column: Column, name: str) -> str | None:
        """A keyword of the column, or an attribute of its class."""
        expr = column.keyword(name)
        value = self.lists.constant(column.module, expr, column.owner) if expr is not None else None
        if value is None and isinstance(column.kind, SourceClass):
            value = self.lists.option(column.kind, name)
        return value.value if isinstance(value, Const) and isinstance(value.value, str) else None

    def _row(self, table: Instance, row: Value) -> None:
        """What belongs to the whole row: its attributes, and a template of the project's own."""
        options = self.lists.inner(table.cls)
        found = options.find("row_attrs") if options is not None else None
        given = {"record": row, "table": table, "value": UNKNOWN}
        if options is not None and found is not None and found.node is not None:
            value = self.lists.option(options, "row_attrs")
            if value is not None:
                self._leaves(value, given, found.owner.module.place(found.node))
        template = self.lists.option(options, "template_name")
        if options is not None and isinstance(template, Const) and isinstance(template.value, str):
            member = options.find("template_name")
            assert member is not None
            place = member.owner.module.place(member.node or member.owner.node)
            self.lists.places.setdefault(place, template.value)
            shown = Mapping(UNKNOWN, (("record", row),))
            self.lists.hooks.render((template.value,), Mapping(UNKNOWN, (("row", shown), ("table", UNKNOWN))), place)

    def _leaves(self, value: Value, given: dict[str, Value], place: Place) -> None:
        """Functions among HTML attributes: each is called for each row."""
        if isinstance(value, Mapping):
            for _, item in value.items:
                self._leaves(item, given, place)
        elif isinstance(value, Function):
            self.lists.ask(value, given["record"], place, "attrs(…)", **given)


def _same(rows: Rows, model: Model) -> bool:
    if rows.model is None or rows.kind != "rows":
        return False
    return rows.model is model or model in rows.model.family() or model in rows.model.children


def _to_many(row: Value, path: tuple[str, ...]) -> bool:
    """Whether a path ends at a many-to-many field: the column of such a field shows every row."""
    relation = _last(row, path)
    return relation is not None and relation.relation == "m2m"


def _last(row: Value, path: tuple[str, ...]) -> Relation | None:
    model = row.model if isinstance(row, Row) else None
    relation: Relation | None = None
    for part in path:
        relation = model.relation(part) if model is not None else None
        model = relation.target if relation is not None else None
    return relation


def _loaded(rows: Rows, shown: list[Column]) -> Load:
    """What rows bring once the paths of the columns were prefetched, as far as each leads over relations."""
    load = rows.load
    assert rows.model is not None
    for column in shown:
        model, path = rows.model, []
        for part in column.path:
            relation = model.relation(part)
            if relation is None or relation.relation not in ("fk", "o2o", "m2m", "generic_fk", "generic"):
                break
            path.append(part)
            if relation.target is None:
                break
            model = relation.target
        if path:
            load = prefetched(load, rows.model, "__".join(path))
    return load


__all__ = ["Tables", "derives"]
