"""What the code that asks for related rows has to change so that rows loaded before, or their number, answer it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event, begin
from stackaudit.link.queries.lookups import calls, longest, way_to
from stackaudit.link.queries.origins import Asking
from stackaudit.link.queries.table import ASYNC
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place

Path = tuple[str, ...]
TextOf = Callable[[Place], str]
"""The text of the expression of a template at a place."""
NUMBERS = frozenset({"count", "exists"})
"""Methods that ask for a number of rows, or for whether there are any."""
_ANSWERED = frozenset({"", "…", "[…]", "all", "count", "exists", "contains"})
PICKS = frozenset({"first", "last", "get", "earliest", "latest"})
FILTERS = frozenset({"filter", "exclude"})
SORTS = frozenset({"order_by", "reverse"})
_VALUES = frozenset({"values", "values_list"})
LOADS = frozenset({"select_related", "prefetch_related", "only", "defer", "using"})
_BRINGS = frozenset({"select_related", "prefetch_related"})
_HEAD = re.compile(r"([\w.\[\]\"]*)\.\w+\(")
_FLAT = re.compile(r'\.values_list\("([a-z]\w*?)", flat=True\)$')
_KEYWORD = re.compile(r"[(,]\s*(\w+)=(?!=)")
_PATH = re.compile(r'"-?(\w+__\w+)"')
_FIRST = re.compile(r"\.first(?=$|[.|])")
_CUT = re.compile(r"\|slice:[^|]*$")
_ENDS = frozenset({"", "…", "[…]", "first"})
"""How a slice, or the first of its rows, is asked for."""
_FIRSTS = frozenset({"first", "[…]"})
_FEW = " (where each row has few of them)"
SAID = 3
"""So many places are told one by one."""


def no_text(place: Place) -> str:
    """Where no template is looked at, none has a text."""
    return ""


def is_answered(event: Event) -> bool:
    """Whether the method that reads many related rows would find them in what was prefetched, and is to do so."""
    if is_cut(event):
        return False
    method = plain(event.method)
    if method == "first":
        target = event.relation.target if event.relation is not None else None
        return target is not None and (bool(target.ordered) or goes_by_key(event))
    if method == "earliest" and event.asking is not None and not event.asking.text:
        return True  # the first one by its index, in a template
    return method in _ANSWERED


def goes_by_key(event: Event) -> bool:
    """Whether it asks a plain relation for its first row, and nothing but the key says which one that is.

    A prefetch that is ordered by the key then holds the same row first, and `first()` takes it from there: measured on
    Django 4.2 and 5.2. `last()` asks again, whatever the order.
    """
    asking, target = event.asking, event.relation.target if event.relation is not None else None
    if asking is None or target is None or asking.methods or is_cut(event):
        return False
    if plain(asking.last) != "first" or plain(event.method) != "first" or target.ordered is not False:
        return False
    made = target.managers.get(target.default_manager)
    return made is None or not isinstance(made.cls, SourceClass) or made.cls.find("get_queryset") is None


def is_cut(event: Event) -> bool:
    """Whether only the first of many rows are read: a prefetch of the relation would load all of them."""
    return event.asking is not None and bool(event.asking.cut)


def is_left(event: Event) -> bool:
    """Whether a query for the first of many rows had better stay: no other one brings those of several rows."""
    asking = event.asking
    if event.kind != "reverse" or asking is None or not asking.cut or asking.callers or is_narrowed(event):
        return False
    return plain(asking.last) in _ENDS - {"first"}


def is_number(event: Event) -> bool:
    """Whether no row is wanted nor loaded: only how many there are, whether there are any, or a sum of them."""
    if event.kind == "bypassed" or event.asking is None or is_cut(event) or _is_told_late(event):
        return False
    last = plain(event.asking.last)
    return last in ("count", "aggregate") or (last == "exists" and (is_of_row(event) or is_answered(event)))


def _is_told_late(event: Event) -> bool:
    """Whether a filter names what only a later method has, of an object that made the queryset with itself.

    A form makes the querysets of its fields before it sees what is posted, those of its class before it is there.
    """
    asking, origin = event.asking, event.origin
    if asking is None or origin is None or not asking.named:
        return False
    cls = asking.where.rpartition(".")[0]
    return origin.where == cls or (origin.where == f"{cls}.__init__" != asking.where and asking.named != {"self"})


def hands_on(event: Event) -> bool:
    """Whether a function returns a queryset of which a caller elsewhere wants a number: others may want the rows."""
    asking = event.asking
    if asking is None or not asking.text or plain(asking.last) not in (*NUMBERS, "aggregate"):
        return False
    return event.query.path != asking.place.path


def is_rewritten(event: Event) -> bool:
    """Whether the expression that asks has to be written in another way, for all who run it."""
    if event.asking is None or not event.path or is_answered(event) or hands_on(event) or is_given(event):
        return False
    return not event.asking.callers


def is_given(event: Event) -> bool:
    """Whether the function that asks answers from an attribute where the row has it, so that it needs no other way."""
    asking = event.asking
    return asking is not None and bool(asking.takes and event.path) and not (is_answered(event) or is_cut(event))


def is_narrowed(event: Event) -> bool:
    """Whether the database has to keep narrowing the rows, by what is the same for each row of the loop.

    What another queryset finds may be much more than the rows, and so may the rows that it leaves out. A Prefetch takes
    a slice since Django 4.2, for a list of its own only, and never behind a generic relation (TypeError).
    """
    asking, relation = event.asking, event.relation
    if event.kind != "reverse" or asking is None or not is_rewritten(event) or asking.varies:
        return False
    if not asking.methods <= FILTERS | SORTS | LOADS | _VALUES | {"distinct"}:
        return False
    if asking.cut:
        is_sliced = relation is not None and relation.target is not None and relation.relation != "generic"
        return is_sliced and plain(asking.last) in _ENDS
    return asking.is_broad and not plain(asking.last)


def takes_less(asking: Asking) -> bool:
    """Whether a query brings less than all rows, so that reading all of them costs more where nothing is prefetched."""
    wanted = asking.methods - SORTS - LOADS - {"distinct", "all"}
    return bool(wanted or asking.cut) or plain(asking.last) in PICKS | NUMBERS | {"aggregate"}


def is_pick(asking: Asking) -> bool:
    """Whether one of the rows is wanted."""
    return plain(asking.last) in PICKS


def plain(method: str) -> str:
    """The synchronous name of a method."""
    return ASYNC.get(method, method)


def readings(events: Iterable[Event], text_of: TextOf = no_text, several: frozenset[str] = frozenset()) -> list[str]:
    """Where relations are read in ways that prefetched rows do not answer, and how to read them instead.

    `several` are the templates that show rows of several querysets.
    """
    known = list(events)
    places: dict[tuple[str, str, bool], list[Event]] = {}
    for event in known:
        if is_rewritten(event) and event.asking is not None and not is_left(event):
            cut = is_cut(event) and is_narrowed(event)
            preposition = "In" if event.asking.text or cut or plain(event.asking.last) == "first" else "For"
            key = preposition, _home(event.asking.given or event.asking.where), cut
            places.setdefault(key, []).append(event)
    told: dict[tuple[str, str], list[str]] = {}
    for (preposition, place, cut), found in places.items():
        instead = list(dict.fromkeys(_instead(event, text_of) for event in found))
        methods = list(dict.fromkeys(called(event) for event in found))
        names = list(dict.fromkeys(f"`{'__'.join(event.path)}`" for event in found))
        ask = "asks" if len(methods) == 1 else "ask"
        is_shown = any(event.asking is not None and event.asking.place.path in several for event in found)
        bypassed = [event for event in found if event.kind == "bypassed"]
        more = list(dict.fromkeys(f"`{'__'.join(path)}`" for event in bypassed for path in looked_at(event)))
        uses = list(dict.fromkeys(use for event in found if event.asking is not None for use in event.asking.uses))
        said = (
            f"{in_words(instead, ', and ', SAID)}: "
            + (
                f"a prefetch of {in_words(names, most=SAID)} alone would load all of them (a Prefetch takes a slice "
                "since Django 4.2, with `to_attr`)."
                + (" Every view that shows this template has to bring the list then." if is_shown else "")
                if cut
                else f"{in_words(methods, most=SAID)} {ask} the database even where {in_words(names, most=SAID)} "
                f"{'is' if len(names) == 1 else 'are'} prefetched."
            )
            + (f" That looks at {in_words(more, most=SAID)}: prefetch that, too." if more else "")
            + (
                f" What it gives is a list then, which has no such methods: change {in_words(uses, most=SAID)}."
                if uses
                else ""
            )
        )
        told.setdefault((preposition, said), []).append(place)
    sentences = [f"{preposition} {in_words(homes, most=SAID)} {said}" for (preposition, said), homes in told.items()]
    return [*sentences[:SAID], *_by_key(known), *_brought(known), *_unwise(known)]


def own_prefetches(events: Iterable[Event], paths: Iterable[Path]) -> dict[Path, str]:
    """The prefetches of a queryset of their own, by their paths; those of them that are to be loaded."""
    wanted, found = list(paths), list(events)
    own = {path: f"queryset={rows}" for path, (rows, _) in bringing(found).items() if path in wanted}
    return {**own, **ordered_prefetches((event for event in found if event.kind == "reverse"), wanted)}


def bringing(events: Iterable[Event]) -> dict[Path, tuple[str, list[Path]]]:
    """The querysets of rows which the code asks for with calls that load more, and the paths that they bring."""
    known, found = list(events), dict[Path, tuple[str, list[Path]]]()
    for event in known:
        asking, target = event.asking, event.relation.target if event.relation is not None else None
        if asking is None or target is None or asking.brings is None or event.path in found:
            continue
        more = [item.path[len(event.path) :] for item in known if item.path[: len(event.path)] == event.path]
        alike = [item.asking.brings or () for item in known if item.asking is not None and item.path == event.path]
        paths = longest([*(path for brings in alike for path in brings), *filter(None, more)])
        if paths:
            found[event.path] = ".".join([manager(target), *calls(target, paths)]), paths
    return found


def _brought(events: list[Event]) -> Iterator[str]:
    """How a prefetch that is there has to change for rows which the code asks for with calls that load more."""
    there = [event for event in events if event.kind == "bypassed"]
    made = [f'`Prefetch("{"__".join(path)}", queryset={rows})`' for path, (rows, _) in bringing(there).items()]
    if made:
        yield f"Let the prefetch be {in_words(made, most=SAID)}, before each path that leads through it."


def ordered_prefetches(events: Iterable[Event], paths: Iterable[Path]) -> dict[Path, str]:
    """The prefetches that hold the row of the lowest key first, by their paths; those of them that are to be loaded."""
    wanted, found = list(paths), dict[Path, str]()
    for event in sorted(events, key=lambda event: len(event.path)):
        target = event.relation.target if event.relation is not None else None
        if target is not None and goes_by_key(event) and any(p[: len(event.path)] == event.path for p in wanted):
            found[event.path] = f'queryset={manager(target)}.order_by("pk")'
    return found


def _by_key(events: Iterable[Event]) -> Iterator[str]:
    """Why what asks for the first row stays as it is, and how a prefetch that is there has to change for it."""
    found = [event for event in events if goes_by_key(event)]
    there = [event for event in found if event.kind == "bypassed"]
    if there:
        made = ordered_prefetches(there, [event.path for event in there])
        kept = in_words([f'`Prefetch("{"__".join(path)}", {rows})`' for path, rows in made.items()], most=SAID)
        yield f"Let the prefetch be {kept}, before each path that leads through it (else ValueError)."
    if found:
        homes = in_words(list(dict.fromkeys(_home(event.asking.where) for event in found if event.asking)), most=SAID)
        yield f"`{found[0].method}()` of a prefetch that is ordered asks nothing: it stays in {homes}."


def is_dear(event: Event) -> bool:
    """Whether code that finds the rows loaded asks the database for each of them."""
    return event.kind == "reverse" and event.asking is not None and event.asking.dear != ""


def _unwise(events: Iterable[Event]) -> Iterator[str]:
    """The sentences for rows that had better not be loaded."""
    dear = {(event.path[-1], event.asking.dear) for event in events if event.asking is not None and is_dear(event)}
    for name, where in sorted(dear)[:SAID]:
        yield f"Do not prefetch `{name}` alone: `{where}` then asks the database for each of those rows."


def looked_at(event: Event) -> Iterator[Path]:
    """The relations of the wanted rows that a query names, as far as the expression tells: Python asks for those."""
    if event.asking is not None:
        text = event.asking.text
        named = [name.removeprefix("-") for name in event.asking.columns]
        yield from behind(event, (*_KEYWORD.findall(text), *_PATH.findall(text), *named))


def behind(event: Event, names: Iterable[str]) -> Iterator[Path]:
    """The relations that lead from the wanted rows to what `names` of queries stand for."""
    target = event.relation.target if event.relation is not None else None
    yield from ((*event.path, *way) for name in dict.fromkeys(names) if (way := way_to(target, name)))


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
    if is_narrowed(event):
        text = shown(asking, text_of)
        text = f"`{(text if asking.cut else _CUT.sub('', text)) or event.path[-1]}`"
        read = "take the values from" if methods & _VALUES else "read the first of" if last in _FIRSTS else "read"
        return f"{read} that list in place of {text}"
    flat = _FLAT.search(asking.text)
    if methods and methods <= _VALUES and not last:
        held = asking.text[: flat.start()].removesuffix(".all()") if flat is not None else ""
        if flat is not None and "__" not in flat[1] and _is_manager(held, event):
            return f"write `[row.{flat[1]} for row in {held}.all()]` in place of `{asking.text}`"
        return f"take the values from {rows}"
    if not methods and last == "first" and not asking.text:
        text = text_of(asking.place)
        if asking.is_argument:
            return _within(text)
        if len(_FIRST.findall(text)) == 1:
            return f"write `{_FIRST.sub('.all.0', text)}` for `{text}`"
        return "write `.all.0` for `.first`"
    if methods and methods <= LOADS and not last:
        if asking.brings is None:
            return f"read {rows} and have the prefetch load what the rows need in turn, here and for other callers"
        others = in_words(list(asking.others), most=SAID)
        itself = "" if begin(event.query) == begin(asking.place) else " itself (what `all()` makes of it asks again)"
        return f"read {rows}{itself}{f' and prefetch the same for its other callers ({others})' if others else ''}"
    if last == "exists":
        return f"look for one in {rows} in Python{_FEW}"
    if last in ("count", "aggregate"):
        return f"count over {rows} in Python"
    if last in PICKS:
        needs = " (and have the prefetch load what that needs in turn)" if methods & _BRINGS else ""
        other = "let the rows bring it by `annotate(…=Subquery(…))` where each has many"
        return f"pick from {rows} in Python{needs}, or {other}"
    if methods and methods <= SORTS:
        return f"sort {rows} in Python"
    if methods <= FILTERS | SORTS | LOADS | {"distinct"}:
        return f"filter {rows} in Python{_FEW}" if methods & FILTERS else f"read {rows}, each once"
    if methods & FILTERS and methods <= FILTERS | SORTS | LOADS | _VALUES | {"distinct"}:
        return f"filter {rows} in Python{_FEW} and take the values from those"
    each = " and ".join(
        (["each once"] if "distinct" in methods else []) + (["in the same order"] if methods & SORTS else [])
    )
    return f"work it out from {rows} in Python{f', {each}' if each else ''}"


def _within(text: str) -> str:
    """What to write for the first row in an argument of a filter or tag, where an index that is not there raises."""
    found = _FIRST.search(text)
    if found is None:
        return "bind the first row by `{% with first=….all|first %}` before"
    head, name = text[: found.start()], f"first{text[found.end() :]}"
    return f"put `{{% with first={head}.all|first %}}…{{% endwith %}}` around it and write `{name}` for `{text}`"


def _rows(event: Event) -> str:
    """The expression for all rows of the relation, as it is written where they are asked for."""
    if event.asking is not None and event.asking.given:
        return "the rows of whatever relation it is given"
    found = _HEAD.match(event.asking.text) if event.asking is not None else None
    if found is not None and _is_manager(found[1], event):
        return f"`{found[1]}.all()`"
    return f"the rows of `{event.path[-1]}.all()`"


def _is_manager(text: str, event: Event) -> bool:
    """Whether an expression is the relation of a row: all() of a variable may be a queryset of its own."""
    row, _, name = text.rpartition(".")
    return bool(row) and name == event.path[-1]


def is_of_row(event: Event) -> bool:
    """Whether the relation is one of the queryset's own row, or of one that belongs to it and is read beside it."""
    if len(event.path) > 1 and (event.asking is None or event.asking.where != event.where):
        return False
    return is_of_one(event)


def is_of_one(event: Event) -> bool:
    """Whether each row of the queryset leads to one row at most that has the relation."""
    model = event.origin.model if event.origin is not None else None
    for name in event.path[:-1]:
        relation = model.relation(name) if model is not None else None
        if relation is None or relation.many or relation.relation == "generic_fk":
            return False
        model = relation.target
    return True


def manager(model: Model) -> str:
    """The manager of a model as one writes it: `Book.objects`."""
    return f"{model.name}.{model.default_manager or 'objects'}"


def shown(asking: Asking, text_of: TextOf = no_text) -> str:
    """The expression that asks, to its last method; "" where it is not known."""
    text = asking.text or text_of(asking.place)
    if not asking.text or not asking.last.isidentifier() or f".{asking.last}(" in text or text.endswith("…"):
        return text
    return f"{text}.{asking.last}()"
