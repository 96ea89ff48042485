"""Going through things: what a loop hands out, whether it is bounded, what its target is bound to."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.modules import SETTINGS, target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import access, attached, belonging, calls, containers, forms
from stackaudit.link.queries.joining import join, turned
from stackaudit.link.queries.loading import NEW, NOTHING, STORED, UNSAVED, Load
from stackaudit.link.queries.origins import Behind, Loop
from stackaudit.link.queries.presence import marks, without
from stackaudit.link.queries.source import code_of
from stackaudit.link.queries.values import (
    ELEMENT,
    FORMS,
    LISTED,
    ORM,
    PAGES,
    UNKNOWN,
    ClassRef,
    Const,
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
from stackaudit.link.queries.walk import At, Walk, place_of
from stackaudit.model.source import Place, Region

FEW = 25
"""A range up to this constant does not grow with the data and is short."""
_CHANGED = "the queryset is changed by what cannot be followed"
_COPIES = frozenset({"frozenset", "list", "reversed", "set", "sorted", "tuple"})
_GIVING = frozenset({"filter_queryset", "get_queryset"})
"""Methods of views, Django's or REST framework's, that give querysets."""
_KNOWING = frozenset({"reverse_fk", "reverse_o2o"})
_FORMSETS = (
    "django.forms.BaseFormSet", "django.forms.BaseModelFormSet", "django.forms.BaseInlineFormSet",
    "django.forms.formsets.BaseFormSet", "django.forms.models.BaseModelFormSet",
    "django.forms.models.BaseInlineFormSet",
)  # fmt: skip


def element_of(value: Value) -> Value:
    """One element of something, before any loop hands it out."""
    if isinstance(value, Rows):
        if value.model is None or value.kind != "rows":
            return Other(value.loops)
        load = replace(value.load, peers=False) if value.streamed else value.load
        row = Row(value.model, load, value.origin, value.path, IDLE, value.loops, there=True)
        via = value.via
        # Django leaves a parent alone that select_related() brought already.
        remote = via.relation.remote if via is not None and via.relation.relation in _KNOWING else ""
        if via is not None and remote and not load.joins(value.model.relation(remote)):
            return replace(row, parent=via.row, link=remote)
        return row
    if isinstance(value, Seq):
        if value.items is not None:
            if not value.items:
                return UNKNOWN
            element = value.items[0]
            for item in value.items[1:]:
                element = join(element, item)
            return element
        return value.element
    if isinstance(value, Mapping):
        return value.key
    return Other(value.loops)


def elements_of(value: Value) -> tuple[Value, ...]:
    """What stands for the elements of something: one value, and one more for each other model of its rows."""
    return (element_of(value), *(value.others if isinstance(value, Seq) else ()))


def beside(walk: Walk, value: Value, loop: Loop) -> tuple[Value, ...]:
    """The rows of other models that a loop, which has begun, hands out on some of its turns."""
    others = value.others if isinstance(value, Seq) else ()
    running = frozenset(item for item in walk.loops if item is not loop)
    return tuple(turned(item, loop, running) for item in others)


IDLE = Loop(Place("", Region(1, 1, 1, 1)), 0)


def bound_of(value: Value) -> str:
    """Why few turns are certain, "" where nothing says so."""
    if isinstance(value, Rows):
        return value.bounded
    if isinstance(value, Seq):
        return value.bounded or ("a list written out" if value.items is not None else "")
    if isinstance(value, Mapping):
        return "a dictionary written out" if value.items and value.element == UNKNOWN else ""
    if isinstance(value, Const):
        return "a constant"
    if isinstance(value, Other) and value.name.startswith((SETTINGS, "builtins.range.few")):
        return "a setting"
    if isinstance(value, Other) and value.name == "django.db.connections":
        return "a handful"
    if isinstance(value, Other) and value.name == FORMS:
        return "the forms of a page"
    if isinstance(value, Instance):
        return "the forms of a page" if value.cls.is_a(*_FORMSETS) else ""
    if isinstance(value, ClassRef):
        return "an enumeration"
    return ""


def enter(walk: Walk, value: Value, at: At, text: str = "the loop", bounded: str = "") -> tuple[Value, Loop]:
    """Begin a loop over a value: its query runs, and each turn is handed an element. `leave` ends it."""
    value = itself_or_given(walk, value, at)
    if isinstance(value, (Related, Manager)):
        value = calls.base_rows(walk, value)
    if isinstance(value, Mapping) and value.get("@paginator") is not None:
        value = Seq(containers.page_of(walk, value, at), None, value.loops, PAGES)
    called = _called(walk, value, at)
    if isinstance(value, Rows):
        if isinstance(at, Place):
            walk.record.shown.setdefault((at, value.origin), value)
        value = access.evaluate(walk, value, at)
    loop = Loop(place_of(at), len(walk.frames), bounded or bound_of(value), text, walk.guard)
    if isinstance(value, Rows):
        loop.page, loop.behind, loop.second = value.page, _behind(value), value.second
        loop.owner = belonging.whose(value, walk.models.user)
    elif isinstance(value, Seq):
        loop.page, loop.chosen = value.page, value.chosen
        gathered = value.element.loop if isinstance(value.element, Row) else None
        if gathered is not None:
            loop.owner, loop.second = gathered.owner, gathered.second
    loop.called = called
    running = frozenset(walk.loops)
    walk.loops.append(loop)
    element = turned(element_of(value), loop, running)
    is_of_rows = isinstance(element, Row) and isinstance(value, (Rows, Seq))
    if (loop.bounded or loop.page) and is_of_rows and walk.repeating(value.loops) is not None:
        loop.bounded, loop.page = "", 0  # a few rows for each turn of a longer loop are many
    if any(around.bounded == PAGES for around in running):
        loop.page = 0  # page by page it goes through all rows
    elif isinstance(at, Place) and isinstance(value, Rows) and value.via is not None and not loop.bounded:
        # What is served shows little behind each of a few rows; code may go through thousands.
        around = value.via.row.loop
        loop.page = loop.page or (around.page if around in running and loop.owner is None else 0)
    if isinstance(element, Row) and isinstance(value, Rows) and not value.cached:
        access.of_links(walk, element, at)
    if isinstance(value, Other) and value.name == LISTED:
        walk.record.listed.add(loop.place)
    if isinstance(value, Other) and isinstance(element, Other) and not element.name:
        element = replace(element, name=ELEMENT)
    return element, loop


def itself_or_given(walk: Walk, value: Value, at: At) -> Value:
    """What `for` goes through: of an object what its `__iter__()` gives, where that is known."""
    given = calls.special(walk, value, "__iter__", at) if isinstance(value, Instance) else None
    return given if isinstance(given, (Rows, Seq, Related, Manager)) else value


def _behind(rows: Rows) -> Behind | None:
    """Whose relation rows come from, where a prefetch of it would load them."""
    via = rows.via
    if via is None or rows.cached or rows.asked:
        return None
    row, name = via.row, via.relation.name
    around = row.loop.behind if row.loop is not None else None
    if around is not None and (row.origin is None or row.origin == around.own):
        return replace(around, own=rows.origin, path=(*around.path, *row.path, name))
    if row.origin is not None:
        return Behind(rows.origin, row.origin, (*row.path, name), row.model)
    return Behind(rows.origin, None, (name,), row.model)


def _called(walk: Walk, value: Value, at: At) -> tuple[str, Place] | None:
    """The call that gives a queryset which nobody has asked yet, and where that is made; None for all else.

    A function that gives a list at times gives nothing that takes more calls, and what a class overrides gives other
    rows for each class.
    """
    node = _maker(walk, value, at[1]) if isinstance(at, tuple) else None
    if isinstance(at, tuple) and node is not None and node is not at[1]:
        at, value = (at[0], node), walk.kept.get(node, UNKNOWN)
    if walk.served is not None and walk.frame.owner is not walk.served:
        return None  # a base class asks it of each class that derives from it
    if not isinstance(value, Rows) or not isinstance(node, py.Call) or value.evaluated or value.streamed:
        return None
    origin = value.origin
    if origin is None or origin.outer is not None or origin.place == place_of(at) or node not in walk.kept:
        return None
    found = walk.record.called.get(node)
    if found is None and not (isinstance(node.func, py.Attribute) and node.func.attr in _GIVING):
        return None  # the page of a paginator stands for rows, too
    owner = walk.frame.owner
    if found is not None and owner is not None and isinstance(node.func, py.Attribute):
        own = owner.find(node.func.attr)
        if own is not None and own.node is not found[1]:
            return None  # a class that derives from this one gives the rows: others give rows of other models here
    returned = [stmt.value for stmt in _returns(found[1])] if found is not None else []
    if found is not None and not returned:
        return None  # another class gives the rows, or a decorator does
    kept = [walk.kept.get(item) if item is not None else None for item in returned]
    if not all(isinstance(item, (Rows, Manager)) and not getattr(item, "evaluated", False) for item in kept):
        return None
    text = code_of(node, 60)
    return (text, origin.place) if text else None


def _maker(walk: Walk, value: Value, node: py.Node) -> py.Node:
    """The expression that gives the rows of a loop, behind `set()` and the like and a name that is bound once."""
    row = value.element if isinstance(value, Seq) else value
    if not isinstance(row, (Row, Rows)) or row.origin is None or row.origin.where == walk.frame.where:
        return node
    is_bound = False
    while True:
        if isinstance(node, py.Name) and not is_bound and isinstance(walk.frame.node, py.FunctionDef):
            found = [item for item in nodes(walk.frame.node.body) if isinstance(item, py.Assign)]
            found = [item for item in found if any(node.id in target_names(target) for target in item.targets)]
            if len(found) != 1 or not isinstance(found[0].targets[0], py.Name):
                return node
            node, is_bound = found[0].value, True
        elif isinstance(node, py.Call) and isinstance(node.func, py.Name) and node.func.id in _COPIES:
            if len(node.args) != 1:
                return node
            node = node.args[0]
        else:
            return node


def _returns(function: py.FunctionDef) -> list[py.Return]:
    return [stmt for stmt in nodes(function.body) if isinstance(stmt, py.Return)]


def leave(walk: Walk) -> None:
    """End the innermost loop."""
    walk.loops.pop()
    if not walk.loops and not walk.shielded:
        walk.reached.clear()


def one_of(walk: Walk, value: Value, index: Value) -> Value:
    """An element of something under a key; of the rows behind a row it is another one for each of those."""
    element = element_of(value)
    if isinstance(element, Row) and isinstance(value, Rows) and value.loop is not None:
        element = replace(element, loop=value.loop)
    return picked(walk, element, index)


def picked(walk: Walk, element: Value, index: Value) -> Value:
    """An element under a key: another one on each turn of the loop that the key changes with."""
    loop = walk.repeating(index.loops)
    if loop is not None:
        return turned(element, loop)
    if isinstance(element, Row):
        return replace(element, loop=element.loop if element.loop in walk.loops else None)
    return element


def assign(walk: Walk, target: py.Expr, value: Value) -> None:
    """Bind a target; assigned relations count as loaded."""
    env = walk.frame.env
    if isinstance(target, py.Name):
        env[target.id] = value
    elif isinstance(target, (py.Tuple, py.List)):
        _unpack(walk, target.elts, value)
    elif isinstance(target, py.Starred):
        assign(walk, target.value, Seq(element_of(value), None, value.loops))
    elif isinstance(target, py.Attribute):
        _assign_attribute(walk, target, value)
    elif isinstance(target, py.Subscript):
        _store_item(walk, target.value, target.index, value)


def _unpack(walk: Walk, targets: tuple[py.Expr, ...], value: Value) -> None:
    items = value.items if isinstance(value, Seq) else None
    starred = any(isinstance(target, py.Starred) for target in targets)
    for index, target in enumerate(targets):
        if isinstance(target, py.Starred):
            assign(walk, target, value)
        elif items is not None and index < len(items) and not starred:
            assign(walk, target, items[index])
        elif isinstance(value, (Seq, Rows)):
            assign(walk, target, element_of(value))
        else:
            assign(walk, target, Other(value.loops))


def _assign_attribute(walk: Walk, target: py.Attribute, value: Value) -> None:
    from stackaudit.link.queries import expressions

    plain = isinstance(target.value, (py.Name, py.Attribute)) or _is_entry(walk, target.value)
    held = expressions.evaluate(walk, target.value) if plain else UNKNOWN
    if isinstance(held, Instance):
        before = held.attributes.get(target.attr)
        if isinstance(held.cls, forms.FieldClass) and isinstance(value, ORM) and walk.guard == walk.frame.guard:
            before = None  # each form has fields of its own: what this one offered before is gone
        held.attributes[target.attr] = value if before is None else _assigned_again(walk, before, value)
    elif isinstance(held, Row) and isinstance(target.value, py.Attribute):
        attached.assigned(walk, held, target.attr, value)
    elif isinstance(held, Row) and isinstance(target.value, py.Name):
        load = held.load
        relation = held.model.relation(target.attr)
        if target.attr in ("pk", held.model.pk) and value == Const(None):
            load = replace(load, attributes=(load.attributes | {UNSAVED}) - {STORED})
        elif relation is not None and not relation.many:
            load = load.with_one(target.attr, _given(walk, value))
        else:
            load = replace(load, attributes=without(load, target.attr) | marks(target.attr, value))
        walk.frame.env[target.value.id] = replace(held, load=load)
        attached.assigned(walk, held, target.attr, value)


def _given(walk: Walk, value: Value) -> Load:
    """What the row behind a relation brings along after an assignment: one that stays the same is asked once in all."""
    if not isinstance(value, Row):
        return NOTHING
    stays = value.loop is None and walk.repeating(value.loops) is None and walk.guard == walk.frame.guard
    return replace(value.load, unknown=value.load.unknown or NEW.unknown) if stays else value.load


def _assigned_again(walk: Walk, before: Value, value: Value) -> Value:
    """What an attribute may hold that held `before`; what a queryset brings that was changed beyond knowing is open."""
    surely = walk.guard == walk.frame.guard
    if surely and isinstance(before, (Rows, Manager)) and type(value) is Other and not value.name:
        held = calls.base_rows(walk, before)
        return replace(held, load=replace(held.load, unknown=held.load.unknown or _CHANGED))
    made = join(value, before)
    is_partial = isinstance(before, Rows) and before.origin is not None and before.origin.partial
    if surely and (isinstance(before, Manager) or is_partial) and isinstance(value, Rows) and isinstance(made, Rows):
        return replace(made, origin=value.origin)
    return made


def _is_entry(walk: Walk, node: py.Expr) -> bool:
    """Whether an expression is an entry of a dictionary: `self.fields["author"]`."""
    from stackaudit.link.queries import expressions

    if not isinstance(node, py.Subscript) or not isinstance(node.value, (py.Name, py.Attribute)):
        return False
    return isinstance(expressions.evaluate(walk, node.value), Mapping)


def store(walk: Walk, target: py.Expr, value: Value) -> None:
    """A container that grew: the name or attribute that holds it holds the grown one."""
    from stackaudit.link.queries import expressions

    if isinstance(target, py.Name):
        frame = walk.frame
        while target.id not in frame.env and frame.closure is not None:
            frame = frame.closure
        if target.id in frame.env:
            frame.env[target.id] = value
    elif isinstance(target, py.Attribute):
        held = expressions.evaluate(walk, target.value)
        if isinstance(held, Instance):
            held.attributes[target.attr] = value
    elif isinstance(target, py.Subscript):
        _store_item(walk, target.value, target.index, value)
    elif isinstance(target, py.Call) and isinstance(target.func, py.Attribute) and target.args:
        _store_item(walk, target.func.value, target.args[0], value)  # known.setdefault(key, []).append(row)


def _store_item(walk: Walk, container: py.Expr, index: py.Expr, value: Value) -> None:
    from stackaudit.link.queries import expressions

    held = expressions.evaluate(walk, container)
    key = expressions.evaluate(walk, index)
    if not isinstance(held, Mapping):
        return
    if isinstance(key, Const):
        others = tuple(item for item in held.items if item[0] != key.value)
        made = replace(held, items=(*others, (key.value, value)))
    else:
        made = replace(held, element=join(held.element, value), key=join(held.key, key), whole=False)
    store(walk, container, made)
