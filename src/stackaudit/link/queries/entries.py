"""Where the walk begins: every function and method of the repository, with arguments that are not known."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.admin import Admins
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import bases, calls, signals
from stackaudit.link.queries.loading import SOMEWHERE, Load
from stackaudit.link.queries.values import UNKNOWN, ClassRef, Function, Instance, Manager, Row, Rows, Value
from stackaudit.link.queries.walk import Walk

_SERVES = ("get", "post", "put", "patch", "delete", "handle", "run")
"""What Django and Celery call on views, commands and tasks. Actions of viewsets are walked with their serializers."""


def walk_all(walk: Walk) -> None:
    """Walk every function and every method once."""
    walk.signalled = signals.signalled_models(walk.models)
    managers = _managers(walk)
    senders = signals.connected_by_hand(walk.models)
    admins = {admin.cls: admin.model for admin in Admins(walk.models) if admin.model is not None}
    for module in walk.modules:
        for node, owner, cls in _entries(walk, module):
            bound = _bound(walk, cls, node, managers) if cls is not None else None
            walk.spent = 0
            walk.served = cls if cls is not owner else None
            if cls is None or owner is None:
                sent = senders.get(node)
                given = _received(walk, module, node) if node.decorators else _instance(node, sent) if sent else {}
            else:
                given = bases.given(walk, cls, node, admins)
            home = owner.module if owner is not None else module
            try:
                made = calls.call(
                    walk, Function(home, node, bound, owner), (), given, (home, node), node.name, is_entry=True
                )
                if isinstance(made, Function) and made.closure is not None and isinstance(made.node, py.FunctionDef):
                    # a decorator, or middleware written as a function: what it returns is called by others
                    calls.call(walk, made, (), {}, (made.module, made.node), made.node.name, is_entry=True)
            except RecursionError:
                walk.restart()  # nested deeper than can be followed: nothing is said of this function
    walk.served = None


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


def _entries(
    walk: Walk, module: SourceModule
) -> Iterator[tuple[py.FunctionDef, SourceClass | None, SourceClass | None]]:
    """`functions`, each with the class that defines it and the class of its object.

    A view or a command often leaves `get()` or `handle()` to a base class of the repository, which calls what the
    class itself defines: such a method is walked for each class that fills it in.
    """
    seen: set[SourceClass] = set()
    for node, owner in functions(walk, module):
        yield node, owner, owner
        if owner is not None and owner not in seen:
            seen.add(owner)
            for found in _left_to_bases(walk, owner):
                if isinstance(found.node, py.FunctionDef):
                    yield found.node, found.owner, owner


def _left_to_bases(walk: Walk, cls: SourceClass) -> Iterator[Member]:
    """The methods that serve and that a class has of its bases, where these ask for something that it defines."""
    for name in _SERVES if len(cls.mro) > 1 else ():
        found = cls.find(name)
        if found is None or found.owner is cls:
            continue
        index = cls.mro.index(found.owner)
        asked = frozenset().union(*(_asks(walk, base) for base in cls.mro[index:] if isinstance(base, SourceClass)))
        if any(not asked.isdisjoint(base.members) for base in cls.mro[:index] if isinstance(base, SourceClass)):
            yield found


def _asks(walk: Walk, cls: SourceClass) -> frozenset[str]:
    """The names that the methods of a class ask of `self`."""
    if cls not in walk.of_self:
        walk.of_self[cls] = frozenset(
            item.attr
            for item in nodes(cls.node.body)
            if type(item) is py.Attribute and type(item.value) is py.Name and item.value.id == "self"
        )
    return walk.of_self[cls]


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
                    if base.is_a(*calls.QUERYSET_BASES) and not base.is_a(*calls.MANAGER_BASES):
                        found.setdefault(base, _some_rows(model, base))
                    else:
                        found.setdefault(base, Manager(model, definition, definition.name))
            for base in definition.queryset.mro if isinstance(definition.queryset, SourceClass) else ():
                if isinstance(base, SourceClass):
                    found.setdefault(base, _some_rows(model, base))
    return found


def _some_rows(model: Model, cls: SourceClass) -> Rows:
    return Rows(model, Load(unknown="the queryset comes from a caller that is not known here"), cls=cls)


def _bound(walk: Walk, cls: SourceClass, node: py.FunctionDef, managers: dict[SourceClass, Value]) -> Value | None:
    names = calls.decorators(node)
    if "staticmethod" in names:
        return None
    model = walk.models.of_class(cls)
    if "classmethod" in names:
        return ClassRef(cls, model)
    if model is not None:
        return Row(model, Load(unknown="where this row comes from is not known"))
    return managers.get(cls) or Instance(cls)
