"""What a repeated query asks for: whether its condition is one that a single query could answer for all turns."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.queries.events import Event
from stackaudit.link.sources import Sources, below
from stackaudit.model.source import Place

_FILTERS = frozenset({
    "filter", "exclude", "get", "aget", "Q", "get_object_or_404", "get_list_or_404", "aget_object_or_404",
    "aget_list_or_404",
})  # fmt: skip
_WRAPPERS = frozenset({"bool", "dict", "frozenset", "len", "list", "set", "sorted", "sum", "tuple"})
_TAKING = frozenset({"extend", "update"})
"""Methods of lists and sets that go through what they are given."""
_COMPARED = frozenset({
    "contained_by", "contains", "contains_properly", "coveredby", "covers", "distance_gt", "distance_gte",
    "distance_lt", "distance_lte", "dwithin", "endswith", "gt", "gte", "has_any_keys", "has_key", "has_keys",
    "icontains", "iendswith", "intersects", "iregex", "istartswith", "lt", "lte", "overlap", "range", "regex",
    "search", "startswith", "trigram_similar", "trigram_word_similar", "unaccent", "within",
})  # fmt: skip
"""Lookups that no list of values can stand for."""
_RANKED = frozenset({
    "Distance", "SearchQuery", "SearchRank", "SearchVector", "TrigramDistance", "TrigramSimilarity",
    "TrigramWordSimilarity",
})  # fmt: skip
_OF_SETS = frozenset({
    "aggregate", "aiterator", "all", "annotate", "count", "defer", "distinct", "exclude", "exists", "explain", "filter",
    "first", "get", "in_bulk", "iterator", "last", "only", "order_by", "prefetch_related", "select_related", "values",
    "values_list",
})  # fmt: skip
_WRITING = frozenset({"adelete", "aupdate", "delete", "update"})
_ENDING = frozenset({
    "aaggregate", "acount", "aexists", "afirst", "aggregate", "aiterator", "alast", "all", "count", "exists", "first",
    "iterator", "last",
})  # fmt: skip
"""Methods that change nothing of what a queryset asks for."""
_ORDERING = frozenset({"aearliest", "alatest", "earliest", "latest", "order_by"})
_OWN_CONDITIONS = "with conditions that the turn puts together"
_ANOTHER = "with another"
_DEEPEST = 8
_MODELS = re.compile(r"(?:\w+\.)*[A-Z]\w*(?:\.objects)?")
"""A model, or its usual manager."""


@dataclass(frozen=True)
class Condition:
    """What a query asks for.

    - `field` is the field that it compares with a value of the turn, and `key` the column of the loop's rows that this
      value is, "" where that is open;
    - `relation` is the path to the rows behind a row of the turn that it asks;
    - `computed` says what each turn makes up so that no list of values can stand for it, "" for nothing;
    - `narrowed` is how many conditions it asks the model's manager by, 0 where that is open;
    - `locks` that it locks what it reads;
    - `batch` that it is asked for a whole batch of keys or rows at once;
    - `value` is what `field` is compared with, and `others` are more fields that it compares with values of the turn;
    - `ends` are the methods from there to the end, "?" for what else changes with the turns;
    - `order` are the columns that it orders its rows by, () where that is open;
    - `is_cut` says that it takes the first rows only.
    """

    field: str = ""
    key: str = ""
    value: py.Expr | None = None
    others: tuple[str, ...] = ()
    ends: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    is_cut: bool = False
    relation: str = ""
    computed: str = ""
    narrowed: int = 0
    locks: bool = False
    batch: bool = False

    @property
    def alone(self) -> bool:
        """Whether it asks the model's manager by `field`, and nothing else narrows it."""
        return self.narrowed == 1

    @property
    def is_whole(self) -> bool:
        """Whether it asks the model's manager by nothing but values of the turn."""
        return bool(self.field) and self.narrowed == 1 + len(self.others)

    @property
    def is_shared(self) -> bool:
        """Whether one query could ask for all turns."""
        return bool(self.field or self.relation) and not self.computed

    @property
    def is_told(self) -> bool:
        """Whether the source says by what the queries of the turns differ."""
        return self.is_shared or self.is_cut or self.computed.startswith(_ANOTHER)


def condition(sources: Sources, event: Event, many: Container[str], called: py.FunctionDef | None = None) -> Condition:
    """What the query of an event asks for, as far as its source says so.

    `many` are the relations to many rows; `called` is the function that the loop calls where the event stands.
    """
    node = _asking(sources, event.query)
    loop = sources.loop(event.loop.place) if event.loop is not None else None
    if node is None:
        return Condition()
    if event.below == 0:
        return _Reader(sources, event.query.path, node, many, loop).read(node)
    reader = _Reader(sources, event.query.path, node, many)
    call = sources.at(event.place)
    if called is not None and called is reader.function and loop is not None and isinstance(call, py.Call):
        reader.handed &= _Reader(sources, event.place.path, call, many, loop).gives(call, called) or reader.handed
    return reader.read(node)


def chain(sources: Sources, event: Event) -> Iterator[Place]:
    """Where the pieces stand of which the query of an event is put together."""
    node = _asking(sources, event.query)
    if node is not None:
        module = sources.modules[event.query.path]
        for part in _Reader(sources, event.query.path, node, ()).parts(node):
            yield module.place(part)


def _asking(sources: Sources, place: Place) -> py.Node | None:
    """The expression that asks: of what a list or a set takes over, the argument."""
    node = sources.at(place)
    call = sources.tree(place.path).get(node) if isinstance(node, py.Attribute) else None
    if isinstance(node, py.Attribute) and node.attr in _TAKING and isinstance(call, py.Call) and call.args:
        return call.args[0]
    return node


class _Reader:
    """Reads the chain of one query; `scope` is what runs again: the loop, or the function that it calls."""

    def __init__(
        self,
        sources: Sources,
        path: str,
        node: py.Node,
        many: Container[str],
        loop: py.For | py.Comprehension | None = None,
    ) -> None:
        self._sources = sources
        self.function = sources.scope(path, node)
        self._loop, self._many = loop, many
        self.handed = set(target_names(loop.target)) if loop is not None else _parameters(self.function)

    def gives(self, call: py.Call, function: py.FunctionDef) -> set[str]:
        """The parameters of a function that get another value on each turn from a call; none where that is open."""
        names = [param.name for param in function.params if param.kind in ("plain", "positional")]
        given: list[py.Expr] = [item for item in call.args if not isinstance(item, py.Starred)]
        found = {item.name for item in call.keywords if item.name is not None and self._varies(item.value)}
        if names[:1] in (["self"], ["cls"]) and isinstance(call.func, py.Attribute):
            given = [call.func.value, *given]
        return found | {name for name, arg in zip(names, given, strict=False) if self._varies(arg)}

    def read(self, node: py.Node) -> Condition:
        found, asked = Condition(), ""
        parts = list(self._chain(node))
        found = replace(found, narrowed=_narrowed(parts), order=_order(parts))
        for part in parts:
            before = found
            found = self._with(found, part)
            if not before.field and not before.relation:
                found = replace(found, ends=found.ends | {_name(part)})
            if self._differs(part):
                found = replace(found, ends=found.ends | {"?"})
            if isinstance(part, py.Name) and self._hands(part) and (not asked or asked in _OF_SETS):
                found = replace(found, batch=True)
            asked = _last(part) if isinstance(part, py.Call) and isinstance(part.func, py.Attribute) else ""
        return found

    def parts(self, node: py.Node) -> Iterator[py.Node]:
        """The calls of a chain."""
        return (part for part in self._chain(node) if isinstance(part, py.Call))

    def _differs(self, part: py.Node) -> bool:
        """Whether a method of the repository or of another kind gets another value on each turn."""
        if not isinstance(part, py.Call) or not isinstance(part.func, py.Attribute):
            return False
        if part.func.attr in _FILTERS or part.func.attr in _WRITING:
            return False
        return any(self._varies(arg) for arg in (*part.args, *(item.value for item in part.keywords)))

    def _chain(self, node: py.Node | None, depth: int = 0) -> Iterator[py.Node]:
        """The calls, slices and the root of a chain of queryset methods, through the names that hold a part of it."""
        while node is not None:
            if isinstance(node, py.Call) and isinstance(node.func, py.Attribute):
                yield node
                node = node.func.value
            elif isinstance(node, py.Call):
                yield node
                name = dotted(node.func)
                node = node.args[0] if node.args and (name in _WRAPPERS or name in _FILTERS) else None
            elif isinstance(node, py.Subscript):
                yield node
                node = node.value
            elif isinstance(node, (py.Await, py.Starred)):
                node = node.value
            elif isinstance(node, py.Name):
                yield node
                bound = self._bound(node) if not self._is_combined(node) else []
                node = bound[-1] if bound and depth < _DEEPEST else None
                depth += 1
            else:
                yield node
                node = None

    def _with(self, found: Condition, part: py.Node) -> Condition:
        if isinstance(part, py.Call):
            name = _last(part)
            if name == "select_for_update":
                return replace(found, locks=True)
            if name in _FILTERS:
                for call in (part, *below(part)):
                    if isinstance(call, py.Call) and _last(call) in _FILTERS:
                        found = self._filtered(found, call, call is part and name != "exclude")
            ranked = {_last(inner) for inner in below(part) if isinstance(inner, py.Call)} & _RANKED
            if ranked and self._varies(part):
                found = replace(found, computed=found.computed or f"{_ANOTHER} `{min(ranked)}` each time")
        elif isinstance(part, py.Subscript) and isinstance(part.index, py.Slice):
            found = replace(found, computed=found.computed or "for the first rows of each", is_cut=True)
        elif isinstance(part, py.Attribute) and part.attr in self._many and self._varies(part):
            first, _, path = dotted(part).partition(".")
            found = replace(found, relation=path.replace(".", "__") if first in self.handed else part.attr)
        return found

    def _filtered(self, found: Condition, call: py.Call, is_plain: bool) -> Condition:
        """A condition with what one call filters by; of a plain one each keyword holds for all rows."""
        for item in call.keywords:
            if item.name is None:
                if self._varies(item.value):
                    found = replace(found, computed=found.computed or _OWN_CONDITIONS)
                continue
            lookup = item.name.rpartition("__")[2]
            if self._hands(item.value) and lookup == "in":
                found = replace(found, batch=True)
            elif not self._varies(item.value):
                continue
            elif lookup in _COMPARED:
                found = replace(found, computed=found.computed or f"{_ANOTHER} `{item.name}` each time")
            elif is_plain and lookup not in ("in", "isnull"):
                name = item.name.removesuffix("__exact")
                if found.field:
                    found = replace(found, others=(*found.others, name))
                else:
                    found = replace(found, field=name, key=self._key(item.value), value=item.value)
            else:
                found = replace(found, ends=found.ends | {"?"})
        given = call.args[1 if _last(call).endswith("_404") else 0 :]
        if any(isinstance(arg, (py.Name, py.Starred)) and self._varies(arg) for arg in given):
            found = replace(found, computed=found.computed or _OWN_CONDITIONS)
        return found

    def _key(self, value: py.Expr) -> str:
        """The column of the loop's rows that a value is: "pk" for the row itself."""
        first, _, path = dotted(value).partition(".")
        return (path.replace(".", "__") or "pk") if first in self.handed else ""

    def _hands(self, node: py.Node) -> bool:
        """Whether an expression is the very thing that the loop hands out."""
        return self._loop is not None and isinstance(node, py.Name) and node.id in self.handed

    def _varies(self, node: py.Node, depth: int = 0) -> bool:
        """Whether an expression is another one on each turn."""
        names = [item for item in (node, *below(node)) if isinstance(item, py.Name)]
        if any(name.id in self.handed for name in names):
            return True
        return depth < _DEEPEST and any(self._varies(value, depth + 1) for name in names for value in self._bound(name))

    def _is_combined(self, name: py.Name) -> bool:
        """Whether a name is joined with other rows before it is used: `works |= others`."""
        return any(
            isinstance(node, py.AugAssign) and dotted(node.target) == name.id and node.end <= name.start
            for node in below(self.function)
        )

    def _bound(self, name: py.Name) -> list[py.Node]:
        """What a name was bound to before it is used, within what runs again."""
        found: list[py.Node] = []
        scope = self._loop if isinstance(self._loop, py.For) and self._loop.start <= name.start else self.function
        for node in self._sources.binders(scope, name.id):
            if node.end <= name.start or (isinstance(node, py.For) and node.start < name.start):
                found.append(node.value if isinstance(node, py.Assign) else node.iter)
        if not found and scope is not self.function:  # varies with no turn, but it holds the rest of a chain
            return [*self._sources.assigned(self.function, name.id, name.start)]
        return found


def _narrowed(parts: list[py.Node]) -> int:
    """By how many conditions a chain narrows a manager, and does nothing else: `Book.objects.filter(title=title)`."""
    narrowed = 0
    for part in parts:
        if isinstance(part, py.Call):
            name = _last(part)
            if name in _FILTERS:
                model = 1 if name.endswith("_404") else 0
                narrowed += len(part.keywords) + len(part.args) - model + (name == "exclude")
            elif name not in _ENDING and name not in _WRAPPERS and name not in _WRITING:
                return 0
        elif not isinstance(part, (py.Name, py.Attribute, py.Subscript)):
            return 0
    last = parts[-1] if parts else None
    root = dotted(last) if isinstance(last, (py.Name, py.Attribute)) else ""
    return narrowed if _MODELS.fullmatch(root) is not None else 0


def _order(parts: list[py.Node]) -> tuple[str, ...]:
    """The columns by which the last method of a chain that has a say in it orders the rows."""
    for part in parts:
        name = _last(part) if isinstance(part, py.Call) else ""
        if isinstance(part, py.Call) and name in _ORDERING:
            given = [str(arg.value) for arg in part.args if isinstance(arg, py.Constant)]
            return tuple(given) if len(given) == len(part.args) and "?" not in given else ()
        if name == "reverse":
            return ()
    return ()


def _parameters(function: py.Node) -> set[str]:
    return {param.name for param in function.params} if isinstance(function, py.FunctionDef) else set()


def _name(part: py.Node) -> str:
    """The method that a part of a chain calls, "" for what wraps it or begins it."""
    if isinstance(part, py.Subscript):
        return "" if isinstance(part.index, py.Slice) else "[…]"
    if not isinstance(part, py.Call):
        return ""
    name = _last(part)
    return name if isinstance(part.func, py.Attribute) or name in _FILTERS else ""


def _last(call: py.Call) -> str:
    return call.func.attr if isinstance(call.func, py.Attribute) else dotted(call.func)
