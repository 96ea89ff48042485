"""Where the walk begins: every function and method of the repository, with arguments that are not known."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.admin import Admins
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, decorators, dotted
from stackaudit.link.queries import bases, births, calls, decorating, signals
from stackaudit.link.queries.loading import SOMEWHERE, Load
from stackaudit.link.queries.overriding import SERVES, Inherited
from stackaudit.link.queries.values import UNKNOWN, ClassRef, Function, Instance, Manager, Row, Rows, Value
from stackaudit.link.queries.walk import BUDGET, Walk

_SHARED = 10_000
"""What all classes under one base together may spend on a method that it gives them.

Twenty-five importers under one base took 0.25 s of 0.9 with four times as much, and nothing more was found.
"""


def walk_all(walk: Walk) -> None:
    """Walk every function and every method once, and inherited methods for the classes whose own ones they call."""
    walk.signalled = signals.signalled_models(walk.models)
    managers = _managers(walk)
    senders = signals.connected_by_hand(walk.models)
    admins = registered(walk.models)
    for module in walk.modules:
        for node, owner in functions(walk, module):
            bound = _bound(walk, owner, node, managers, admins) if owner is not None else None
            walk.spent = 0
            if owner is None:
                sent = senders.get(node)
                given = _received(walk, module, node) if node.decorators else _instance(node, sent) if sent else {}
            else:
                given = bases.given(walk, owner, node, admins)
            born = births.of_method(walk, owner, node)
            if born is not None:
                with births.making(walk, module, node, born) as row:
                    _enter(walk, Function(module, node, row, owner), given)
            elif isinstance(sent_row := given.get("instance"), Row) and births.is_receiver(node):
                with births.making(walk, module, node, sent_row.model) as row:
                    _enter(walk, Function(module, node, bound, owner), {**given, "instance": row})
            else:
                _enter(walk, Function(module, node, bound, owner), given)
    inherited = Inherited(walk)
    told = [found for module in walk.modules for found in inherited.methods(module)]
    spent: dict[py.FunctionDef, int] = {}
    for cls, base, node in told:
        walk.served = cls
        walk.spent = 0 if node.name in SERVES else spent.get(node, BUDGET - _SHARED)
        _enter(walk, Function(base.module, node, Instance(cls), base), bases.given(walk, cls, node, admins))
        spent[node] = walk.spent
    walk.served = None


def _enter(walk: Walk, function: Function, given: dict[str, Value]) -> None:
    """Call a function as nobody of the repository does: with what is `given`, and arguments that are not known."""
    module, node = function.module, function.node
    assert isinstance(node, py.FunctionDef)
    try:
        made = calls.call(walk, function, (), given, (module, node), node.name, is_entry=True)
        around = decorating.of_function(walk, function).around
        if around is not None:
            args = (function.bound,) if function.bound is not None else ()
            calls.call(walk, around, args, {}, (module, node), node.name, is_entry=True)
        if isinstance(made, Function) and made.closure is not None and isinstance(made.node, py.FunctionDef):
            # a decorator, or middleware written as a function: what it returns is called by others
            calls.call(walk, made, (), {}, (made.module, made.node), made.node.name, is_entry=True)
    except RecursionError:
        walk.restart()  # nested deeper than can be followed: nothing is said of this function


def functions(walk: Walk, module: SourceModule) -> Iterator[tuple[py.FunctionDef, SourceClass | None]]:
    """The functions at the top level of a module and the methods of its classes."""
    for bound in module.names.values():
        for binding in bound:
            node = binding.node
            if isinstance(node, py.FunctionDef):
                yield node, None
            elif isinstance(node, py.ClassDef):
                cls = walk.classes.build(module, node)
                yield from _methods(walk, cls)


def from_url(node: py.FunctionDef) -> dict[str, Value]:
    """What a request hands to a method of a view beside itself: parts of the URL, whatever their defaults are."""
    plain = [param.name for param in node.params if param.kind == "plain"]
    return dict.fromkeys(plain[2:], UNKNOWN)


def _received(walk: Walk, module: SourceModule, node: py.FunctionDef) -> dict[str, Value]:
    """What the receiver of a model's signal is called with: `@receiver(post_save, sender=Order)` hands it an order."""
    for decorator in node.decorators:
        if isinstance(decorator, py.Call) and dotted(decorator.func).rpartition(".")[2] == "receiver":
            sender = keyword(decorator, "sender")
            through = isinstance(sender, py.Attribute) and sender.attr == "through"
            if through and isinstance(sender, py.Attribute) and isinstance(sender.value, py.Attribute):
                sender = sender.value.value  # Order.items.through: the instance is an order
            model = walk.models.of_expr(module, sender)
            if model is not None:
                return _instance(node, model)
    return {}


def _instance(node: py.FunctionDef, model: Model) -> dict[str, Value]:
    """What a signal of a model hands to its receiver: a row of it, and its class."""
    given: dict[str, Value] = {param.name: UNKNOWN for param in node.params if param.kind == "plain"}
    return given | {"instance": Row(model, SOMEWHERE), "sender": ClassRef(model.cls or "", model)}


def _methods(walk: Walk, cls: SourceClass) -> Iterator[tuple[py.FunctionDef, SourceClass]]:
    for stmt in cls.node.body:
        if isinstance(stmt, py.FunctionDef):
            yield stmt, cls
        elif isinstance(stmt, py.ClassDef) and stmt.name != "Meta":
            yield from _methods(walk, walk.classes.build(cls.module, stmt, f"{cls.name}.{stmt.name}"))


def _managers(walk: Walk) -> dict[SourceClass, Value]:
    """Manager and queryset classes with the first model that uses them."""
    found: dict[SourceClass, Value] = {}
    for model in walk.models:
        for definition in model.managers.values():
            for base in definition.cls.mro if isinstance(definition.cls, SourceClass) else ():
                if isinstance(base, SourceClass):
                    if calls.is_queryset(base):
                        found.setdefault(base, _some_rows(model, base))
                    else:
                        found.setdefault(base, Manager(model, definition, definition.name))
            for base in definition.queryset.mro if isinstance(definition.queryset, SourceClass) else ():
                if isinstance(base, SourceClass):
                    found.setdefault(base, _some_rows(model, base))
    return found


def _some_rows(model: Model, cls: SourceClass) -> Rows:
    return Rows(model, Load(unknown="the queryset comes from a caller that is not known here"), cls=cls)


def registered(models: Models) -> dict[SourceClass, Model]:
    """The classes of the admin with the model that each is registered for, where that is one."""
    found: dict[SourceClass, set[Model]] = {}
    for admin in Admins(models):
        if admin.model is not None:
            found.setdefault(admin.cls, set()).add(admin.model)
    return {cls: next(iter(held)) for cls, held in found.items() if len(held) == 1}


def unbound(cls: SourceClass, admins: dict[SourceClass, Model]) -> Instance:
    """An object of a class of which nothing is known but, for one of the admin, the model that it is registered for."""
    model = admins.get(cls)
    return Instance(cls, {"model": ClassRef(model.cls or "", model)}) if model is not None else Instance(cls)


def _bound(
    walk: Walk,
    cls: SourceClass,
    node: py.FunctionDef,
    managers: dict[SourceClass, Value],
    admins: dict[SourceClass, Model],
) -> Value | None:
    names = decorators(node)
    if "staticmethod" in names:
        return None
    model = walk.models.of_class(cls)
    if "classmethod" in names:
        return ClassRef(cls, model)
    if model is not None:
        return Row(model, Load(unknown="where this row comes from is not known"))
    return managers.get(cls) or unbound(cls, admins)
