"""Relations to one row of which code wants no more than the key, which is a column of the row that has the relation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.facts import template as t
from stackaudit.link.models.model import Relation
from stackaudit.link.modules import dotted
from stackaudit.link.none_tests import is_asked, is_there
from stackaudit.link.pages.files import flat, parts
from stackaudit.link.queries.advice import outermost
from stackaudit.link.queries.events import ALIKE, Event, Record
from stackaudit.link.queries.origins import Origin, Spared
from stackaudit.link.queries.source import code_of
from stackaudit.link.sources import below
from stackaudit.model.source import Place, Region

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_LOOKUPS = frozenset({
    "Q", "aget", "exclude", "filter", "get", "aget_object_or_404", "get_list_or_404", "get_object_or_404",
})  # fmt: skip
"""Calls whose keywords compare a relation with a row, or with its key."""
_TOLD = 2
"""So many models that have something else under the name of a key are told."""


class Keys:
    """What to write in place of rows of which nothing but the key is wanted, in one stack."""

    def __init__(self, stack: Stack) -> None:
        self._sources, self._templates, self._models = stack.sources, stack.templates, stack.models
        self._written: dict[str, dict[Region, str]] = {}
        self._tested: dict[str, frozenset[Region]] = {}
        self._known: dict[tuple[int, Place, Place, Relation | None], Spared | None] = {}
        self._others: dict[str, tuple[str, ...]] = {}

    def told(self, events: list[Event], record: Record) -> list[Event]:
        """Events of one walk, `spared` where all that it saw of a queryset's relation wants no more than the key.

        `record` is that of the walk, which knows what was compared with rows.
        """
        spared: dict[int, Spared] = {}
        for number, event in enumerate(events):
            if (
                event.kind == "forward"
                and event.outcome == "fail"
                and (found := self._spared(event, record)) is not None
            ):
                spared[number] = found
        if not spared:
            return events
        wanted: set[_Relation] = set()
        asked = {number: outermost(event) for number, event in enumerate(events) if event.outcome != "pass"}
        for number, event in asked.items():
            wanted |= {_relation(event, length) for length in range(1, len(event.path) + (number not in spared))}
        return [
            replace(event, spared=spared[number])
            if number in spared and _relation(asked[number], len(asked[number].path)) not in wanted
            else event
            for number, event in enumerate(events)
        ]

    def _spared(self, event: Event, record: Record) -> Spared | None:
        """What to write where an event asks for a row; None where more of it may be wanted than its key."""
        key = id(record), event.place, event.query, event.relation
        if key not in self._known:
            self._known[key] = self._read(event, record)
        return self._known[key]

    def _read(self, event: Event, record: Record) -> Spared | None:
        """The same, read from the source."""
        relation = event.relation
        if relation is None or relation.relation not in ("fk", "o2o") or relation.to_field:
            return None
        if relation.target is None or relation.target.parents:
            return None
        if event.query.path in self._templates.by_path:
            return self._of_template(event, relation)
        node, function = self._sources.at(event.query), self._sources.function(event.query)
        held = _held(node, relation.name) if node is not None else ""
        if not held or function is None:
            return None
        first, given = re.split(r"\W", held, maxsplit=1)[0], {param.name for param in function.params}
        is_given = first in given - {"self"}
        without = self._without(relation.name) if is_given else ()
        if len(without) > _TOLD:
            return None
        tree = self._sources.tree(event.query.path)
        others = [item for item in below(function) if _held(item, relation.name) == held]
        written = [
            self._instead(tree, item, relation) or self._compared(function, tree, item, relation, record, is_given)
            for item in others
        ]
        if None in written:
            return None
        owner = tree.get(function)
        home = owner.name if isinstance(owner, py.ClassDef) else self._sources.modules[event.query.path].name
        told = tuple(dict.fromkeys(item for item in written if item is not None))
        return Spared(f"{home}.{function.name}", told, without)

    def _of_template(self, event: Event, relation: Relation) -> Spared | None:
        """What to write in a template that asks whether there is a row, or for its key."""
        path = event.query.path
        if path not in self._written:
            self._written[path] = {}
            for expr in parts(self._templates.by_path[path].tree):
                if isinstance(expr, t.Path):
                    self._written[path][expr.region] = ".".join((expr.name, *expr.parts))
            self._tested[path] = tested(self._templates.by_path[path].tree.nodes)
        text = self._written[path].get(event.place.region, "")
        if event.place != event.query or not text:
            return None
        held, _, last = text.rpartition(".")
        if last in _names(relation) and held.endswith(f".{relation.name}"):
            return Spared(path, ((text, f"{held}_id"),), is_template=True)
        if last == relation.name and event.place.region in self._tested[path]:
            return Spared(path, ((text, f"{text}_id"),), is_template=True)
        return None

    def _without(self, name: str) -> tuple[str, ...]:
        """The models that have something else under a name: a function may be given rows of them, too."""
        if name not in self._others:
            found = []
            for model in self._models:
                relation = model.relation(name)
                is_key = relation is not None and relation.relation in ("fk", "o2o") and not relation.to_field
                if not is_key and (relation or model.column(name) or (model.cls is not None and model.cls.find(name))):
                    found.append(model.name)
            self._others[name] = tuple(dict.fromkeys(found))
        return self._others[name]

    def _instead(self, tree: dict[py.Node, py.Node], node: py.Node, relation: Relation) -> tuple[str, str] | None:
        """What stands there and what to write instead; None where more may be wanted than the key."""
        column, above = _column(node, relation.name), tree.get(node)
        text = code_of(node)
        if isinstance(above, py.Attribute):
            return (code_of(above), column) if above.attr in _names(relation) else None
        if isinstance(above, py.Compare) and above.left is node and len(above.ops) == 1:
            other = above.comparators[0]
            is_none = isinstance(other, py.Constant) and other.value is None
            is_told = is_none and above.ops[0] in ("is", "is not", "==", "!=")
            return (code_of(above), f"{column} {above.ops[0]} None") if is_told else None
        if isinstance(above, py.Keyword):
            return (text, column) if self._is_lookup(tree.get(above), above, relation) else None
        return (text, column) if text and _is_test(tree, node) else None

    def _compared(
        self,
        function: py.FunctionDef,
        tree: dict[py.Node, py.Node],
        node: py.Node,
        relation: Relation,
        record: Record,
        is_given: bool,
    ) -> tuple[str, str] | None:
        """What stands there and what to write instead where a row is compared with one of the same model.

        An anonymous user equals no row, but has the key None like a row that is not there: such a relation has to be
        looked at before. `is_given` says that a caller hands over the row, which may be of another model.
        """
        above, target = tree.get(node), relation.target
        if not isinstance(above, py.Compare) or not record.alike.get(node) or len(above.ops) != 1:
            return None
        if target is None or (target.cls is not None and target.cls.find("__eq__") is not None):
            return None
        keys = [relation]
        if is_given:
            named = (model.relation(relation.name) for model in self._models)
            keys += [item for item in named if item is not None and item.relation in ("fk", "o2o")]
        other = above.comparators[0] if above.left is node else above.left
        held, written = code_of(node), code_of(other)
        if not written or any(item.target is not target for item in keys):
            return None
        if any(item.null for item in keys) and not is_there(tree, above, held):
            return None
        may_lack = record.alike[node] is not ALIKE or is_asked(function, written, below(function))
        key = f'getattr({written}, "pk", None)' if may_lack else f"{written}.pk"
        sides = (_column(node, relation.name), key)
        left, right = sides if above.left is node else sides[::-1]
        return code_of(above), f"{left} {above.ops[0]} {right}"

    def _is_lookup(self, call: py.Node | None, item: py.Keyword, relation: Relation) -> bool:
        """Whether a keyword compares relations to the same model, by its primary key, with what it is given."""
        if not isinstance(call, py.Call) or dotted(call.func).rpartition(".")[2] not in _LOOKUPS or item.name is None:
            return False
        name = item.name.rpartition("__")[2]
        found = [model.by_query_name(name) for model in self._models]
        meant = [other for other in found if other is not None and other.target is relation.target]
        return bool(meant) and not any(other.to_field or other.relation.startswith("generic") for other in meant)


_Relation: TypeAlias = "tuple[Origin | Place | None, tuple[str, ...]]"


def _relation(event: Event, length: int) -> _Relation:
    """The first relations of an event's path, with the queryset, or the loop, whose rows it is asked of."""
    place = event.loop.place if event.loop is not None else None
    return event.origin or place, event.path[:length]


def _names(relation: Relation) -> tuple[str, ...]:
    """The attributes of the row behind a relation that hold its key."""
    return ("pk", relation.target.pk) if relation.target is not None else ("pk",)


def _held(node: py.Node, name: str) -> str:
    """What `row.<name>` and `getattr(row, "<name>")` read it from, as code; "" for any other expression."""
    if isinstance(node, py.Attribute) and node.attr == name:
        return code_of(node.value)
    if isinstance(node, py.Call) and isinstance(node.func, py.Name) and node.func.id == "getattr":
        given = node.args[1] if len(node.args) > 1 else None
        if isinstance(given, py.Constant) and given.value == name:
            return code_of(node.args[0])
    return ""


def _column(node: py.Node, name: str) -> str:
    """The same expression for the column that holds the key."""
    if isinstance(node, py.Call):
        default = "".join(f", {code_of(arg)}" for arg in node.args[2:])
        return f'getattr({code_of(node.args[0])}, "{name}_id"{default})'
    return f"{code_of(node)}_id"


def _is_test(tree: dict[py.Node, py.Node], node: py.Node) -> bool:
    """Whether code only asks whether an expression is true."""
    above = tree.get(node)
    while isinstance(above, py.BoolOp):
        if above.op == "and" and above.left is node:
            return True  # what is not true is None, and so is the column then
        node, above = above, tree.get(above)
    if isinstance(above, py.UnaryOp):
        return above.op == "not"
    return isinstance(above, (py.If, py.While, py.IfExp)) and above.test is node


def tested(nodes: tuple[t.Node, ...]) -> frozenset[Region]:
    """Where paths stand as a condition of a template, or as a part of one that is no comparison."""
    conditions = [branch.test for node in flat(nodes) if isinstance(node, t.If) for branch in node.branches]
    found: set[Region] = set()
    while conditions:
        test = conditions.pop()
        if isinstance(test, t.Path):
            found.add(test.region)
        elif isinstance(test, t.Operation) and test.op in ("and", "or", "not"):
            conditions.extend(test.operands)
    return frozenset(found)
