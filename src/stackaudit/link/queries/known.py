"""Django's helpers and what else is known of functions outside the repository: what they do with rows."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.modules import SETTINGS, SourceModule, dotted
from stackaudit.link.queries import access, bases, builtin, callbacks, calls, effects, forms, granted, loops, rows
from stackaudit.link.queries.loading import ORDERED, Load
from stackaudit.link.queries.presence import is_there
from stackaudit.link.queries.values import (
    FORMS,
    KNOWN,
    UNKNOWN,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Other,
    Partial,
    PrefetchRef,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Walk

PREFETCHERS = frozenset({"prefetch_related_objects", "aprefetch_related_objects"})
_FORMSETS = frozenset({"formset_factory", "modelformset_factory", "inlineformset_factory",
                       "generic_inlineformset_factory"})  # fmt: skip
_SHORTCUTS = ("get_object_or_404", "aget_object_or_404")
_EXPRESSIONS = "django.db.models."
_PREFETCH = ("django.db.models.Prefetch", "django.db.models.query.Prefetch")
_TEXTS = frozenset({
    "django.utils.html.format_html", "django.utils.html.escape", "django.utils.html.conditional_escape",
    "django.utils.encoding.force_str", "django.utils.encoding.smart_str", "django.utils.text.slugify",
    "django.utils.text.capfirst",
})  # fmt: skip
"""Functions of Django that make a text of whatever they are given."""
_LISTS = ("list", "List", "set", "Set", "Iterable", "Sequence", "Iterator", "Collection", "tuple", "Tuple",
          "Generator", "AsyncIterable", "frozenset")  # fmt: skip
_QUERYSETS = ("QuerySet", "BaseManager", "Manager", "RelatedManager", "ManyRelatedManager")


def _is_callable(value: Value) -> bool:
    """Whether a value is a function: of the repository, or one of the builtins."""
    return isinstance(value, (Function, Partial)) or (isinstance(value, Other) and value.name.startswith("builtins."))


def external(walk: Walk, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value:
    """A call of something outside the repository, by its dotted name."""
    effects.met(walk, name, at)
    hooked = walk.hooks.external(name, args, keywords, at) if walk.hooks is not None else None
    if hooked is not None:
        return hooked
    if name.startswith(builtin.ATTRGETTER) and args:
        return builtin.got(walk, args[0], name.removeprefix(builtin.ATTRGETTER).split(), at)
    last = name.rpartition(".")[2]
    first = args[0] if args else next(iter(keywords.values()), UNKNOWN)
    unknown = walk.unknown(*args, *keywords.values())
    if name.startswith("builtins.") or name in builtin.SAME:
        return builtin.of_builtin(walk, name, last, first, args, keywords, at, unknown)
    if _is_known(last, args) and name.startswith(_EXPRESSIONS):
        return Other(unknown.loops, KNOWN)
    if name in _PREFETCH:
        return _prefetch(walk, args, keywords)
    if last in _SHORTCUTS and name.startswith(("django.", "rest_framework.")):
        return rows.called(walk, _queryset(walk, first), "get", args[1:], keywords, at)
    if name == "django.shortcuts._get_queryset":
        return _queryset(walk, first)
    if last in ("get_list_or_404", "aget_list_or_404"):
        found = rows.called(walk, _queryset(walk, first), "filter", args[1:], keywords, at)
        return builtin.loaded(walk, found, at)
    if last in PREFETCHERS:
        return UNKNOWN
    if last == "model_to_dict" and isinstance(first, Row):
        return _as_dict(walk, first, args, keywords, at)
    if name == "django.core.serializers.serialize":
        return _serialized(walk, args, keywords, at)
    if last in ("get_user_model",):
        user = walk.models.user
        return ClassRef(user.cls or "django.contrib.auth.models.User", user) if user is not None else UNKNOWN
    if last == "get_model":
        given = (*args, *(keywords[part] for part in ("app_label", "model_name") if part in keywords))
        label = ".".join(filter(None, (_named(walk, arg) for arg in given)))
        model = walk.models.named(label) if "." in label else None
        return ClassRef(model.cls, model) if model is not None and model.cls is not None else UNKNOWN
    if last in ("Paginator", "AsyncPaginator"):
        held = args[0] if args else keywords.get("object_list", UNKNOWN)
        size = args[1] if len(args) > 1 else keywords.get("per_page", UNKNOWN)
        return Mapping(held, (("@paginator", held), ("@per_page", size)))
    if name in builtin.BATCHED and args:
        held = builtin.loaded(walk, first, at)
        return Seq(builtin.evaluated(walk, held), None, held.loops, "batches")
    if name == "itertools.islice":
        return builtin.sliced(walk, args, at)
    if name in ("itertools.chain", "itertools.chain.from_iterable"):
        return builtin.chain(walk, args, at, last == "from_iterable")
    if name == "itertools.pairwise":
        return builtin.pairs(walk, first, at)
    if name == "random.choice":
        return loops.one_of(walk, builtin.loaded(walk, first, at), Const(0))
    if name == "operator.attrgetter":
        paths = [str(arg.value) for arg in args if isinstance(arg, Const)]
        return Other(name=builtin.ATTRGETTER + " ".join(paths))
    if (answer := granted.external(walk, name, args, keywords, at)) is not None:
        return answer
    if (field := forms.made(name, args, keywords, at)) is not None:
        return field
    if last in _FORMSETS or name == FORMS:
        return Other(unknown.loops, FORMS)
    if name == "typing.cast" and len(args) > 1:
        return args[1]
    if name in _TEXTS:
        for arg in (*args, *keywords.values()):
            if isinstance(arg, Row):
                access.as_text(walk, arg, at)
        return unknown
    if name == "collections.OrderedDict":
        return builtin.of_builtin(walk, "builtins.dict", "dict", first, args, keywords, at, unknown)
    if name == "collections.defaultdict":
        return Mapping(Seq(UNKNOWN))
    if name == "django.utils.functional.lazy" and isinstance(first, Function):
        return first
    if (handed := callbacks.of_call(walk, name, args, keywords, at)) is not None:
        return handed
    if last in ("sync_to_async", "async_to_sync", "database_sync_to_async") and _is_callable(first):
        return first
    if last == "cursor" and "connection" in name:
        return Other(name="@cursor")
    return unknown


def _is_known(last: str, args: tuple[Value, ...]) -> bool:
    """Whether an expression of a query is never NULL: a number, an answer, or what has something in place of NULL."""
    if last == "Value":
        return bool(args) and isinstance(args[0], Const) and args[0].value is not None
    if last == "Coalesce":  # a text is the name of a column
        return any(is_there(arg) and not (isinstance(arg, Const) and isinstance(arg.value, str)) for arg in args)
    return last in ("Count", "Exists")


def _named(walk: Walk, value: Value) -> str:
    """A text that is written out, or that a setting holds; "" for all else."""
    if isinstance(value, Other) and value.name.startswith(SETTINGS):
        return walk.models.setting(value.name.removeprefix(SETTINGS))
    return value.value if isinstance(value, Const) and isinstance(value.value, str) else ""


def _queryset(walk: Walk, value: Value) -> Value:
    if isinstance(value, ClassRef) and value.model is not None:
        return Manager(value.model, value.model.managers.get(value.model.default_manager))
    return value


def _as_dict(walk: Walk, row: Row, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value:
    """`model_to_dict(row, fields, exclude)` asks for the rows of each many-to-many field.

    https://github.com/django/django/blob/stable/5.2.x/django/forms/models.py
    """
    wanted, without = ({**dict(zip(("fields", "exclude"), args[1:], strict=False)), **keywords}.get(name, Const(None))
                       for name in ("fields", "exclude"))  # fmt: skip
    only, left_out = _texts(wanted), _texts(without)
    if only is not None and left_out is not None:
        for name, relation in row.model.relations.items():
            if relation.relation == "m2m" and name not in left_out and (name in only or wanted == Const(None)):
                builtin.loaded(walk, calls.attribute(walk, row, name, at), at)
    return Mapping(Other(row.loops))


def _serialized(walk: Walk, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value:
    """`serialize(format, rows, fields=…)` asks each row for its many-to-many fields, unless they are prefetched.

    With natural keys it asks for the rows behind foreign keys, too.
    https://github.com/django/django/blob/stable/5.2.x/django/core/serializers/python.py
    """
    given = args[1] if len(args) > 1 else keywords.get("queryset", UNKNOWN)
    only, natural = _texts(keywords.get("fields", Const(None))), keywords.get("use_natural_foreign_keys", Const(False))
    element, _ = loops.enter(walk, given, at, "the rows that serialize() writes")
    for name, relation in element.model.relations.items() if isinstance(element, Row) else ():
        if only is None or (only and name not in only):
            continue
        target = relation.target.cls if relation.target is not None else None
        if relation.relation == "m2m":
            builtin.loaded(walk, calls.attribute(walk, element, name, at), at)
        elif relation.relation in ("fk", "o2o") and natural == Const(True) and target and target.find("natural_key"):
            calls.attribute(walk, element, name, at)
    loops.leave(walk)
    return UNKNOWN


def _texts(value: Value) -> frozenset[str] | None:
    """The texts of a list that is written out; None where it is not."""
    items = value.items if isinstance(value, Seq) else () if value == Const(None) else None
    return frozenset(str(item.value) for item in items if isinstance(item, Const)) if items is not None else None


def _prefetch(walk: Walk, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    path = args[0] if args else keywords.get("lookup", UNKNOWN)
    queryset = args[1] if len(args) > 1 else keywords.get("queryset")
    to_attr = args[2] if len(args) > 2 else keywords.get("to_attr")
    if not isinstance(path, Const) or not isinstance(path.value, str):
        return UNKNOWN
    load = None
    if isinstance(queryset, (Rows, Manager)):
        rows = calls.base_rows(walk, queryset)
        load = replace(rows.load, attributes=rows.load.attributes | {ORDERED}) if rows.ordered else rows.load
    elif queryset is not None and not (isinstance(queryset, Const) and queryset.value is None):
        load = Load(unknown="the queryset of a Prefetch cannot be followed")
    name = to_attr.value if isinstance(to_attr, Const) and isinstance(to_attr.value, str) else ""
    return PrefetchRef(path.value, load, name)


def inherited(
    walk: Walk, receiver: Value, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
) -> Value:
    """`super().name(...)` where the class behind it lies outside the repository."""
    bound = getattr(receiver, "bound", UNKNOWN)
    if walk.hooks is not None and isinstance(bound, Instance):
        hooked = walk.hooks.inherited(bound, name, args, keywords, at)
        if hooked is not None:
            return hooked
    if isinstance(bound, Row):
        given = walk.hooks.served(bound, name, args, keywords, at) if walk.hooks is not None else None
        if given is not None:
            return given
        if name not in ("save", "delete"):
            return rows.called(walk, bound, name, args, keywords, at)
        walk.record.change(walk.loops, bound.model)
        return UNKNOWN
    if isinstance(bound, Instance) and (held := bases.called(walk, bound, name, args, at)) is not None:
        return held
    if isinstance(bound, Instance) and name == "get_context_data":
        return bases.context(walk, bound, keywords, at)
    return UNKNOWN


def annotated(walk: Walk, module: SourceModule, annotation: py.Expr, taint: frozenset[object]) -> Value | None:
    """What a parameter annotation promises: one row of a model, rows of one, or nothing that is known here."""
    if isinstance(annotation, py.BinOp) and annotation.op == "|":
        return annotated(walk, module, annotation.left, taint) or annotated(walk, module, annotation.right, taint)
    if isinstance(annotation, py.Subscript):
        outer = dotted(annotation.value).rpartition(".")[2]
        inner = annotation.index.elts[0] if isinstance(annotation.index, py.Tuple) else annotation.index
        if outer in ("Optional", "Annotated", "ClassVar", "Final", "Union"):
            return annotated(walk, module, inner, taint)
        if outer in _LISTS or outer in _QUERYSETS:
            row = annotated(walk, module, inner, taint)
            if isinstance(row, Row):
                unknown = Load(unknown="the rows come from a caller that is not known here")
                return Rows(row.model, unknown, loops=taint, evaluated=outer in _LISTS)  # type: ignore[arg-type]
        return None
    if isinstance(annotation, py.Constant) and isinstance(annotation.value, str):
        name = annotation.value
        symbol = walk.modules.resolve(module, name) if name.replace(".", "").isidentifier() else None
        found = walk.classes.of(symbol)
    else:
        found = walk.classes.resolve(module, annotation) if dotted(annotation) else None
    if isinstance(found, str) and found.rpartition(".")[2] in ("HttpRequest", "Request", "WSGIRequest", "ASGIRequest"):
        return Other(taint, "@request")  # type: ignore[arg-type]
    model = walk.models.of_class(found)
    if model is not None:
        return Row(model, Load(unknown="where this row comes from is not known"), loops=taint)  # type: ignore[arg-type]
    return None
