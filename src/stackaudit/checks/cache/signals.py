"""Caches that signals keep fresh, and writes that send no signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.cache.dependence import CREATES, changed, key_words, listed_by, makes, stale, updates
from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import cache_alias
from stackaudit.link.mentions import Found
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.events import Event
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_FORGETS = frozenset({"delete", "delete_many", "clear", "incr_version", "delete_pattern", "adelete", "adelete_many"})
_SILENT = frozenset({"update", "bulk_update", "bulk_create", "aupdate", "abulk_update", "abulk_create"})
"""Writes that send neither post_save nor pre_save."""

_STARTS = frozenset({"delay", "apply_async", "delay_on_commit", "apply_async_on_commit", "enqueue", "send", "s", "si"})
"""Methods that start a task."""
DEPTH = 3
"""How many calls are followed from a silent write."""
NEAR = 1
"""How deep whatever is forgotten is taken to be what the write changed."""
SHORT = 2
"""How many statements a receiver may have that leaves the forgetting to another function."""


@dataclass(frozen=True, slots=True)
class _Receiver:
    """A function that post_save of `model` calls and that forgets cached values.

    `listed`: the columns of the row that the keys which it forgets are made of; None where they name that row alone, so
    that new rows do not matter. `of_new`: it acts on new rows only.
    `keys` are words of the keys.
    """

    module: SourceModule
    function: py.FunctionDef
    model: Model
    place: Place
    listed: frozenset[str] | None
    of_new: bool
    keys: frozenset[str]


def signal_invalidation_misses_bulk(stack: Stack) -> Iterator[Verdict]:
    """One site for each receiver of post_save that forgets cached values of its model."""
    for receiver in _receivers(stack):
        site = Site(receiver.place, f"{receiver.module.name}.{receiver.function.name}: {receiver.model.name}")
        silent = [event for event in _writes(stack, receiver.model) if _matters(stack, receiver, event)]
        missed = [event for event in silent if not _forgets_beside(stack, receiver, event)]
        if not missed:
            yield Pass(site)
            continue
        told = {event.place: _columns(stack, receiver, event) for event in missed}
        certain = [
            event
            for event in missed
            if not told[event.place] or stale(stack, receiver.model, told[event.place], receiver.keys)
        ]
        if not certain:
            columns = ", ".join(sorted({column for event in missed for column in told[event.place]}))
            yield Unsure(
                site, f"nothing tells whether what is cached hangs on {columns}, which change without a signal"
            )
            continue
        related = tuple(Step(event.place, f"{event.method}() sends no signal") for event in certain[:8])
        values = {"model": receiver.model.name, "method": certain[0].method, "count": len(certain)}
        yield Fail(site, values, related=related)


def _matters(stack: Stack, receiver: _Receiver, event: Event) -> bool:
    """Whether a write changes what the receiver forgets: rows that are there, or new ones of what it lists."""
    if event.method not in CREATES:
        return not receiver.of_new
    if updates(stack, event) and not receiver.of_new:
        return True
    if receiver.listed is None:
        return False
    module, around = _around(stack, event)
    return not (module and around and makes(stack, module, around, receiver.model, receiver.listed))


def _columns(stack: Stack, receiver: _Receiver, event: Event) -> frozenset[str]:
    """The columns that a write changes; none where new rows matter, which change every list."""
    is_row = event.method not in CREATES or receiver.listed is None
    return changed(stack, event) if is_row else frozenset()


def _writes(stack: Stack, model: Model) -> list[Event]:
    found: dict[Place, Event] = {}
    for event in stack.queries.events:
        if event.kind == "write" and event.method in _SILENT and event.model is model:
            found.setdefault(event.place, event)
    return list(found.values())


def _receivers(stack: Stack) -> Iterator[_Receiver]:
    for module in stack.modules:
        if not {"receiver", "post_save", "signals", "models"} & module.names.keys():
            continue
        for function, call in _connected(module):
            told = [dotted(arg).rpartition(".")[2] for arg in call.args[:1]]
            told += [dotted(item).rpartition(".")[2] for arg in call.args[:1] for item in getattr(arg, "elts", ())]
            if "post_save" not in told and "post_save.connect" not in dotted(call.func):
                continue
            forgets = _forgetting(stack, module, function)
            if forgets is None and _does_little(function):
                forgets = _by_helper(stack, module, function)
            sender = next((item.value for item in call.keywords if item.name == "sender"), None)
            model = stack.models.of_expr(module, sender) if sender is not None else None
            if model is not None and forgets is not None:
                yield _Receiver(
                    module,
                    function,
                    model,
                    module.place(call),
                    listed_by(stack, model, forgets, function.body),
                    _asks_created(function, forgets),
                    _keys(stack, module, function, forgets),
                )


def _connected(module: SourceModule) -> Iterator[tuple[py.FunctionDef, py.Call]]:
    """Functions with `@receiver(...)`, and those given to `post_save.connect(...)`, in the body of the module."""
    by_name = {item.name: item for item in module.facts.body if isinstance(item, py.FunctionDef)}
    for function in by_name.values():
        for decorator in function.decorators:
            if isinstance(decorator, py.Call) and dotted(decorator.func).rpartition(".")[2] == "receiver":
                yield function, decorator
    for statement in module.facts.body:
        call = statement.value if isinstance(statement, py.ExprStmt) else None
        if isinstance(call, py.Call) and dotted(call.func).endswith("post_save.connect") and call.args:
            target = call.args[0]
            if isinstance(target, py.Name) and target.id in by_name:
                yield by_name[target.id], call


def _forgetting(stack: Stack, module: SourceModule, function: py.FunctionDef) -> py.Call | None:
    """The call in a function that forgets something of Django's cache."""
    for node in nodes(function.body):
        if not (isinstance(node, py.Call) and isinstance(node.func, py.Attribute)):
            continue
        if node.func.attr in _FORGETS and cache_alias(stack, Found(module, node, function, None), node.func.value):
            return node
    return None


def _by_helper(stack: Stack, module: SourceModule, function: py.FunctionDef) -> py.Call | None:
    """The call in a function of another one of the project that forgets something of Django's cache."""
    for node in nodes(function.body):
        symbol = stack.modules.resolve(module, dotted(node.func)) if isinstance(node, py.Call) else None
        if symbol is None or symbol.module is None or not isinstance(symbol.node, py.FunctionDef):
            continue
        if isinstance(node, py.Call) and _forgetting(stack, symbol.module, symbol.node) is not None:
            return node
    return None


def _keys(stack: Stack, module: SourceModule, function: py.FunctionDef, forgets: py.Call) -> frozenset[str]:
    """The words of the keys that a call forgets, itself or in the function that it calls."""
    symbol = stack.modules.resolve(module, dotted(forgets.func)) if dotted(forgets.func) else None
    if symbol is not None and symbol.module is not None and isinstance(symbol.node, py.FunctionDef):
        inner = _forgetting(stack, symbol.module, symbol.node)
        if inner is not None:
            return key_words(inner, symbol.node.body)
    return key_words(forgets, function.body)


def _does_little(function: py.FunctionDef) -> bool:
    """Whether forgetting is all that a function is for: what moves files or sends mails forgets by the way."""
    said = [
        item for item in function.body if not (isinstance(item, py.ExprStmt) and isinstance(item.value, py.Constant))
    ]
    return len(said) <= SHORT


def _asks_created(function: py.FunctionDef, call: py.Call) -> bool:
    """Whether the call stands under `if created:`."""
    return any(
        isinstance(node, py.If)
        and isinstance(node.test, py.Name)
        and node.test.id == "created"
        and node.body[0].start <= call.start < node.body[-1].end
        for node in nodes(function.body)
    )


def _forgets_beside(stack: Stack, receiver: _Receiver, event: Event) -> bool:
    """Whether the function of a silent write forgets cached values itself, or sends the signal."""
    module, around = _around(stack, event)
    return module is not None and around is not None and _sends_or_forgets(stack, receiver, module, around, set(), 0)


def _around(stack: Stack, event: Event) -> tuple[SourceModule | None, py.FunctionDef | None]:
    """The module of a write, and the innermost function around it."""
    module = stack.modules.by_path.get(event.place.path)
    found: py.FunctionDef | None = None
    for node in nodes(module.facts.body) if module is not None else ():
        if isinstance(node, py.FunctionDef) and module is not None:
            region = module.facts.region(node)
            if region.line <= event.place.region.line <= region.end_line:
                found = node
    return module, found


def _sends_or_forgets(
    stack: Stack,
    receiver: _Receiver,
    module: SourceModule,
    function: py.FunctionDef,
    seen: set[tuple[str, int]],
    depth: int,
) -> bool:
    """Whether a function, or one that it calls or starts as a task, sends the signal or forgets cached values.

    What is sent or forgotten deeper down counts where it is post_save, or a key that the receiver forgets as well.
    """
    if (module.path, function.start) in seen:
        return False
    seen.add((module.path, function.start))
    forgets = _forgetting(stack, module, function)
    if forgets is not None and (
        depth <= NEAR or not receiver.keys or key_words(forgets, function.body) & receiver.keys
    ):
        return True
    for node in nodes(function.body):
        sent = dotted(node) if isinstance(node, py.Attribute) and node.attr in ("send", "send_robust") else None
        if sent is not None and (not depth or "post_save" in sent.split(".")):
            return True
        if not isinstance(node, py.Call) or depth >= DEPTH:
            continue
        func = node.func
        started = isinstance(func, py.Attribute) and func.attr in _STARTS
        symbol = stack.modules.resolve(
            module, dotted(func.value if started and isinstance(func, py.Attribute) else func)
        )
        if symbol is None or symbol.module is None or not isinstance(symbol.node, py.FunctionDef):
            continue
        if _sends_or_forgets(stack, receiver, symbol.module, symbol.node, seen, depth + 1):
            return True
    return False
