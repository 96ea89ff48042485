"""What stands around a query that a loop repeats: the rows of the loop, what is caught, what else the turns read."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from stackaudit.checks.orm.computing import once, rest
from stackaudit.checks.orm.conditions import Condition
from stackaudit.checks.orm.recipes import Around
from stackaudit.checks.orm.turns import Turns
from stackaudit.facts import python as py
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.queries.annotations import is_in_order_of_model
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.existence import only_tested
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.values import Rows
from stackaudit.link.sources import Sources, below, tries
from stackaudit.model.source import Place

_CAUGHT = ("DoesNotExist", "MultipleObjectsReturned")
_REFUSING = frozenset({"", "BaseException", "DataError", "DatabaseError", "Exception", "ValidationError", "ValueError"})
"""What is raised for a value that no column takes, "" for anything."""
_OF_ONE = ("get", "first", "last", "aget", "afirst", "alast")


def around(
    turns: Turns, event: Event, asked: Condition, others: Iterable[Event] = (), asking: Container[Place] = frozenset()
) -> Around:
    """What a fix for one query, which asks by a condition, has to fit into.

    `others` are further queries of the turn that one query may answer, `asking` the places of all that it asks.
    """
    sources = turns.sources
    loop = sources.loop(event.loop.place) if event.loop is not None else None
    if event.loop is None or loop is None:
        return Around(is_deep=event.below > 1)
    rows = turns.rows(event)
    text, model = "", None
    is_row = event.below == 0 or _is_handed_on(loop, sources.at(event.place))
    if isinstance(rows, Rows) and rows.kind == "rows" and is_row and _is_made_here(sources, event.loop.place, rows):
        assert rows.origin is not None
        text, model = rows.origin.text, rows.model
    call = sources.at(event.place)
    helper = f"{text_of(call.func, 60)}()" if event.below and isinstance(call, py.Call) else ""
    if event.below and not helper:
        helper = event.text
    handled = [*_handled(sources, event.query)]
    if event.below:
        handled += [name for name in _handled(sources, event.place) if name not in handled]
    taker, setter = _taker(loop, sources, event), _setter(turns, event)
    late = _late(sources, event, loop, asking)
    whole = _whole(turns, event, loop) if late else ""
    return Around(
        text, model, _list_of(loop.iter), turns.source(event), tuple(handled), helper, taker, setter, late, whole,
        _fetched(sources, event, others), event.below > 1, once(turns, event, loop, asked),
        rest(turns, event, loop, asked), rows is None and _is_caught(sources, event, loop),
        is_tested=_is_tested(sources, event),
        is_grouped=not is_in_order_of_model(model, rows.origin if isinstance(rows, Rows) else None),
    )  # fmt: skip


def _is_tested(sources: Sources, event: Event) -> bool:
    """Whether what a query counts is only asked whether it is nothing."""
    function = sources.function(event.query)
    return function is not None and sources.at(event.query) in only_tested(function)


def _late(sources: Sources, event: Event, loop: py.For | py.Comprehension, asking: Container[Place]) -> str:
    """The name of a row that a query of the turn gives, and that this one reads what it looks for from."""
    node = sources.at(event.query)
    if event.below or not isinstance(loop, py.For) or not isinstance(node, py.Call):
        return ""
    module = sources.modules[event.query.path]
    bound: dict[str, list[py.Expr]] = {}
    for part in below(loop):
        if isinstance(part, py.Assign) and part.end <= node.start:
            for name in (name for target in part.targets for name in target_names(target)):
                bound.setdefault(name, []).append(part.value)
    left = [item.value for item in node.keywords]
    seen: set[str] = set()
    while left:
        value = left.pop()
        for name in (part.id for part in (value, *below(value)) if isinstance(part, py.Name)):
            if name not in seen:
                seen.add(name)
                if any(module.place(part) in asking for made in bound.get(name, ()) for part in (made, *below(made))):
                    return name
                left += bound.get(name, ())
    return ""


def _whole(turns: Turns, event: Event, loop: py.For | py.Comprehension) -> str:
    """The relation that a query asks by one column, where no turn changes whose relation it is."""
    node = turns.sources.at(event.query)
    if not isinstance(node, py.Call) or not isinstance(node.func, py.Attribute) or node.args or len(node.keywords) != 1:
        return ""
    held, column = node.func.value, node.keywords[0].name
    if column is None or "__" in column or not isinstance(held, py.Attribute) or held.attr not in turns.many:
        return ""
    targets = [loop.target, *(target for part in below(loop) if isinstance(part, py.Assign) for target in part.targets)]
    changed = {name for target in targets for name in target_names(target)}
    return "" if {part.id for part in below(held) if isinstance(part, py.Name)} & changed else code_of(held)


def _fetched(sources: Sources, event: Event, others: Iterable[Event]) -> str:
    """What the turn takes of the row of a queryset that it also asks for something else: `Around.fetched`."""
    node = sources.at(event.query)
    asked = text_of(node.func.value) if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) else ""
    taken: list[str] = []
    for other in others:
        call = sources.at(other.query)
        if other.method not in _OF_ONE or other.below or event.below or other.model is not event.model:
            continue
        if isinstance(call, py.Call) and isinstance(call.func, py.Attribute) and text_of(call.func.value) == asked:
            above = sources.tree(other.query.path).get(call)
            is_key = isinstance(above, py.Attribute) and above.attr in ("pk", "id") and other.method in ("get", "aget")
            taken.append("pk" if is_key else other.method)
    return min(taken, key=lambda method: method == "pk", default="")


def _is_handed_on(loop: py.For | py.Comprehension, node: py.Node | None) -> bool:
    """Whether what asks gets the row of the turn itself, and nothing else that the turn has made."""
    target = loop.target.id if isinstance(loop.target, py.Name) else ""
    made = {name for part in below(loop) if isinstance(part, py.Assign) for item in part.targets
            for name in target_names(item)}  # fmt: skip
    given: list[py.Expr] = []
    if isinstance(node, py.Call):
        given = [*node.args, *(item.value for item in node.keywords)]
        node = node.func
    if isinstance(node, py.Attribute):
        given.append(node.value)
    names = {dotted(item) for item in given}
    used = {part.id for item in given for part in (item, *below(item)) if isinstance(part, py.Name)}
    return target in names and not used & made


def _is_made_here(sources: Sources, place: Place, rows: Rows) -> bool:
    """Whether the function of a loop makes the queryset that it goes through, on one way."""
    origin = rows.origin
    if origin is None or origin.beside or origin.is_raw or origin.is_combined or origin.place.path != place.path:
        return False
    made = sources.at(origin.place)
    return made is not None and sources.function(origin.place) is sources.function(place)


def _list_of(node: py.Expr) -> str:
    """What a loop goes through, where it is a name or an attribute."""
    return code_of(node) if isinstance(node, (py.Name, py.Attribute)) else ""


def _handled(sources: Sources, place: Place) -> Iterator[str]:
    """What takes exceptions for missing and for several rows around a place: `except Book.DoesNotExist`."""
    node = sources.at(place)
    tree = sources.tree(place.path) if node is not None else {}
    while node is not None and not isinstance(node, py.FunctionDef):
        parent = tree.get(node)
        if isinstance(parent, py.Try) and node in parent.body:
            for handler in parent.handlers:
                yield from (f"except {name}" for name in _caught(_kinds(handler)))
        elif isinstance(parent, py.With) and node in parent.body:
            for item in parent.items:
                call = item.value
                if isinstance(call, py.Call) and dotted(call.func).rpartition(".")[2] == "suppress":
                    yield from (f"suppress({name})" for name in _caught(call.args))
        node = parent


def _kinds(handler: py.Handler) -> tuple[py.Expr | None, ...]:
    """What a handler takes; None for anything."""
    return handler.type.elts if isinstance(handler.type, py.Tuple) else (handler.type,)


def _caught(kinds: Iterable[py.Expr | None]) -> Iterator[str]:
    """The exceptions for missing and for several rows among some."""
    return (name for name in map(dotted, kinds) if name.endswith(_CAUGHT))


def _is_caught(sources: Sources, event: Event, loop: py.For | py.Comprehension) -> bool:
    """Whether a turn catches what a value that no column takes makes the query raise, and the next turn follows."""
    for place in dict.fromkeys((event.query, event.place)):
        node = sources.at(place)
        tried = tries(sources.tree(place.path), node, loop) if node is not None else ()
        if any(map(_goes_on, (handler for item in tried for handler in item.handlers))):
            return True
    return False


def _goes_on(handler: py.Handler) -> bool:
    """Whether what a refused value raises ends no more than the turn."""
    named = {dotted(kind).rpartition(".")[2] if kind is not None else "" for kind in _kinds(handler)}
    return bool(named & _REFUSING) and not isinstance(handler.body[-1], (py.Raise, py.Return))


def _taker(loop: py.For | py.Comprehension, sources: Sources, event: Event) -> str:
    """What is given a list of the one row that is asked for, where the loop does nothing else."""
    node = sources.at(event.query) if event.below == 0 else None
    tree = sources.tree(event.query.path)
    listed = tree.get(node) if node is not None else None
    call = tree.get(listed) if isinstance(listed, py.List) and len(listed.elts) == 1 else None
    if not isinstance(call, py.Call) or not isinstance(loop, py.For) or len(loop.body) != 1 or len(call.args) != 1:
        return ""
    stmt = loop.body[0]
    return f"{text_of(call.func, 60)}()" if isinstance(stmt, py.ExprStmt) and stmt.value is call else ""


def _setter(turns: Turns, event: Event) -> str:
    """The relation that takes all rows of a list, where nothing else is done with them."""
    sources = turns.sources
    node = sources.at(event.query) if event.below == 0 else None
    tree = sources.tree(event.query.path)
    comp = tree.get(node) if node is not None else None
    if not isinstance(comp, py.Comp) or comp.kind == "dict":
        return ""
    holder = tree.get(comp)
    if isinstance(holder, py.Call):
        return _of_many(turns, holder, comp)
    target = holder.targets[0] if isinstance(holder, py.Assign) and len(holder.targets) == 1 else None
    function = sources.function(event.query)
    if not isinstance(target, py.Name) or function is None:
        return ""
    named = [part for part in below(function) if isinstance(part, py.Name) and part.id == target.id]
    calls = [tree.get(part) for part in named if part is not target]
    calls = [tree.get(part) if isinstance(part, py.Starred) else part for part in calls]
    taking = {_of_many(turns, part, None) if isinstance(part, py.Call) else "" for part in calls}
    return taking.pop() if len(taking) == 1 else ""


def _of_many(turns: Turns, call: py.Call, given: py.Node | None) -> str:
    """The method of a many-to-many relation that a call is: that takes keys in place of rows."""
    func = call.func
    if not isinstance(func, py.Attribute) or func.attr not in ("set", "add") or (given and given not in call.args):
        return ""
    manager = func.value
    return f"{text_of(func, 60)}()" if isinstance(manager, py.Attribute) and manager.attr in turns.linked else ""
