"""Which models a signal handler waits for: `bulk_create()` and `bulk_update()` send neither `pre_save` nor `post_save`.

A handler counts wherever it is connected: by `@receiver`, or by `signal.connect()` in any function. One without a
sender listens to every model, unless its body begins by asking what it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, Symbol, dotted
from stackaudit.link.nodes import inside

_SAVED = frozenset({"pre_save", "post_save"})
_SIGNALS = _SAVED | {"pre_delete", "post_delete"}
_OF_ROWS = _SIGNALS | {"m2m_changed"}
_HISTORIES = frozenset({"HistoricalRecords", "AuditlogHistoryField"})
"""Attributes of models that connect handlers of their own: django-simple-history, django-auditlog."""
_TESTS = ("/tests/", "/test/", "/testing/", "/test_", "/conftest.py", "/migrations/")

Senders: TypeAlias = "frozenset[Model] | str"
"""Models, or why they cannot be told."""
_EVERY = ""
_SAME, _OTHER = ("is", "==", "in"), ("is not", "!=", "not in")
_NONE: frozenset[Model] = frozenset()


@dataclass(frozen=True)
class Signalled:
    """Models whose handlers are known, by signal; `every` that some handler takes any model; `unsure` why not known.

    `saved` are those with a `pre_save` or `post_save` handler. A model is in it where any handler may wait for it.
    """

    models: frozenset[Model] = _NONE
    saved: frozenset[Model] = _NONE
    every: bool = False
    unsure: str = ""

    def __contains__(self, model: object) -> bool:
        return self.every or bool(self.unsure) or model in self.models


@lru_cache(maxsize=1)
def signalled_models(models: Models) -> Signalled:
    """What the handlers of a repository wait for."""
    found: set[Model] = set()
    saved = {model for model in models if _keeps_history(model)}
    every, unsure = False, ""
    connecting = {item.module.path: item.module for item in models.mentions.named("connect", "receiver")}
    for module in connecting.values():
        if any(part in f"/{module.path}" for part in _TESTS):
            continue
        for connected in _connections(models, module):
            senders = connected.senders()
            if isinstance(senders, frozenset):
                found |= senders
            if not connected.saves:
                continue
            if isinstance(senders, frozenset):
                saved |= senders
            elif senders == _EVERY:
                every = True
            else:
                unsure = unsure or senders
    return Signalled(frozenset(found | saved), frozenset(saved), every, unsure)


def connected_by_hand(models: Models) -> dict[py.FunctionDef, Model]:
    """The handlers of `post_save.connect(handler, sender=Order)`, with the model whose rows they are sent.

    What several models send to is left out: its rows are now of one, now of the other.
    """
    found: dict[py.FunctionDef, set[Model]] = {}
    for item in models.mentions.named("connect"):
        signal = dotted(item.call.func).rpartition(".")[0].rpartition(".")[2]
        model = models.of_expr(item.module, keyword(item.call, "sender"))
        handler = models.modules.resolve(item.module, dotted(item.call.args[0])) if item.call.args else None
        node = handler.node if handler is not None else None
        if signal in _OF_ROWS and model is not None and isinstance(node, py.FunctionDef):
            found.setdefault(node, set()).add(model)
    return {node: senders.pop() for node, senders in found.items() if len(senders) == 1}


def _keeps_history(model: Model) -> bool:
    classes = [base for base in model.cls.mro if not isinstance(base, (str, type(None)))] if model.cls else []
    nodes = (binding.node for base in classes for bound in base.members.values() for binding in bound)
    return any(isinstance(node, py.Call) and dotted(node.func).rpartition(".")[2] in _HISTORIES for node in nodes)


@dataclass(frozen=True)
class _Connected:
    """One connection of a handler; `around` are the functions and loops that hold the call, from the outside in."""

    models: Models
    module: SourceModule
    call: py.Call
    around: tuple[py.Node, ...]
    handler: py.FunctionDef | None
    names: frozenset[str]

    @property
    def saves(self) -> bool:
        return bool(self.names & _SAVED)

    def senders(self) -> Senders:
        """The models that it waits for; "" for every one, or why they cannot be told."""
        sender = keyword(self.call, "sender")
        if sender is None and self.handler is None and len(self.call.args) > 1:
            sender = self.call.args[1]
        if sender is not None and not (isinstance(sender, py.Constant) and sender.value is None):
            return self._named(sender, exact=True)
        handler, module = self.handler, self.module
        if handler is None:
            given = self.call.args[0] if self.call.args else keyword(self.call, "receiver")
            symbol = self._meaning(given) if given is not None else None
            if symbol is None or not isinstance(symbol.node, py.FunctionDef) or symbol.module is None:
                return _EVERY
            handler, module = symbol.node, symbol.module
        return _Connected(self.models, module, self.call, (handler,), handler, self.names)._wanted()

    def _wanted(self) -> Senders:
        """What the body of a handler without a sender is about."""
        assert self.handler is not None
        names = [param.name for param in self.handler.params if param.name != "self"]
        about = {*names[:1], "sender", "instance"}
        body = [stmt for stmt in self.handler.body if not _says_nothing(stmt)]
        first = body[0] if body else None
        if not isinstance(first, py.If) or first.orelse:
            return _EVERY
        leaves = isinstance(first.body[-1], (py.Return, py.Raise))
        if leaves:
            return self._asked(first.test, about, holds=False)
        return self._asked(first.test, about, holds=True) if len(body) == 1 else _EVERY

    def _asked(self, test: py.Expr, about: set[str], holds: bool) -> Senders:
        """The models for which a condition `holds`, or does not, as far as it asks for them."""
        if isinstance(test, py.UnaryOp) and test.op == "not":
            return self._asked(test.operand, about, not holds)
        if isinstance(test, py.BoolOp) and (test.op == "and") == holds:
            left = self._asked(test.left, about, holds)
            return left if left != _EVERY else self._asked(test.right, about, holds)
        if isinstance(test, py.Call) and holds and dotted(test.func) in ("isinstance", "issubclass"):
            first, *classes = test.args
            return self._named(classes[0], exact=False) if classes and dotted(first) in about else _EVERY
        if isinstance(test, py.Call) and holds and dotted(test.func) == "hasattr" and len(test.args) > 1:
            first, name = test.args
            return self._having(name) if dotted(first) in about else _EVERY
        if isinstance(test, py.Compare) and test.ops[0] in (_SAME if holds else _OTHER) and dotted(test.left) in about:
            return self._named(test.comparators[0], exact=True)
        return _EVERY

    def _named(self, expr: py.Expr, exact: bool) -> Senders:
        """The models that an expression names; with those that derive from them unless `exact`."""
        if isinstance(expr, (py.Tuple, py.List, py.Set)):
            found = [self._named(item, exact) for item in expr.elts]
            told = [item for item in found if isinstance(item, frozenset)]
            return frozenset().union(*told) if len(told) == len(found) else next(
                item for item in found if not isinstance(item, frozenset))  # fmt: skip
        if isinstance(expr, py.Attribute) and expr.attr == "through":
            return _NONE
        if isinstance(expr, py.Name):
            for holder in reversed(self.around):
                if isinstance(holder, py.For) and expr.id == dotted(holder.target):
                    return self._named(holder.iter, exact)
        return self._one(expr, exact)

    def _one(self, expr: py.Expr, exact: bool) -> Senders:
        why = f"a handler of {'/'.join(sorted(self.names))} is connected to a model that is not known here"
        if isinstance(expr, (py.Constant, py.Call)) or dotted(expr).endswith("AUTH_USER_MODEL"):
            model = self.models.of_expr(self.module, expr)
            if model is not None:
                return frozenset({model})
            label = _label(expr)
            known = frozenset(model for model in self.models if model.name.lower() == label.lower())
            return known if label or not isinstance(expr, py.Call) else why
        symbol = self._meaning(expr)
        if symbol is None:
            return self._of_field(expr) if self._of_field(expr) is not None else why  # type: ignore[return-value]
        if symbol.kind == "external":
            cls = self.models.of_class(symbol.name)
            return frozenset({cls}) if cls is not None else _NONE
        if symbol.kind == "value" and symbol.node is not None and symbol.module is not None:
            if isinstance(symbol.node, (py.Tuple, py.List, py.Set, py.Call)):
                holder = _Connected(self.models, symbol.module, self.call, (), None, self.names)
                return holder._named(symbol.node, exact)
            return why
        made = self.models.classes.of(symbol) if symbol.kind == "class" else None
        if made is None:
            return why
        derived = (model for model in self.models if model.cls is not None and made in model.cls.mro)
        return frozenset(model for model in derived if not exact or model.cls is made)

    def _having(self, name: py.Expr) -> Senders:
        """The models whose rows have an attribute."""
        if not isinstance(name, py.Constant) or not isinstance(name.value, str):
            return _EVERY
        asked = name.value
        return frozenset(
            model for model in self.models
            if model.is_open or model.column(asked) or model.relation(asked) or model.attname(asked)
            or (model.cls is not None and model.cls.find(asked) is not None)
        )  # fmt: skip

    def _of_field(self, expr: py.Expr) -> frozenset[Model] | None:
        """`contribute_to_class(self, cls, name)` of a field connects to the models that have such a field."""
        functions = [holder for holder in self.around if isinstance(holder, py.FunctionDef)]
        owner = next((holder for holder in self.around if isinstance(holder, py.ClassDef)), None)
        if not functions or functions[-1].name not in ("contribute_to_class", "_connect_signals") or owner is None:
            return None
        return frozenset(
            model for model in self.models if any(field.kind == owner.name for field in model.columns.values())
        )

    def _meaning(self, expr: py.Expr) -> Symbol | None:
        function = next((item for item in reversed(self.around) if isinstance(item, py.FunctionDef)), None)
        return meaning(self.models, Found(self.module, expr, function, None), expr)


def _label(expr: py.Expr) -> str:
    """The class that `"app.Model"` or `get_model("app", "Model")` names, whatever its application is called."""
    last = expr.args[-1] if isinstance(expr, py.Call) and expr.args else expr
    return str(last.value).rpartition(".")[2] if isinstance(last, py.Constant) else ""


def _says_nothing(stmt: py.Stmt) -> bool:
    return isinstance(stmt, (py.Import, py.ImportFrom)) or (
        isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Constant)
    )


def _connections(models: Models, module: SourceModule) -> Iterator[_Connected]:
    """The handlers that a module connects to signals of models."""
    waiting: list[tuple[py.Node, tuple[py.Node, ...]]] = [(stmt, ()) for stmt in reversed(module.facts.body)]
    while waiting:
        node, around = waiting.pop()
        if isinstance(node, py.FunctionDef):
            for item in node.decorators:
                if isinstance(item, py.Call) and dotted(item.func).rpartition(".")[2] == "receiver":
                    given = item.args[0] if item.args else keyword(item, "signal")
                    names = _signals(given, around) if given is not None else frozenset()
                    if names:
                        yield _Connected(models, module, item, around, node, names)
            waiting += [(stmt, (*around, node)) for stmt in reversed(node.body)]
            continue
        if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "connect":
            names = _signals(node.func.value, around)
            if names:
                yield _Connected(models, module, node, around, None, names)
        held = (*around, node) if isinstance(node, (py.For, py.ClassDef)) else around
        for name in inside(type(node)):
            value = getattr(node, name)
            if type(value) is tuple:
                waiting += [(item, held) for item in reversed(value) if item is not None]
            elif value is not None:
                waiting.append((value, held))


def _signals(expr: py.Expr, around: tuple[py.Node, ...]) -> frozenset[str]:
    """The signals of models that an expression names: one, a list of them, or each of a loop."""
    if isinstance(expr, (py.Tuple, py.List, py.Set)):
        return frozenset().union(*(_signals(item, around) for item in expr.elts))
    for holder in reversed(around):
        if isinstance(holder, py.For) and isinstance(expr, py.Name) and expr.id == dotted(holder.target):
            return _signals(holder.iter, around)
    return frozenset({dotted(expr).rpartition(".")[2]}) & _SIGNALS
