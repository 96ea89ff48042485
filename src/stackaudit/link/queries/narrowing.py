"""How many rows a queryset leaves of its table, as far as its filters and slices tell."""

from __future__ import annotations

from typing import Literal, TypeAlias

from stackaudit.link.models.model import Model
from stackaudit.link.nodes import is_true
from stackaudit.link.queries.values import Const, Rows, Value

Kept: TypeAlias = Literal["few", "many", "unknown"]
ONE_ROW = "a filter on a unique column"
"""`Rows.bounded` of rows of which a filter leaves one at most."""
_FLAGS = frozenset({"BooleanField", "NullBooleanField"})
_SPANS = frozenset({"DateField", "DateTimeField"})


def of(rows: Rows) -> Kept:
    """ "few" for a slice, a page, the rows of one owner or of a span of time; "many" where nothing limits them."""
    if rows.limited or rows.bounded or rows.streamed or (rows.kind != "rows" and rows.load.attributes):
        return "few"
    assert rows.model is not None
    kinds = {_kind(rows.model, name) for name in rows.narrowed}
    return "few" if "few" in kinds else "unknown" if "unknown" in kinds else "many"


def _kind(model: Model, name: str) -> Kept:
    """What a keyword of a filter leaves."""
    first, _, rest = name.partition("__")
    if first in ("pk", "id", model.pk) or model.by_query_name(first) is not None or model.attname(first) is not None:
        return "unknown" if rest.endswith("isnull") else "few"
    field = model.column(first)
    if field is None:
        return "unknown"
    if field.kind in _FLAGS or rest == "isnull":
        return "many"
    if field.kind in _SPANS:
        return "few"
    return "few" if is_true(field.keyword("unique")) else "unknown"


def is_one(model: Model, keywords: dict[str, Value]) -> bool:
    """Whether a filter leaves one row at most; a unique column may be empty in many rows."""
    return any(is_unique(model, name) and value != Const(None) for name, value in keywords.items())


def is_unique(model: Model, name: str) -> bool:
    """Whether a keyword of a filter asks for one value of what is unique, and so leaves one row at most."""
    first, _, lookup = name.partition("__")
    if lookup not in ("", "exact"):
        return False
    relation, column = model.relation(first) or model.attname(first), model.column(first)
    if relation is not None:
        is_only = relation.relation == "o2o" or relation.name == model.pk
        return is_only or (relation.forward and is_true(relation.keyword("unique")))
    return first in ("pk", "id", model.pk) or (column is not None and is_true(column.keyword("unique")))
