"""What is certain of conditions, so that one branch alone is walked: comparisons, attributes that rows have not."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import bindings
from stackaudit.link.queries.events import ALIKE, ALIKE_OR_NONE, UNLIKE, Likeness
from stackaudit.link.queries.presence import is_there
from stackaudit.link.queries.table import QUERYSET_BASES, ROW_METHODS
from stackaudit.link.queries.values import (
    THERE,
    UNKNOWN,
    ClassRef,
    Const,
    Manager,
    Mapping,
    Method,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import Walk

_EQUAL = {"is": True, "==": True, "is not": False, "!=": False}
_CONTAINERS = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.dict"})
_OR_NONE = frozenset({"first", "afirst", "last", "alast"})
"""Methods that give None where there is no row."""
_PLAIN_MODELS = frozenset({"django.db.models.Model", "django.db.models.base.Model", "builtins.object"})


class Action(str):
    """The name of the action of a viewset that is being served: code compares it to choose what it loads."""

    __slots__ = ()


def outcome(walk: Walk, node: py.Compare, values: list[Value]) -> Const | None:
    """What a comparison gives, where its `values` tell: a parameter, a key or an action; None where they do not."""
    if len(values) != 2:
        return None
    left, right, operator = values[0], values[1], node.ops[0]
    told: bool | None = None
    if isinstance(left, Const) and is_parameter(walk, node.left):
        told = _of_parameter(operator, left, right, node.comparators[0])
    if told is None and not isinstance(left, Const) and right == Const(None):
        there = is_there(left)
        told = _equal(operator, not there) if there is not None else None
    if told is None and operator in ("in", "not in") and isinstance(right, Method) and right.name == "__dict__":
        held = has(walk, right.receiver, left.value) if isinstance(left, Const) else None
        told = held is (operator == "in") if held is not None else None
    if told is None and isinstance(left, Mapping) and right == Const(None) and left.get(THERE) is not None:
        told = _equal(operator, False)
    if told is None and isinstance(left, Const) and isinstance(left.value, Action):
        told = _of_action(operator, left.value, right)
    return Const(told, left.loops) if told is not None else None


def remember(walk: Walk, node: py.Compare, values: list[Value]) -> None:
    """Remember of each row that is compared what the other side may be, at worst."""
    if len(values) != 2 or node.ops[0] not in ("==", "!="):
        return
    one, two = node.left, node.comparators[0]
    for side, value, opposite, other in ((one, values[0], two, values[1]), (two, values[1], one, values[0])):
        if not isinstance(value, Row) or (other == UNKNOWN and is_parameter(walk, opposite)):
            continue  # what is not known of a parameter here a caller tells
        likeness = _likeness(walk, value, other)
        walk.record.alike[side] = min(likeness, walk.record.alike.get(side, likeness))


def _likeness(walk: Walk, row: Row, other: Value) -> Likeness:
    """How sure it is that a row is compared with one of its own model.

    It equals no other, so what is not known is taken for such a row, or for None. A user of whom nothing else is known
    was handed over by a view, and is that of a request.
    """
    if isinstance(other, Other) or other == Const(None):
        return ALIKE_OR_NONE
    if not isinstance(other, Row) or other.model is not row.model:
        return UNLIKE
    has_origin = other.origin is not None and other.origin.by not in _OR_NONE
    is_there = not other.path and (has_origin or (other.origin is None and other.model is walk.models.user))
    return ALIKE if is_there else ALIKE_OR_NONE


def _equal(operator: str, same: bool) -> bool | None:
    return same is _EQUAL[operator] if operator in _EQUAL else None


def _of_parameter(operator: str, left: Const, right: Value, written: py.Expr) -> bool | None:
    """`kind == "new"`, `kind == Kind.NEW`, `kind in (Kind.NEW, Kind.OLD)`, for a parameter that a call filled."""
    if isinstance(right, Const) and is_written(written):
        return _equal(operator, type(left.value) is type(right.value) and left.value == right.value)
    if operator in ("in", "not in") and isinstance(right, Seq) and isinstance(written, (py.Tuple, py.List, py.Set)):
        items = right.items or ()
        if len(items) == len(written.elts) and all(isinstance(item, Const) for item in items):
            held = any(isinstance(item, Const) and item.value == left.value for item in items)
            return held is (operator == "in") if all(map(is_written, written.elts)) else None
    return None


def is_written(node: py.Expr) -> bool:
    """Whether an expression is a constant, by its kind or by its name."""
    name = node.attr if isinstance(node, py.Attribute) else node.id if isinstance(node, py.Name) else ""
    return isinstance(node, py.Constant) or name.isupper()


def is_told(walk: Walk, test: py.Expr, value: object) -> bool:
    """Whether a condition that came out as a constant is one on a parameter: `flag`, `not flag`, `kind == "new"`.

    A function that answers True or False was told by what it was called with.
    """
    while isinstance(test, py.UnaryOp) and test.op == "not":
        test = test.operand
    if isinstance(test, py.Call):
        return type(value) is bool
    return is_parameter(walk, test.left if isinstance(test, py.Compare) else test)


def is_parameter(walk: Walk, name: py.Expr) -> bool:
    """Whether a name is a parameter of the running function that nothing in it binds anew."""
    function = walk.frame.node
    if not isinstance(name, py.Name) or not isinstance(function, py.FunctionDef):
        return False
    if function not in walk.rebound:
        walk.rebound[function] = frozenset(bindings(function.body)[0])
    return any(param.name == name.id for param in function.params) and name.id not in walk.rebound[function]


def _of_action(operator: str, action: Action, right: Value) -> bool | None:
    """`self.action == "list"`, `self.action in ("list", "retrieve")`."""
    if operator in ("==", "!=") and isinstance(right, Const):
        return (action == right.value) is (operator == "==")
    if operator in ("in", "not in") and isinstance(right, Seq) and right.items is not None:
        names = [item.value for item in right.items if isinstance(item, Const)]
        if action in names or len(names) == len(right.items):
            return (action in names) is (operator == "in")
    return None


def is_instance(value: Value, kind: Value) -> bool | None:
    """Whether a row, rows or a manager are an instance of a class, or of one of several; None where that depends."""
    if isinstance(kind, Seq):
        told = [is_instance(value, item) for item in kind.items or ()]
        return True if True in told else None if None in told or kind.items is None else False
    if isinstance(value, Row):
        return _is_row_of(value, kind) if isinstance(kind, ClassRef) else None
    name = kind.name if isinstance(kind, Other) else ""
    if isinstance(value, Rows) and not value.evaluated and value.kind == "rows":
        return True if name in QUERYSET_BASES else False if name in _CONTAINERS else None
    return False if isinstance(value, (Related, Manager)) and name in QUERYSET_BASES | _CONTAINERS else None


def _is_row_of(row: Row, kind: ClassRef) -> bool | None:
    """Whether a row is an instance of a class; None where a class may derive from its model."""
    if kind.model is not None and kind.model is row.model:
        return True
    own, other = row.model.cls, kind.cls
    if own is None or not isinstance(other, SourceClass):
        return None
    if other in own.mro:
        return True
    is_apart = kind.model is not None and own not in other.mro and not own.is_open and not other.is_open
    return False if is_apart else None


def has(walk: Walk, row: Value, name: object) -> bool | None:
    """Whether a row has an attribute that is no column: one that its queryset or other code adds; None if unknown."""
    if not isinstance(row, Row) or not isinstance(name, str):
        return None
    if name in row.load.attributes or any(item[0] == name for item in row.load.lists):
        return True
    return False if lacks(walk, row, name) else None


def lacks(walk: Walk, row: Row, name: str) -> bool:
    """Whether rows are certain to have no attribute of a name: no model defines it, no queryset and nobody adds it.

    A field may add more than its own name (`price_currency`), as may a base that is not Django's own.
    """
    model, load, cls = row.model, row.load, row.model.cls
    if cls is None or model.is_open or cls.is_open or load.unknown or not _PLAIN_MODELS.issuperset(cls.externals):
        return False
    if name in load.attributes or any(item[0] == name for item in load.lists) or name in walk.models.assigned:
        return False
    own = model.column(name) or model.attname(name) or model.relation(name) or name in model.parent_links
    given = name.startswith(("_", "get_")) or name in ("pk", "id", "objects") or name in ROW_METHODS
    if own or given or cls.find(name) is not None or cls.find("__getattr__") is not None:
        return False
    prefixes = {name[:end] for end, letter in enumerate(name) if letter == "_"}
    return not any(model.column(part) or cls.find(part) is not None for part in prefixes)
