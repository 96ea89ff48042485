"""What else one turn of a loop does, read from its source and that of the functions it calls.

A write is worth gathering where it is what the turn spends its time on, and where nothing in the turn needs it done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.checks.orm.results import needed
from stackaudit.facts import python as py
from stackaudit.link.modules import target_names
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.loops import FEW
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Manager, Rows, Value
from stackaudit.link.sources import below, held
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_LINKED = ("m2m", "reverse_m2m")
_HANDING = frozenset({"enumerate", "iter", "list", "reversed", "sorted", "tqdm", "tuple"})
_BUSY = 2
"""A turn that writes at so many places is busy with them."""


@dataclass(frozen=True)
class Turn:
    """What a turn does beside the writes that it was asked about.

    `outside` names work outside the database, "" for none. `asks` are the other calls that ask the database, as text,
    and `writes` those of them that write; `places` holds both with where they stand. `needs` says that the turn goes
    on with what the write gives.
    """

    outside: str = ""
    asks: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    needs: bool = False
    places: tuple[tuple[Place, str], ...] = ()


class Turns:
    """The turns of the loops of one stack.

    `many` are the names of relations to many rows, `linked` those that go through a table between both and nothing
    else; `sources` is what its modules look like.
    """

    def __init__(self, stack: Stack) -> None:
        self._works = stack.works
        self._kept = stack.queries.walk.kept
        self.sources = stack.sources
        self.many = self._works.many
        self.classes = stack.models.classes
        many = [(name, item.relation) for model in stack.models for name, item in model.relations.items() if item.many]
        others = {name for name, kind in many if kind not in _LINKED}
        self.linked = {name for name, kind in many if kind in _LINKED} - others

    def of(self, events: list[Event]) -> Turn | None:
        """The turn of the loop in which `events` write; None where its source is not seen."""
        loop = events[0].loop
        body = self.sources.body(loop.place) if loop is not None else None
        if loop is None or body is None:
            return None
        own = {event.query for event in events}
        module, source = self.sources.modules[loop.place.path], self.sources.loop(loop.place)
        work = self._works.of(module, body, frozenset(own))
        if isinstance(source, py.For) and self._works.is_generated(source.iter):
            work = work.with_(self._works.of(module, (source.iter,)))
        asks = {place: text for place, text, _ in work.asks if place not in own}
        writes = {place: text for place, text, writing in work.asks if place not in own and writing}
        needs = any(needed(self.sources, event) for event in events)
        return Turn(work.outside, tuple(asks.values()), tuple(writes.values()), needs, (*writes.items(), *asks.items()))

    def is_fetched(self, event: Event) -> bool:
        """Whether what a loop goes through was asked of another server just before, as a whole or piece by piece."""
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        if event.loop is None or loop is None:
            return False
        module = self.sources.modules[event.loop.place.path]
        made = (node for node in self._made(event) if isinstance(node, py.Comp))
        parts = [loop.iter] if isinstance(loop, py.For) else []
        return any(self._works.of(module, (part,)).outside for part in (*parts, *made))

    def is_within_work(self, event: Event) -> bool:
        """Whether a loop around the one that repeats a query waits for others on its turns, or writes much."""
        node: py.Node | None = self.sources.loop(event.loop.place) if event.loop is not None else None
        if event.loop is None or node is None:
            return False
        module, tree = self.sources.modules[event.loop.place.path], self.sources.tree(event.loop.place.path)
        node = tree.get(node)
        while node is not None and not isinstance(node, py.FunctionDef):
            if isinstance(node, (py.For, py.While)):
                head = node.iter if isinstance(node, py.For) else node.test
                work = self._works.of(module, (head, *node.body))
                writes = {place for place, _, is_writing in work.asks if is_writing}
                generated = isinstance(node, py.For) and self._works.is_generated(node.iter)
                if work.outside or generated or len(writes) >= _BUSY:
                    return True
            node = tree.get(node)
        return False

    def callee(self, call: py.Call) -> py.FunctionDef | None:
        """The function of the repository that a call leads to."""
        return self._works.called[call][1] if call in self._works.called else None

    def called(self, event: Event) -> py.FunctionDef | None:
        """The function of the repository that a loop calls where an event stands."""
        node = self.sources.at(event.place)
        return self._works.called[node][1] if node in self._works.called else None

    def lines(self, event: Event) -> int:
        """How many lines the function has that a loop calls where an event stands."""
        node = self.sources.at(event.place)
        if node not in self._works.called:
            return 0
        module, function = self._works.called[node]
        region = module.facts.region(function)
        return region.end_line - region.line + 1

    def rows(self, event: Event) -> Manager | Rows | None:
        """The queryset that a loop goes through, None for anything else."""
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        source: py.Expr | None = loop.iter if loop is not None else None
        while isinstance(source, py.Call) and isinstance(source.func, py.Name) and source.args:
            if source.func.id not in _HANDING:
                break
            source = source.args[0]
        rows = self.value(source) if source is not None else None
        return rows if isinstance(rows, (Manager, Rows)) else None

    def value(self, node: py.Expr) -> Value | None:
        """What the walk knows of an expression, None for nothing."""
        return self._kept.get(node)

    def goes_through_rows(self, event: Event) -> bool:
        """Whether a loop goes through the rows of a table, and not only through what belongs to one row."""
        rows = self.rows(event)
        return isinstance(rows, Manager) or (rows is not None and rows.via is None)

    def source(self, event: Event) -> str:
        """What a loop goes through, as text, with what the names in it were bound to before."""
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        if event.loop is None or loop is None:
            return event.loop.text if event.loop is not None else ""
        return " ".join([event.loop.text, *(text_of(value, 200) for value in self._made(event))])

    def _made(self, event: Event) -> list[py.Expr]:
        """What the names in what a loop goes through were bound to before."""
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        if event.loop is None or loop is None:
            return []
        scope = self.sources.scope(event.loop.place.path, loop)
        names = {node.id for node in (loop.iter, *below(loop.iter)) if isinstance(node, py.Name)}
        found = (value for name in names for value in self.sources.assigned(scope, name, loop.start))
        return sorted(found, key=lambda value: value.start)

    def is_cut(self, event: Event, most: int = FEW) -> bool:
        """Whether a loop goes through a slice of `most` at most: `for book in books[:10]`."""
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        part = loop.iter if loop is not None else None
        while isinstance(part, py.Call) and part.args:
            part = part.args[0]
        index = part.index if isinstance(part, py.Subscript) else None
        if not isinstance(index, py.Slice) or (index.lower is not None and not isinstance(index.lower, py.Constant)):
            return False
        return isinstance(index.upper, py.Constant) and isinstance(index.upper.value, int) and index.upper.value <= most

    def inner(self, event: Event) -> list[str]:
        """The loops within that of an event, as text, on whose turns it is asked again, the outer ones first."""
        found: list[str] = []
        node = self.sources.at(event.place)
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        tree = self.sources.tree(event.place.path) if node is not None else {}
        before = node
        while node is not None and node is not loop and not isinstance(node, py.FunctionDef):
            if isinstance(node, py.For) and before in node.body:
                found.append(f"for {text_of(node.target, 30)} in {text_of(node.iter, 50)}")
            before, node = node, tree.get(node)
        return found[::-1] if node is loop is not None else []

    def is_conditional(self, event: Event) -> bool:
        """Whether a write is left out on some turns: a condition that stays the same for all of them is none."""
        call = self.sources.at(event.place)
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        if not event.guarded or call is None or not isinstance(loop, py.For) or event.below:
            return event.guarded
        tree = self.sources.tree(event.place.path)
        names = {node.id for node in (loop.target, *below(loop.target)) if isinstance(node, py.Name)}
        names |= {target for node in below(loop) for target in _bound(node)}
        inner, node = call, tree.get(call)
        while node is not None and node is not loop:
            if isinstance(node, py.If) and inner is not node.test:
                tested = [node.test, *below(node.test)]
                if any(
                    isinstance(part, py.Call) or (isinstance(part, py.Name) and part.id in names) for part in tested
                ):
                    return True
            elif isinstance(node, (py.Handler, py.Case, py.IfExp, py.BoolOp)):
                return True
            if any(isinstance(stmt, py.If) and _leaves(stmt, names) for stmt in held(node) if stmt.end <= inner.start):
                return True
            inner, node = node, tree.get(node)
        return node is loop and any(
            isinstance(stmt, py.If) and _leaves(stmt, names) for stmt in loop.body if stmt.end <= inner.start
        )

    def is_handling(self, event: Event) -> bool:
        """Whether an event stands where the turn of a `for` statement handles an exception."""
        return self._handler(event) is not None

    def is_refusal(self, event: Event) -> bool:
        """Whether an event stands where a turn handles an exception without which it would have ended the loop."""
        handler = self._handler(event)
        tried = self.sources.tree(event.place.path).get(handler) if handler is not None else None
        return isinstance(tried, py.Try) and (ends(tried.body) or ends(tried.orelse))

    def _handler(self, event: Event) -> py.Handler | None:
        node = self.sources.at(event.place)
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        if node is None or not isinstance(loop, py.For):
            return None
        tree = self.sources.tree(event.place.path)
        while node is not None and node is not loop and not isinstance(node, py.Handler):
            node = tree.get(node)
        return node if isinstance(node, py.Handler) else None


def ends(body: tuple[py.Stmt, ...]) -> bool:
    """Whether some statements end the loop that they stand in."""
    last = body[-1] if body else None
    return isinstance(last, py.Return) or (isinstance(last, py.Jump) and last.kind == "break")


def _leaves(stmt: py.If, names: set[str]) -> bool:
    """Whether a condition that one of `names` decides ends some turns early; a missing value is an exception."""
    ends = any(arm and isinstance(arm[-1], py.Jump) and arm[-1].kind == "continue" for arm in (stmt.body, stmt.orelse))
    absent = isinstance(stmt.test, py.UnaryOp) and isinstance(stmt.test.operand, py.Name)
    return (
        ends
        and not absent
        and any(isinstance(part, py.Name) and part.id in names for part in (stmt.test, *below(stmt.test)))
    )


def _bound(node: py.Node) -> Iterator[str]:
    """The names that a statement binds."""
    targets = getattr(node, "targets", ()) if isinstance(node, py.Assign) else (getattr(node, "target", None),)
    for target in targets:
        if target is not None:
            yield from target_names(target)
