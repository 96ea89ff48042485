"""Attributes of values that are no rows: of instances, classes, modules, managers and `super()`."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models.contrib import TAG
from stackaudit.link.modules import SETTINGS, Symbol, decorators
from stackaudit.link.queries import (
    access,
    bases,
    branches,
    callbacks,
    calls,
    expressions,
    loops,
    packaged,
    registries,
    schemas,
    statements,
)
from stackaudit.link.queries.joining import choice_of
from stackaudit.link.queries.loading import REQUEST_USER, SOMEWHERE
from stackaudit.link.queries.presence import unsure
from stackaudit.link.queries.table import MANAGER_ONLY, method
from stackaudit.link.queries.values import (
    ELEMENT,
    FIELD,
    FIELD_NAME,
    KEY,
    META,
    NO_KEY,
    OF_TAG,
    PAGES,
    STATE,
    UNKNOWN,
    Choice,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Method,
    ModuleRef,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Super,
    Value,
)
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.values import Known

_PROPERTIES = frozenset({"property", "cached_property", "functional.cached_property", "functools.cached_property",
                         "classproperty", "lazy_attribute", "getter"})  # fmt: skip
_CHOICES = tuple(
    f"django.db.models.{inner}{name}Choices" for inner in ("", "enums.") for name in ("", "Text", "Integer")
)
_FIELDS = frozenset({"fields", "concrete_fields", "local_fields", "local_concrete_fields"})
"""What `_meta` calls the columns of a model, foreign keys among them."""
_BEGINS = frozenset({"get_queryset", "get_query_set"})
"""What a manager makes its querysets by."""


def is_queryset(cls: SourceClass) -> bool:
    """Whether a class is one of querysets, also of those of other packages, which say so in their names.

    A manager made by `from_queryset()` has their methods, and is none.
    """
    names = [base.rpartition(".")[2] for base in cls.externals]
    return any(name.endswith("QuerySet") for name in names) and not any(name.endswith("Manager") for name in names)


def member(walk: Walk, bound: Value, found: Member, at: At) -> Value:
    """An attribute that a class defines, asked of `bound` (an instance, a row, a manager or the class itself)."""
    node, module = found.node, found.owner.module
    if isinstance(node, py.FunctionDef):
        names = decorators(node)
        on_class = isinstance(bound, ClassRef)
        if "staticmethod" in names:
            return Function(module, node, None, found.owner)
        if "classmethod" in names:
            return Function(module, node, bound if on_class else class_of(walk, bound), found.owner)
        if on_class:
            return Function(module, node, None, found.owner)
        function = Function(module, node, bound, found.owner, loops=bound.loops)
        if any(name in _PROPERTIES or name.rpartition(".")[2] in _PROPERTIES for name in names):
            if (
                isinstance(bound, Row)
                and found.name in walk.models.assigned
                and any("cached" in name for name in names)
            ):
                return Other(bound.loops)  # somebody fills it before it is asked for
            value = calls.call(walk, function, (), {}, at)
            if isinstance(bound, Instance):
                bound.attributes.setdefault(found.name, value)
            return value
        if any(name.endswith((".setter", ".deleter")) for name in names):
            return UNKNOWN
        return function
    if isinstance(node, py.ClassDef):
        cls = walk.classes.build(module, node, f"{found.owner.name}.{node.name}")
        return ClassRef(cls, walk.models.of_class(cls))
    if isinstance(bound, Row) and packaged.is_history(walk, module, node):
        return packaged.history(walk, bound)
    if node is not None:
        value = expressions.constant(walk, module, node, found.owner)
        if isinstance(value, Function) and value.bound is None and not isinstance(value.node, py.Lambda):
            return replace(value, bound=bound)
        return value
    if found.binding.alias is not None:
        symbol = walk.modules.resolve(module, found.name)
        return of_symbol(walk, symbol) if symbol is not None else UNKNOWN
    return UNKNOWN


def class_of(walk: Walk, value: Value) -> Value:
    """The class of a row or an instance."""
    if isinstance(value, Row) and value.model.cls is not None:
        return ClassRef(value.model.cls, value.model)
    if isinstance(value, Instance):
        return ClassRef(value.cls, walk.models.of_class(value.cls))
    return UNKNOWN


def of_symbol(walk: Walk, symbol: Symbol | None) -> Value:
    """What a name stands for, as a value."""
    if symbol is None:
        return UNKNOWN
    if symbol.kind == "class" and isinstance(symbol.node, py.ClassDef):
        cls = walk.classes.of(symbol)
        assert isinstance(cls, SourceClass)
        return ClassRef(cls, walk.models.of_class(cls))
    if symbol.kind == "function" and isinstance(symbol.node, py.FunctionDef) and symbol.module is not None:
        return Function(symbol.module, symbol.node)
    if symbol.kind == "module" and symbol.module is not None:
        return ModuleRef(symbol.module)
    if symbol.kind == "external":
        model = walk.models.of_class(symbol.name)
        return ClassRef(symbol.name, model) if model is not None else Other(name=symbol.name)
    if symbol.node is not None and symbol.module is not None:
        value = expressions.constant(walk, symbol.module, symbol.node)
        name = symbol.name.rpartition(".")[2]
        if name.isupper() and value == UNKNOWN and isinstance(walk.setting(name, symbol.module.path), Known):
            return Other(name=f"{SETTINGS}{name}")
        if isinstance(value, Mapping) and not value.items and isinstance(symbol.node, py.Dict):
            value = replace(value, items=registries.entries(walk, symbol.node))
        bound = symbol.module.names.get(name, ())
        return UNKNOWN if isinstance(value, Const) and len(bound) != 1 else value
    return UNKNOWN


def attribute(walk: Walk, value: Value, name: str, at: At) -> Value:
    """`value.<name>`."""
    if type(value) is Other:
        return _of_other(walk, value, name)
    match value:
        case Row():
            return access.of_row(walk, value, name, at)
        case Instance():
            return _of_instance(walk, value, name, at)
        case ModuleRef():
            return of_symbol(walk, walk.modules.member(value.module, name))
        case ClassRef():
            return _of_class(walk, value, name, at)
        case Choice():
            return _of_choice(walk, value, name, at)
        case Manager() | Rows() | Related():
            return _of_rows(walk, value, name, at)
        case Super():
            return _of_super(walk, value, name, at)
        case Mapping() if (model := value.get(META)) is not None:
            return _of_meta(walk, model, name, at)
        case Mapping() if name == "page_range" and value.get("@paginator") is not None:
            return Seq(Other(value.loops), None, value.loops, PAGES)
        case Mapping() if name == "object_list" and value.get("@paginator") is not None:
            return value.get("@paginator") or UNKNOWN
        case Seq(page=page) if page and name == "object_list":
            return value
        case Seq() | Mapping() | Const():
            return Method(value, name, value.loops)
        case _:
            return Other(value.loops)


def _of_other(walk: Walk, value: Other, name: str) -> Value:
    if not value.name or value.name == ELEMENT:
        if value.name and name == "cleaned_data":
            walk.few(value, "each turn is a form of the page")
        relation = walk.models.accessors.get(name)
        if relation is not None and relation.model is not None:
            return Related(Row(relation.model, SOMEWHERE, loops=value.loops), relation, value.loops)
        return Other(value.loops) if value.loops else UNKNOWN
    if name == "objects" and _is_model_name(value.name):
        return Manager(walk.models.foreign(value.name), None, name)
    if value.name.startswith(FIELD):
        return Other(value.loops, FIELD_NAME + value.name.removeprefix(FIELD) if name == "name" else "")
    if value.name.startswith(STATE) and name == "adding":
        return Const(value.name != STATE, value.loops)
    if value.name == "@request" and name == "user":
        user = walk.models.user
        return Row(user, REQUEST_USER, None, (), None, value.loops) if user else UNKNOWN
    is_named = value.name[0] != "@" or value.name == callbacks.POOL or value.name.startswith(OF_TAG)
    return Other(value.loops, f"{value.name}.{name}" if is_named else "")


def _of_choice(walk: Walk, value: Choice, name: str, at: At) -> Value:
    """An attribute of one of several values: of rows only running the code tells which one is asked."""

    def read(option: Value) -> Value:
        return attribute(walk, option, name, at)

    options = value.options
    given = branches.of_each(walk, value, read) if isinstance(options[0], Row) else [read(item) for item in options]
    held = [item for item in given if isinstance(item, Related)]
    is_open = value.is_open or len(held) < len(given)
    if len(held) > 1 and all(isinstance(item, (Related, Other, Const)) for item in given):
        return Choice(tuple(held), value.loops, is_open)
    return choice_of(given, value.is_open)


def _is_model_name(name: str) -> bool:
    """Whether an external name reads like that of a model: `guardian.models.UserObjectPermission`."""
    *path, label = name.split(".")
    return "models" in path[1:] and label[:1].isupper()


def _of_instance(walk: Walk, value: Instance, name: str, at: At) -> Value:
    if name in value.attributes:
        return unsure(value.attributes[name])  # a branch may have set it, or another method
    found = value.cls.find(name)
    if found is not None and not found.binding.is_nothing:
        return member(walk, value, found, at)
    if not value.made:
        statements.prepare(walk, value)
        if name in value.attributes:
            return unsure(value.attributes[name])
    if walk.hooks is not None and walk.hooks.offers(value, name):
        return Method(Super(value.cls, value, value.loops), name, value.loops)
    inherited = bases.attribute(walk, value, name, at)
    if inherited is not None:
        return inherited
    if name == "request":
        return Other(name="@request")
    if name == "_meta":
        return _options(walk, value.cls, at)
    if name == "__class__":
        return ClassRef(value.cls)
    handed_on = value.cls.find("__getattr__")
    if handed_on is not None and isinstance(handed_on.node, py.FunctionDef) and not name.startswith("__"):
        return calls.apply(walk, member(walk, value, handed_on, at), (Const(name),), {}, at)
    return Other(value.loops)


def _of_class(walk: Walk, value: ClassRef, name: str, at: At) -> Value:
    model = value.model
    if model is not None:
        if name in model.managers:
            return Manager(model, model.managers[name], name)
        if name == "_default_manager" or (name == "objects" and not model.managers):
            return Manager(model, model.managers.get(model.default_manager), name)
        if name == "_base_manager":
            return Manager(model, None, name)
        if name == "_meta":
            return Mapping(UNKNOWN, ((META, value),))
        for parent in model.parents:
            if name in parent.managers:
                return Manager(model, parent.managers[name], name)
        if name == "objects" and model.is_open:
            return Manager(model, None, name)
        if (given := packaged.of_class(walk, model, name)) is not None:
            return given
    if isinstance(value.cls, SourceClass):
        if name == "__subclasses__":
            return Method(value, name)
        if name in ("__name__", "__qualname__") and model is not None and not model.children:
            return Const(value.cls.label, value.loops)
        found = value.cls.find(name)
        if found is None and name in schemas.MAKES and schemas.is_schema(value.cls):
            return Method(value, name)
        if found is None and name == "_meta":
            return _options(walk, value.cls, at)
        if found is None:
            return Other(value.loops)
        held = member(walk, value, found, at)
        if isinstance(held, Seq) and held.items and value.cls.is_a(*_CHOICES):
            return held.items[0]  # NEW = "new", _("Brand new"): the value, then its label
        return held
    return Other(value.loops, f"{value.cls}.{name}")


def _of_meta(walk: Walk, model: Value, name: str, at: At) -> Value:
    """An attribute of `_meta` of a model: https://docs.djangoproject.com/en/5.2/ref/models/meta/"""
    if name in ("model", "concrete_model"):
        return model
    if name in _FIELDS and isinstance(model, ClassRef) and model.model is not None:
        relations = [item for one in model.model.family() for item in one.relations.values()]
        keys = [item.name for item in relations if item.relation in ("fk", "o2o")]
        return Seq(Other(name=FIELD + " ".join(dict.fromkeys(keys))), bounded="the fields of a model")
    return attribute(walk, model, f"_{name}", at) if name in ("default_manager", "base_manager") else UNKNOWN


def _options(walk: Walk, cls: SourceClass, at: At) -> Value:
    """`_meta` of a form, a filter set, a table or a resource: what its class `Meta` says."""
    found = cls.find("Meta")
    return member(walk, ClassRef(cls), found, at) if found is not None else UNKNOWN


def _of_rows(walk: Walk, value: Manager | Rows | Related, name: str, at: At) -> Value:
    model = value.relation.target if isinstance(value, Related) else value.model
    if isinstance(value, Related) and name in _BEGINS:
        return Method(value, "all", value.loops)  # narrowed to the row, whatever the manager's own one begins with
    for cls in _classes(walk, value):
        found = cls.find(name) if isinstance(cls, SourceClass) else None
        if found is not None:
            bound: Value = value
            if isinstance(value, (Manager, Related)) and is_queryset(found.owner):
                bound = calls.base_rows(walk, value)
            return member(walk, bound, found, at)
    if (given := packaged.of_rows(walk, value, model, name)) is not None:
        return given
    if name in ("names", "slugs") and model is not None and model is walk.models.foreign(TAG):
        return Method(value, "values_list", value.loops)
    if name == "get_by_natural_key" and model is not None and model is walk.models.user:
        return Method(value, "get", value.loops)
    if name in ("_clone", "_chain"):
        return Method(value, "all", value.loops)
    if name == "model" and model is not None and model.cls is not None:
        return ClassRef(model.cls, model)
    if isinstance(value, Related) and name in ("instance",):
        return value.row
    if isinstance(value, Rows) and value.evaluated and name in ("append", "extend", "insert"):
        return Method(Seq(loops.element_of(value), None, value.loops), name, value.loops)  # a list, which grows
    if isinstance(value, Rows) and name == "_result_cache" and value.via is not None:
        walk.record.looked = True
        return Other(value.loops, KEY if value.cached or value.evaluated else NO_KEY)
    if isinstance(value, Rows) and name == "object_list":
        return value  # the rows of a page
    if method(name) is None or (isinstance(value, Rows) and name in MANAGER_ONLY):
        return Other(value.loops)
    return Method(value, name, value.loops)


def _classes(walk: Walk, value: Manager | Rows | Related) -> list[SourceClass | str | None]:
    if isinstance(value, Rows):
        return [value.cls] if value.cls is not None else []
    definition = value.definition if isinstance(value, Manager) else None
    if isinstance(value, Related) and value.relation.target is not None:
        definition = value.relation.target.managers.get(value.relation.target.default_manager)
    return [definition.cls, definition.queryset] if definition is not None else []


def _of_super(walk: Walk, value: Super, name: str, at: At) -> Value:
    bound = value.bound
    cls: SourceClass | None = value.owner
    if isinstance(bound, Instance):
        cls = bound.cls
    elif isinstance(bound, Row):
        cls = bound.model.cls
    elif isinstance(bound, (Manager, Related, Rows)):
        known_classes = [item for item in _classes(walk, bound) if isinstance(item, SourceClass)]
        cls = next((item for item in known_classes if value.owner in item.mro), value.owner)
    found = cls.find(name, after=value.owner) if cls is not None else None
    if found is not None:
        return member(walk, bound, found, at)
    if isinstance(bound, (Manager, Related, Rows, Row, Instance)):
        return Method(Super(value.owner, bound), name, bound.loops)
    return UNKNOWN
