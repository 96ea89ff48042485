"""The columns of a django-tables2 table, gathered as its metaclass does (django-tables2 3.0.1, `tables.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.declared.lists import Lists, derives, texts
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import is_false, nodes
from stackaudit.link.queries.values import Const
from stackaudit.model.source import Place

PACKAGE = ("django_tables2",)
ACCESSORS = frozenset({"A", "Accessor"})
_COLUMN = frozenset({
    "Column", "BooleanColumn", "CheckBoxColumn", "DateColumn", "DateTimeColumn", "EmailColumn", "FileColumn",
    "JSONColumn", "LinkColumn", "ManyToManyColumn", "RelatedLinkColumn", "TemplateColumn", "TimeColumn", "URLColumn",
    "BaseLinkColumn",
})  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column: `path` leads from a row to its value; `call` makes it, None where Meta.fields asks for it.

    `kind` is its class, "" for one that django-tables2 chooses by the field.
    """

    name: str
    path: tuple[str, ...]
    place: Place
    module: SourceModule
    owner: SourceClass
    call: py.Call | None = None
    kind: SourceClass | str = ""

    def is_a(self, *names: str) -> bool:
        """Whether its class is one of django-tables2's `names`, or derives from one."""
        return derives(self.kind or None, PACKAGE, frozenset(names))

    def keyword(self, name: str) -> py.Expr | None:
        """The expression given for a keyword of the column."""
        return keyword(self.call, name) if self.call is not None else None


def columns(lists: Lists, cls: SourceClass) -> list[Column]:
    """The columns that a table shows, declared ones and those of its model's fields."""
    found: dict[str, Column] = {}
    for base in reversed(cls.mro):
        if not isinstance(base, SourceClass):
            continue
        options = lists.inner(base, own=True)
        model = lists.model_of(options)
        if options is not None and model is not None:
            for name, place in _fields(lists, options, model):
                if name not in found or found[name].call is None:
                    found[name] = Column(name, split(name), place, options.module, base)
        for name, bound in base.members.items():
            node = bound[-1].node
            kind = lists.kind_of(base.module, node)
            if isinstance(node, py.Call) and derives(kind, PACKAGE, _COLUMN) and kind is not None:
                place = base.module.place(node)
                found[name] = Column(name, _accessor(name, node, kind), place, base.module, base, node, kind)
            else:
                found.pop(name, None)
        for name in texts(lists.option(options, "exclude")) or ():
            found.pop(name, None)
    return [column for column in found.values() if not _is_hidden(column)]


def split(path: str) -> tuple[str, ...]:
    """The parts of an accessor; a dot was the older separator."""
    return tuple(path.split("." if "." in path else "__"))


def accessor_of(node: py.Node | None) -> str | None:
    """The path of `"a__b"` or `A("a__b")`."""
    if isinstance(node, py.Call) and dotted(node.func).rpartition(".")[2] in ACCESSORS and node.args:
        node = node.args[0]
    return node.value if isinstance(node, py.Constant) and isinstance(node.value, str) else None


def accessors(node: py.Expr) -> list[str]:
    """Every `A("...")` in an expression."""
    found = (accessor_of(item) for item in nodes((node,)) if type(item) is py.Call)
    return [path for path in found if path is not None]


def _accessor(name: str, call: py.Call, kind: SourceClass | str) -> tuple[str, ...]:
    """The path that a column is given, or that its own class gives it by default; else its name."""
    given = keyword(call, "accessor")
    init = kind.find("__init__") if isinstance(kind, SourceClass) else None
    if given is None and init is not None and isinstance(init.node, py.FunctionDef):
        given = next((param.default for param in init.node.params if param.name == "accessor"), None)
    if given is None or (isinstance(given, py.Constant) and given.value is None):
        return split(name)
    path = accessor_of(given)
    return split(path) if path else ()


def _fields(lists: Lists, options: SourceClass, model: Model) -> list[tuple[str, Place]]:
    member = options.find("fields")
    if member is None or not isinstance(member.node, py.Node):
        place = options.module.place(options.node.body[0]) if options.node.body else options.module.place(options.node)
        model_member = options.find("model")
        if model_member is not None and model_member.node is not None:
            place = model_member.owner.module.place(model_member.node)
        return [(name, place) for name in own_fields(model)]
    value = lists.option(options, "fields")
    if isinstance(value, Const) and value.value is None:
        return []
    return [(name, place_in(member, name)) for name in texts(value) or ()]


def own_fields(model: Model) -> list[str]:
    """The names of a model's columns and foreign keys, its ancestors' included."""
    names: dict[str, None] = {}
    for item in model.family():
        names |= dict.fromkeys(item.columns)
        names |= {name: None for name, found in item.relations.items() if found.relation in ("fk", "o2o")}
    return list(names)


def place_in(member: Member, name: str) -> Place:
    """Where a list names something: the string itself, or the list where it comes from elsewhere."""
    node, module = member.node, member.owner.module
    assert node is not None
    for item in nodes((node,)):
        if type(item) is py.Constant and item.value == name:
            return module.place(item)
    return module.place(node)


def _is_hidden(column: Column) -> bool:
    visible = column.keyword("visible")
    return is_false(visible)
