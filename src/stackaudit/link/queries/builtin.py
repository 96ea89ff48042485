"""Builtins and the standard library: what they give of what they go through."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.queries import access, attached, callbacks, calls, expressions, loops, rows
from stackaudit.link.queries.comparisons import Action, has, is_instance
from stackaudit.link.queries.joining import join, mixed
from stackaudit.link.queries.presence import decided, unsure
from stackaudit.link.queries.values import (
    ELEMENT,
    FIELD_NAME,
    NO_KEY,
    SMALL,
    SPREAD,
    UNKNOWN,
    Const,
    Instance,
    Manager,
    Mapping,
    Method,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Walk

# Called with a function that is asked once for each element; the function is walked inside the loop.
LAZY_ARGUMENTS = frozenset({
    "builtins.map", "builtins.filter", "builtins.sorted", "builtins.min", "builtins.max", "itertools.groupby",
    "itertools.filterfalse", "itertools.takewhile", "itertools.dropwhile", "functools.reduce", callbacks.POOL_MAP,
    "heapq.nlargest", "heapq.nsmallest",
})  # fmt: skip
BRIEF = frozenset({"builtins.any", "builtins.all"})
"""What goes through a generator until one turn decides."""
ATTRGETTER = "@attrgetter:"
SAME = frozenset({
    "builtins.iter", "builtins.reversed", "copy.copy", "copy.deepcopy", "builtins.list",
    "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.sorted", "collections.deque", "tqdm.tqdm", "tqdm",
    "more_itertools.unique_everseen", "rich.progress.track", "itertools.cycle", "asyncio.gather", "random.sample",
    "random.choices",
})  # fmt: skip
BATCHED = frozenset({
    "itertools.batched", "more_itertools.batched", "more_itertools.chunked", "more_itertools.ichunked",
    "toolz.partition_all",
})  # fmt: skip
_READ = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.sorted",
                   "builtins.len", "builtins.bool", "builtins.sum", "builtins.any", "builtins.all", "builtins.dict",
                   "builtins.reversed", "builtins.next", "builtins.iter", "builtins.enumerate"})  # fmt: skip


def loaded(walk: Walk, value: Value, at: At) -> Value:
    """`value` as something that was gone through: a queryset is loaded."""
    value = expressions.chosen(walk, loops.itself_or_given(walk, value, at), at)
    if isinstance(value, (Related, Manager)):
        value = calls.base_rows(walk, value)
    if isinstance(value, Rows):
        return access.evaluate(walk, value, at)
    return value


def got(walk: Walk, value: Value, paths: list[str], at: At) -> Value:
    """What `attrgetter(*paths)` gets from a value."""
    found: list[Value] = []
    for path in paths:
        held = value
        for part in path.split("."):
            held = calls.attribute(walk, held, part, at)
        found.append(held)
    return found[0] if len(found) == 1 else Seq(UNKNOWN, tuple(found))


def of_builtin(
    walk: Walk, name: str, last: str, first: Value, args: tuple[Value, ...], keywords: dict[str, Value], at: At,
    unknown: Value,
) -> Value:  # fmt: skip
    """A call of a builtin, or of what gives the elements that it is given; `last` is its name without the module."""
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
        told = has(walk, first, args[1].value)
        return Const(told) if told is not None else unknown
    if last == "hasattr" and len(args) > 1 and args[1] == Const("all") and isinstance(first, (Rows, Related, Manager)):
        return unknown if isinstance(first, Rows) and first.evaluated else Const(True, first.loops)  # or it is a list
    if last == "isinstance" or last == "issubclass" or last == "type":
        if last == "type" and isinstance(first, (Row, Instance)):
            return calls.class_of(walk, first)
        told = is_instance(first, args[1]) if len(args) > 1 else None
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
        found = loops.one_of(walk, held, Const(0))
        return unsure(found) if len(args) > 1 else found
    if last == "vars" and isinstance(first, Row):
        return Method(first, "__dict__", first.loops)
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
        if name in SAME:
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
    if name in SAME:
        return loaded(walk, first, at) if "copy" not in name else first
    if last == "locals":
        return Mapping(UNKNOWN, tuple(walk.frame.env.items()))
    if last == "super":
        return UNKNOWN
    return unknown


def pairs(walk: Walk, value: Value, at: At) -> Value:
    """`itertools.pairwise(rows)`."""
    held = loaded(walk, value, at)
    element = loops.element_of(held)
    return Seq(Seq(UNKNOWN, (element, element)), None, held.loops, loops.bound_of(held))


def _getattr(walk: Walk, args: tuple[Value, ...], at: At) -> Value:
    if isinstance(args[0], Row) and isinstance(args[1], Other) and args[1].name.startswith(FIELD_NAME):
        is_certain = not walk.loops or walk.guard <= walk.loops[-1].guard
        for name in args[1].name.removeprefix(FIELD_NAME).split() if is_certain else ():
            calls.attribute(walk, args[0], name, at)
        return walk.unknown(*args)
    if isinstance(args[1], Const) and isinstance(args[1].value, str):
        found = calls.attribute(walk, args[0], args[1].value, at)
        is_action = isinstance(found, Const) and isinstance(found.value, Action)
        told = has(walk, args[0], args[1].value)
        if told is False and len(args) > 2:
            return Other(args[0].loops, NO_KEY) if args[2] == Const(None) else args[2]
        is_there = told or is_action or (isinstance(found, Other) and decided(found) is not None)
        return join(found, args[2]) if len(args) > 2 and not is_there else found
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


def chain(walk: Walk, args: tuple[Value, ...], at: At, nested: bool) -> Value:
    """`itertools.chain(*args)`; with `nested` the one argument holds what is gone through."""
    held: list[Value] = []
    for arg in args:
        if nested or (isinstance(arg, Seq) and arg.bounded == SPREAD):
            several = replace(arg, bounded="") if isinstance(arg, Seq) and arg.bounded == SPREAD else arg
            inner, _ = loops.enter(walk, several, at, "chain()")
            held.append(loaded(walk, inner, at))
            loops.leave(walk)
        else:
            held.append(loaded(walk, arg, at))
    element, others = mixed(UNKNOWN, *(each for item in held for each in loops.elements_of(item)))
    return Seq(element, None, walk.unknown(*args).loops, others=others)


def with_function(walk: Walk, name: str, node: py.Call) -> Value:
    """`map`, `sorted(key=...)`, `rows.sort(key=...)` and the like: the function is asked for each element."""
    last = name.rpartition(".")[2]
    function: py.Expr | None = None
    source: py.Expr | None = None
    plain: list[py.Expr] = [arg for arg in node.args if not isinstance(arg, py.Starred)]
    if last in ("sorted", "sort", "min", "max"):
        source = plain[0] if len(plain) == 1 else None
    elif last in ("nlargest", "nsmallest"):
        source = plain[1] if len(plain) > 1 else None
        function = plain[2] if len(plain) > 2 else None
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
        result = calls.apply(walk, asked, (UNKNOWN, element) if last == "reduce" else (element,), {}, at)
    elif isinstance(asked, Other) and asked.name == "builtins.str":
        access.as_text(walk, element, at)
    loops.leave(walk)
    held = evaluated(walk, held)
    if last == "map":
        return Seq(result, None, held.loops, loop.bounded)
    if last == "groupby":
        return Seq(Seq(UNKNOWN, (result, held)), None, held.loops, loop.bounded)
    if last in ("min", "max"):
        return unsure(loops.one_of(walk, held, Const(0)))  # or its default
    return held


def sort(walk: Walk, node: py.Call, func: py.Attribute) -> Value:
    """`rows.sort(key=…)`: the key is asked of each element."""
    with_function(walk, "list.sort", replace(node, args=(func.value,)))
    return Const(None)


def evaluated(walk: Walk, held: Value) -> Value:
    """`value` as what was loaded already."""
    if isinstance(held, (Related, Manager)):
        held = calls.base_rows(walk, held)
    return replace(held, evaluated=True) if isinstance(held, Rows) else held


def sliced(walk: Walk, args: tuple[Value, ...], at: At) -> Value:
    """`islice(rows, stop)`, `islice(rows, start, stop)`: few elements where the bounds are constants that are close."""
    held = loaded(walk, args[0], at) if args else UNKNOWN
    ends = [arg.value if isinstance(arg, Const) else UNKNOWN for arg in args[1:3]]
    start, stop = (0, ends[0]) if len(ends) == 1 else (ends[0] or 0, ends[1]) if ends else (0, None)
    few = isinstance(start, int) and isinstance(stop, int) and stop - start <= rows.FEW
    return replace(held, bounded="a slice of a few") if few and isinstance(held, (Rows, Seq)) else held
