"""Who calls a function of the repository, where all of its callers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found
from stackaudit.link.modules import dotted
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

BACKGROUND = ("management/commands/", "/tasks.py", "/tasks/", "/cron")
_SIGNATURES = ("s", "si", "signature", "subtask")
_SENDING = ("delay", "apply_async", "delay_on_commit", *_SIGNATURES)
_DEEPEST = 6


class Callers:
    """The callers of the functions of one stack."""

    def __init__(self, stack: Stack) -> None:
        self._sources = stack.sources
        self._mentions = stack.mentions
        self._called = stack.queries.walk.record.called
        self._tasks = {task.node for task in stack.celery.tasks}
        self._background: dict[py.FunctionDef, bool] = {}
        self._commands = stack.management.by_hand
        self._by_hand: dict[py.FunctionDef, bool] = {}

    def is_background(self, place: Place) -> bool:
        """Whether nothing but tasks and commands leads to the function that holds a place."""
        function = self._sources.function(place)
        return function is not None and self._is_background(function, 0)

    def is_by_hand(self, place: Place) -> bool:
        """Whether somebody has to start what leads to a place: nothing but commands that the repository never runs."""
        if place.path in self._commands:
            return True
        function = self._sources.function(place)
        return function is not None and self._is_by_hand(function, 0)

    def is_rescue(self, place: Place) -> bool:
        """Whether the function that holds a place is only called where something has failed."""
        function = self._sources.function(place)
        return function is not None and self._is_rescue(function, 0)

    def given(self, place: Place, name: str) -> list[tuple[Place, py.Expr]]:
        """What all callers of the function that holds a place give for one of its parameters, with where they stand.

        Empty where that is open.
        """
        function = self._sources.function(place)
        calls = self._calls(function) if function is not None else []
        sent = self._sent(function) if function is not None else []
        if function is None or not (calls or sent):
            return []
        given = [(item, _argument(function, name, *_passed(item.call))) for item in (*calls, *sent)]
        found = [(item.module.place(value), value) for item, value in given if value is not None]
        return found if len(found) == len(given) else []

    def _calls(self, function: py.FunctionDef) -> list[Found]:
        """The calls of a function; none where one by its name may be a call of it."""
        named = self._mentions.calls.get(function.name, [])
        if any(item.node not in self._called for item in named):
            return []
        return [item for item in named if self._called[item.node][1] is function]

    def _sent(self, function: py.FunctionDef) -> list[Found]:
        """The calls that hand a task to a worker."""
        return [
            item
            for item in self._mentions.named(*_SENDING)
            if isinstance(item.call.func, py.Attribute)
            and dotted(item.call.func.value).rpartition(".")[2] == function.name
        ]

    def _is_background(self, function: py.FunctionDef, depth: int) -> bool:
        if function in self._tasks:
            return True
        if function not in self._background:
            self._background[function] = False
            calls = self._calls(function) if depth < _DEEPEST else []
            self._background[function] = bool(calls) and all(
                any(part in f"/{item.module.path}" for part in BACKGROUND)
                or (item.function is not None and self._is_background(item.function, depth + 1))
                for item in calls
            )
        return self._background[function]

    def _is_by_hand(self, function: py.FunctionDef, depth: int) -> bool:
        if function in self._tasks:
            return False
        if function not in self._by_hand:
            self._by_hand[function] = False
            calls = self._calls(function) if depth < _DEEPEST and not self._sent(function) else []
            self._by_hand[function] = bool(calls) and all(
                item.module.path in self._commands
                or (item.function is not None and self._is_by_hand(item.function, depth + 1))
                for item in calls
            )
        return self._by_hand[function]

    def _is_rescue(self, function: py.FunctionDef, depth: int) -> bool:
        calls, sent = self._calls(function), self._sent(function)
        if depth >= _DEEPEST or not (calls or sent):
            return False
        return all(
            self._is_handling(item) or (item.function is not None and self._is_rescue(item.function, depth + 1))
            for item in calls
        ) and all(self._is_handling(item) or self._is_link(item) for item in sent)

    def _is_handling(self, found: Found) -> bool:
        tree = self._sources.tree(found.module.path)
        node: py.Node | None = found.node
        while node is not None and not isinstance(node, (py.Handler, py.FunctionDef)):
            node = tree.get(node)
        return isinstance(node, py.Handler)

    def _is_link(self, found: Found) -> bool:
        """Whether a task is handed over as the one to call when another fails."""
        tree = self._sources.tree(found.module.path)
        node: py.Node | None = found.node
        while node is not None and not isinstance(node, py.FunctionDef):
            if isinstance(node, py.Keyword) and node.name == "link_error":
                return True
            node = tree.get(node)
            if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "on_error":
                return True
        return False


def _passed(call: py.Call) -> tuple[tuple[py.Expr, ...], dict[str, py.Expr]] | tuple[None, None]:
    """What a call passes by position and by name, (None, None) where not all of it is seen."""
    args, named = call.args, {item.name: item.value for item in call.keywords}
    if isinstance(call.func, py.Attribute) and call.func.attr == "apply_async":
        first = call.args[0] if call.args else named.get("args")
        second = call.args[1] if len(call.args) > 1 else named.get("kwargs")
        if not isinstance(first, (py.List, py.Tuple, type(None))) or not isinstance(second, (py.Dict, type(None))):
            return None, None
        args = first.elts if first is not None else ()
        pairs = zip(second.keys, second.values, strict=True) if second is not None else ()
        named = {str(key.value) if isinstance(key, py.Constant) else None: value for key, value in pairs}
    if None in named or any(isinstance(arg, py.Starred) for arg in args):
        return None, None
    return args, {name: value for name, value in named.items() if name is not None}


def _argument(
    function: py.FunctionDef, name: str, args: tuple[py.Expr, ...] | None, named: dict[str, py.Expr] | None
) -> py.Expr | None:
    """What a call gives for a parameter, None where that is not seen or its default holds."""
    if args is None or named is None or name in named:
        return named.get(name) if named is not None else None
    names = [param.name for param in function.params if param.kind in ("plain", "positional")]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    at = names.index(name) if name in names else len(args)
    return args[at] if at < len(args) else None
