"""What the code that asks for related rows has to change so that rows loaded before, or their number, answer it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.table import ASYNC
from stackaudit.link.queries.values import Asking
from stackaudit.model.source import Place

Path = tuple[str, ...]
TextOf = Callable[[Place], str]
"""The text of the expression of a template at a place."""
NUMBERS = frozenset({"count", "exists"})
"""Methods that ask for a number of rows, or for whether there are any."""
_ANSWERED = frozenset({"", "…", "[…]", "all", "count", "exists", "contains"})
_PICKS = frozenset({"first", "last", "get", "earliest", "latest"})
_FILTERS = frozenset({"filter", "exclude"})
_SORTS = frozenset({"order_by", "reverse"})
_VALUES = frozenset({"values", "values_list"})
_LOADS = frozenset({"select_related", "prefetch_related", "only", "defer", "using"})
_HEAD = re.compile(r"([\w.\[\]\"]*)\.\w+\(")
_FLAT = re.compile(r'\.values_list\("([a-z]\w*?)", flat=True\)$')
_FIRST = re.compile(r"\.first(?=$|[.|])")
_SAID = 3
"""So many places are told one by one."""


def no_text(place: Place) -> str:
    """Where no template is looked at, none has a text."""
    return ""


def is_answered(event: Event) -> bool:
    """Whether the method that reads many related rows would find them in what was prefetched."""
    method = plain(event.method)
    if method == "first":
        target = event.relation.target if event.relation is not None else None
        return target is not None and bool(target.ordered)
    if method == "earliest" and event.asking is not None and not event.asking.text:
        return True  # the first one by its index, in a template
    return method in _ANSWERED


def is_number(event: Event) -> bool:
    """Whether no row is wanted nor loaded: only how many there are, whether there are any, or a sum of them."""
    is_loaded = event.kind == "bypassed"
    return not is_loaded and event.asking is not None and plain(event.asking.last) in NUMBERS | {"aggregate"}


def plain(method: str) -> str:
    """The synchronous name of a method."""
    return ASYNC.get(method, method)


def readings(events: Iterable[Event], text_of: TextOf = no_text, *, is_loaded: bool = True) -> list[str]:
    """Where relations are read in ways that prefetched rows do not answer, and how to read them instead.

    With `is_loaded`, the sentences say why a prefetch alone does not help.
    """
    told: dict[str, None] = {}
    for event in events:
        if event.asking is None or not event.path or is_answered(event):
            continue
        preposition = "In" if event.asking.text or plain(event.asking.last) == "first" else "For"
        said = f"{preposition} {_home(event.asking.where)} {_instead(event, text_of)}"
        if is_loaded:
            name = "__".join(event.path)
            said += f": {called(event)} asks the database even where `{name}` is prefetched"
        told[f"{said}."] = None
    return list(told)[:_SAID]


def called(event: Event) -> str:
    """The method that makes a prefetched relation ask again."""
    is_template = event.asking is not None and not event.asking.text
    return f"`{event.method}`" if is_template else f"`{event.method}()`"


def _home(where: str) -> str:
    return f"`{where}`" if where else "the code"


def _instead(event: Event, text_of: TextOf) -> str:
    """What to write in place of the query, as what follows "In `Book.label`"."""
    asking = event.asking
    assert asking is not None
    rows, methods, last = _rows(event), asking.methods, plain(asking.last)
    flat = _FLAT.search(asking.text)
    if methods and methods <= _VALUES and not last:
        if flat is not None and "__" not in flat[1]:
            held = asking.text[: flat.start()].removesuffix(".all()")
            return f"write `[row.{flat[1]} for row in {held}.all()]` in place of `{asking.text}`"
        return f"take the values from the rows of {rows}"
    if not methods and last == "first" and not asking.text:
        text = text_of(asking.place)
        if len(_FIRST.findall(text)) == 1:
            return f"write `{_FIRST.sub('.all.0', text)}` for `{text}`"
        return "write `.all.0` for `.first`"
    if methods and methods <= _LOADS and not last:
        return f"read {rows} and have the prefetch load what the rows need in turn, here and for other callers"
    if last == "exists":
        return f"look for one in {rows} in Python"
    if last in ("count", "aggregate"):
        return f"count over {rows} in Python"
    if last in _PICKS:
        return f"pick from {rows} in Python, or let the rows bring it by `annotate(…=Subquery(…))` where each has many"
    if methods and methods <= _SORTS:
        return f"sort {rows} in Python"
    return f"filter {rows} in Python"


def _rows(event: Event) -> str:
    """The expression for all rows of the relation, as it is written where they are asked for."""
    found = _HEAD.match(event.asking.text) if event.asking is not None else None
    if found is not None and found[1].rpartition(".")[2] == event.path[-1]:
        return f"`{found[1]}.all()`"
    return f"`.all()` of `{event.path[-1]}`"


def numbers(events: Iterable[Event], kept: Iterable[Path] = ()) -> list[Event]:
    """The events that ask for nothing but a number which the rows can bring, one for each expression.

    What no filter narrows is left to a prefetch where the rows are wanted anyway: for another event, or as one of the
    paths `kept`; and below rows of another relation to many.
    """
    found = [event for event in events if event.path]
    wanted = {*kept, *(event.path for event in found if not is_number(event))}
    paths = {*wanted, *(event.path for event in found)}
    told: dict[Place | None, Event] = {}
    for event in found:
        path = event.path
        is_wanted = path in wanted or any(other[: len(path)] == path != other for other in paths)
        if is_number(event) and not (is_answered(event) and (is_wanted or not is_of_row(event))):
            told.setdefault(event.asking.place if event.asking is not None else None, event)
    return list(told.values())


def unnumbered(events: Iterable[Event], told: list[Event]) -> list[Event]:
    """The events that ask for more than the numbers `told`."""
    places = {event.asking.place for event in told if event.asking is not None}
    return [event for event in events if event.asking is None or event.asking.place not in places]


def is_of_row(event: Event) -> bool:
    """Whether the relation leads from the queryset's own row, or from one row that belongs to it."""
    model = event.origin.model if event.origin is not None else None
    for name in event.path[:-1]:
        relation = model.relation(name) if model is not None else None
        if relation is None or relation.many or relation.relation == "generic_fk":
            return False
        model = relation.target
    return True


def annotation(event: Event, *, is_distinct: bool = False) -> str:
    """The expression that brings the number which an event asks for: `Count("items", filter=Q(…))`."""
    asking = event.asking
    assert asking is not None
    last, is_narrowed = plain(asking.last), bool(asking.methods - _SORTS - _LOADS)
    if last == "count" and asking.methods <= _FILTERS | _SORTS | _LOADS:
        extra = (", distinct=True" if is_distinct else "") + (", filter=Q(…)" if is_narrowed else "")
        name = event.relation.query_name if event.relation is not None else ""
        return f'Count("{"__".join([*event.path[:-1], name or event.path[-1]])}"{extra})'
    relation = event.relation
    target = relation.target if relation is not None else None
    back = (relation.remote_query_name or relation.remote) if relation is not None else ""
    if target is None or not back or len(event.path) > 1:
        return "Exists(…)" if last == "exists" else "Subquery(…)"
    rows = f'{manager(target)}.filter({back}=OuterRef("pk"){", …" if is_narrowed else ""})'
    return f"Exists({rows})" if last == "exists" else f"Subquery({rows}.values(…))"


def manager(model: Model) -> str:
    """The manager of a model as one writes it: `Book.objects`."""
    return f"{model.name}.{model.default_manager or 'objects'}"


def grouped(events: Iterable[Event], text_of: TextOf = no_text) -> list[tuple[list[Event], str]]:
    """Numbers with the words for where the rows are to show them, those of one place together."""
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(used(event, text_of), []).append(event)
    return [(held, words) for words, held in found.items()]


def annotated(events: list[Event], *, is_distinct: bool) -> str:
    """The call that brings numbers with the rows: `.annotate(…=Count("items"))`."""
    return f".annotate({', '.join(dict.fromkeys(f'…={annotation(item, is_distinct=is_distinct)}' for item in events))})"


def used(event: Event, text_of: TextOf = no_text) -> str:
    """Where the annotated number is to be read, as it follows the annotation."""
    asking = event.asking
    assert asking is not None
    text = shown(asking, text_of)
    if event.origin is not None and asking.where == event.origin.where:
        return f"and use that in place of `{text}`" if text else "and use that"
    if not asking.text:
        return (
            f"and show that in place of `{text}` in `{asking.where}`" if text else f"and show that in `{asking.where}`"
        )
    return f"and let `{asking.where}` use that where the row has it"


def shown(asking: Asking, text_of: TextOf = no_text) -> str:
    """The expression that asks, to its last method; "" where it is not known."""
    text = asking.text or text_of(asking.place)
    if not asking.text or not asking.last.isidentifier() or f".{asking.last}(" in text or text.endswith("…"):
        return text
    return f"{text}.{asking.last}()"


def asked_for_each(events: Iterable[Event], text_of: TextOf = no_text) -> str:
    """What helps rows for each of which a query runs that is no access to a relation; "" where nothing is known."""
    told: dict[str, None] = {}
    for event in events:
        asking = event.asking
        if event.path or asking is None:
            continue
        text = shown(asking, text_of)
        place = f"`{text}` in `{asking.where}`" if text else f"`{asking.where}`"
        told[f"{place} runs for each row: {_once(event, plain(asking.last))}."] = None
    return " ".join(list(told)[:_SAID])


def _once(event: Event, last: str) -> str:
    model = event.model
    name = model.name if model is not None else ""
    rows = f"{manager(model)}.filter(…)" if model is not None else "…"
    over = f" over {name}" if name else ""
    if last == "count":
        return f"let the rows bring the number, `annotate(…=Subquery(…))`{over}, or count once for all of them"
    if last == "exists":
        return f"let the rows bring the answer, `annotate(…=Exists({rows}))` with the row as `OuterRef(…)`"
    if last == "aggregate":
        return f"let the rows bring the value, `annotate(…=Subquery(…))`{over}"
    wanted = f"{name} rows" if name else "rows"
    if last in _PICKS:
        return (
            f"fetch the {wanted} for all of them with one query before, and pick each from a dictionary, or let the "
            "rows bring what is shown by `annotate(…=Subquery(…))`"
        )
    return f"fetch the {wanted} for all of them with one query before, and group them in a dictionary of lists"
