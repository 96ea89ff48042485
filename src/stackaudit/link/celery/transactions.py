"""Which code runs inside a transaction: blocks of `atomic`, what they call, and what Django itself runs in one.

Django 5.2 was read for the last: the admin's add, change and delete views run in `transaction.atomic` with everything
that they call (`save_model`, `save_related`, `delete_model`), `Collector.delete` sends pre_delete and post_delete
inside one, and so do the managers of many-to-many relations with m2m_changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.celery.sends import ON_COMMIT, WAYS, Send, send_of
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, callee, dotted
from stackaudit.link.nodes import inside
from stackaudit.model.source import Place
from stackaudit.model.verdict import Step

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

ATOMIC = frozenset({"django.db.transaction.atomic", "django.db.transaction.Atomic"})
ADMIN = ("django.contrib.admin.ModelAdmin", "django.contrib.admin.options.ModelAdmin")
ADMIN_METHODS = frozenset({
    "save_model", "save_related", "save_formset", "save_form", "delete_model", "log_addition", "log_change",
    "response_add", "response_change", "construct_change_message",
})  # fmt: skip
RECEIVER = "django.dispatch.receiver"
SIGNALS = "django.db.models.signals."
INSIDE = frozenset({"pre_delete", "post_delete", "m2m_changed"})
DEPTH = 4

Key: TypeAlias = py.FunctionDef


@dataclass
class Site:
    """A call inside a function; `atomic` is the block or decorator that holds a transaction open around it.

    `deferred`: it stands in a function of its own (`on_commit(lambda: ...)`), which runs later.
    """

    call: py.Call
    atomic: py.Node | None
    deferred: bool


@dataclass
class Body:
    """A function with its calls."""

    module: SourceModule
    node: py.FunctionDef
    owner: SourceClass | None
    sites: list[Site] = field(default_factory=list)

    @property
    def name(self) -> str:
        """`shop.views.Checkout.post`."""
        return f"{self.owner.name}.{self.node.name}" if self.owner else f"{self.module.name}.{self.node.name}"


@dataclass(frozen=True)
class Held:
    """Why a transaction is open where a function runs: `how` for people, the way that leads there."""

    how: str
    flow: tuple[Step, ...]
    kind: str


@dataclass(frozen=True)
class Sent:
    """A task that is sent: from which function, and the transaction that is open there (None: none is known).

    `late` tells that it is sent after the commit.
    """

    send: Send
    body: Body
    held: Held | None
    late: bool

    @property
    def place(self) -> Place:
        """The call."""
        return self.send.module.place(self.send.call)


class Transactions:
    """The functions of a stack that send tasks, and the transactions around them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.bodies: dict[Key, Body] = {}
        for module in stack.modules:
            self._bodies(module, module.facts.body, None)
        self.known = {task.node: task for task in stack.celery.tasks}

    def _bodies(self, module: SourceModule, body: tuple[py.Stmt, ...], owner: SourceClass | None) -> None:
        for stmt in body:
            if isinstance(stmt, py.FunctionDef):
                found = self.bodies[stmt] = Body(module, stmt, owner)
                atomic = next((each for each in stmt.decorators if self._is_atomic(module, each)), None)
                self._walk(module, stmt.body, found, atomic)
            elif isinstance(stmt, py.ClassDef):
                self._bodies(module, stmt.body, self.stack.models.classes.build(module, stmt))
            elif isinstance(stmt, (py.If, py.Try)):
                self._bodies(module, (*stmt.body, *stmt.orelse), owner)

    def _is_atomic(self, module: SourceModule, expr: py.Expr) -> bool:
        path = callee(expr)
        if not path or not path.endswith(("atomic", "Atomic")):
            return False
        symbol = self.stack.modules.resolve(module, path)
        return symbol is not None and symbol.name in ATOMIC

    def _walk(self, module: SourceModule, found: tuple[py.Stmt, ...], body: Body, held: py.Node | None) -> None:
        """Note the calls of a function, each with the block that holds it; `held` is the decorator around all."""
        waiting: list[tuple[py.Node, py.Node | None, bool]] = [(item, held, False) for item in reversed(found)]
        while waiting:
            node, atomic, deferred = waiting.pop()
            kind = type(node)
            if kind is py.Name or kind is py.Constant:
                continue
            if isinstance(node, (py.FunctionDef, py.Lambda)):
                inner = node.body if isinstance(node.body, tuple) else (node.body,)
                waiting += [(item, atomic, True) for item in reversed(inner)]
                continue
            if isinstance(node, py.With):
                items = tuple(item.value for item in node.items)
                within = next((item for item in items if self._is_atomic(module, item)), None) or atomic
                waiting += [(item, within, deferred) for item in reversed(node.body)]
                waiting += [(item, atomic, deferred) for item in reversed(items)]
                continue
            if isinstance(node, py.Call):
                body.sites.append(Site(node, atomic, deferred))
            for name in inside(kind):
                value = getattr(node, name)
                if type(value) is tuple:
                    waiting += [(item, atomic, deferred) for item in reversed(value) if item is not None]
                elif value is not None:
                    waiting.append((value, atomic, deferred))

    def target(self, body: Body, call: py.Call) -> Key | None:
        """The function of the repository that a call runs, None where that cannot be told."""
        path = dotted(call.func)
        if not path:
            return None
        head, _, rest = path.partition(".")
        if body.owner is not None and head in ("self", "cls") and rest and "." not in rest:
            found = body.owner.find(rest)
            return found.node if found is not None and isinstance(found.node, py.FunctionDef) else None
        symbol = self.stack.modules.resolve(body.module, path)
        return symbol.node if symbol is not None and isinstance(symbol.node, py.FunctionDef) else None

    @cached_property
    def held(self) -> dict[Key, Held]:
        """The functions that run inside a transaction, by the shortest way that leads there."""
        held: dict[Key, Held] = {}
        for node, body in self.bodies.items():
            own = self._by_django(body)
            if own is not None:
                held[node] = own
        held.update(self._connected(held))
        waiting = [
            (body, site, self._block(body, site.atomic))
            for body in self.bodies.values()
            for site in body.sites
            if site.atomic is not None and not site.deferred
        ]
        waiting += [
            (self.bodies[node], site, why)
            for node, why in held.items()
            for site in self.bodies[node].sites
            if not site.deferred
        ]
        for _ in range(DEPTH):
            following: list[tuple[Body, Site, Held]] = []
            for body, site, why in waiting:
                called = self.target(body, site.call)
                if called is None or called not in self.bodies or called in held:
                    continue
                step = Step(body.module.place(site.call), f"calls {called.name}")
                held[called] = Held(why.how, (*why.flow, step), why.kind)
                inner = self.bodies[called]
                following += [(inner, each, held[called]) for each in inner.sites if not each.deferred]
            waiting = following
        return held

    def _connected(self, held: dict[Key, Held]) -> dict[Key, Held]:
        """The functions that `signal.connect(function)` makes receivers of signals which Django sends inside atomic."""
        found: dict[Key, Held] = {}
        for body in self.bodies.values():
            for site in body.sites:
                func = site.call.func
                if not (isinstance(func, py.Attribute) and func.attr == "connect" and site.call.args):
                    continue
                symbol = self.stack.modules.resolve(body.module, dotted(func.value)) if dotted(func.value) else None
                signal = symbol.name.removeprefix(SIGNALS) if symbol is not None else ""
                receiver = self.stack.modules.resolve(body.module, dotted(site.call.args[0]) or "?")
                node = receiver.node if receiver is not None else None
                if signal in INSIDE and isinstance(node, py.FunctionDef) and node in self.bodies and node not in held:
                    found[node] = _of_signal(signal, body.module.place(site.call))
        return found

    def _block(self, body: Body, atomic: py.Node | None) -> Held:
        assert atomic is not None
        place = body.module.place(atomic)
        where = f"`transaction.atomic` in {body.node.name}"
        return Held(where, (Step(place, "opens the transaction"),), "block")

    def _by_django(self, body: Body) -> Held | None:
        place = body.module.place(body.node)
        if body.owner is not None and body.node.name in ADMIN_METHODS and body.owner.is_a(*ADMIN):
            return Held(
                "the transaction of the admin's view", (Step(place, "the admin calls it inside atomic"),), "admin"
            )
        for decorator in body.node.decorators:
            signal = self._signal(body.module, decorator)
            if signal in INSIDE:
                return _of_signal(signal, place)
        return None

    def _signal(self, module: SourceModule, decorator: py.Expr) -> str:
        """The signal of Django's models that `@receiver(...)` listens to, "" for any other."""
        if not isinstance(decorator, py.Call) or not decorator.args:
            return ""
        made = self.stack.modules.resolve(module, dotted(decorator.func)) if dotted(decorator.func) else None
        if made is None or made.name != RECEIVER:
            return ""
        first = decorator.args[0]
        listed = first.elts if isinstance(first, (py.List, py.Tuple)) else (first,)
        names = []
        for each in listed:
            symbol = self.stack.modules.resolve(module, dotted(each)) if dotted(each) else None
            if symbol is not None and symbol.name.startswith(SIGNALS):
                names.append(symbol.name.rpartition(".")[2])
        return names[0] if len(names) == len(listed) and set(names) <= INSIDE else ""

    def sent(self) -> Iterator[Sent]:
        """Every task that is sent, in the order of the files."""
        for node, body in self.bodies.items():
            for site in body.sites:
                func = site.call.func
                if not isinstance(func, py.Attribute) or func.attr not in WAYS:
                    continue
                send = send_of(self.stack, body.module, site.call, self.known)
                if send is None:
                    continue
                late = site.deferred or send.way in ON_COMMIT
                held = self._block(body, site.atomic) if site.atomic is not None else self.held.get(node)
                yield Sent(send, body, held, late)


def _of_signal(signal: str, place: Place) -> Held:
    step = Step(place, f"Django sends {signal} inside atomic")
    return Held(f"the transaction in which Django sends {signal}", (step,), "signal")
