"""What to write in place of a query that a loop repeats, by the method that asks."""

from __future__ import annotations

from stackaudit.checks.orm.conditions import Condition
from stackaudit.checks.orm.recipes import (
    AGGREGATING,
    CHECKING,
    COUNTING,
    KEEPING,
    ORDERED,
    VALUES,
    Around,
    Recipe,
    unspecific,
)
from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event

_CAUGHT = " The loop catches what one turn raises: catch what the one query raises, too."
_NARROWING = frozenset({"filter", "exclude", "order_by", "select_related", "prefetch_related", "only", "defer"})


def proposal(event: Event, asked: Condition, around: Around) -> str:
    """The fix for one query."""
    is_open = around.is_caught and not around.once  # what a turn computes is a value that the column takes
    return _proposed(event, asked, around) + (_CAUGHT if is_open else "")


def _proposed(event: Event, asked: Condition, around: Around) -> str:
    if event.model is None:
        return unspecific(event.method, "rows", around)
    model, method = event.model, event.method
    if asked.computed:
        return _computed(method, model, asked, around)
    if around.late and asked.field:
        return Recipe(method, model, asked, around).after()
    if asked.relation and not around.helper:
        return _related(method, asked, around) or unspecific(method, f"{model.name} rows", around)
    if event.below > 1 or not asked.field or not asked.ends <= KEEPING | VALUES:
        field = asked.field if event.below <= 1 and not asked.others and "?" not in asked.ends else ""
        return unspecific(method, f"{model.name} rows", around, field)
    return Recipe(method, model, asked, around).text()


def _computed(method: str, model: Model, asked: Condition, around: Around) -> str:
    if asked.is_cut:
        group = f'F("{asked.field}")' if asked.field and not asked.others else "…"
        return (
            f"Number the rows of each group in the database, `Window(RowNumber(), partition_by={group}, order_by=…)`, "
            "and filter by that number: one query for all turns (Django 4.2 or later)."
        )
    if method in (*COUNTING, *CHECKING):
        return (
            f"Count for all turns in one query: `aggregate()` of the {model.name} rows with one "
            '`Count("pk", filter=Q(…))` for each turn.'
        )
    return (
        f"Ask once for the {model.name} rows of all turns, with their conditions joined by `|` as `Q(…) | Q(…)`, and "
        "tell in Python which rows belong to which turn."
    )


def _related(method: str, asked: Condition, around: Around) -> str:
    """The fix for rows behind a relation of the rows of a loop; "" where there is none that surely holds."""
    path, narrowing = asked.relation, asked.ends - {"all", "iterator", method, "", "…"}
    if asked.field:
        return ""
    is_counted = method in (*COUNTING, *CHECKING)
    if method in ORDERED or method in AGGREGATING or (narrowing and (is_counted or not narrowing <= _NARROWING)):
        return ""
    wanted = f'"{path}"'
    read = {True: ", and take `len(….all())`", False: ""}[method in COUNTING]
    if method in CHECKING:
        read = ", and test `….all()`"
    if narrowing:
        wanted = f'Prefetch("{path}", queryset=…, to_attr="…")'
        read = " with the same conditions in its queryset, and go through that list in the loop"
    if around.rows:
        return f"Add `.prefetch_related({wanted})` to `{around.rows}`{read}."
    if around.given:
        return f"Load them for all turns before the loop: `prefetch_related_objects({around.given}, {wanted})`{read}."
    return ""
