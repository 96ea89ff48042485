"""Builtins, Django's helpers and the standard library: what they do with rows."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries import access, attached, bases, calls, effects, expressions, loops, rows
from stackaudit.link.queries.comparisons import is_instance, lacks
from stackaudit.link.queries.joining import decided, join
from stackaudit.link.queries.loading import Load
from stackaudit.link.queries.values import (
    ELEMENT,
    FORMS,
    SMALL,
    UNKNOWN,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Other,
    PrefetchRef,
    Related,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Walk, place_of

# Called with a function that is asked once for each element; the function is walked inside the loop.
LAZY_ARGUMENTS = frozenset({
    "builtins.map", "builtins.filter", "builtins.sorted", "builtins.min", "builtins.max", "itertools.groupby",
    "itertools.filterfalse", "itertools.takewhile", "itertools.dropwhile", "functools.reduce",
})  # fmt: skip
BRIEF = frozenset({"builtins.any", "builtins.all"})
"""What goes through a generator until one turn decides."""
ATTRGETTER = "@attrgetter:"
PREFETCHERS = frozenset({"prefetch_related_objects", "aprefetch_related_objects"})
_FORMSETS = frozenset({"formset_factory", "modelformset_factory", "inlineformset_factory",
                       "generic_inlineformset_factory"})  # fmt: skip
_SHORTCUTS = ("get_object_or_404", "aget_object_or_404")
_PREFETCH = ("django.db.models.Prefetch", "django.db.models.query.Prefetch")
_SAME = frozenset({
    "builtins.iter", "builtins.reversed", "copy.copy", "copy.deepcopy", "builtins.list",
    "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.sorted", "collections.deque", "tqdm.tqdm", "tqdm",
    "more_itertools.unique_everseen", "rich.progress.track", "itertools.cycle", "asyncio.gather",
})  # fmt: skip
_BATCHED = frozenset({
    "itertools.batched", "more_itertools.batched", "more_itertools.chunked", "more_itertools.ichunked",
    "toolz.partition_all",
})  # fmt: skip
_READ = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.sorted",
                   "builtins.len", "builtins.bool", "builtins.sum", "builtins.any", "builtins.all", "builtins.dict",
                   "builtins.reversed", "builtins.next", "builtins.iter", "builtins.enumerate"})  # fmt: skip
_LISTS = ("list", "List", "set", "Set", "Iterable", "Sequence", "Iterator", "Collection", "tuple", "Tuple",
          "Generator", "AsyncIterable", "frozenset")  # fmt: skip
_QUERYSETS = ("QuerySet", "BaseManager", "Manager", "RelatedManager", "ManyRelatedManager")


def _is_callable(value: Value) -> bool:
    """Whether a value is a function: of the repository, or one of the builtins."""
    return isinstance(value, Function) or (isinstance(value, Other) and value.name.startswith("builtins."))


def loaded(walk: Walk, value: Value, at: At) -> Value:
    """`value` as something that was gone through: a queryset is loaded."""
    if isinstance(value, (Related, Manager)):
        value = calls.base_rows(walk, value)
    if isinstance(value, Rows):
        return access.evaluate(walk, value, at)
    return value


def external(walk: Walk, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value:
    """A call of something outside the repository, by its dotted name."""
    effects.met(walk, name, at)
    hooked = walk.hooks.external(name, args, keywords, at) if walk.hooks is not None else None
    if hooked is not None:
        return hooked
    if name.startswith(ATTRGETTER) and args:
        return _got(walk, args[0], name.removeprefix(ATTRGETTER).split(), at)
    last = name.rpartition(".")[2]
    first = args[0] if args else next(iter(keywords.values()), UNKNOWN)
    unknown = walk.unknown(*args, *keywords.values())
    if name.startswith("builtins.") or name in _SAME:
        return _builtin(walk, name, last, first, args, keywords, at, unknown)
    if name in _PREFETCH:
        return _prefetch(walk, args, keywords)
    if last in _SHORTCUTS and name.startswith(("django.", "rest_framework.")):
        return rows.called(walk, _queryset(walk, first), "get", args[1:], keywords, at)
    if last in ("get_list_or_404", "aget_list_or_404"):
        found = rows.called(walk, _queryset(walk, first), "filter", args[1:], keywords, at)
        return loaded(walk, found, at)
    if last in PREFETCHERS:
        return UNKNOWN
    if last in ("get_user_model",):
        user = walk.models.user
        return ClassRef(user.cls or "django.contrib.auth.models.User", user) if user is not None else UNKNOWN
    if last == "get_model" and "apps" in name:
        label = ".".join(str(arg.value) for arg in args if isinstance(arg, Const))
        model = walk.models.named(label) if "." in label else None
        return ClassRef(model.cls, model) if model is not None and model.cls is not None else UNKNOWN
    if last in ("Paginator", "AsyncPaginator"):
        held = args[0] if args else keywords.get("object_list", UNKNOWN)
        size = args[1] if len(args) > 1 else keywords.get("per_page", UNKNOWN)
        return Mapping(held, (("@paginator", held), ("@per_page", size)))
    if name in _BATCHED and args:
        held = loaded(walk, first, at)
        return Seq(_evaluated(walk, held), None, held.loops, "batches")
    if name == "itertools.islice":
        return _sliced(walk, args, at)
    if name in ("itertools.chain", "itertools.chain.from_iterable"):
        return _chain(walk, args, at, last == "from_iterable")
    if name == "operator.attrgetter":
        paths = [str(arg.value) for arg in args if isinstance(arg, Const)]
        return Other(name=ATTRGETTER + " ".join(paths))
    if last in _FORMSETS or name == FORMS:
        return Other(unknown.loops, FORMS)
    if name == "typing.cast" and len(args) > 1:
        return args[1]
    if name == "collections.defaultdict":
        return Mapping(Seq(UNKNOWN))
    if name in ("functools.partial", "django.utils.functional.lazy") and isinstance(first, Function):
        return first
    if last in ("sync_to_async", "async_to_sync", "database_sync_to_async") and _is_callable(first):
        return first
    if last == "cursor" and "connection" in name:
        return Other(name="@cursor")
    return unknown


def _got(walk: Walk, value: Value, paths: list[str], at: At) -> Value:
    """What `attrgetter(*paths)` gets from a value."""
    found: list[Value] = []
    for path in paths:
        held = value
        for part in path.split("."):
            held = calls.attribute(walk, held, part, at)
        found.append(held)
    return found[0] if len(found) == 1 else Seq(UNKNOWN, tuple(found))


def _queryset(walk: Walk, value: Value) -> Value:
    if isinstance(value, ClassRef) and value.model is not None:
        return Manager(value.model, value.model.managers.get(value.model.default_manager))
    return value


def _builtin(
    walk: Walk, name: str, last: str, first: Value, args: tuple[Value, ...], keywords: dict[str, Value], at: At,
    unknown: Value,
) -> Value:  # fmt: skip
    if last == "str" or last == "repr" or last == "format":
        return access.as_text(walk, first, at)
    if last in ("print",):
        for arg in args:
            access.as_text(walk, arg, at)
        return UNKNOWN
    if last == "getattr" and len(args) > 1:
        return _getattr(walk, args, at)
    if last == "hasattr" and len(args) > 1 and isinstance(args[1], Const) and isinstance(first, Row):
        relation = first.model.relation(str(args[1].value))
        if relation is not None:
            if not relation.many:
                access.to_one(walk, first, relation, at)
            return unknown
        return _has(walk, first, str(args[1].value), unknown)
    if last == "isinstance" or last == "issubclass" or last == "type":
        if last == "type" and isinstance(first, (Row, Instance)):
            return calls.class_of(walk, first)
        told = is_instance(first, args[1]) if isinstance(first, Row) and len(args) > 1 else None
        return Const(told, first.loops) if told is not None and last == "isinstance" else UNKNOWN
    if last == "range":
        return _range(first, unknown, args)
    if last == "enumerate":
        held = loaded(walk, first, at)
        element = loops.element_of(held)
        return Seq(Seq(UNKNOWN, (Other(held.loops), element)), None, held.loops, loops.bound_of(held))
    if last == "zip":
        several = [loaded(walk, arg, at) for arg in args]
        bounded = next((loops.bound_of(item) for item in several if loops.bound_of(item)), "")
        return Seq(Seq(UNKNOWN, tuple(loops.element_of(item) for item in several)), None, unknown.loops, bounded)
    if last == "next":
        held = loaded(walk, first, at)
        return loops.one_of(walk, held, Const(0))
    if last == "dict":
        return _dict(walk, first, args, keywords)
    if name in _READ:
        if last == "bool" and (holds := decided(first)) is not None:
            return Const(holds)
        if last in ("len", "bool") and isinstance(first, Rows) and first.evaluated:
            return unknown
        held = loaded(walk, first, at)
        if isinstance(first, Rows) and not first.streamed:
            attached.loaded(walk, first)
        if name in _SAME:
            if isinstance(held, Other) and held.name == ELEMENT:
                return held
            if isinstance(held, Rows):
                return held
            if isinstance(held, Seq):
                return held
            if isinstance(held, Mapping):
                return Seq(held.key, None, held.loops, loops.bound_of(held))
            return unknown if args else Seq(UNKNOWN)
        return unknown
    if name in _SAME:
        return loaded(walk, first, at) if "copy" not in name else first
    if last == "super":
        return UNKNOWN
    return unknown


def _has(walk: Walk, row: Row, name: str, unknown: Value) -> Value:
    """Whether a row has an attribute that is no column: an annotation that its queryset adds, or does not."""
    if name in {item[0] for item in row.load.lists} | row.load.attributes:
        return Const(True)
    return Const(False) if lacks(walk, row, name) else unknown


def _getattr(walk: Walk, args: tuple[Value, ...], at: At) -> Value:
    if isinstance(args[1], Const) and isinstance(args[1].value, str):
        found = calls.attribute(walk, args[0], args[1].value, at)
        return join(found, args[2]) if len(args) > 2 else found
    return walk.unknown(*args)


def _range(first: Value, unknown: Value, args: tuple[Value, ...]) -> Value:
    if len(args) == 1 and isinstance(first, Const) and isinstance(first.value, int) and first.value <= loops.FEW:
        return Seq(Other(), None, unknown.loops, "a few turns")
    if len(args) == 1 and isinstance(first, Other) and first.name == SMALL:
        return Seq(Other(), None, unknown.loops, "a few turns")
    if len(args) == 3 and not (isinstance(args[2], Const) and _is_small(args[2].value)):
        return Seq(Other(unknown.loops), None, unknown.loops, "batches")
    return Seq(Other(unknown.loops), None, unknown.loops)


def _is_small(step: object) -> bool:
    """Whether a range of that step goes through more or less everything, instead of from batch to batch."""
    return not isinstance(step, int) or abs(step) <= rows.FEW


def _dict(walk: Walk, first: Value, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    if isinstance(first, Mapping) and args:
        return replace(first, items=(*first.items, *keywords.items()))
    if args:
        pair = loops.element_of(first)
        if isinstance(pair, Seq) and pair.items is not None and len(pair.items) == 2:
            return Mapping(pair.items[1], (), pair.items[0])
        return Mapping(Other(first.loops))
    return Mapping(UNKNOWN, tuple(keywords.items()))


def _prefetch(walk: Walk, args: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
    path = args[0] if args else keywords.get("lookup", UNKNOWN)
    queryset = args[1] if len(args) > 1 else keywords.get("queryset")
    to_attr = args[2] if len(args) > 2 else keywords.get("to_attr")
    if not isinstance(path, Const) or not isinstance(path.value, str):
        return UNKNOWN
    load = None
    if isinstance(queryset, (Rows, Manager)):
        load = calls.base_rows(walk, queryset).load
    elif queryset is not None and not (isinstance(queryset, Const) and queryset.value is None):
        load = Load(unknown="the queryset of a Prefetch cannot be followed")
    name = to_attr.value if isinstance(to_attr, Const) and isinstance(to_attr.value, str) else ""
    return PrefetchRef(path.value, load, name)


def _chain(walk: Walk, args: tuple[Value, ...], at: At, nested: bool) -> Value:
    held = [loaded(walk, arg, at) for arg in args]
    if nested and held:
        held = [loaded(walk, loops.element_of(held[0]), at)]
    element: Value = UNKNOWN
    for item in held:
        element = join(element, loops.element_of(item))
    return Seq(element, None, walk.unknown(*args).loops)


def with_function(walk: Walk, name: str, node: py.Call) -> Value:
    """`map`, `sorted(key=...)` and the like: the function is asked for each element."""
    last = name.rpartition(".")[2]
    function: py.Expr | None = None
    source: py.Expr | None = None
    plain: list[py.Expr] = [arg for arg in node.args if not isinstance(arg, py.Starred)]
    if last in ("sorted", "min", "max"):
        source = plain[0] if len(plain) == 1 else None
    elif last == "groupby":
        source = plain[0] if plain else None
        function = plain[1] if len(plain) > 1 else None
    elif len(plain) > 1:
        function, source = plain[0], plain[1]
    for item in node.keywords:
        if item.name == "key":
            function = item.value
    if source is None:
        values = [expressions.evaluate(walk, arg) for arg in node.args]
        return walk.unknown(*values)
    at = walk.at(node)
    asked = expressions.evaluate(walk, function) if function is not None else UNKNOWN
    held = expressions.iterable(walk, source)
    element, loop = loops.enter(walk, held, walk.at(source), f"{last}()")
    result: Value = UNKNOWN
    if not isinstance(asked, (Other, Const)) or (isinstance(asked, Other) and asked.name.startswith(ATTRGETTER)):
        result = calls.apply(walk, asked, (element,), {}, at)
    elif isinstance(asked, Other) and asked.name == "builtins.str":
        access.as_text(walk, element, at)
    loops.leave(walk)
    held = _evaluated(walk, held)
    if last == "map":
        return Seq(result, None, held.loops, loop.bounded)
    if last == "groupby":
        return Seq(Seq(UNKNOWN, (result, held)), None, held.loops, loop.bounded)
    if last in ("min", "max"):
        return loops.one_of(walk, held, Const(0))
    return held


def _evaluated(walk: Walk, held: Value) -> Value:
    if isinstance(held, (Related, Manager)):
        held = calls.base_rows(walk, held)
    return replace(held, evaluated=True) if isinstance(held, Rows) else held


def _sliced(walk: Walk, args: tuple[Value, ...], at: At) -> Value:
    """`islice(rows, stop)`, `islice(rows, start, stop)`: few elements where the bounds are constants that are close."""
    held = loaded(walk, args[0], at) if args else UNKNOWN
    ends = [arg.value if isinstance(arg, Const) else UNKNOWN for arg in args[1:3]]
    start, stop = (0, ends[0]) if len(ends) == 1 else (ends[0] or 0, ends[1]) if ends else (0, None)
    few = isinstance(start, int) and isinstance(stop, int) and stop - start <= rows.FEW
    return replace(held, bounded="a slice of a few") if few and isinstance(held, (Rows, Seq)) else held


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
        return Mapping(UNKNOWN, tuple(keywords.items()))
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


__all__ = ["LAZY_ARGUMENTS", "annotated", "external", "inherited", "place_of", "with_function"]
