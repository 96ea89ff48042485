"""Rows that outlive a deletion in a table of the deleted row: `Share(Post)` protects the post that it shares.

Deleting a row deletes those of its parents' tables, and none that a key of it leads to. Where that key is PROTECT, what
it leads to cannot be deleted together with it either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.celery.touching import py_name
from stackaudit.link.models import Model
from stackaudit.link.models.model import Relation
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.table import MANAGERS

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_KEYS = ("pk", "id")


def single_rows(stack: Stack, task: py.FunctionDef, call: py.Call, model: Model) -> frozenset[py.Node]:
    """The parts of a task that ask for one row by its key, which the `call` of `delay` gives as that of a survivor.

    `model` is that of the deleted `instance`. Empty where the task itself asks for other rows of its tables, too.
    """
    family = {item for member in model.family() for item in (member, *member.derived())}
    names = {member.name for member in family}
    given = dict(_survivors(task, call, model, family))
    found: set[py.Node] = set()
    for node in nodes(task.body):
        if isinstance(node, py.Call) and _is_single(node, given):
            found.update(nodes((node,)))
    for node in nodes(task.body):
        is_asked = isinstance(node, py.Attribute) and node.attr in MANAGERS and py_name(node.value) in names
        if is_asked and node not in found:
            return frozenset()
    return frozenset(found)


def _is_single(call: py.Call, given: dict[str, py.Expr]) -> bool:
    """Whether a call is `get(pk=...)` of a parameter that is given a survivor's key."""
    if not (isinstance(call.func, py.Attribute) and call.func.attr in ("get", "aget")) or call.args:
        return False
    named = [(each.name, each.value) for each in call.keywords]
    return len(named) == 1 and named[0][0] in _KEYS and isinstance(named[0][1], py.Name) and named[0][1].id in given


def _survivors(task: py.FunctionDef, call: py.Call, model: Model, family: set[Model]) -> Iterator[tuple[str, py.Expr]]:
    """The parameters of a task that are given the key of a row of the same tables that outlives the deleted one."""
    if not isinstance(call.func, py.Attribute) or not call.func.attr.startswith("delay"):
        return
    params = [param.name for param in task.params if param.name != "self"]
    pairs = [*zip(params, call.args, strict=False), *((each.name or "", each.value) for each in call.keywords)]
    for name, expr in pairs:
        relation = _key_of_instance(expr, model)
        if relation is not None and relation.target in family and _protects(relation):
            yield name, expr


def _key_of_instance(expr: py.Expr, model: Model) -> Relation | None:
    """The relation whose key `instance.shared_id` or `instance.shared.id` is."""
    if not isinstance(expr, py.Attribute):
        return None
    if isinstance(expr.value, py.Name):
        return model.attname(expr.attr) if expr.value.id == "instance" else None
    held = expr.value
    is_key = isinstance(held, py.Attribute) and isinstance(held.value, py.Name) and held.value.id == "instance"
    return model.relation(held.attr) if is_key and expr.attr in _KEYS and isinstance(held, py.Attribute) else None


def _protects(relation: Relation) -> bool:
    """Whether the row that a key leads to cannot be deleted while the row with the key is there."""
    args = relation.call.args if relation.call is not None else ()
    told = relation.keyword("on_delete") or (args[1] if len(args) > 1 else None)
    return relation.relation in ("fk", "o2o") and told is not None and py_name(told) == "PROTECT"
