"""What some source does, with the functions that it calls: work outside the database, and what it asks there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, callee, dotted
from stackaudit.link.queries.effects import is_request
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import MANAGERS
from stackaudit.link.sources import below, held
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_DEEPEST = 6
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
_LEAVING = (py.Return, py.Raise, py.Jump)


@dataclass(frozen=True)
class Work:
    """What some source does.

    `outside` names work outside the database, "" for none; `asks` are its calls that ask the database: where, as text,
    and whether they write.
    """

    outside: str = ""
    asks: tuple[tuple[Place, str, bool], ...] = ()

    def with_(self, other: Work) -> Work:
        """Both together."""
        return Work(self.outside or other.outside, (*self.asks, *other.asks))


_IDLE = Work()
_CACHED = frozenset({"get_by_natural_key", "get_current", "get_for_model", "get_for_models", "none"})
"""Methods that read like queries and that Django answers from a cache, or without a query."""


class Works:
    """The work of the functions of one stack; `many` are the names of relations to many rows."""

    def __init__(self, stack: Stack) -> None:
        record = stack.queries.walk.record
        self.called = record.called
        self.many = {name for model in stack.models for name, item in model.relations.items() if item.many}
        self._outside = record.outside
        self._asked = {event.query for event in stack.queries.events if event.kind in ("query", "write")}
        self._sources = stack.sources
        self._functions: dict[py.FunctionDef, Work] = {}

    def is_generated(self, node: py.Expr) -> bool:
        """Whether a generator hands out what a loop goes through, so that each turn does a piece of its work."""
        if not isinstance(node, py.Call):
            return False
        name = node.func.attr if isinstance(node.func, py.Attribute) else ""
        called = [self.called[node]] if node in self.called else self._methods.get(name, []) if name else []
        if called and _is_abstract(called[0][1]):
            called = self._methods.get(name, [])
        return any(isinstance(item, py.Yield) for _, function in called for item in below(function))

    def of(
        self, module: SourceModule, body: Sequence[py.Node], own: frozenset[Place] = frozenset(), depth: int = 0
    ) -> Work:
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

    def _call(self, module: SourceModule, node: py.Call, depth: int) -> tuple[Work, list[py.Node]]:
        """What a call does, and which expressions in it are still to be looked at."""
        given: list[py.Node] = [*node.args, *(item.value for item in node.keywords)]
        place = module.place(node)
        outside = self._leads_out(node)
        if outside:
            return Work(outside), given
        work, near = _IDLE, None
        if node in self.called:
            near = self.called[node][0]
            work = self._function(*self.called[node], depth)
        elif self._asks(node, place):
            held = (item for arg in given for item in (arg, *below(arg)) if isinstance(item, py.Call))
            if not isinstance(node.func, py.Name) or not any(self._asks(item, module.place(item)) for item in held):
                writing = isinstance(node.func, py.Attribute) and node.func.attr in _WRITING
                return Work("", ((place, text_of(node, 60), writing),)), given
        name = node.func.attr if isinstance(node.func, py.Attribute) else ""
        if name and name not in _COMMON and not name.startswith("_") and not work.outside:
            # Which class it is remains open: what one of them does outside the database, this one may do.
            others = [item for item in self._methods.get(name, ()) if near is None or work == _IDLE or item[0] is near]
            found = [self._function(owner, method, depth) for owner, method in others]
            if near is None and len(found) == 1:
                work = work.with_(found[0])
            work = work.with_(Work(next(filter(None, (item.outside for item in found)), "")))
        return work, [node.func, *given]

    def _leads_out(self, node: py.Call) -> str:
        if node in self._outside:
            return self._outside[node]
        path = dotted(node.func)
        last = node.func.attr if isinstance(node.func, py.Attribute) else path
        if last in _TASKS or (last in _MAILS and node not in self.called):
            return path or last
        if last == "send" and node not in self.called and "mail" in _receiver(node).lower():
            return path or "send"
        holder = path.rpartition(".")[0].rpartition(".")[2]
        if (
            path == "input"
            or (holder in _STORAGES and last in _STORING)
            or (is_request(path) and node not in self.called)
        ):
            return path
        return ""

    def _asks(self, node: py.Call, place: Place) -> bool:
        if place in self._asked:
            return True
        func = node.func
        if not isinstance(func, py.Attribute):
            return False
        if func.attr in _CACHED:
            return False
        names = set(_chain(func))
        if func.attr in _OF_ROWS or names & MANAGERS or (names & _OF_SETS and func.attr not in _OF_SETS):
            return True
        if func.attr in _OF_ONE:  # a file or an image is saved under a name, a cache forgets a key
            return not node.args and not names & _STORES
        if func.attr == "exists" and not dotted(func).startswith("os."):
            return bool(node.args or node.keywords)  # of a session, a cache or a storage
        return (
            func.attr in (*_OF_MANY, "create") and isinstance(func.value, py.Attribute) and func.value.attr in self.many
        )

    def _function(self, module: SourceModule, node: py.FunctionDef, depth: int) -> Work:
        if depth >= _DEEPEST:
            return _IDLE
        if node not in self._functions:
            self._functions[node] = _IDLE
            self._functions[node] = self.of(module, node.body, depth=depth + 1)
        return self._functions[node]

    @cached_property
    def _methods(self) -> dict[str, list[tuple[SourceModule, py.FunctionDef]]]:
        """The methods of the repository's classes, by name."""
        found: dict[str, list[tuple[SourceModule, py.FunctionDef]]] = {}
        for module in self._sources.modules.values():
            for stmt in module.facts.body:
                for item in stmt.body if isinstance(stmt, py.ClassDef) else ():
                    if isinstance(item, py.FunctionDef):
                        found.setdefault(item.name, []).append((module, item))
        return found


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
    return callee(held)


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
