"""How long the list of an API view may get, as far as its code says so."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import is_true, nodes
from stackaudit.link.queries import narrowing
from stackaudit.link.queries.values import Rows, Value
from stackaudit.link.serializers.views import ApiView, asks_for_staff, is_creating, listed
from stackaudit.link.stack import Stack

_KEPT_BY_HAND = frozenset({"Group", "Permission", "ContentType", "Site"})
"""Models of Django's own whose rows come with the code, or that somebody keeps by hand."""
_PLAIN = frozenset({
    "CharField", "SlugField", "BooleanField", "IntegerField", "SmallIntegerField", "PositiveIntegerField",
    "PositiveSmallIntegerField",
})  # fmt: skip
_STAMPS = frozenset({"DateField", "DateTimeField"})
_COLUMNS = 4
_FIXED = frozenset({"auth.Group", "auth.Permission", "contenttypes.ContentType", "sites.Site"})
"""Tables of Django whose rows the project's code decides."""
_OFF = ("disable", "no_", "without", "skip", "off")


def length(stack: Stack, view: ApiView) -> str:
    """What keeps the list of a view short, "" for nothing: "single" (one row at most, or those the code fixes), or else
    a cause.

    "chosen": an attribute of the view switches pagination off. "own": the rows of the user who asks. "lookup": names
    that other tables point to. "kept": nothing but staff and commands makes rows.
    """
    rows = next((item.rows for item in stack.api.listings if item.view is view), None)
    model = _model_of(stack, view)
    if model is not None and (model.label in _FIXED or _is_single(model) or _asks_for_one(view, model, rows)):
        return "single"
    if _is_switched_off(view):
        return "chosen"
    if isinstance(rows, Rows) and model is not None and _is_straight(view) and _is_own(stack, model, rows):
        return "own"
    if _asks_for_own(view):
        return "own"
    if model is not None and _is_lookup(stack, model):
        return "lookup"
    return "kept" if model is not None and _is_kept(stack, model) else ""


def _is_single(model: Model) -> bool:
    """Whether there is one row at most: a class that says so, or a `save()` that sets the key."""
    for cls in model.cls.mro if model.cls is not None else ():
        name = cls.name if isinstance(cls, SourceClass) else str(cls)
        if "singleton" in name.lower():
            return True
    save = model.cls.find("save") if model.cls is not None else None
    body = save.node.body if save is not None and isinstance(save.node, py.FunctionDef) else ()
    return any(
        isinstance(stmt, py.Assign) and any(dotted(target) in ("self.pk", "self.id") for target in stmt.targets)
        for stmt in body
    )


def _is_own(stack: Stack, model: Model, rows: Rows) -> bool:
    """Whether a filter asks for the rows of one user."""
    user = stack.models.user
    relations = (model.relation(name.removesuffix("_id")) for name in rows.narrowed)
    return user is not None and any(item is not None and item.target is user and not item.many for item in relations)


def _statements(view: ApiView) -> tuple[py.Stmt, ...]:
    member = view.member("get_queryset")
    return member.node.body if member is not None and isinstance(member.node, py.FunctionDef) else ()


def _is_straight(view: ApiView) -> bool:
    """Whether `get_queryset()` has no branches: its filters hold for everybody."""
    return not any(isinstance(node, (py.If, py.IfExp, py.Try, py.Match)) for node in nodes(_statements(view)))


def _asks_for_one(view: ApiView, model: Model, rows: Value | None) -> bool:
    """Whether filters leave one row at most: by what the walk saw, or where all that is returned asks for a user's."""
    if isinstance(rows, Rows):
        return rows.bounded == narrowing.ONE_ROW
    asked = _asked_for_own(view)
    return bool(asked) and all(any(narrowing.is_unique(model, name) for name in names) for names in asked)


def _asks_for_own(view: ApiView) -> bool:
    """Whether all that `get_queryset()` returns is filtered by the user who asks."""
    asked = _asked_for_own(view)
    return bool(asked) and all(asked)


def _asked_for_own(view: ApiView) -> list[list[str]]:
    """For each `return` of `get_queryset()` the keywords of filters that name the user who asks."""
    returned = (node for node in nodes(_statements(view)) if isinstance(node, py.Return))
    return [[item.name or "" for item in _filtered(node) if _names_user(item.value)] for node in returned]


def _filtered(node: py.Return) -> Iterator[py.Keyword]:
    for call in nodes((node,)):
        if isinstance(call, py.Call) and isinstance(call.func, py.Attribute) and call.func.attr == "filter":
            yield from call.keywords


def _names_user(value: py.Expr) -> bool:
    """Whether an expression is the user who asks, or its key."""
    return dotted(value).removesuffix(".pk").removesuffix(".id").endswith("request.user")


def _is_lookup(stack: Stack, model: Model) -> bool:
    """Whether rows are little more than a name that is unique, or that stands alone, and other models point to them.

    Who made a row and when says nothing of how many there are.
    """
    if not model.path:
        return model.name in _KEPT_BY_HAND
    forward = [item for item in model.relations.values() if item.relation in ("fk", "o2o", "generic_fk", "m2m")]
    if model in stack.growing or any(item.target is None or item.target is not stack.models.user for item in forward):
        return False
    columns = [field for field in model.columns.values() if field.kind not in _STAMPS and field.name != model.pk]
    unique = any(field.kind == "SlugField" or is_true(field.keyword("unique")) for field in columns)
    pointed = any(item.relation.startswith("reverse") for item in model.relations.values())
    plain = all(field.kind in _PLAIN for field in columns)
    return pointed and plain and len(columns) <= (_COLUMNS if unique else 1)


def _is_kept(stack: Stack, model: Model) -> bool:
    """Whether no code outside the admin and commands makes rows of a model, and no API lets anybody but staff do so."""
    if not model.path or model in stack.growing or model in stack.made:
        return False
    return all(
        asks_for_staff(view.cls, stack.models.classes)
        for view in stack.api.views
        if is_creating(view.cls) and _model_of(stack, view) in (model, None)
    )


def _model_of(stack: Stack, view: ApiView) -> Model | None:
    rows = next((item.rows for item in stack.api.listings if item.view is view), None)
    return rows.model if isinstance(rows, Rows) else listed(view.cls, stack.models)


def _is_switched_off(view: ApiView) -> bool:
    """Whether `pagination_class` is None, or an attribute that the project's own code reads says no to pagination."""
    return any(
        _says_no(name, found[-1].node)
        for cls in view.cls.mro
        if isinstance(cls, SourceClass)
        for name, found in cls.members.items()
        if "paginat" in name
    )


def _says_no(name: str, node: py.Node | None) -> bool:
    """`pagination_class = None`, `paginate = False`, `pagination_disabled = True`."""
    if not isinstance(node, py.Constant):
        return False
    return node.value is None or node.value is False or (node.value is True and any(word in name for word in _OFF))
