"""Two values of one expression become one; with which loops a value changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.link.queries.origins import NO_LOOPS, Asking, Loop, Origin
from stackaudit.link.queries.presence import unsure
from stackaudit.link.queries.values import (
    ORM,
    TEMPLATES,
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
    Partial,
    Related,
    Row,
    Rows,
    Seq,
    Value,
)


def all_loops(values: Iterable[Value]) -> frozenset[Loop]:
    """The loops with which any of `values` changes."""
    found = NO_LOOPS
    for value in values:
        if value.loops:
            found |= value.loops
    return found


def varying(value: Value, loops: frozenset[Loop]) -> Value:
    """`value`, changing with `loops` too."""
    if not loops or loops <= value.loops:
        return value
    if isinstance(value, Instance):
        return value
    if isinstance(value, Other):
        return Other(value.loops | loops, value.name)
    return replace(value, loops=value.loops | loops)


def matters(value: Value) -> bool:
    """Whether a value holds rows in some form."""
    kind = type(value)
    if kind is Other or kind is Const:
        return False
    if isinstance(value, ORM):
        return True
    if isinstance(value, Seq):
        return matters(value.element) or any(matters(item) for item in value.items or ())
    if isinstance(value, Mapping):
        return matters(value.element) or any(matters(item) for _, item in value.items)
    if isinstance(value, Choice):
        return any(matters(item) for item in value.options)
    if isinstance(value, Partial):
        return any(matters(item) for item in (*value.args, *(item for _, item in value.keywords)))
    return isinstance(value, Instance) and bool(value.attributes)


def _either(chosen: Rows | Row, other: Rows | Row) -> Origin | None:
    """The origin of rows that are one or the other: what both were made of, or the chosen one beside the other."""
    first, second = chosen.origin, other.origin
    if first is None or second is None or chosen.path or other.path:
        return first
    shared = first.among(second)
    if shared is not None or (isinstance(other, Rows) and other.bounded == EMPTY):
        return shared or first
    known = (first, *first.beside)
    more = tuple(item for item in (second, *second.beside) if item.place not in {one.place for one in known})
    return replace(first, beside=(*first.beside, *more)[:_BRANCHES])


def _amount(one: Rows, other: Rows, chosen: Rows) -> tuple[Model | None, Model | None, int]:
    """The owner, the second owner and the page of rows that are one or the other: of both, but for no rows at all."""
    if EMPTY in (one.bounded, other.bounded):
        return chosen.owner, chosen.second, chosen.page
    owner, second = one.owner if other.owner is not None else None, one.second if other.second is not None else None
    return owner, second, max(one.page, other.page) if one.page and other.page else 0


def _asking(one: Asking | None, other: Asking | None) -> Asking | None:
    """What asks for rows that are one or the other: by the methods of both."""
    if one is None or other is None:
        return one or other
    is_broad, varies = one.is_broad and other.is_broad, one.varies or other.varies
    methods, named = one.methods | other.methods, one.named | other.named
    repeats = one.repeats if one.repeats == other.repeats else ()
    order = one.order if one.order == other.order else ()
    return replace(one, methods=methods, is_broad=is_broad, varies=varies, named=named, repeats=repeats, order=order)


EMPTY = "none() holds no rows"
_BRANCHES = 3
_MODELS = 8
"""Rows of so many models in one list, or under one name, are followed."""
_FILES = (".html", ".htm", ".txt", ".jinja", ".jinja2", ".j2", ".xml", ".mjml", ".eml", ".md", ".svg", ".json")
"""How the names of templates end."""
_PLAIN = frozenset({Other, Const})


def templates(value: Value) -> tuple[str, ...]:
    """The names of files that a value stands for: the one of a constant, or those that branches choose from."""
    if type(value) is Const:
        name = value.value
        return (name,) if type(name) is str and name.endswith(_FILES) and " " not in name else ()
    if type(value) is Other and value.name.startswith(TEMPLATES):
        return tuple(value.name[len(TEMPLATES) :].split("\n"))
    return ()


def _longer(one: Seq, other: Seq) -> tuple[Value, ...] | None:
    """The longer of two lists of constants of which one begins with the other: a condition adds what is left."""
    short, long = one.items or (), other.items or ()
    if len(short) > len(long):
        short, long = long, short
    return long if short and long[: len(short)] == short and all(type(item) is Const for item in long) else None


def _holds_single_ones(listed: Seq, rows: Rows) -> bool:
    """Whether a list holds rows of a model that were asked for one by one, or none at all."""
    element = listed.element
    return isinstance(element, Row) and element.model is rows.model and element.loop is None


def mixed(*values: Value) -> tuple[Value, tuple[Value, ...]]:
    """The element of a list that holds each of these, and those of them that are rows of other models."""
    element, others = values[0], dict[Model, Row]()
    for value in values[1:]:
        if isinstance(element, Row) and isinstance(value, Row) and value.model is not element.model:
            others.setdefault(value.model, value)
        else:
            element = join(element, value)
    return element, tuple(others.values())[:_MODELS]


def join(one: Value, other: Value) -> Value:
    """What either of two branches may leave; rows win over what is not known."""
    if one is other or one == other:
        return one
    loops = one.loops | other.loops
    if type(one) in _PLAIN and type(other) in _PLAIN:
        names = (*templates(one), *templates(other))
        if names:
            return Other(loops, TEMPLATES + "\n".join(dict.fromkeys(names)))
        name = _external(one, other) or _external(other, one)
        return Other(loops, name) if loops or name else UNKNOWN
    if isinstance(one, Rows) and isinstance(other, Rows) and one.model is other.model and one.kind == other.kind:
        chosen = other if one.bounded and not other.bounded else one
        owner, second, page = _amount(one, other, chosen)
        return replace(
            chosen,
            origin=_either(chosen, other if chosen is one else one),
            load=one.load.merge(other.load),
            loops=loops,
            evaluated=one.evaluated or other.evaluated,
            narrowed=one.narrowed | other.narrowed,
            limited=one.limited or other.limited,
            owner=owner,
            second=second,
            page=page,
            paged=one.paged or other.paged,
            bounded=one.bounded if other.bounded else "",
            asking=_asking(chosen.asking, other.asking if chosen is one else one.asking),
            asked=chosen.asked or (one.asked or other.asked if one.via is not None and other.via is not None else ""),
            there=one.there and other.there,
        )
    if isinstance(one, Row) and isinstance(other, Row) and one.model is other.model and not _part(one, other):
        there = one.there and other.there
        return replace(one, origin=_either(one, other), load=one.load.merge(other.load), loops=loops, there=there)
    if isinstance(one, (Row, Choice)) and isinstance(other, (Row, Choice)) and (rows := _rows_of(one, other)):
        return one_of(rows, loops, _is_open((one, other)))
    if isinstance(one, Rows) and isinstance(other, Manager):
        one, other = other, one
    if isinstance(one, Manager) and isinstance(other, Rows) and one.model is other.model:
        if other.origin is not None:
            other = replace(other, origin=replace(other.origin, partial=True))
        return varying(one if other.bounded else other, loops)
    if isinstance(one, Seq) and isinstance(other, Seq):
        if one.items and other.items and len(one.items) == len(other.items) == 1 and templates(one.items[0]):
            return Seq(join(one.element, other.element), (join(one.items[0], other.items[0]),), loops)
        if (longer := _longer(one, other)) is not None:
            return Seq(join(one.element, other.element), longer, loops)
        held = (*(one.items or ()), *(other.items or ()), *one.others, *other.others)
        element, others = mixed(one.element, other.element, *held)
        is_chosen = all(item.chosen or item.items == () for item in (one, other))
        return Seq(element, None, loops, chosen=is_chosen, others=others)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        left, items = dict(other.items), dict[Any, Value]()
        for key, value in dict(one.items).items():
            items[key] = join(value, left.pop(key)) if key in left else unsure(value)
        items |= {key: unsure(value) for key, value in left.items()}
        return Mapping(join(one.element, other.element), tuple(items.items()), join(one.key, other.key), loops)
    if isinstance(one, Instance) or isinstance(other, Instance):
        return one if isinstance(one, Instance) else other
    if isinstance(one, Seq) and isinstance(other, Rows) and _holds_single_ones(one, other):
        return varying(other, loops)  # the queryset alone could load what its rows are asked for
    rank = (matters(one), not isinstance(one, (Other, Const))), (matters(other), not isinstance(other, (Other, Const)))
    if rank[0] == rank[1] == (False, False):
        return Other(loops)
    return varying(unsure(one if rank[0] >= rank[1] else other), loops)


def _external(one: Value, other: Value) -> str:
    """The name of an external thing that either is there or is None; "" for all else."""
    if not isinstance(one, Other) or not isinstance(other, Const) or other.value is not None:
        return ""
    return one.name if one.name[:1] != "@" else ""


def _part(one: Row, other: Row) -> bool:
    """Whether a loop hands out two rows by ways that part: the author of a book, or its editor."""
    length = min(len(one.path), len(other.path))
    is_each = one.loop is not None and one.loop is other.loop and one.origin == other.origin
    return is_each and one.path[:length] != other.path[:length]


def _rows_of(*values: Value) -> tuple[Row, ...]:
    """The rows that values stand for, where a loop hands out or leads to each; () for others.

    Rows win over what is not known: one of several models may have nothing under a name.
    """
    options = dict.fromkeys(item for value in values for item in _options(value) if type(item) not in _PLAIN)
    rows = tuple(item for item in options if isinstance(item, Row) and item.loop is not None)
    return rows if len(rows) == len(options) else ()


def one_of(rows: tuple[Row, ...], loops: frozenset[Loop], is_open: bool = False) -> Value:
    """One of several rows, each by its own way; of too many it is not known which."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row.model, row.origin, row.path, row.loop)
        found[key] = replace(row, load=found[key].load.merge(row.load)) if key in found else row
    if len(found) > _MODELS:
        return Other(loops)
    if len(found) > 1:
        return Choice(tuple(found.values()), loops, is_open)
    one = next(iter(found.values()))
    return unsure(one) if is_open else one


_CALLED = (Choice, ClassRef, Function, Instance, Manager, Method, Partial)
_OPTIONS = 8
"""Of so many functions or classes each is followed."""


def choice_of(values: Iterable[Value], is_open: bool = False) -> Value:
    """One of several values: a choice where all of them are rows or can be called, else what they have in common.

    `is_open` says that it may be something else, too.
    """
    values = list(values)
    is_open = is_open or _is_open(values)
    options = list(dict.fromkeys(item for value in values for item in _options(value)))
    if len(options) > 1 and len(options) <= _OPTIONS and all(isinstance(item, _CALLED) for item in options):
        return Choice(tuple(options), all_loops(options), is_open)
    if rows := _rows_of(*options):
        return one_of(rows, all_loops(options), is_open)
    found = options[0] if options else UNKNOWN
    for item in options[1:]:
        found = join(found, item)
    return found


def _is_open(values: Iterable[Value]) -> bool:
    """Whether any of values may be something of which nothing is known."""
    return any(value.is_open if isinstance(value, Choice) else type(value) in _PLAIN for value in values)


def _options(value: Value) -> tuple[Value, ...]:
    return value.options if isinstance(value, Choice) else (value,)


def turned(value: Value, loop: Loop, running: frozenset[Loop] = NO_LOOPS) -> Value:
    """`value` as another one on each turn of `loop`: rows that came from a loop come from this one now.

    Rows that come from one of the `running` loops stay the same on each turn.
    """
    if isinstance(value, Instance):
        return _turned(value, loop, running)
    loops = value.loops | {loop}
    if isinstance(value, Other):
        return Other(loops, value.name)
    if isinstance(value, Row):
        if value.loop is None or value.loop in running:
            return value if value.loop is not None else replace(value, loops=loops)
        return replace(value, loop=loop, loops=loops)
    if isinstance(value, Rows):
        via = value.via
        if via is not None and via.row.loop is not None and via.row.loop not in running:
            via = replace(via, row=replace(via.row, loop=loop, loops=via.row.loops | {loop}))
        own = value.loop if value.loop is None or value.loop in running else loop
        return replace(value, loops=loops, via=via, loop=own)
    if isinstance(value, Seq):
        items = tuple(turned(item, loop, running) for item in value.items) if value.items is not None else None
        others = tuple(turned(item, loop, running) for item in value.others)
        return replace(value, element=turned(value.element, loop, running), items=items, loops=loops, others=others)
    if isinstance(value, Mapping):
        held = tuple((key, turned(item, loop, running)) for key, item in value.items)
        element, key = turned(value.element, loop, running), turned(value.key, loop, running)
        return replace(value, element=element, items=held, key=key, loops=loops)
    if isinstance(value, Choice):
        return replace(value, options=tuple(turned(item, loop, running) for item in value.options), loops=loops)
    if isinstance(value, Partial):
        args = tuple(turned(item, loop, running) for item in value.args)
        named = tuple((name, turned(item, loop, running)) for name, item in value.keywords)
        return replace(value, args=args, keywords=named, loops=loops)
    return replace(value, loops=loops)


def _turned(value: Instance, loop: Loop, running: frozenset[Loop]) -> Instance:
    """An object that holds rows, as another one on each turn."""
    held = {name: item for name, item in value.attributes.items() if isinstance(item, (Row, Rows)) and item.loops}
    if not held:
        return value
    changed = {name: turned(item, loop, running) for name, item in held.items()}
    return Instance(value.cls, value.attributes | changed, value.loops, value.made)


def either(one: Value, other: Value) -> Value:
    """An expression that stood for `one` and now stands for `other`; UNKNOWN where they are of two models."""
    if type(one) is not type(other) or getattr(one, "model", None) is not getattr(other, "model", None):
        return UNKNOWN
    if isinstance(one, Row) and isinstance(other, Row):
        return one if one.load == other.load else replace(one, load=one.load.merge(other.load))
    if isinstance(one, Related) and isinstance(other, Related):
        return one if one.row.load.unknown else other
    if isinstance(one, Rows) and isinstance(other, Rows):
        if other.via is not None and (one.via is None or not one.via.row.load.unknown):
            one, other = other, one
        load = one.load if one.load == other.load else one.load.merge(other.load)
        return replace(
            one, load=load, evaluated=one.evaluated or other.evaluated, cached=one.cached or other.cached,
            bounded=one.bounded if other.bounded else "", kind=one.kind if one.kind == other.kind else "either",
            narrowed=one.narrowed | other.narrowed, limited=one.limited or other.limited,
            owner=one.owner if other.owner is not None else None,
            second=one.second if other.second is not None else None,
        )  # fmt: skip
    return one


def any_of(held: Mapping) -> Value:
    """What stands under a key that is not known: one of what is held, where all that is of one kind."""
    if held.element != UNKNOWN or not held.items:
        return held.element
    found = held.items[0][1]
    if len(held.items) > 1 and all(isinstance(value, _CALLED) for _, value in held.items):
        return choice_of(value for _, value in held.items)
    for _, value in held.items:
        if type(value) is not type(found) or getattr(value, "model", None) is not getattr(found, "model", None):
            return held.element
    for _, value in held.items[1:]:
        found = join(found, value)
    return found
