"""What else one turn of a loop does, read from its source and that of the functions it calls.

A write is worth gathering where it is what the turn spends its time on, and where nothing in the turn needs it done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.checks.orm.results import needed
from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted, target_names
from stackaudit.link.queries.effects import is_request
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.loops import FEW
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Manager, Rows
from stackaudit.link.sources import below, held
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_DEEPEST = 6
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
_OF_ROWS = frozenset({
    "get_or_create", "update_or_create", "bulk_create", "bulk_update", "refresh_from_db", "aget_or_create",
    "aupdate_or_create", "abulk_create", "abulk_update", "arefresh_from_db", "select_for_update", "executemany",
})  # fmt: skip
_OF_ONE = frozenset({"save", "asave", "delete", "adelete"})
_WRITING = frozenset({
    "acreate", "add", "adelete", "aget_or_create", "asave", "aupdate", "aupdate_or_create", "bulk_create",
    "bulk_update", "clear", "create", "delete", "executemany", "get_or_create", "remove", "save", "set", "update",
    "update_or_create",
})  # fmt: skip
_OF_SETS = frozenset({"all", "annotate", "distinct", "exclude", "filter", "order_by", "select_related", "values_list"})
_OF_MANY = frozenset({"add", "remove", "set", "clear"})
_TASKS = frozenset({"apply_async", "delay", "delay_on_commit", "send_task", "async_task"})
_MAILS = frozenset({"send_mail", "send_mass_mail", "mail_admins", "mail_managers", "email_user", "send_messages"})
_STORES = frozenset({"cache", "caches", "session", "file", "image"})
_STORAGES = frozenset({"default_storage", "storage"})
_STORING = frozenset({"delete", "exists", "get_modified_time", "listdir", "open", "save", "size"})
_COMMON = frozenset(
    name for kind in (str, list, dict, set, bytes, int) for name in dir(kind) if not name.startswith("__")
) | {"open", "read", "write", "close", "filter", "all", "first", "last", "exclude", "is_valid", "log", "info", "debug"}
_SAMPLES = frozenset({
    "faker", "factory", "mimesis", "model_bakery", "model_mommy", "mixer", "sampledatahelper", "lorem", "lorem_text",
    "loremipsum", "django_seed", "autofixture",
})  # fmt: skip
_HANDING = frozenset({"enumerate", "iter", "list", "reversed", "sorted", "tqdm", "tuple"})
_LEAVING = (py.Return, py.Raise, py.Jump)
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


@dataclass(frozen=True)
class _Work:
    outside: str = ""
    asks: tuple[tuple[Place, str, bool], ...] = ()

    def with_(self, other: _Work) -> _Work:
        return _Work(self.outside or other.outside, (*self.asks, *other.asks))


_IDLE = _Work()


class Turns:
    """The turns of the loops of one stack.

    `many` are the names of relations to many rows, `linked` those that go through a table between both and nothing
    else; `sources` is what its modules look like.
    """

    def __init__(self, stack: Stack) -> None:
        record = stack.queries.walk.record
        self._called = record.called
        self._outside = record.outside
        self._kept = stack.queries.walk.kept
        self._asked = {event.query for event in stack.queries.events if event.kind in ("query", "write")}
        self.sources = stack.sources
        many = [(name, item) for model in stack.models for name, item in model.relations.items() if item.many]
        self.many = {name for name, _ in many}
        self.linked = {name for name, item in many if item.relation in ("m2m", "reverse_m2m")}
        self.linked -= {name for name, item in many if item.relation not in ("m2m", "reverse_m2m")}
        self._functions: dict[py.FunctionDef, _Work] = {}

    def of(self, events: list[Event]) -> Turn | None:
        """The turn of the loop in which `events` write; None where its source is not seen."""
        loop = events[0].loop
        body = self.sources.body(loop.place) if loop is not None else None
        if loop is None or body is None:
            return None
        own = {event.query for event in events}
        module, source = self.sources.modules[loop.place.path], self.sources.loop(loop.place)
        work = self._work(module, body, frozenset(own))
        if isinstance(source, py.For) and self._is_generated(source.iter):
            work = work.with_(self._work(module, (source.iter,)))
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
        return any(self._work(module, (part,)).outside for part in (*parts, *made))

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
                work = self._work(module, (head, *node.body))
                writes = {place for place, _, is_writing in work.asks if is_writing}
                generated = isinstance(node, py.For) and self._is_generated(node.iter)
                if work.outside or generated or len(writes) >= _BUSY:
                    return True
            node = tree.get(node)
        return False

    def callee(self, call: py.Call) -> py.FunctionDef | None:
        """The function of the repository that a call leads to."""
        return self._called[call][1] if call in self._called else None

    def called(self, event: Event) -> py.FunctionDef | None:
        """The function of the repository that a loop calls where an event stands."""
        node = self.sources.at(event.place)
        return self._called[node][1] if node in self._called else None

    def lines(self, event: Event) -> int:
        """How many lines the function has that a loop calls where an event stands."""
        node = self.sources.at(event.place)
        if node not in self._called:
            return 0
        module, function = self._called[node]
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
        rows = self._kept.get(source) if source is not None else None
        return rows if isinstance(rows, (Manager, Rows)) else None

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
        function: py.Node = loop
        tree = self.sources.tree(event.loop.place.path)
        while function in tree and not isinstance(function, py.FunctionDef):
            function = tree[function]
        names = {node.id for node in (loop.iter, *below(loop.iter)) if isinstance(node, py.Name)}
        return [
            node.value
            for node in below(function)
            if isinstance(node, py.Assign) and node.end < loop.start
            and any(dotted(target) in names for target in node.targets)
        ]  # fmt: skip

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
        node = self.sources.at(event.place)
        loop = self.sources.loop(event.loop.place) if event.loop is not None else None
        if node is None or not isinstance(loop, py.For):
            return False
        tree = self.sources.tree(event.place.path)
        while node is not None and node is not loop and not isinstance(node, py.Handler):
            node = tree.get(node)
        return isinstance(node, py.Handler)

    def is_sample(self, event: Event) -> bool:
        """Whether a loop makes up data: its module imports what invents values."""
        module = self.sources.modules.get(event.loop.place.path) if event.loop is not None else None
        if module is None:
            return False
        imported = {
            name.partition(".")[0]
            for bound in module.names.values()
            for binding in bound
            if binding.source is not None and binding.alias is not None
            for name in ([binding.alias.name] if isinstance(binding.source, py.Import) else [binding.source.module])
        }
        return bool(imported & _SAMPLES) or ("random" in imported and "management/commands/" in module.path)

    def _is_generated(self, node: py.Expr) -> bool:
        """Whether a generator hands out what a loop goes through, so that each turn does a piece of its work."""
        if not isinstance(node, py.Call):
            return False
        name = node.func.attr if isinstance(node.func, py.Attribute) else ""
        called = [self._called[node]] if node in self._called else self._methods.get(name, []) if name else []
        if called and _is_abstract(called[0][1]):
            called = self._methods.get(name, [])
        return any(isinstance(item, py.Yield) for _, function in called for item in below(function))

    def _work(
        self, module: SourceModule, body: Sequence[py.Node], own: frozenset[Place] = frozenset(), depth: int = 0
    ) -> _Work:
        """What some source does; arms that leave the turn count only where they hold one of the writes `own`."""
        work = _IDLE
        waiting: list[py.Node] = list(reversed(body))
        while waiting:
            node = waiting.pop()
            if isinstance(node, (py.FunctionDef, py.Lambda, py.ClassDef)):
                continue
            if isinstance(node, py.If):
                waiting.append(node.test)
                for arm in (node.body, node.orelse):
                    leaving = py.Raise if depth else _LEAVING
                    if arm and (not isinstance(arm[-1], leaving) or self._holds(module, arm, own)):
                        waiting += reversed(arm)
                continue
            if isinstance(node, py.Handler) and not self._holds(module, node.body, own):
                continue
            if isinstance(node, py.Call):
                found, inner = self._call(module, node, depth)
                work = work.with_(found)
                waiting += inner
                continue
            waiting += reversed(list(held(node)))
        return work

    def _holds(self, module: SourceModule, body: Sequence[py.Node], own: frozenset[Place]) -> bool:
        """Whether one of the writes stands in some statements."""
        if not own or not body:
            return False
        whole = module.facts.span(body[0].start, body[-1].end)
        return any(
            place.path == module.path and (whole.line, whole.column) <= (place.region.line, place.region.column)
            and place.region.end_line <= whole.end_line
            for place in own
        )  # fmt: skip

    def _call(self, module: SourceModule, node: py.Call, depth: int) -> tuple[_Work, list[py.Node]]:
        """What a call does, and which expressions in it are still to be looked at."""
        given: list[py.Node] = [*node.args, *(item.value for item in node.keywords)]
        place = module.place(node)
        outside = self._leads_out(node)
        if outside:
            return _Work(outside), given
        work, near = _IDLE, None
        if node in self._called:
            near = self._called[node][0]
            work = self._function(*self._called[node], depth)
        elif self._asks(node, place):
            held = (item for arg in given for item in (arg, *below(arg)) if isinstance(item, py.Call))
            if not isinstance(node.func, py.Name) or not any(self._asks(item, module.place(item)) for item in held):
                writing = isinstance(node.func, py.Attribute) and node.func.attr in _WRITING
                return _Work("", ((place, text_of(node, 60), writing),)), given
        name = node.func.attr if isinstance(node.func, py.Attribute) else ""
        if name and name not in _COMMON and not name.startswith("_") and not work.outside:
            # Which class it is remains open: what one of them does outside the database, this one may do.
            others = [item for item in self._methods.get(name, ()) if near is None or work == _IDLE or item[0] is near]
            found = [self._function(owner, method, depth) for owner, method in others]
            if near is None and len(found) == 1:
                work = work.with_(found[0])
            work = work.with_(_Work(next(filter(None, (item.outside for item in found)), "")))
        return work, [node.func, *given]

    def _leads_out(self, node: py.Call) -> str:
        if node in self._outside:
            return self._outside[node]
        path = dotted(node.func)
        last = node.func.attr if isinstance(node.func, py.Attribute) else path
        if last in _TASKS or (last in _MAILS and node not in self._called):
            return path or last
        if last == "send" and node not in self._called and "mail" in _receiver(node).lower():
            return path or "send"
        holder = path.rpartition(".")[0].rpartition(".")[2]
        if (
            path == "input"
            or (holder in _STORAGES and last in _STORING)
            or (is_request(path) and node not in self._called)
        ):
            return path
        return ""

    def _asks(self, node: py.Call, place: Place) -> bool:
        if place in self._asked:
            return True
        func = node.func
        if not isinstance(func, py.Attribute):
            return False
        names = set(_chain(func))
        if func.attr in _OF_ROWS or names & _MANAGERS or (names & _OF_SETS and func.attr not in _OF_SETS):
            return True
        if func.attr in _OF_ONE:  # a file or an image is saved under a name, a cache forgets a key
            return not node.args and not names & _STORES
        if func.attr == "exists" and not dotted(func).startswith("os."):
            return bool(node.args or node.keywords)  # of a session, a cache or a storage
        return (
            func.attr in (*_OF_MANY, "create") and isinstance(func.value, py.Attribute) and func.value.attr in self.many
        )

    def _function(self, module: SourceModule, node: py.FunctionDef, depth: int) -> _Work:
        if depth >= _DEEPEST:
            return _IDLE
        if node not in self._functions:
            self._functions[node] = _IDLE
            self._functions[node] = self._work(module, node.body, depth=depth + 1)
        return self._functions[node]

    @cached_property
    def _methods(self) -> dict[str, list[tuple[SourceModule, py.FunctionDef]]]:
        """The methods of the repository's classes, by name."""
        found: dict[str, list[tuple[SourceModule, py.FunctionDef]]] = {}
        for module in self.sources.modules.values():
            for stmt in module.facts.body:
                for item in stmt.body if isinstance(stmt, py.ClassDef) else ():
                    if isinstance(item, py.FunctionDef):
                        found.setdefault(item.name, []).append((module, item))
        return found


def _leaves(stmt: py.If, names: set[str]) -> bool:
    """Whether a condition that one of `names` decides ends some turns early; a missing value is an exception."""
    ends = any(arm and isinstance(arm[-1], py.Jump) and arm[-1].kind == "continue" for arm in (stmt.body, stmt.orelse))
    absent = isinstance(stmt.test, py.UnaryOp) and isinstance(stmt.test.operand, (py.Name, py.Subscript))
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


def _is_abstract(function: py.FunctionDef) -> bool:
    """Whether others have to say what a method does."""
    body = [
        stmt
        for stmt in function.body
        if not (isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, (py.Constant, py.Opaque)))
    ]
    return all(isinstance(stmt, (py.Raise, py.Jump)) for stmt in body)


def _receiver(node: py.Call) -> str:
    held = node.func.value if isinstance(node.func, py.Attribute) else None
    return dotted(held.func if isinstance(held, py.Call) else held)


def _chain(node: py.Expr) -> Iterator[str]:
    """The names of a chain of attributes and calls: `Book.objects.filter().first` from the last one on."""
    while True:
        if isinstance(node, py.Attribute):
            yield node.attr
            node = node.value
        elif isinstance(node, py.Call):
            node = node.func
        else:
            return
