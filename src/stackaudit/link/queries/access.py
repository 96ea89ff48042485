"""What an attribute of a row costs, and what evaluating a queryset costs."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Field, Model, Relation
from stackaudit.link.nodes import is_true
from stackaudit.link.queries import births, branches, calls, kinds, loops, packaged
from stackaudit.link.queries.joining import matters
from stackaudit.link.queries.loading import BORN, NOTHING, PARENT, STORED, UNSAVED, Load
from stackaudit.link.queries.origins import FETCHES_ONE, Asking
from stackaudit.link.queries.presence import marked
from stackaudit.link.queries.table import PERMISSIONS, ROW_METHODS, is_neighbour
from stackaudit.link.queries.values import (
    KEY,
    LISTED,
    META,
    NO_KEY,
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
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Super,
    Value,
)
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.source import Place

NEW = "new"
_MADE = frozenset({UNSAVED, STORED})
"""What says that a row was made here: nothing that a queryset loads stands behind it."""
_REFRESHED = "refresh_from_db() drops what was loaded with the row"
_FIRST = "[:1]"
_ONE = frozenset({"first", "afirst", "[…]"})
_LISTS = frozenset({"ArrayField", "HStoreField", "JSONField"})


def of_row(walk: Walk, row: Row, name: str, at: At) -> Value:
    """`row.<name>`: a column, a relation, a method, a property or something unknown."""
    made = next((item for item in row.load.lists if item[0] == name), None)
    if made is not None:
        return Rows(
            made[1], made[2], row.origin, (*row.path, name), row.loop, row.loops, evaluated=True,
            via=_list_of(row, made[1], made[2]), there=True,
        )  # fmt: skip
    model = row.model
    if name in model.parent_links or any(name in parent.parent_links for parent in model.parents):
        target = model.parent_links.get(name) or model.parents[0]
        return replace(row, model=target)
    relation = model.relation(name)
    if relation is not None:
        if relation.many:
            return (
                kinds.related(row, relation) if kinds.leads_apart(row, relation) else Related(row, relation, row.loops)
            )
        return to_one(walk, row, relation, at)
    if name in ("pk", model.pk):
        return Other(row.loops, _key(walk, row))
    if name == "_state":
        return Other(row.loops, {KEY: STATE, NO_KEY: STATE + NO_KEY}.get(_key(walk, row), ""))
    if name in row.load.attributes:
        return Other(row.loops, marked(row.load, name))
    key = model.attname(name)
    column = model.column(key.name if key is not None else name)
    if key is not None or column is not None:
        of_column(walk, row, key.name if key is not None else name, name, at)
        if column is not None and _is_set(column) and _key(walk, row) == KEY:
            return Other(row.loops, KEY)
        return Other(row.loops, LISTED if column is not None and column.kind in _LISTS else "")
    if name == "id":
        return Other(row.loops)
    return of_class(walk, row, model.cls, name, at)


def _is_set(column: Field) -> bool:
    """Whether stored rows have something in a column, but for one of them: what `if not self.slug` asks for once."""
    return is_true(column.keyword("unique")) and not is_true(column.keyword("null"))


def _key(walk: Walk, row: Row) -> str:
    """What is known of the primary key of a row: KEY, NO_KEY or ""."""
    load = row.load
    if UNSAVED in load.attributes:
        return NO_KEY
    if load.attributes & {"pk", row.model.pk}:
        return ""
    if STORED in load.attributes:
        return KEY
    if load.unknown == NEW:
        # before the first save(), where nothing else gives the key; what the caller did before is not known
        column = row.model.column(row.model.pk)
        given = column is not None and not column.kind.endswith("AutoField")
        return NO_KEY if not given and _is_self(walk, row) else ""
    return KEY if not load.unknown or row.origin is not None else ""


def _is_self(walk: Walk, row: Row) -> bool:
    """Whether a row is the one whose method is running."""
    frame = walk.frames[-1] if walk.frames else None
    params = frame.node.params if frame is not None and isinstance(frame.node, py.FunctionDef) else ()
    return frame is not None and bool(params) and isinstance(frame.bound, Row) and frame.env.get(params[0].name) == row


def saved(walk: Walk, row: Row) -> None:
    """A row that was new is stored now, under every name that the running function has for it."""
    if row.load.unknown != NEW and UNSAVED not in row.load.attributes:
        return
    env = walk.frame.env
    for name, value in env.items():
        if value == row:
            attributes = (row.load.attributes - {UNSAVED}) | {STORED}
            env[name] = replace(row, load=replace(row.load, attributes=attributes))


def _list_of(row: Row, model: Model, load: Load) -> Related | None:
    """The relation whose rows the list of a `to_attr` holds, where they know the row that holds them."""
    for relation in row.model.relations.values():
        remote = relation.remote if relation.many and relation.target is model else ""
        if remote and load.to_one(remote) is not None and remote not in load.joined:
            return Related(row, relation, row.loops)
    return None


def of_class(walk: Walk, row: Row, cls: SourceClass | None, name: str, at: At) -> Value:
    """A method, property or constant that the class of a row defines, or one of Django's methods."""
    member = cls.find(name) if cls is not None else None
    if row.model.children and (given := kinds.of_each(walk, row, name, member, at)) is not None:
        return given
    if member is not None:
        return calls.member(walk, row, member, at) if not packaged.is_left_open(row, name) else Other(row.loops)
    is_asked = (name in PERMISSIONS and row.model is walk.models.user) or is_neighbour(name, row.model.columns)
    if name in ROW_METHODS or is_asked or packaged.gives(walk, row, name):
        return Method(row, name, row.loops)
    if (held := packaged.of_row(walk, row, name, at)) is not None:
        return held
    if name == "__dict__":
        return Method(row, name, row.loops)
    if name == "__class__":
        return ClassRef(cls, row.model) if cls is not None else UNKNOWN
    if name == "_meta" and cls is not None:
        return Mapping(UNKNOWN, ((META, ClassRef(cls, row.model)),))
    if cls is not None and walk.hooks is not None and walk.hooks.serves(row, name):
        return Method(Super(cls, row, row.loops), name, row.loops)
    return Other(row.loops)


def of_column(walk: Walk, row: Row, column: str, name: str, at: At) -> None:
    """Read a column by `name`, its own or that of the attribute: a query where `only()` or `defer()` left it out."""
    load = row.load
    missing = column in load.deferred or (load.only is not None and column not in load.only and name not in load.only)
    if name in (row.model.pk, "pk", "id"):
        return
    if missing and not load.peers and walk.repeats(row.loop):
        method = "defer" if column in load.deferred else "only"
        walk.add("deferred", "fail", at, row.loop, row=replace(row, path=(*row.path, column)), method=method)


def of_links(walk: Walk, row: Row, at: At) -> None:
    """The columns by which Django finds what was prefetched, or the parent of the row: it reads them of every row."""
    load = row.load
    for name, inner in load.one:
        relation = row.model.relation(name)
        if relation is None or name in load.joined:
            continue
        for column in relation.columns:
            of_column(walk, row, column, column, at)
        if inner.one or inner.many:
            target = relation.target if inner.unknown != PARENT.unknown else None
            _below(walk, row, name, target, inner, at)
    for name, inner in load.many:
        relation = row.model.relation(name)
        if relation is not None and (relation.far_columns or inner.one or inner.many):
            _below(walk, row, name, relation.target, inner, at, relation.far_columns)


def _below(
    walk: Walk, row: Row, name: str, target: Model | None, load: Load, at: At, columns: tuple[str, ...] = ()
) -> None:
    if target is None:
        return
    held = Row(target, load, row.origin, (*row.path, name), row.loop, row.loops)
    for column in columns:
        of_column(walk, held, column, column, at)
    of_links(walk, held, at)


def to_one(walk: Walk, row: Row, relation: Relation, at: At) -> Value:
    """The row behind a relation to one row."""
    load, target = row.load, relation.target
    nested = load.to_one(relation.name)
    if nested is None and kinds.leads_apart(row, relation) and (held := kinds.to_one(walk, row, relation, at)):
        return held
    if row.parent is not None and row.link == relation.name:
        if walk.repeats(row.loop):
            walk.add("forward", "pass", at, row.loop, row=row, relation=relation)
        known = row.parent
        if nested is not None and nested.unknown == PARENT.unknown:
            # a prefetch below the link goes on from the parent
            own = known.load
            load = replace(own.merge(replace(nested, unknown="")), only=own.only, deferred=own.deferred)
            known = replace(known, load=load)
        elif nested is not None:
            # prefetched by the rows' own queryset: a copy of the parent, the same one for all of its rows
            way = (*row.path, relation.name) if row.path and row.origin == known.origin else known.path
            known = replace(known, load=nested, path=way)
        return known if known.loop is None or known.loop in walk.loops else replace(known, loop=row.loop)
    loaded = nested
    if load.every_one and relation.relation in ("fk", "o2o") and not relation.null:
        loaded = replace(loaded or NOTHING, every_one=True)
    counted = walk.repeats(row.loop)
    if load.unknown == BORN:
        ask(walk, Rows(target, loops=row.loops), at, births.METHOD)
    elif loaded is not None:
        if counted:
            walk.add("forward", "pass", at, row.loop, row=row, relation=relation)
    elif load.unknown and not relation.peers:
        loaded = Load(unknown=load.unknown)
        if counted and load.unknown != NEW:
            walk.add("forward", "unknown", at, row.loop, row=row, relation=relation, why=load.unknown)
    elif (load.peers or relation.peers) and relation.relation != "generic_fk":
        loaded = Load(peers=True)
        if counted:
            walk.add("forward", "pass", at, row.loop, row=row, relation=relation)
    elif counted and relation.name not in load.attributes:
        for column in relation.columns or (relation.name,):
            of_column(walk, row, column, column, at)
        walk.add("forward", "fail", at, row.loop, row=row, relation=relation)
    elif relation.name not in load.attributes:
        _of_fetched(walk, row, relation, at)
    if target is None:
        return Other(row.loops)
    inner = loaded if loaded is not None else NOTHING
    if row.model.is_itself(relation):
        return replace(row, model=target, load=inner)  # the row itself: what it leads to is loaded with the row
    path = (*row.path, relation.name)
    if relation.relation in ("o2o", "reverse_o2o") and relation.remote:  # leads back to this row, whatever was joined
        inner = inner.with_one(relation.remote, PARENT)
        return Row(target, inner, row.origin, path, row.loop, row.loops, row, relation.remote)
    return Row(target, inner, row.origin, path, row.loop, row.loops)


def _of_fetched(walk: Walk, row: Row, relation: Relation, at: At, method: str = "") -> None:
    """Take note of what a turn asks a row for that it has asked for itself; `method` is what no prefetch answers."""
    if row.loop is not None or row.origin is None or row.origin.by not in FETCHES_ONE or row.load.unknown:
        return
    loop = walk.repeating(row.loops)
    if loop is not None:
        if row.load.only is not None or row.load.deferred:
            method = "only"
        walk.add("fetched", "fail", at, loop, row=row, relation=relation, method=method)


def related_rows(walk: Walk, manager: Related, name: str = "") -> Rows:
    """The rows behind a related manager, before any method of it; with `name` by another manager of their model."""
    row, relation = manager.row, manager.relation
    target = relation.target
    definition = target.managers.get(name or target.default_manager) if target is not None else None
    base = calls.base_rows(walk, Manager(target, definition)) if target is not None and definition else None
    cls = base.cls if base is not None else None
    load = row.load.to_many(relation.name)
    if load is not None:
        path = (*row.path, relation.name)
        return Rows(target, load, row.origin, path, row.loop, manager.loops, via=manager, cached=True, cls=cls)
    inner = base.load if base is not None else NOTHING
    if relation.relation == "reverse_fk" and relation.remote:
        inner = inner.with_one(relation.remote, replace(row.load, unknown=row.load.unknown))
    return Rows(target, inner, None, (), row.loop, manager.loops, via=manager, cls=cls)


def refreshed(walk: Walk, row: Row) -> None:
    """After `refresh_from_db()` a row keeps its columns and none of the rows that were loaded with it."""
    env = walk.frame.env
    for name, value in env.items():
        if value == row:
            env[name] = replace(row, load=emptied(row.load))


def emptied(load: Load) -> Load:
    """What `refresh_from_db()` leaves of what was loaded with a row."""
    return Load(attributes=load.attributes, deferred=load.deferred, only=load.only, unknown=_REFRESHED)


def evaluate(walk: Walk, rows: Rows, at: At, method: str = "") -> Rows:
    """Run the query of lazy rows, where they need one; `method` is what runs it ("" for going through them)."""
    if rows.evaluated:
        return rows
    done = replace(rows, evaluated=True)
    via = rows.via
    if rows.cached and via is not None:
        if walk.repeats(via.row.loop):
            walk.add("reverse", "pass", at, via.row.loop, row=via.row, relation=via.relation, method=method)
        return done
    if via is not None and walk.repeats(via.row.loop):
        row, relation = via.row, via.relation
        shown = rows.asked or method
        asking = rows.asking or walk.asking(at)
        asking = replace(asking, last=method, cut=asking.cut or (_FIRST if method in _ONE and asking.text else ""))
        if row.load.unknown == NEW or row.load.attributes & _MADE:
            return done
        if row.load.unknown == BORN:
            ask(walk, replace(rows, via=None, loops=row.loops), at, births.METHOD)
            return done
        if (row.loop, relation.name) in walk.changed:
            why = "the turn changes these rows before it reads them, so what is prefetched would be out of date"
            walk.add("reverse", "unknown", at, row.loop, row=row, relation=relation, why=why)
        elif row.load.to_many(relation.name) is not None:
            walk.add("bypassed", "fail", at, row.loop, row=row, relation=relation, method=shown, asking=asking)
        elif row.load.unknown:
            walk.add("reverse", "unknown", at, row.loop, row=row, relation=relation, why=row.load.unknown)
        else:
            walk.add("reverse", "fail", at, row.loop, row=row, relation=relation, method=shown, asking=asking)
        return done
    running = walk.repeating(rows.loops) if via is not None else None
    if via is not None and running is not None and not rows.asked and via.row.load.unknown not in ("", NEW):
        walk.add("reverse", "unknown", at, running, row=via.row, relation=via.relation, why=via.row.load.unknown)
        return done
    if via is not None:
        _of_fetched(walk, via.row, via.relation, at, rows.asked)
    ask(walk, rows, at, (rows.asked if rows.via is None else "") or method or "…")
    return done


def ask(walk: Walk, receiver: Value, at: At, method: str, loops: frozenset[object] = frozenset()) -> None:
    """A query that is no access of a looped row: it counts where it changes with the turns of a running loop."""
    taint = receiver.loops | loops
    row = receiver.via.row if isinstance(receiver, Rows) and receiver.via is not None else None
    loop = walk.repeating(taint)  # type: ignore[arg-type]
    model = getattr(receiver, "model", None)
    is_fetched = row is not None and row.loop is None and row.origin is not None and loop in row.loops
    if loop is not None and not is_fetched:  # what a turn asks of a row that it fetched is told with the row
        compared = receiver.compared if isinstance(receiver, Rows) else ()
        if compared and isinstance(receiver, Rows) and receiver.narrowed - {name for name, _ in compared}:
            compared = (*compared, ("", ()))
        asking = replace(_by_python(receiver, at) or walk.asking(at), last=method, compared=compared)
        walk.add("query", "fail", at, loop, model=model, method=method, asking=asking)
    elif any(item in taint and item.bounded for item in walk.loops):
        running = next(item for item in reversed(walk.loops) if item in taint)
        walk.add("query", "pass", at, running, model=model, method=method, why=running.bounded)


def _by_python(receiver: Value, at: At) -> Asking | None:
    """The expression of Python that made what a template asks; None for what Python asks itself."""
    origin = receiver.origin if isinstance(receiver, Rows) and isinstance(at, Place) else None
    while origin is not None and not origin.text:
        origin = origin.refined  # the template calls `.all` of it
    if origin is None or not isinstance(at, Place) or not origin.place.path.endswith(".py"):
        return None
    return None if at.path.endswith(".py") else Asking(origin.place, origin.text, origin.where)


def as_text(walk: Walk, value: Value, at: At) -> Value:
    """`str(value)`: for a row or an object, what its `__str__` asks for."""
    if isinstance(value, (Row, Instance)):
        cls = value.model.cls if isinstance(value, Row) else value.cls
        label = value.model.name if isinstance(value, Row) else value.cls.label
        for name in ("__str__", "__unicode__"):
            member = cls.find(name) if cls is not None else None
            if member is not None and isinstance(member.node, py.FunctionDef):
                function = Function(member.owner.module, member.node, value, member.owner)
                calls.call(walk, function, (), {}, at, f"str({label.lower()})")
                return Other(value.loops)
    elif isinstance(value, Choice) and isinstance(value.options[0], Row):
        branches.of_each(walk, value, lambda option: as_text(walk, option, at))
    elif isinstance(value, Rows) and not (value.evaluated or value.cached):
        evaluate(walk, value, at)  # of its rows a queryset shows 21
    elif isinstance(value, Seq) and value.items is not None:
        for item in value.items:
            as_text(walk, item, at)
    elif isinstance(value, Mapping) and value.items:
        for _, item in value.items:
            as_text(walk, item, at)
    elif isinstance(value, (Rows, Seq, Mapping)) and matters(value):
        held = Seq(value.element, None, value.loops) if isinstance(value, Mapping) else value
        element, _ = loops.enter(walk, held, at, "the text of a list of rows")
        as_text(walk, element, at)
        loops.leave(walk)
    return Const(str(value.value), value.loops) if isinstance(value, Const) else Other(value.loops)
