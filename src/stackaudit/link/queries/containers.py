"""Lists, dictionaries, strings and paginators: what their methods give, and what they hold when they grew."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.queries import access, builtin, calls, loops, rescues
from stackaudit.link.queries.joining import any_of, join, mixed
from stackaudit.link.queries.presence import unsure
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Const,
    Mapping,
    Other,
    Related,
    Rows,
    Seq,
    Value,
    key_of,
    of_key,
)
from stackaudit.link.queries.walk import At, Walk

_SAME_TEXT = frozenset({"capitalize", "casefold", "lower", "strip", "title", "upper"})
"""Methods of texts that give a text."""


def of_container(
    walk: Walk, receiver: Value, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
) -> Value:
    """Methods of lists, dictionaries, strings and paginators."""
    if isinstance(receiver, Mapping):
        held = receiver.get("@paginator")
        if held is not None:
            return page_of(walk, receiver, at) if name in ("page", "get_page", "aget_page") else Other()
        if name == "items":
            pairs = tuple(Seq(UNKNOWN, (of_key(key), value)) for key, value in receiver.items)
            if pairs and receiver.element == UNKNOWN:
                return Seq(UNKNOWN, pairs, receiver.loops)
            return Seq(Seq(UNKNOWN, (receiver.key, receiver.element)), None, receiver.loops)
        if name == "values":
            values = tuple(value for _, value in receiver.items)
            if values and receiver.element == UNKNOWN:
                return Seq(UNKNOWN, values, receiver.loops)
            return Seq(receiver.element, None, receiver.loops)
        if name == "keys":
            return Seq(receiver.key, None, receiver.loops)
        if name in ("get", "pop", "setdefault") and args:
            call = at[1] if isinstance(at, tuple) else None
            if name == "get" and isinstance(call, py.Call) and isinstance(call.func, py.Attribute) and call.args:
                lacks = rescues.lacks_key(walk, call.func.value, receiver, call.args[0], args[0])
                if lacks is not None:
                    default = args[1] if len(args) > 1 else Const(None)
                    return default if lacks else receiver.get(key_of(args[0])) or default
            is_told = isinstance(args[0], (Const, ClassRef))
            found = receiver.get(key_of(args[0])) if is_told else None
            other = receiver.element if isinstance(args[0], Const) else any_of(receiver)
            value = found if found is not None else loops.picked(walk, other, args[0])
            value = unsure(value) if name == "get" else value
            return join(value, args[1]) if len(args) > 1 else value
        return receiver if name == "copy" else Other(receiver.loops)
    if isinstance(receiver, Seq):
        if name in ("pop", "popleft"):
            return loops.one_of(walk, receiver, args[0] if args else Const(0))
        return receiver if name == "copy" else Other(receiver.loops)
    if isinstance(receiver, Const) and isinstance(receiver.value, str):
        if name in _SAME_TEXT and not args:
            return Const(getattr(receiver.value, name)(), receiver.loops)
        if name == "join" and args:
            source = builtin.loaded(walk, args[0], at)
            element = loops.element_of(source)
            access.as_text(walk, element, at)
        elif name == "format":
            for arg in (*args, *keywords.values()):
                access.as_text(walk, arg, at)
    return walk.unknown(receiver, *args, *keywords.values())


def page_of(walk: Walk, paginator: Mapping, at: At) -> Value:
    """A page of a paginator."""
    held = paginator.get("@paginator") or UNKNOWN
    made = held if isinstance(held, Rows) else builtin.loaded(walk, held, at)
    page = walk.number(paginator.get("@per_page") or UNKNOWN)
    if isinstance(made, Rows):
        return replace(made, limited=True, page=page, paged=True)
    others = made.others if isinstance(made, Seq) else ()
    return Seq(loops.element_of(made), None, made.loops, page=page, others=others) if page else made


def grown(walk: Walk, func: py.Attribute, receiver: Seq, args: tuple[Value, ...]) -> None:
    """`items.append(x)` and its like: the list holds x from now on."""
    if func.attr in ("append", "add", "appendleft", "insert") and args:
        value: Value = args[-1]
        beside: list[Value] = []
    elif func.attr in ("extend", "update") and args:
        more = args[0]
        if isinstance(more, (Rows, Related)):
            more = access.evaluate(walk, calls.base_rows(walk, more), walk.at(func))
        value, *beside = loops.elements_of(more)
    else:
        return
    is_first = receiver.items == ()
    element, others = mixed(*(() if is_first else loops.elements_of(receiver)), value, *beside)
    chosen = is_first and bool(walk.loops) and walk.guard > walk.loops[-1].guard
    held = (*(receiver.items or ()), value)
    is_told = receiver.items is not None and func.attr == "append" and not walk.loops
    known = held if is_told and all(type(item) is Const for item in held) else None
    loops.store(walk, func.value, Seq(element, known, receiver.loops, chosen=chosen, others=others))


def merged(one: Mapping, other: Value) -> Mapping:
    """`one | other`: what a dictionary holds with what another one holds over it."""
    if not isinstance(other, Mapping):
        return replace(one, whole=False)
    items = dict(one.items) | dict(other.items)
    whole = one.whole and other.whole
    return replace(one, items=tuple(items.items()), element=join(one.element, other.element), whole=whole)


def updated(
    walk: Walk, func: py.Attribute, receiver: Mapping, args: tuple[Value, ...], keywords: dict[str, Value]
) -> None:
    """`context.update({...})`, `context.setdefault(key, value)`: the dictionary holds more from now on."""
    items = dict(receiver.items)
    element = receiver.element
    if func.attr == "update":
        for arg in args:
            receiver = merged(receiver, arg)
        items, element = dict(receiver.items) | keywords, receiver.element
    elif func.attr == "setdefault" and len(args) == 2 and isinstance(args[0], Const):
        items.setdefault(args[0].value, args[1])
    else:
        return
    loops.store(walk, func.value, replace(receiver, items=tuple(items.items()), element=element))
