"""Calls: of functions of the repository with abstract arguments, of classes, and of what values offer."""

from __future__ import annotations

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, decorators
from stackaudit.link.queries import (
    access,
    answers,
    bases,
    batches,
    binding,
    branches,
    containers,
    decorating,
    expressions,
    known,
    rows,
    schemas,
    statements,
    validation,
)
from stackaudit.link.queries.attributes import (
    attribute,
    class_of,
    is_queryset,
    member,
    of_symbol,
)
from stackaudit.link.queries.joining import all_loops, choice_of, join, matters, varying
from stackaudit.link.queries.loading import NEW, NOTHING, SOMEWHERE, Load
from stackaudit.link.queries.origins import NO_LOOPS, Loop
from stackaudit.link.queries.table import MANAGER_BASES, QUERYSET_BASES
from stackaudit.link.queries.values import (
    UNKNOWN,
    Choice,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Method,
    Other,
    Partial,
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
    if definition is None or not isinstance(definition.cls, SourceClass):
        return _every_row(value)
    key = ("base", value.model, definition)
    if key not in walk.memo:
        plain = walk.memo[key] = _every_row(value)
        found = definition.cls.find("get_queryset") or definition.cls.find("get_query_set")
        if found is not None and isinstance(found.node, py.FunctionDef):
            function = Function(found.owner.module, found.node, replace(value, loops=frozenset()), found.owner)
            made = call(walk, function, (), {}, (found.owner.module, found.node), "get_queryset()")
            if isinstance(made, Rows):
                walk.memo[key] = replace(made, evaluated=False, loops=frozenset())
            else:
                walk.memo[key] = replace(plain, load=Load(unknown="its manager's get_queryset() cannot be followed"))
    base = walk.memo[key]
    assert isinstance(base, Rows)
    return replace(base, loops=value.loops) if value.loops else base


def _every_row(value: Manager) -> Rows:
    """What Django's own `get_queryset()` gives: a queryset of the class that the manager is made for."""
    definition = value.definition
    cls = definition.queryset if definition is not None else None
    if cls is None and definition is not None and isinstance(definition.cls, SourceClass):
        sources = (base for base in definition.cls.mro if isinstance(base, SourceClass))
        cls = next(filter(is_queryset, sources), None)
    return Rows(value.model, cls=cls, loops=value.loops)


def apply(
    walk: Walk, value: Value, args: tuple[Value, ...], keywords: dict[str, Value], at: At, text: str = ""
) -> Value:
    """Call any value."""
    match value:
        case Function():
            return call(walk, value, args, keywords, at, text)
        case Method(receiver=Super(bound=Related() as bound), name="get_queryset"):
            return base_rows(walk, bound)
        case Method(receiver=Super(bound=Manager() as bound), name="get_queryset" | "get_query_set"):
            return _every_row(bound)
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
        case Related() if isinstance(named := keywords.get("manager"), Const):
            is_there = value.row.load.to_many(value.relation.name) is not None  # whichever manager loaded it
            return value if is_there else access.related_rows(walk, value, str(named.value))
        case Other():
            answer = known.external(walk, value.name, args, keywords, at)
            return varying(answer, value.loops) if type(answer) is Other else answer
        case Choice():
            is_one = type(value.options[0]) is Function and all(loop.bounded for loop in walk.loops)
            if is_one:  # which one runs matters to the rows of a loop alone
                return apply(walk, value.options[0], args, keywords, at, text)
            given = branches.of_each(walk, value, lambda option: apply(walk, option, args, keywords, at, text))
            is_lazy = all(isinstance(item, Rows) and item.via is not None and not item.evaluated for item in given)
            if is_lazy and len(given) > 1:
                return Choice(tuple(given), value.loops, value.is_open)
            return choice_of(given, value.is_open)
        case Partial():
            return apply(walk, value.function, (*value.args, *args), {**dict(value.keywords), **keywords}, at, text)
        case Instance():
            found = value.cls.find("__call__")
            return apply(walk, member(walk, value, found, at), args, keywords, at) if found is not None else UNKNOWN
        case _:
            return walk.unknown(value, *args, *keywords.values())


def special(walk: Walk, value: Value, name: str, at: At) -> Value | None:
    """What `__iter__()` and the like give where the class of an object defines it; None for all else."""
    found = value.cls.find(name) if isinstance(value, Instance) else None
    if found is None or not isinstance(found.node, py.FunctionDef):
        return None
    return apply(walk, member(walk, value, found, at), (), {}, at)


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
        return Row(value.model, load, None, (), None, loops, there=True)
    if isinstance(value.cls, SourceClass):
        if value.cls.is_a(*QUERYSET_BASES, *MANAGER_BASES):
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
            if known_one is not None and bases.kind_of(value.cls) != "form":  # others change the fields of their own
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
            after = value.cls.find("__post_init__")
            if after is not None and isinstance(after.node, py.FunctionDef) and _is_dataclass(value.cls):
                function = Function(after.owner.module, after.node, made, after.owner)
                call(walk, function, (), {}, at, value.cls.label)
        return made
    return known.external(walk, value.cls, args, keywords, at)


def _is_dataclass(cls: SourceClass) -> bool:
    """Whether Python writes the `__init__` of a class, which calls `__post_init__`."""
    names = (name for base in cls.mro if isinstance(base, SourceClass) for name in decorators(base.node))
    return any(name.rpartition(".")[2] == "dataclass" for name in names)


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
        walk.record.lead(at[1], function.module, node)
    if isinstance(node, py.FunctionDef) and node.decorators and not is_entry:
        own = () if function.bound is None else (function.bound,)
        if function.bare and function.owner is not None and not own and args:
            function, args = replace(function, bound=args[0]), args[1:]
        made = decorating.of_function(walk, function)
        if made.around is not None:
            return call(walk, made.around, (*own, *args), keywords, at, text)
        if made.beside is not None and walk.repeating(all_loops((*own, *args))) is not None:
            call(walk, made.beside, (*own, *args), keywords, at, text)
    loops = function.loops | all_loops(args) | all_loops(keywords.values())
    if len(walk.frames) > MAX_DEPTH or walk.spent > BUDGET or _is_repeated(walk, node):
        return Other(loops)
    active = frozenset([loop for loop in walk.loops if not loop.bounded]) if walk.loops else NO_LOOPS
    if not active and len(walk.frames) > QUIET_DEPTH and not _is_question(node):
        return Other(loops)  # no loop repeats what happens here, and what comes back from so deep is rarely rows
    env = binding.bind(walk, function, args, keywords, is_entry)
    if active and _is_far(walk, function.bound, env, active):
        active = frozenset()
    env = {name: settled(value, active) for name, value in env.items()}
    bound = settled(function.bound, active) if function.bound is not None else None
    running = tuple(walk.loops) if matters_any(env) else ()
    key = answers.Key(node, bound, tuple(env.items()), function.closure, running, walk.shielded > 0, walk.later > 0)
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


def _is_question(node: py.FunctionDef | py.Lambda) -> bool:
    """Whether a function only compares what it is given: its answer decides what is asked around the call."""
    if not isinstance(node, py.FunctionDef) or len(node.body) > 2:
        return False
    last = node.body[-1]
    return isinstance(last, py.Return) and isinstance(last.value, py.Compare)


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
            return Row(value.model, load, None, (), None, value.loops & active, there=value.there)
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
        bounded = "batches" if batches.hands_out(walk, node) else "" if frame.many else "what a few turns yield"
        return Seq(element, None, frozenset(walk.loops) & element.loops, bounded)
    if not frame.returns:
        return Const(None)
    result = frame.returns[0]
    for item in frame.returns[1:]:
        result = join(result, item)
    return result


def module_of(walk: Walk) -> SourceModule:
    """The module whose code is being walked."""
    for frame in reversed(walk.frames):
        if frame.module is not None:
            return frame.module
    raise LookupError("no frame has a module")


__all__ = [
    "apply",
    "attribute",
    "base_rows",
    "call",
    "class_of",
    "construct",
    "is_queryset",
    "member",
    "of_symbol",
    "place_of",
]
