"""Methods of querysets, managers and related managers: what they return and what they cost."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import (
    access,
    attached,
    belonging,
    calls,
    comparing,
    granted,
    narrowing,
    packaged,
    repeated,
)
from stackaudit.link.queries.joining import EMPTY
from stackaudit.link.queries.loading import NEW, NOTHING, STORED, Load, joined, prefetched
from stackaudit.link.queries.loops import IDLE, element_of
from stackaudit.link.queries.origins import COMBINED, RAW, UNCHUNKED, Asking
from stackaudit.link.queries.presence import marks
from stackaudit.link.queries.reading import SORTS
from stackaudit.link.queries.table import METHODS, PERMISSIONS, ROW_METHODS, is_neighbour, method, uses_prefetch
from stackaudit.link.queries.values import (
    ELEMENT,
    UNKNOWN,
    Const,
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
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.values import plain

FEW = 5
SAVES = frozenset({"save", "asave", "save_base"})
PRESUMED = "presumed"
"""`Origin.by` of rows behind a row whose own loading is not known: somebody may have prefetched them."""
_OF_MANY = frozenset({"in_bulk", "ain_bulk", "bulk_create", "abulk_create", "bulk_update", "abulk_update"})
_OR_NONE = frozenset({"first", "afirst", "last", "alast"})
"""Methods that give None where there is no row."""
_MAKING = frozenset({"get_or_create", "aget_or_create", "update_or_create", "aupdate_or_create"})
"""Methods that give one row and may have made it."""
_ALL = frozenset({"all", "get_queryset"})
_NARROWING = frozenset({"filter", "exclude"})
_NONE = Const(None)
_NEVER_KNOWN = "a name in it is not a constant"


def called(
    walk: Walk, receiver: Value, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
) -> Value:
    """`receiver.name(...)` for one of Django's own methods."""
    if isinstance(receiver, Row):
        return _row_method(walk, receiver, name, (*args, *keywords.values()), at)
    row = method(name, walk.django)
    loops = receiver.loops.union(
        *(arg.loops for arg in args if not (_is_batch(arg) and name in _OF_MANY)),
        *(value.loops for key, value in keywords.items() if not (_is_batch(value) and key.endswith("__in"))),
    )
    if row is None or not isinstance(receiver, (Rows, Manager, Related)):
        return Other(loops)
    if row.runs == "write":
        return _write(walk, receiver, name, args, keywords, loops, at)
    if name in ("get", "aget") and len(args) == 2 and not keywords:
        return Other(loops)  # a dictionary under the name of a relation: get(key, default)
    rows = receiver if isinstance(receiver, Rows) else calls.base_rows(walk, receiver)
    if rows.cached and rows.via is not None and rows.model is not None:
        kept = uses_prefetch(name, rows.sorted) and not (name == "all" and isinstance(receiver, Rows))
        if kept is False or (kept is None and row.on_prefetched == "ordered" and rows.sorted is False):
            rows = replace(rows, cached=False, asked=rows.asked or name)
    elif rows.via is not None and row.on_prefetched == "query" and not rows.evaluated:
        rows = replace(rows, asked=rows.asked or name)
    if row.effect == "union" and rows.evaluated and not any(map(_is_lazy, args)):
        return replace(rows, loops=loops)  # a method of sets: what it is of has been loaded, as what it takes has
    if row.effect == "union":
        rows = combined(rows, Other(loops), name)
    if row.runs == "never":
        changed = _lazy(rows, row.effect, name, args, keywords)
        if name == "filter" and changed.model is not None:
            changed = replace(changed, load=_nothing_there(changed.load, changed.model, keywords))
        if name == "filter" and changed.model is not None and changed.owner is None:
            owner = belonging.owner(walk, changed.model, keywords)
            changed = replace(changed, owner=owner or belonging.in_any_case(walk, changed.model, at))
        if name == "filter" and changed.second is None and (pair := belonging.pair(walk, changed, keywords)):
            changed = replace(changed, owner=pair[0], second=pair[1])
        if name == "filter" and keywords and changed.via is None:
            changed = replace(changed, compared=(*changed.compared, *comparing.with_rows(walk, keywords)))
        if name == "filter" and changed.model is not None and narrowing.is_one(changed.model, keywords):
            changed = replace(changed, bounded=narrowing.ONE_ROW)
        narrowed = changed.narrowed | _narrows(name, args, keywords)
        kind = "values" if row.returns == "values" else changed.kind
        made = replace(changed, kind=kind, loops=loops, evaluated=False, narrowed=narrowed)
        if rows.via is not None and name not in _ALL:
            made = replace(made, asking=_asking(walk, rows, name, args, keywords, at))
        if rows.via is None or not (rows.cached or rows.path):
            path = () if made.via is None or not made.cached else made.path
            by = COMBINED if row.effect == "union" else RAW if name == RAW else ""
            sparse = name == "only" and any(isinstance(arg, Const) and "__" in str(arg.value) for arg in args)
            made = replace(made, origin=replace(walk.origin(at, by, made), sparse=sparse), path=path)
        elif not made.cached:
            made = replace(made, origin=walk.origin(at, rows=made), path=())
        via = made.via
        if via is not None and not made.asked and via.row.load.unknown not in ("", NEW.unknown) and made.origin:
            made = replace(made, origin=replace(made.origin, by=PRESUMED, way=(via.relation.name,)))
        return made
    if row.runs == "both":
        _written(walk, receiver, name, rows.model, at, loops)
        return Seq(_one(rows, loops, at, walk, name), (_one(rows, loops, at, walk, name), Other(loops)), loops)
    rows = replace(rows, loops=loops)
    if row.returns == "iterator":
        origin = rows.origin or walk.origin(_receiver(at), rows=rows)
        if not rows.path:
            origin = replace(origin, streamed=_streamed(walk.django, name, bool(args) or "chunk_size" in keywords))
        return replace(rows, streamed=True, load=replace(rows.load, peers=False), origin=origin)
    if row.returns == "scalar":
        if not (rows.evaluated and name in ("count", "exists", "contains")):
            access.evaluate(walk, replace(rows, evaluated=False), at, name)
        return Other(loops)
    if not (rows.evaluated and rows.cached):
        access.evaluate(walk, replace(rows, evaluated=False), at, name)
    if row.returns == "mapping":
        origin = rows.origin or walk.origin(_receiver(at), rows=rows)
        element: Value = Row(rows.model, rows.load, origin, (), IDLE, there=True) if rows.model else Other()
        return Mapping(element, (), Other(), loops)
    return _one(rows, loops, at, walk, name)


def combined(rows: Rows, other: Value, op: str = "|") -> Rows:
    """What `|`, `&` and `union()` make of rows and of others.

    Rows behind a row are only where such a query begins: no prefetch of their relation answers it. Of `none()` and a
    queryset `|` makes that queryset, and `&` of a queryset and `none()` the latter, with what was called on that alone.
    """
    loops = rows.loops | other.loops
    decides = rows if op == "|" else other
    if isinstance(other, Rows) and isinstance(decides, Rows) and decides.bounded == EMPTY:
        return replace(other, loops=loops)
    if op in ("|", "union") and not (isinstance(other, Rows) and other.bounded):
        rows = replace(rows, bounded="")
    if rows.via is None or rows.via.row.loop is None or rows.evaluated:
        return replace(rows, loops=loops)
    return replace(rows, via=None, cached=False, path=(), loop=None, asked="", asking=None, origin=None, loops=loops)


def _streamed(django: tuple[int, int], name: str, is_chunked: bool) -> str:
    """`Origin.streamed` of rows that a method hands out.

    `iterator()` prefetches since Django 4.1, chunk by chunk; without a `chunk_size` it raises ValueError since 5.0.
    `aiterator()` has a default for that, and prefetches since 5.0.
    """
    if django < ((4, 1) if name == "iterator" else (5, 0)):
        return name
    return "" if is_chunked or name != "iterator" else UNCHUNKED


def _asking(walk: Walk, rows: Rows, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Asking:
    """What asks for related rows after one more method: the whole chain where it stands in one expression."""
    known, here = rows.asking, walk.asking(at)
    columns = tuple(arg.value for arg in args if isinstance(arg, Const) and isinstance(arg.value, str))
    columns = columns if name in ("values", "values_list", "order_by") else ()
    values = columns if name in ("values", "values_list") else ()
    is_broad = varies = False
    named: frozenset[str] = frozenset()
    if name in _NARROWING and rows.via is not None:
        columns = tuple(keywords)
        spread = _spread(walk, at)
        given = (*args, *keywords.values(), *spread)
        varies = any(rows.via.row.loop in value.loops for value in given)
        is_broad = bool(spread) or any(isinstance(value, (Rows, Manager, Related)) for value in given)
        named = _named(walk, at)
    if known is None:
        known = here
    repeats, order = known.repeats, known.order
    if name in repeated.CALLS and rows.via is not None:
        repeats = (*repeats, repeated.as_written(walk, rows.via.row, name, at))
    if name in SORTS:
        order = columns if len(columns) == len(args) and "?" not in columns else ()
    return replace(
        known.whole(here),
        methods=known.methods | {name},
        columns=(*known.columns, *columns),
        values=(*known.values, *values),
        is_broad=known.is_broad or is_broad,
        varies=known.varies or varies,
        named=known.named | named,
        repeats=repeats,
        order=order,
    )


def _named(walk: Walk, at: At) -> frozenset[str]:
    """The variables and parameters of the function that the arguments of a call name, but for known constants."""
    node = at[1] if isinstance(at, tuple) else None
    if not isinstance(node, py.Call):
        return frozenset()
    given = nodes([*node.args, *(item.value for item in node.keywords)])
    names = {item.id for item in given if isinstance(item, py.Name)}
    return frozenset(name for name in names if not isinstance(walk.frame.env.get(name, _NONE), Const))


def _spread(walk: Walk, at: At) -> list[Value]:
    """The dictionaries that a call takes its keywords from by name: `filter(**wanted)`."""
    node = at[1] if isinstance(at, tuple) else None
    given = node.keywords if isinstance(node, py.Call) else ()
    names = [item.value.id for item in given if item.name is None and isinstance(item.value, py.Name)]
    return [walk.frame.env.get(name, UNKNOWN) for name in names]


def _receiver(at: At) -> At:
    """Where `Book.objects` stands in `Book.objects.in_bulk()`."""
    if not isinstance(at, tuple) or not isinstance(at[1], py.Call) or not isinstance(at[1].func, py.Attribute):
        return at
    return at[0], at[1].func.value


def _is_batch(value: Value) -> bool:
    """Whether a value is what a loop hands out itself: where it holds many, the loop goes from batch to batch."""
    return isinstance(value, Other) and value.name == ELEMENT


def _nothing_there(load: Load, model: Model, keywords: dict[str, Value]) -> Load:
    """After `filter(fk=None)` or `filter(fk__isnull=True)`: the key of every row is NULL, which asks nothing."""
    for name, value in keywords.items():
        path, _, lookup = name.partition("__")
        relation = model.relation(path)
        if relation is None or relation.relation not in ("fk", "o2o") or not isinstance(value, Const):
            continue
        if (lookup == "isnull" and value.value is True) or (lookup in ("", "exact") and value.value is None):
            load = load.with_one(path, NEW)
    return load


def _narrows(name: str, args: tuple[Value, ...], keywords: dict[str, Value]) -> frozenset[str]:
    """What a method asks of the rows: the keywords of a filter, "?" for what is no keyword."""
    if name == "filter":
        return frozenset(keywords) | ({"?"} if args else set())
    return _CLOSED if name in ("raw", "extra", "distinct", "dates", "datetimes", "complex_filter", "union") else _OPEN


_CLOSED, _OPEN = frozenset({"?"}), frozenset[str]()


def _one(rows: Rows, loops: frozenset[object], at: At, walk: Walk, name: str) -> Value:
    if rows.model is None or rows.kind != "rows":
        return Other(loops)  # type: ignore[arg-type]
    via, there = rows.via, name not in _OR_NONE
    if via is not None and walk.repeats(via.row.loop):
        row = via.row
        if rows.cached or rows.path:
            return Row(rows.model, rows.load, rows.origin, rows.path, row.loop, loops, there=there)  # type: ignore[arg-type]
        picked = element_of(rows)
        if not row.load.unknown and name not in _MAKING and isinstance(picked, Row):
            path, link = (*row.path, via.relation.name), picked.link
            load = replace(picked.load, one=tuple(item for item in picked.load.one if item[0] != link))
            return replace(picked, load=load, origin=row.origin, path=path, loop=row.loop, loops=loops, there=there)
    return Row(rows.model, rows.load, walk.origin(at, name, rows), (), None, loops, there=there)  # type: ignore[arg-type]


def _is_lazy(value: Value) -> bool:
    return isinstance(value, (Manager, Related)) or (isinstance(value, Rows) and not value.evaluated)


def _lazy(rows: Rows, effect: str, name: str, args: tuple[Value, ...], keywords: dict[str, Value]) -> Rows:
    model, load = rows.model, rows.load
    if name == "order_by":
        return replace(rows, ordered=bool(args))
    if not effect or (model is None and effect != "none"):
        return rows
    if effect == "none":
        return replace(rows, bounded=EMPTY)
    if effect == "fetch_mode":
        peers = any(isinstance(arg, Other) and arg.name.endswith("FETCH_PEERS") for arg in args)
        return replace(rows, load=replace(load, peers=peers))
    if effect in ("annotate", "alias"):
        given = load.attributes.union(*(marks(key, value) for key, value in keywords.items()))
        return replace(rows, load=replace(load, attributes=given)) if keywords else rows
    if effect == "union":
        return rows
    assert model is not None
    if effect == "join":
        return replace(rows, load=_join(load, model, args))
    if effect == "prefetch":
        return replace(rows, load=prefetch(load, model, args))
    names = [arg.value for arg in args if isinstance(arg, Const) and isinstance(arg.value, str)]
    if len(names) < len(args):
        return rows
    if None in (arg.value for arg in args if isinstance(arg, Const)):
        return replace(rows, load=replace(load, only=None, deferred=frozenset()))
    return replace(rows, load=_columns(load, model, effect, names))


def _columns(load: Load, model: Model | None, effect: str, names: list[str]) -> Load:
    """After `only(*names)` or `defer(*names)`; a path leads to columns of rows that are joined before."""
    plain = frozenset(item if model is None else _field_name(model, item) for item in names if "__" not in item)
    below: dict[str, list[str]] = {}
    for item in names:
        first, _, rest = item.partition("__")
        if rest:
            below.setdefault(first, []).append(rest)
    for first, paths in below.items():
        inner = load.to_one(first)
        if inner is not None and first in load.joined:
            others = tuple(item for item in load.one if item[0] != first)
            relation = model.relation(first) if model is not None else None
            target = relation.target if relation is not None else None
            load = replace(load, one=(*others, (first, _columns(inner, target, effect, paths))))
    if effect == "only":
        return replace(load, only=plain | frozenset(below), deferred=frozenset())
    return replace(load, deferred=load.deferred | plain)


def _field_name(model: Model, name: str) -> str:
    """A field by its name, also where its column is named (`author_id`)."""
    key = model.attname(name)
    return key.name if key is not None and model.column(name) is None else name


def _flat(args: tuple[Value, ...]) -> list[Value]:
    flat: list[Value] = []
    for arg in args:
        if isinstance(arg, Seq) and arg.items is not None:
            flat.extend(_flat(arg.items))
        else:
            flat.append(arg)
    return flat


def _join(load: Load, model: Model, args: tuple[Value, ...]) -> Load:
    if not args:
        return replace(load.without_joins(), every_one=True)
    load = replace(load, every_one=False)  # names take the place of all, and all that of names
    for arg in _flat(args):
        if isinstance(arg, Const) and arg.value is None:
            load = load.without_joins()
        elif isinstance(arg, Const) and isinstance(arg.value, str):
            load = joined(load, model, arg.value)
        else:
            load = replace(load, unknown=load.unknown or f"select_related() loads more, and {_NEVER_KNOWN}")
    return load


def prefetch(load: Load, model: Model, args: tuple[Value, ...]) -> Load:
    """What rows bring after `prefetch_related(*args)`."""
    for arg in _flat(args):
        if isinstance(arg, PrefetchRef):
            load = prefetched(load, model, arg.path, arg.load, arg.to_attr)
        elif isinstance(arg, Const) and arg.value is None:
            load = load.without_prefetches()
        elif isinstance(arg, Const) and isinstance(arg.value, str):
            load = prefetched(load, model, arg.value)
        else:
            load = replace(load, unknown=load.unknown or f"prefetch_related() loads more, and {_NEVER_KNOWN}")
    return load


def _write(
    walk: Walk, receiver: Value, name: str, args: tuple[Value, ...], keywords: dict[str, Value],
    loops: frozenset[object], at: At,
) -> Value:  # fmt: skip
    model = receiver.relation.target if isinstance(receiver, Related) else getattr(receiver, "model", None)
    _written(walk, receiver, name, model, at, loops)
    returns = METHODS[name].returns if name in METHODS else METHODS[name[1:]].returns
    if returns == "row" and isinstance(model, Model):
        load = replace(NEW, attributes=frozenset({STORED}))
        for key in keywords:
            load = load.with_one(key, NOTHING)
        return Row(model, load, None, (), None, loops, there=True)  # type: ignore[arg-type]
    if returns == "rows_list" and args:
        return args[0]
    return Other(loops)  # type: ignore[arg-type]


def _written(walk: Walk, receiver: Value, name: str, model: Model | None, at: At, loops: frozenset[object]) -> None:
    from stackaudit.link.queries import writes

    writes.written(walk, receiver, name.removeprefix("a") if name not in METHODS else name, model, at, loops)


def _is_asked_of_tables(walk: Walk) -> bool:
    """Whether Django's own backend answers for permissions, or one that may derive from it; others may ask nothing."""
    found = walk.setting("AUTHENTICATION_BACKENDS")
    named = plain(found)
    return not isinstance(named, (list, tuple)) or any(str(name).endswith("ModelBackend") for name in named)


def _row_method(walk: Walk, row: Row, name: str, args: tuple[Value, ...], at: At) -> Value:
    if (given := packaged.called(walk, row, name, at)) is not None:
        return given
    runs = ROW_METHODS.get(name, "never")
    if runs == "write":
        _written(walk, row, name, row.model, at, row.loops)
        if name in SAVES:
            access.saved(walk, row)
    elif name == "full_clean":
        calls.apply(walk, calls.attribute(walk, row, "clean", at), (), {}, at)
    elif name == "has_perm" and len(args) > 1:
        granted.tested(walk, args, at)
    elif name in PERMISSIONS and _is_asked_of_tables(walk):
        access.ask(walk, Rows(row.model, loops=row.loops), at, name)
    elif is_neighbour(name, row.model.columns):
        asked = Rows(row.model, loops=row.loops, asked=name)
        access.ask(walk, asked, at, name)
        return Row(row.model, NOTHING, walk.origin(at, name, asked), (), None, row.loops)
    elif name in ("refresh_from_db", "arefresh_from_db"):
        access.ask(walk, Rows(row.model, loops=row.loops), at, name)
        if not args:
            access.refreshed(walk, row)
            attached.emptied(walk, row)
    return Other(row.loops)
