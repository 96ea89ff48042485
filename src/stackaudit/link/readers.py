"""Who runs the code that asks for the rows behind a row: the other callers of a property or a method of a model.

A fix that rewrites such code changes what it costs everybody: read from all rows, an answer is free where they were
prefetched, and dear where it was one row before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.facts import template as t
from stackaudit.link.callings import Callings
from stackaudit.link.filters import freedom
from stackaudit.link.handing import Handing
from stackaudit.link.keys import Keys, tested
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.pages.files import parts
from stackaudit.link.queries.events import Event, Record, begin
from stackaudit.link.queries.existence import only_tested
from stackaudit.link.queries.origins import Asking
from stackaudit.link.queries.reading import is_answered, is_cut, is_number, plain, takes_less
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import MANAGER_ONLY, METHODS, method
from stackaudit.link.sources import returned
from stackaudit.link.staying import Staying
from stackaudit.model.source import Place, Region

if TYPE_CHECKING:
    from stackaudit.link.queries.walk import Walk
    from stackaudit.link.stack import Stack

_OF_SETS = frozenset(METHODS) | MANAGER_ONLY
_DEEPEST = 3
"""So many functions that hand on what another one gives are gone through."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Where code is run, as text; `asks` is the same with the method of querysets that is asked of what it gives.

    `text` is "" where what is written there does not stand for what the code gives.
    """

    place: Place
    text: str
    asks: str


class Readers:
    """The callers of the properties and methods of one stack, by what the walk saw and by names that are unique."""

    def __init__(self, stack: Stack) -> None:
        self._sources, self._templates = stack.sources, stack.templates
        self._models, self._stack = stack.models, stack
        self._keys = Keys(stack)
        self._handing = Handing(self._sources, self._templates)
        self._callings = Callings(stack, stack.models.classes, stack.mentions)
        self._known: dict[tuple[int, py.FunctionDef], list[_Reading]] = {}
        self._arguments: dict[str, set[Region]] = {}

    def told(self, events: Iterable[Event], walk: Walk) -> list[Event]:
        """Events of a walk whose `asking` says who else runs it, and what is done with what it gives.

        What that walk itself saw is enough: the process that judges pages has no walk over all of the code.
        """
        found = list(events)
        asked = [event for event in found if event.kind == "reverse" and not is_cut(event)]
        whole = {(event.origin, event.path) for event in asked if not is_number(event)}
        counted = {(event.origin, event.path) for event in asked if is_number(event) and is_answered(event)}
        found = [_uncut(event) if _is_whole(event, whole, counted) else event for event in map(self._cut, found)]
        found = self._asked_for_any(found)
        free: dict[Place, set[object]] = {}
        loading: dict[Place, set[Place]] = {}
        own: dict[tuple[Place | None, Place], set[Place]] = {}
        for event in found:
            if event.asking is not None:
                own.setdefault(_asked(event, event.asking), set()).update(step.place for step in event.flow)
                if event.outcome == "fail" and event.origin is not None:
                    loading.setdefault(event.asking.place, set()).add(event.origin.place)
                if event.kind == "bypassed":
                    free.setdefault(event.asking.place, set()).update(self._homes(event))
        staying = Staying(self._sources, walk.record.events)
        return self._keys.told(
            staying.told([
                self._told(
                    event,
                    event.asking,
                    walk.record,
                    own[_asked(event, event.asking)],
                    free.get(event.asking.place, set()),
                    loading.get(event.asking.place, set()),
                )
                if event.asking is not None
                else event
                for event in found
            ]),
            walk.record,
        )  # fmt: skip

    def _asked_for_any(self, events: list[Event]) -> list[Event]:
        """Events whose `asking` says where counts only say whether there is anything: of no rows a number is wanted."""
        counts = {
            number: self._is_tested(event.asking)
            for number, event in enumerate(events)
            if event.asking is not None and event.outcome == "fail" and plain(event.asking.last) == "count"
        }
        wanted = {(events[number].origin, events[number].path) for number, is_tested in counts.items() if not is_tested}
        return [
            replace(event, asking=replace(event.asking, is_tested=True))
            if counts.get(number) and event.asking is not None and (event.origin, event.path) not in wanted
            else event
            for number, event in enumerate(events)
        ]

    def _is_tested(self, asking: Asking) -> bool:
        """Whether a count is only asked whether it is nothing."""
        if not asking.text:
            file = self._templates.by_path.get(asking.place.path)
            return file is not None and asking.place.region in tested(file.tree.nodes)
        node, function = self._sources.at(asking.place), self._sources.function(asking.place)
        return function is not None and node in only_tested(function)

    def _cut(self, event: Event) -> Event:
        """An event that speaks of a slice only where all of the rows may be many: of a table that grows by itself."""
        target = event.relation.target if event.relation is not None else None
        return event if not is_cut(event) or target is None or target in self._many else _uncut(event)

    def _told(
        self,
        event: Event,
        asking: Asking,
        record: Record,
        places: set[Place],
        free: set[object],
        loading: set[Place],
    ) -> Event:
        """One event: `places` lie on the ways of its queryset's rows, `free` is what asks for prefetched ones.

        `loading` are the querysets that are told to load what is asked.
        """
        if event.outcome == "fail" and not event.path and asking.text:
            asking = replace(asking, freedom=freedom(self._sources, asking))
            event = replace(event, asking=self._handing.told(event, asking, record))
            return replace(event, flow=self._handing.way(event))
        if event.outcome != "fail" or not event.path or is_answered(event):
            return event
        if not asking.text:
            return replace(event, asking=replace(asking, is_argument=self._is_argument(asking.place)))
        functions = self._run(event, asking)
        if not functions:
            return event
        homes = self._homes(event) | {place.path for place in places if place.path not in self._sources.modules}

        def is_own(item: _Reading) -> bool:
            holder = self._holder(item.place)
            return item.place in places or holder in homes or holder in functions

        mine = [item for item in self._of(functions[0], record) if is_own(item)]
        others = [
            f"{item.place.path}:{item.place.region.line}"
            for function in reversed(functions)  # who runs the query itself is told before who leads to it
            for item in self._others(function, record, is_own)
            if self._holder(item.place) not in free
        ]
        others += [f"{place.path}:{place.region.line}" for place in _alone(event, record, loading)]
        bodies = [returned(function) for function in functions]
        callers = tuple(dict.fromkeys(others)) if takes_less(asking) else ()
        seen = mine if callers else self._of(functions[0], record)
        uses = [item for item in seen if item.asks] if None not in bodies and _is_lazy(bodies[-1]) else []
        told = replace(
            asking,
            callers=callers,
            others=() if callers else tuple(dict.fromkeys(others)),
            uses=tuple(dict.fromkeys(f"`{item.asks}` in {item.place.path}" for item in uses)),
            reads=tuple(dict.fromkeys(f"`{item.text}`" for item in mine if item.text)),
            is_whole=None not in bodies,
            takes=_taken(functions[-1]) if not is_number(event) else "",
        )
        return replace(event, asking=told)

    @cached_property
    def _many(self) -> frozenset[Model]:
        """The models that may have many rows."""
        return self._stack.made | self._stack.growing

    def _holder(self, place: Place) -> object:
        """The function that holds a place, or the template."""
        return self._sources.function(place) or place.path

    def _homes(self, event: Event) -> set[object]:
        """The functions and templates of the loops of an event."""
        return {self._holder(loop.place) for loop in (event.loop, event.around) if loop is not None}

    def _run(self, event: Event, asking: Asking) -> list[py.FunctionDef]:
        """The functions between the loop and the expression that asks, which the loop is no part of."""
        last = self._sources.function(asking.place)
        loops = self._homes(event)
        if event.origin is not None:
            loops.add(self._holder(event.origin.place))
        found: list[py.FunctionDef] = []
        for place in (*(step.place for step in event.flow), asking.place):
            function = self._sources.function(place)
            if function is not None and function not in loops and function not in found:
                found.append(function)
            if function is last:
                break
        return found if last in found else []

    def _others(
        self, function: py.FunctionDef, record: Record, is_own: Callable[[_Reading], bool], depth: int = _DEEPEST
    ) -> Iterator[_Reading]:
        """Where a function is run for others: who calls a function that only hands on what it gives counts for that."""
        for item in self._of(function, record):
            if is_own(item):
                continue
            holder = self._sources.function(item.place)
            handed = returned(holder) if holder is not None else None
            if holder is not None and handed is not None and depth and handed is self._sources.at(item.place):
                found = self._of(holder, record)
                yield from self._others(holder, record, is_own, depth - 1) if found else [item]
            else:
                yield item

    def _of(self, function: py.FunctionDef, record: Record) -> list[_Reading]:
        """Where a function is called or a property is read."""
        key = id(record), function
        if key not in self._known:
            self._known[key] = list(self._found(function, record))
        return self._known[key]

    def _found(self, function: py.FunctionDef, record: Record) -> Iterator[_Reading]:
        name = function.name
        is_unique = len(self._defined.get(name, ())) == 1 and name not in self._fields
        is_read = any("property" in dotted(item) for item in function.decorators)
        for module, node in self._read.get(name, ()) if is_read else ():
            led = record.leads(node)
            if function in led if led else is_unique:
                yield _Reading(module.place(node), text_of(node, 60), self._asks(module, node))
        for calling in self._callings.of(function, record, is_unique) if not is_read else ():
            module, call = calling.module, calling.call
            text, asks = (text_of(call, 60), self._asks(module, call)) if calling.is_plain else ("", "")
            yield _Reading(module.place(call), text, asks)
        for path, expr in self._named.get(name, ()) if is_unique else ():
            length = expr.parts.index(name) + 1
            text, after = ".".join((expr.name, *expr.parts[:length])), ".".join(expr.parts[length : length + 1])
            yield _Reading(Place(path, expr.region), text, f"{text}.{after}" if after in _OF_SETS else "")

    def _asks(self, module: SourceModule, node: py.Expr) -> str:
        """The method of querysets that is called on what an expression gives, as text."""
        tree = self._sources.tree(module.path)
        above = tree.get(node)
        call = tree.get(above) if isinstance(above, py.Attribute) and above.value is node else None
        if not isinstance(above, py.Attribute) or not isinstance(call, py.Call) or above.attr not in _OF_SETS:
            return ""
        return text_of(call, 60)

    @cached_property
    def _defined(self) -> dict[str, list[py.FunctionDef]]:
        """The functions and methods of the stack, by name."""
        found: dict[str, list[py.FunctionDef]] = {}
        for module in self._sources.modules.values():
            for stmt in module.facts.body:
                for item in (stmt, *(stmt.body if isinstance(stmt, py.ClassDef) else ())):
                    if isinstance(item, py.FunctionDef):
                        found.setdefault(item.name, []).append(item)
        return found

    @cached_property
    def _fields(self) -> frozenset[str]:
        """The names of columns and relations of models."""
        return frozenset(name for model in self._models for name in (*model.columns, *model.relations))

    @cached_property
    def _read(self) -> dict[str, list[tuple[SourceModule, py.Expr]]]:
        """Where attributes are read whose name is that of some property."""
        names = {
            name
            for name, functions in self._defined.items()
            if any("property" in dotted(item) for function in functions for item in function.decorators)
        }
        found: dict[str, list[tuple[SourceModule, py.Expr]]] = {}
        for module in self._sources.modules.values():
            for node in nodes(module.facts.body):
                if isinstance(node, py.Attribute) and node.attr in names:
                    found.setdefault(node.attr, []).append((module, node))
        return found

    @cached_property
    def _named(self) -> dict[str, list[tuple[str, t.Path]]]:
        """The paths of templates, by each of their parts."""
        found: dict[str, list[tuple[str, t.Path]]] = {}
        for path, file in self._templates.by_path.items():
            for expr in parts(file.tree):
                if isinstance(expr, t.Path):
                    for part in expr.parts:
                        found.setdefault(part, []).append((path, expr))
        return found

    def _is_argument(self, place: Place) -> bool:
        """Whether a path of a template is an argument of a filter or tag."""
        if place.path not in self._arguments:
            file = self._templates.by_path.get(place.path)
            found = self._arguments[place.path] = set()
            for item in parts(file.tree) if file is not None else ():
                given = (
                    (item.args, item.keywords)
                    if isinstance(item, t.Tag)
                    else item.args
                    if isinstance(item, t.Filter)
                    else ()
                )
                found.update(expr.region for expr in parts(given) if isinstance(expr, t.Path))
        return place.region in self._arguments[place.path]


def _is_whole(event: Event, whole: AbstractSet[object], tested: AbstractSet[object]) -> bool:
    """Whether all rows are loaded for others anyway, or answer both whether there are any and which is the first."""
    key = event.origin, event.path
    return key in whole or (key in tested and is_answered(_uncut(event)) and event.method == "first")


def _uncut(event: Event) -> Event:
    """An event that says nothing of a slice: all of the rows are to be loaded."""
    return replace(event, asking=replace(event.asking, cut="")) if event.asking is not None else event


def _alone(event: Event, record: Record, loading: set[Place]) -> Iterator[Place]:
    """Where single rows are shown of which the same code asks, and which come from no queryset that is to load that."""
    for place, row in record.once.get(begin(event.query), {}).items():
        origin, brings = row.origin, row.load.to_many(event.path[-1]) is not None
        while origin is not None and not brings:
            brings = origin.place in loading
            origin = origin.refined
        if not brings:
            yield place


def _taken(function: py.FunctionDef) -> str:
    """The attribute from which a function answers where others set it: `if hasattr(row, "x"): return row.x`."""
    body = [item for item in function.body if not isinstance(item, py.ExprStmt)]
    first = body[0] if body else None
    test = first.test if isinstance(first, py.If) else None
    then = first.body[0] if isinstance(first, py.If) and len(first.body) == 1 else None
    if not isinstance(test, py.Call) or dotted(test.func) != "hasattr" or len(test.args) != 2:
        return ""
    row, name = test.args
    if not isinstance(name, py.Constant) or not isinstance(then, py.Return) or then.value is None:
        return ""
    attribute = f"{dotted(row)}.{name.value}"
    kept = (to for item in nodes((function,)) if isinstance(item, py.Assign) for to in item.targets)
    is_given = dotted(then.value) == attribute and all(dotted(to) != attribute for to in kept)
    return str(name.value) if is_given else ""


def _asked(event: Event, asking: Asking) -> tuple[Place | None, Place]:
    return event.origin.place if event.origin is not None else None, asking.place


def _is_lazy(value: py.Expr | None) -> bool:
    """Whether an expression gives a queryset that has not been asked yet."""
    func = value.func if isinstance(value, py.Call) else None
    found = method(func.attr) if isinstance(func, py.Attribute) else None
    return found is not None and found.returns == "rows"
