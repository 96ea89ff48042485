"""Calls: of functions of the repository with abstract arguments, of classes, and of what values offer."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule
from stackaudit.link.queries import (
    access,
    answers,
    batches,
    containers,
    expressions,
    known,
    loops,
    rows,
    schemas,
    statements,
    validation,
)
from stackaudit.link.queries.attributes import (
    MANAGER_BASES,
    QUERYSET_BASES,
    attribute,
    class_of,
    decorators,
    member,
    of_symbol,
)
from stackaudit.link.queries.joining import all_loops, join, matters, varying
from stackaudit.link.queries.loading import NEW, NOTHING, SOMEWHERE, Load
from stackaudit.link.queries.origins import NO_LOOPS, Loop
from stackaudit.link.queries.values import (
    ELEMENT,
    SMALL,
    UNKNOWN,
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
from stackaudit.link.queries.walk import BUDGET, FAR, MAX_DEPTH, QUIET_DEPTH, At, Frame, Walk, place_of


def base_rows(walk: Walk, value: Value) -> Rows:
    """All rows of a manager: what its `get_queryset` gives."""
    if isinstance(value, Rows):
        return value
    if isinstance(value, Related):
        return access.related_rows(walk, value)
    assert isinstance(value, Manager)
    definition = value.definition
    plain = Rows(value.model, cls=definition.queryset if definition else None, loops=value.loops)
    if definition is None:
        return plain
    if not isinstance(definition.cls, SourceClass):
        return plain
    key = ("base", value.model, definition)
    if key not in walk.memo:
        walk.memo[key] = plain
        found = definition.cls.find("get_queryset") or definition.cls.find("get_query_set")
        if found is not None and isinstance(found.node, py.FunctionDef):
            function = Function(found.owner.module, found.node, replace(value, loops=frozenset()), found.owner)
            made = call(walk, function, (), {}, (found.owner.module, found.node), "get_queryset()")
            if isinstance(made, Rows):
                walk.memo[key] = replace(made, evaluated=False, loops=frozenset())
            elif definition.cls.is_open or not isinstance(made, Rows):
                walk.memo[key] = replace(plain, load=Load(unknown="its manager's get_queryset() cannot be followed"))
        queryset = next((base for base in definition.cls.mro[1:] if isinstance(base, SourceClass)
                         and base.is_a(*QUERYSET_BASES) and not base.is_a(*MANAGER_BASES)), None)  # fmt: skip
        base = walk.memo[key]
        if queryset is not None and isinstance(base, Rows) and base.cls is None:
            walk.memo[key] = replace(base, cls=queryset)
    base = walk.memo[key]
    assert isinstance(base, Rows)
    return replace(base, loops=value.loops) if value.loops else base


def apply(
    walk: Walk, value: Value, args: tuple[Value, ...], keywords: dict[str, Value], at: At, text: str = ""
) -> Value:
    """Call any value."""
    match value:
        case Function():
            return call(walk, value, args, keywords, at, text)
        case Method(receiver=Super(bound=bound), name="get_queryset") if isinstance(bound, (Manager, Related)):
            if isinstance(bound, Related):
                return base_rows(walk, bound)
            definition = bound.definition
            return Rows(bound.model, cls=definition.queryset if definition else None, loops=bound.loops)
        case Method(receiver=Super(bound=bound)):
            if isinstance(bound, (Manager, Related, Rows)):
                return rows.called(walk, bound, value.name, args, keywords, at)
            return known.inherited(walk, value.receiver, value.name, args, keywords, at)
        case Method(receiver=receiver):
            if isinstance(receiver, (Row, Rows, Manager, Related)):
                made = rows.called(walk, receiver, value.name, args, keywords, at)
                if isinstance(made, Rows) and made.cls is None and isinstance(receiver, Rows):
                    return replace(made, cls=receiver.cls)
                return made
            if isinstance(receiver, ClassRef) and value.name in schemas.MAKES:
                if isinstance(receiver.cls, SourceClass) and args and isinstance(args[0], Row):
                    schemas.read(walk, receiver.cls, args[0], lambda _: at)
                return UNKNOWN
            if isinstance(receiver, ClassRef):
                return _subclasses(walk, receiver)
            return containers.of_container(walk, receiver, value.name, args, keywords, at)
        case ClassRef():
            return construct(walk, value, args, keywords, at)
        case Other():
            return known.external(walk, value.name, args, keywords, at)
        case Instance():
            found = value.cls.find("__call__")
            return apply(walk, member(walk, value, found, at), args, keywords, at) if found is not None else UNKNOWN
        case _:
            return walk.unknown(value, *args, *keywords.values())


def _subclasses(walk: Walk, value: ClassRef) -> Value:
    """`Base.__subclasses__()`: the models that derive from a model of the repository."""
    found = [
        ClassRef(model.cls, model) for model in walk.models if model.cls is not None and value.cls in model.cls.bases
    ]
    return Seq(UNKNOWN, tuple(found), bounded="the subclasses of a class")


def construct(walk: Walk, value: ClassRef, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value:
    """`Class(...)`: a new row of a model, or an instance."""
    loops = frozenset().union(*(arg.loops for arg in args), *(item.loops for item in keywords.values()))
    if value.model is not None:
        load = NEW
        for name in keywords:
            if value.model.relation(name) is not None:
                load = load.with_one(name, NOTHING)
        return Row(value.model, load, None, (), None, loops)
    if isinstance(value.cls, SourceClass):
        if value.cls.is_a(*QUERYSET_BASES) or value.cls.is_a(*MANAGER_BASES):
            model = next((item.model for item in (*args, *keywords.values()) if isinstance(item, ClassRef)), None)
            return Rows(model, cls=value.cls, loops=loops) if model is not None else UNKNOWN
        if walk.hooks is not None:
            walk.hooks.constructed(value.cls, args, keywords, at)
        if "many" in keywords:
            validation.of_many(walk, value.cls, keywords, at)
        active = frozenset(loop for loop in walk.loops if not loop.bounded)
        key: tuple[object, ...] | None = None
        if not loops & active:
            given = [(name, settled(item, active)) for name, item in keywords.items()]
            key = ("made", value.cls, tuple(settled(arg, active) for arg in args), tuple(given))
            known_one = walk.memo.get(key)
            if known_one is not None:
                return known_one
        made = Instance(value.cls, {}, loops, made=True)
        if key is not None:
            walk.memo[key] = made
        init = value.cls.find("__init__")
        if init is not None and isinstance(init.node, py.FunctionDef):
            call(walk, Function(init.owner.module, init.node, made, init.owner), args, keywords, at, value.cls.label)
        else:
            made.attributes.update(keywords)
            made.attributes.update(zip(_fields(value.cls), args, strict=False))
        return made
    return known.external(walk, value.cls, args, keywords, at)


def _fields(cls: SourceClass) -> list[str]:
    """What a class without `__init__` declares, in order, as dataclasses and named tuples do."""
    declared = (stmt for base in reversed(cls.mro) if isinstance(base, SourceClass) for stmt in base.node.body)
    return [stmt.target.id for stmt in declared if isinstance(stmt, py.AnnAssign) and isinstance(stmt.target, py.Name)]


def call(
    walk: Walk,
    function: Function,
    args: tuple[Value, ...],
    keywords: dict[str, Value],
    at: At,
    text: str = "",
    *,
    is_entry: bool = False,
) -> Value:
    """Walk a function with these arguments; what it returns. `at` is where the call stands.

    Where the walk begins (`is_entry`) any caller may give the other parameters, too: their defaults decide nothing.
    """
    node = function.node
    if isinstance(at, tuple) and isinstance(node, py.FunctionDef):
        walk.record.called.setdefault(at[1], (function.module, node))
    loops = function.loops | all_loops(args) | all_loops(keywords.values())
    if len(walk.frames) > MAX_DEPTH or walk.spent > BUDGET or _is_repeated(walk, node):
        return Other(loops)
    active = frozenset([loop for loop in walk.loops if not loop.bounded]) if walk.loops else NO_LOOPS
    if not active and len(walk.frames) > QUIET_DEPTH:
        return Other(loops)  # no loop repeats what happens here, and what comes back from so deep is rarely rows
    env = bind(walk, function, args, keywords, is_entry)
    if active and _is_far(walk, function.bound, env, active):
        active = frozenset()
    env = {name: settled(value, active) for name, value in env.items()}
    bound = settled(function.bound, active) if function.bound is not None else None
    running = tuple(walk.loops) if matters_any(env) else ()
    key = answers.Key(node, bound, tuple(env.items()), function.closure, running, walk.shielded > 0)
    known_answer = answers.recalled(walk, key)
    if known_answer is not None:
        return answers.again(walk, node, known_answer)
    asked = answers.Asked(walk, key, loops)
    owner = function.owner
    if isinstance(node, py.Lambda):
        where = function.closure.where if function.closure else walk.where
    else:
        prefix = f"{owner.name}." if owner is not None else f"{function.module.name}."
        where = f"{prefix}{node.name}"
    called = None if isinstance(node, py.Lambda) else at
    frame = Frame(function.module, node, env, where, called, text, owner, bound, function.closure)
    with walk.inside(frame):
        if isinstance(node, py.Lambda):
            result = expressions.evaluate(walk, node.body)
        else:
            remembered = int(any(name.rpartition(".")[2] in _REMEMBERED for name in decorators(node)))
            walk.shielded += remembered
            statements.block(walk, node.body)
            walk.shielded -= remembered
            result = returned(walk, frame, node)
    result = varying(result, loops & frozenset(walk.loops)) if not matters(result) else result
    return asked.answered(walk, frame, result)


def _is_repeated(walk: Walk, node: py.FunctionDef | py.Lambda) -> bool:
    """Whether a function is running twice already."""
    running = 0
    for frame in walk.frames:
        if frame.node is node:
            running += 1
    return running > 1


def _is_far(walk: Walk, bound: Value | None, env: dict[str, Value], active: frozenset[Loop]) -> bool:
    """Whether no row of a running loop is handed on, and the loops are too far above for any other query to count."""
    if len(walk.frames) - max(loop.depth for loop in active) < FAR:
        return False
    given = [*env.values(), bound] if bound is not None else [*env.values()]
    return not any(matters(value) and not (isinstance(value, Row) and value.loop is None) for value in given)


def settled(value: Value, active: frozenset[Loop]) -> Value:
    """An argument without what no longer matters: loops that ended, and where a single row came from."""
    if isinstance(value, (Other, Const)):
        return value if not value.loops or value.loops <= active else replace(value, loops=value.loops & active)
    if isinstance(value, Row) and (value.loop is None or value.loop not in active):
        load = value.load
        if load.unknown and load.unknown != NEW.unknown and not load.one and not load.many:
            load = SOMEWHERE
        if value.loop is None:
            return Row(value.model, load, None, (), None, value.loops & active)
    return value


_REMEMBERED = frozenset({"lru_cache", "cache", "cached", "memoize", "ttl_cache", "alru_cache"})


def matters_any(env: dict[str, Value]) -> bool:
    """Whether an environment holds anything that changes with a loop."""
    return any(value.loops for value in env.values())


def returned(walk: Walk, frame: Frame, node: py.FunctionDef) -> Value:
    """What a walked function gives: its returns joined, or a generator of what it yields."""
    if frame.yields:
        element = frame.yields[0]
        for item in frame.yields[1:]:
            element = join(element, item)
        return Seq(element, bounded="batches" if batches.hands_out(walk, node) else "")
    if not frame.returns:
        return Const(None)
    result = frame.returns[0]
    for item in frame.returns[1:]:
        result = join(result, item)
    return result


def bind(
    walk: Walk, function: Function, args: tuple[Value, ...], keywords: dict[str, Value], is_entry: bool = False
) -> dict[str, Value]:
    """The parameters of a function as names; annotations that name a model give one row."""
    env: dict[str, Value] = {}
    node = function.node
    given = list(args)
    if function.bound is not None and isinstance(node, py.FunctionDef):
        given.insert(0, function.bound)
    elif function.owner is not None and isinstance(node, py.FunctionDef) and not args:
        given.insert(0, UNKNOWN)
    left = dict(keywords)
    for param in node.params:
        if param.kind == "args":
            env[param.name] = Seq(UNKNOWN, tuple(given), bounded="its arguments")
            given = []
        elif param.kind == "kwargs":
            env[param.name] = Mapping(UNKNOWN, tuple(left.items()))
        elif param.kind != "keyword" and given:
            value = given.pop(0)
            env[param.name] = _declared(walk, function, param, value)
        elif param.name in left:
            env[param.name] = _declared(walk, function, param, left.pop(param.name))
        else:
            default: Value = UNKNOWN
            if param.default is not None:
                default = expressions.constant(walk, function.module, param.default)
                if isinstance(default, Const) and is_entry:
                    small = type(default.value) is int and 0 <= default.value <= loops.FEW
                    default = Other(name=SMALL) if small else UNKNOWN
            env[param.name] = _declared(walk, function, param, default)
    return env


def _declared(walk: Walk, function: Function, param: py.Param, value: Value) -> Value:
    if isinstance(value, Const) and value.value is not None:
        return value
    if not isinstance(value, (Other, Const)) or (isinstance(value, Other) and value.name not in ("", ELEMENT, SMALL)):
        return value
    if param.annotation is not None:
        declared = known.annotated(walk, function.module, param.annotation, value.loops)
        if declared is not None:
            return declared
    if isinstance(value, Other) and param.name == "request":
        return Other(value.loops, "@request")
    return value


def module_of(walk: Walk) -> SourceModule:
    """The module whose code is being walked."""
    for frame in reversed(walk.frames):
        if frame.module is not None:
            return frame.module
    raise LookupError("no frame has a module")


__all__ = [
    "MANAGER_BASES",
    "QUERYSET_BASES",
    "apply",
    "attribute",
    "base_rows",
    "bind",
    "call",
    "class_of",
    "construct",
    "decorators",
    "member",
    "of_symbol",
    "place_of",
]
