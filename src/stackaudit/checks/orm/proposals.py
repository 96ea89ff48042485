"""What to write in place of a query that a loop repeats, by the method that asks."""

from __future__ import annotations

from stackaudit.checks.orm.conditions import Condition
from stackaudit.link.queries.events import Event

_KEYS = frozenset({"pk", "id"})
_ORDERED = ("first", "last", "latest", "earliest", "afirst", "alast", "alatest", "aearliest")
_SINGLE = ("get", "aget", "get_object_or_404", "aget_object_or_404")
_COUNTING = ("count", "acount")
_CHECKING = ("exists", "aexists")
_AGGREGATING = ("aggregate", "aaggregate")


def proposal(event: Event, asked: Condition, cause: str, of_rows: bool) -> str:
    """The fix for one query; `of_rows` says that its loop goes through the rows of a queryset.

    "" leaves it to the rule.
    """
    if cause == "computed" or event.model is None:
        return ""
    model = event.model.name
    field = asked.field if event.below <= 1 else ""
    outer = asked.key if of_rows else ""
    method = event.method
    if field and not asked.alone:
        return _with_the_rest(field, outer if event.below == 0 else "", method)
    if method in _ORDERED and asked.relation:
        return (
            f'Load the row with the others: `Prefetch("{asked.relation}", queryset=….order_by(…)[:1], to_attr="…")`, '
            'or annotate what is needed of it with `Subquery(….filter(…=OuterRef("pk")).order_by(…).values(…)[:1])`.'
        )
    if method in _ORDERED and field and outer == "pk":
        return (
            "Annotate what is needed of the row in the queryset of the loop: "
            f'`Subquery({model}.objects.filter({field}=OuterRef("{outer}")).order_by(…).values(…)[:1])`.'
        )
    if method in _COUNTING:
        return _count(model, field, asked.relation, outer)
    if method in _CHECKING:
        return _exists(model, field, outer)
    if method in _AGGREGATING and of_rows:
        return "Let the queryset of the loop calculate it: `annotate(total=Sum(…))` in place of `aggregate()`."
    if method in (*_SINGLE, *_ORDERED):
        return _one(model, field)
    if asked.relation:
        return (
            f'Load the rows before the loop with `prefetch_related("{asked.relation}")`, a part of them with '
            f'`Prefetch("{asked.relation}", queryset=…, to_attr="…")`.'
        )
    return _several(model, field)


def _with_the_rest(field: str, outer: str, method: str) -> str:
    """Where other conditions narrow the query, or a related manager: they have to stay."""
    if method in _CHECKING and outer:
        return (
            f'Ask in the queryset of the loop: `annotate(found=Exists(…))` of the same query with `{field}=OuterRef("'
            f'{outer}")`.'
        )
    kept = {**dict.fromkeys(_COUNTING, "count them by it"), **dict.fromkeys(_CHECKING, "keep its values in a set")}
    what = kept.get(method, f"put the rows into a dictionary by `{field}`")
    what = what.replace("by it", f"by `{field}`")
    return (
        f"Ask once before the loop: the same query with `{field}__in=…` in place of `{field}=…`. Then {what} and look "
        "it up in the loop."
    )


def _one(model: str, field: str) -> str:
    if field in _KEYS:
        return f"Collect the keys, ask once with `{model}.objects.in_bulk(keys)` and look the rows up in the loop."
    if not field:
        return ""
    asks, name = _at_once(model, field)
    return (
        f"Ask once before the loop with `{asks}`, put the rows into a dictionary by `{name}` and look them up in the "
        "loop."
    )


def _several(model: str, field: str) -> str:
    if not field:
        return ""
    asks, name = _at_once(model, field)
    return (
        f"Ask once before the loop with `{asks}`, sort the rows into a dictionary of lists by `{name}` and look them "
        "up in the loop."
    )


def _count(model: str, field: str, relation: str, outer: str) -> str:
    if relation:
        return f'Count in the queryset of the loop: `annotate(number=Count("{relation}"))`.'
    if outer == "pk" and field and "__" not in field:
        return f"Count in the queryset of the loop: `annotate(number=Count(…))` over the reverse of `{model}.{field}`."
    if field:
        asks, name = _at_once(model, field)
        return f'Count once before the loop: `{asks}.values("{name}").annotate(number=Count(…))`, as a dictionary.'
    return ""


def _exists(model: str, field: str, outer: str) -> str:
    if outer and field:
        return (
            "Ask in the queryset of the loop: "
            f'`annotate(found=Exists({model}.objects.filter({field}=OuterRef("{outer}"))))`.'
        )
    if field:
        asks, name = _at_once(model, field)
        return (
            "Ask once before the loop which there are, and look them up in it: "
            f'`set({asks}.values_list("{name}", flat=True))`.'
        )
    return ""


def _at_once(model: str, field: str) -> tuple[str, str]:
    """The query for all values of a field, and the name under which its rows carry the value."""
    if field.endswith("__iexact"):
        name = field.removesuffix("__iexact")
        return f'{model}.objects.annotate(lower=Lower("{name}")).filter(lower__in=…)', "lower"
    return f"{model}.objects.filter({field}__in=…)", field
