"""Numbers and answers that rows bring by `annotate()`, so that nobody has to ask for each."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.origins import Origin
from stackaudit.link.queries.reading import (
    FILTERS,
    LOADS,
    SAID,
    SORTS,
    Path,
    TextOf,
    hands_on,
    is_answered,
    is_cut,
    is_number,
    is_of_row,
    manager,
    no_text,
    plain,
    shown,
)
from stackaudit.link.queries.sharing import is_shared, tested_together
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place


def numbers(events: Iterable[Event], kept: Iterable[Path] = ()) -> list[Event]:
    """The events that ask for nothing but a number which the rows can bring, one for each expression.

    Where all of the rows are wanted anyway, for another event or as one of the paths `kept`, they tell their number; so
    does a prefetch below other rows, where no filter narrows it, and so do rows of several relations that are tested
    together.
    """
    found = [event for event in events if event.path]
    cut = {event.path for event in found if is_cut(event)}
    whole = [event for event in found if not any(event.path[:end] in cut for end in range(1, len(event.path) + 1))]
    wanted = {*kept, *tested_together(found), *(event.path for event in whole if not is_number(event))}
    paths = {*wanted, *(event.path for event in whole)}
    lists = {(event.path, event.asking.where) for event in whole if event.asking and not is_number(event)}
    told: dict[tuple[Place | None, Path], Event] = {}
    for event in found:
        path = event.path
        is_wanted = path in wanted or any(other[: len(path)] == path != other for other in paths)
        where = event.asking.where if event.asking is not None else ""
        is_told = is_wanted and (not is_shared(event) or (path, where) in lists)  # what others use, too, goes on to ask
        if is_number(event) and not is_told and (is_of_row(event) or not is_answered(event)):
            told.setdefault(_key(event), event)
    return list(told.values())


def _key(event: Event) -> tuple[Place | None, Path]:
    return event.asking.place if event.asking is not None else None, event.path


def unnumbered(events: Iterable[Event], told: list[Event]) -> list[Event]:
    """The events that ask for more than the numbers `told`."""
    keys = {_key(event) for event in told}
    return [event for event in events if _key(event) not in keys]


def annotation(event: Event) -> str:
    """The expression that brings the number which an event asks for: `Count("items", distinct=True)`.

    A queryset may join other rows already, which a Count counts twice, and another join would change what it counts
    itself: https://docs.djangoproject.com/en/stable/topics/db/aggregation/#combining-multiple-aggregations. A Count
    groups, too, and what groups takes no order from Meta (since Django 3.1).
    """
    asking, relation = event.asking, event.relation
    assert asking is not None
    last, is_narrowed = plain(asking.last), bool(asking.methods - SORTS - LOADS)
    is_count = last == "count" and asking.methods <= FILTERS | SORTS | LOADS
    if is_count and not asking.is_tested and not _aggregates(event.origin) and not _is_in_order_of_model(event):
        name = relation.query_name if relation is not None else ""
        narrowing = ", filter=Q(…)" if is_narrowed else ""
        return f'Count("{"__".join([*event.path[:-1], name or event.path[-1]])}", distinct=True{narrowing})'
    target = relation.target if relation is not None else None
    back = (relation.remote_query_name or relation.remote) if relation is not None else ""
    is_asked = last == "exists" or (is_count and asking.is_tested)
    if target is None or not back:
        return "Exists(…)" if is_asked else "Subquery(…)"
    key = "__".join([*event.path[:-1], "pk"])
    rows = f'{manager(target)}.filter({back}=OuterRef("{key}"){", …" if is_narrowed else ""})'
    if is_asked:
        return f"Exists({rows})"
    if is_count:
        return counted(target, rows, back)
    return f"Subquery({rows}.values(…))"


def counted(model: Model, rows: str, back: str) -> str:
    """The expression that counts the rows of a query for each row of another one; the field `back` leads to that.

    A Subquery that finds no group gives None. By what a manager of its own orders the rows they would be grouped, too.
    """
    made = model.managers.get(model.default_manager)
    is_own = made is not None and isinstance(made.cls, SourceClass) and made.cls.find("get_queryset") is not None
    values = f'{".order_by()" if is_own else ""}.values("{back}")'
    return f'Coalesce(Subquery({rows}{values}.annotate(n=Count("pk")).values("n")), 0)'


def _is_in_order_of_model(event: Event) -> bool:
    """Whether nothing but Meta may say in which order the rows come that are to bring a number."""
    origin, relation = event.origin, event.relation
    model = origin.model if origin is not None else None
    if model is None and relation is not None:
        model = relation.model
    return is_in_order_of_model(model, origin)


def is_in_order_of_model(model: Model | None, origin: Origin | None) -> bool:
    """Whether nothing but the Meta of a model may say in which order the rows of a queryset come."""
    return model is not None and model.ordered is not False and not (origin is not None and origin.ordered)


def _aggregates(origin: Origin | None) -> bool:
    """Whether a queryset annotates something already, as far as its text tells."""
    while origin is not None:
        if ".annotate(" in origin.text:
            return True
        origin = origin.refined
    return False


def annotated(events: list[Event]) -> str:
    """The call that brings numbers with the rows: `.annotate(…=Count("items"))`."""
    made = [f"…={text}" for text, _ in dict.fromkeys((annotation(item), _narrowing(item)) for item in events)]
    more = ", …" if len(made) > SAID else ""
    return f".annotate({', '.join(made[:SAID])}{more})"


def _narrowing(event: Event) -> str:
    """What tells the filter of an event from others, of which an annotation says no more than that there is one."""
    asking = event.asking
    if asking is None or not asking.methods - SORTS - LOADS:
        return ""
    return asking.text or asking.where


THAT = "that"
ANNOTATED = "what is annotated"
"""How a sentence names the numbers that it tells of beside other calls."""


def used(
    events: list[Event], text_of: TextOf = no_text, several: frozenset[str] = frozenset(), named: str = THAT
) -> str:
    """Where the annotated numbers are to be read, as it follows the annotation.

    `several` are the templates that show rows of several querysets; `named` is how the sentence speaks of the numbers.
    """
    here: list[str] = []
    shows: dict[str, list[str]] = {}
    lets: dict[str, None] = {}
    for event in events:
        asking = event.asking
        assert asking is not None
        text = f"`{shown(asking, text_of) or event.method}`"
        if event.origin is not None and asking.where == event.origin.where:
            here.append(text)
        elif hands_on(event):
            caller = text_of(event.place) or event.text or f"{event.method}()"
            shows.setdefault(f"`{event.query.path}`", []).append(f"`{caller}`")
        elif not asking.text:
            shows.setdefault(f"`{asking.where}`", []).append(text)
        else:
            lets[f"`{asking.where}`"] = None
    told = [f"and use {named} in place of {in_words(list(dict.fromkeys(here)), most=SAID)}"] if here else []
    for place, texts in shows.items():
        more = ", where every view then has to bring it" if place.strip("`") in several else ""
        told.append(f"and show {named} in place of {in_words(list(dict.fromkeys(texts)), most=SAID)} in {place}{more}")
    return " ".join(
        [*told, *([f"and let {in_words([*lets], most=SAID)} use {named} where the row has it"] if lets else [])]
    )
