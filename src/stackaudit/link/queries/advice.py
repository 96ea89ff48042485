"""What to append to a queryset so that its rows bring what is asked of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.link.queries.annotations import ANNOTATED, THAT, annotated, annotation, numbers, unnumbered, used
from stackaudit.link.queries.carried import carried, carrying, outside
from stackaudit.link.queries.elsewhere import elsewhere, takes_calls
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.everykey import beside_bare, is_replaceable, replacing, written
from stackaudit.link.queries.levels import deeper, is_level, of_level, within
from stackaudit.link.queries.lookups import arguments, is_joined, lookups, quoted
from stackaudit.link.queries.needless import read_itself, read_keys
from stackaudit.link.queries.origins import FETCHES_ONE, HANDED, MODEL, SHARED, UNCHUNKED, Origin
from stackaudit.link.queries.reading import (
    TextOf,
    is_narrowed,
    is_number,
    is_of_row,
    is_rewritten,
    looked_at,
    no_text,
    readings,
)
from stackaudit.link.queries.sharing import apart_from_lists, given, instead, ways, with_keys

Path = tuple[str, ...]
_MANAGER = re.compile(r"""\(manager=["'](\w+)["']\)""")
_OWNED = frozenset({"o2o", "reverse_o2o", "reverse_fk", "generic"})
"""Relations to rows that belong to one row alone."""
_NAMED = 6
"""So many columns are named one by one."""
_SHORTCUT = re.compile(r"(?:[\w.]+\.)?(a?get_(?:object|list)_or_404)\(\s*([\w.]+)")
_TOLD = 3
"""So many numbers are told one by one."""


def outermost(event: Event) -> Event:
    """An event on the rows of `day.slots.all()`, asked in a loop over days, as one on the queryset of the days."""
    origin, path = event.origin, event.path
    while origin is not None and origin.outer is not None:
        origin, path = origin.outer, (*origin.way, *path)
    return event if origin is event.origin else replace(event, origin=origin, path=path)


def rows_of(event: Event) -> Model | None:
    """The model of the rows that the innermost loop of an event hands out, as far as its path tells."""
    model = event.origin.model if event.origin is not None else None
    found = model
    for name in event.path[:-1]:
        relation = model.relation(name) if model is not None else None
        if relation is None:
            return event.model or found
        model = relation.target
        found = model if relation.many else found
    return found or event.model


def shared(event: Event) -> Iterator[tuple[Path, Model]]:
    """The paths to many rows that an event goes and that several rows of its queryset may have, with their models."""
    model = event.origin.model if event.origin is not None else None
    is_shared = False
    for index, name in enumerate(event.path):
        relation = model.relation(name) if model is not None else None
        if relation is None and index == len(event.path) - 1:
            relation = event.relation
        model = relation.target if relation is not None else None
        is_shared = is_shared or (relation is not None and relation.relation not in _OWNED)
        if relation is not None and relation.many and model is not None and is_shared:
            yield event.path[: index + 1], model


def leads(event: Event) -> bool:
    """Whether the path of an event begins at the rows of its queryset: with a relation or a column of its model."""
    origin = event.origin
    if origin is None or origin.model is None or not event.path:
        return True
    first, model = event.path[0], origin.model
    return (
        first in origin.lists
        or model.relation(first) is not None
        or (event.kind == "deferred" and model.column(first) is not None)
    )


def joins_rows(origin: Origin | None) -> bool:
    """Whether `select_related()` brings anything with the rows of a queryset, and takes nothing away from them."""
    return origin is None or (not origin.apart and is_replaceable(origin))


def loading(
    origin: Origin | None,
    events: Iterable[Event],
    lacking: Collection[Path] | None = None,
    numbered: dict[Path, list[Event]] | None = None,
) -> str:
    """The calls that load the relations of events: `.select_related("author").prefetch_related("tags")`.

    `lacking` are the keys that nothing loads, None where that is not told; `numbered` the numbers that the rows behind
    some of them bring.
    """
    found, held = list(events), numbered or {}
    is_annotated = takes_calls(origin)
    events = [event for event in apart_from_lists(found) if event.is_loaded]
    model = origin.model if origin is not None else None
    led = [path for path in ways(found) if is_annotated and (lacking is None or path in lacking)]
    wanted = list(dict.fromkeys([*(event.path for event in events), *led, *below(events)]))
    paths = outside(origin, held, wanted)
    generic = {event.path for event in events if event.relation is not None and event.relation.relation == "generic_fk"}
    many = {event.path for event in events if event.kind in ("reverse", "bypassed")}
    joins = [path for path in paths if path not in generic | many and is_joined(model, path) and joins_rows(origin)]
    joined = beside_bare(origin, joins)
    rest = [path for path in paths if path not in joins]
    joining = f".select_related({arguments(joined)})" if joined else ""
    return joining + prefetching(rest, found, is_annotated, carrying(origin, held, wanted))


def prefetching(paths: Iterable[Path], events: list[Event], is_annotated: bool, first: Iterable[str] = ()) -> str:
    """The calls that load `paths`, and what code shared with others asks for; `first` are arguments to begin with."""
    taken = ", ".join(filter(None, [*first, given(paths, events, is_annotated)]))
    return (f".prefetch_related({taken})" if taken else "") + with_keys(events, is_annotated)


def below(events: Iterable[Event]) -> Iterator[Path]:
    """The paths that have to be prefetched with those of events, since Python asks what the query named."""
    for event in events:
        if event.kind == "reverse" and is_rewritten(event) and not (is_number(event) or is_narrowed(event)):
            yield from looked_at(event)
        if event.kind == "reverse" and event.asking is not None:
            yield from ((*event.path, *path) for path in event.asking.below)


def with_branches(origin: Origin | None, source: str) -> str:
    """The text of a queryset with those of the branches that take another one, to stand between backticks."""
    others = [item.text for item in origin.beside if item.text] if origin is not None else []
    return "` and `".join(dict.fromkeys([source, *others]))


def of_one(origin: Origin | None, source: str, events: list[Event]) -> str:
    """What helps rows that are asked for relations to one row, or for columns that `only()` or `defer()` left out."""
    if origin is not None and origin.by == SHARED:
        return ""
    deferred = [event for event in events if event.kind == "deferred"]
    rest = [event for event in events if event.kind != "deferred" and event.is_loaded]
    source = _placed(origin, with_branches(origin, source), events)
    parts = [*_let_in(origin, deferred, source)]
    call = loading(origin, rest)
    if call and (not takes_calls(origin) or (origin is not None and _is_single(origin))):
        at_all = takes_calls(origin)
        where = _appended(origin, call, source) if at_all else elsewhere(origin, call, _paths(origin, rest))
        return " ".join([*(f"{part[:1].upper()}{part[1:]}." for part in parts), where])
    if call:
        source = called(origin, events) or source
        before, whole = bool(parts) and parts[-1].endswith(source), written(origin, call)
        if whole and origin is not None and source.startswith(f"`{origin.text}`") and not before:
            parts.append(f"write `{whole}` in place of {source}")
        else:
            parts.append(f"append `{call}` to {'it' if before else source}")
    text = " and ".join(parts) + "." if parts else ""
    more = () if deferred else naming(origin, call, text)
    kept = (*read_itself(events), *read_keys(events))
    told = [text[:1].upper() + text[1:], *more, *streaming(rest, call), *kept]
    return " ".join(filter(None, told))


def addition(origin: Origin, calls: str, then: str = "") -> str:
    """The sentence that says where `calls` go: behind the queryset, or before the method that fetches one row of it.

    `then` is what is to be done with them ("and use that").
    """
    where = f" in {origin.where}" if origin.where else ""
    then = f" {then}" if then else ""
    if origin.by == SHARED and origin.model is not None:
        return (
            f"Give the view of {origin.model.name} a queryset of its own with `{calls}`{then}: "
            f"`{origin.text}`{where} serves other models, too."
        )
    if origin.by == MODEL:
        return f"Return `super().get_queryset(){calls}` from get_queryset() of {origin.where}{then}."
    shortcut = _SHORTCUT.match(origin.text)
    if shortcut is not None:
        held = shortcut[2]
        if origin.model is not None and held.rpartition(".")[2] == origin.model.name:
            return f"Give `{shortcut[1]}`{where} the queryset `{held}.objects{calls}` instead of `{held}`{then}."
        return f"Add `{calls}` to the first argument of `{origin.text}`{where}{then}."
    if _is_fetched(origin):
        return f"Put `{calls}` before `.{origin.by}(…)` in `{origin.text}`{where}{then}."
    if whole := written(origin, calls):
        return f"Write `{whole}` in place of `{origin.text}`{where}{then}."
    return f"Add `{calls}` to `{with_branches(origin, origin.text)}`{where}{then}."


def _is_fetched(origin: Origin) -> bool:
    """Whether an expression ends with the method that fetches one row."""
    return origin.by in FETCHES_ONE and (f".{origin.by}(" in origin.text or origin.text.endswith("…"))


def _is_single(origin: Origin) -> bool:
    """Whether an expression gives a row, or is no queryset that anything could be appended to."""
    return origin.by == MODEL or _is_fetched(origin) or _SHORTCUT.match(origin.text) is not None


def _appended(origin: Origin | None, calls: str, source: str, then: str = "") -> str:
    """The sentence that says where calls go: behind a queryset, or where one row of it is fetched, before that."""
    if origin is not None and _is_single(origin):
        return addition(origin, calls, then)
    whole = written(origin, calls)
    if origin is not None and whole and source.startswith(f"`{origin.text}`"):
        return f"Write `{whole}` in place of {source}{f' {then}' if then else ''}."
    return f"Append `{calls}` to {source}{f' {then}' if then else ''}."


def streaming(events: Iterable[Event], calls: str) -> Iterator[str]:
    """What else has to change where `calls` are to prefetch for rows that `iterator()` hands out."""
    if ".prefetch_related(" not in calls:
        return
    for way in dict.fromkeys(event.origin.streamed for event in events if event.origin is not None):
        if way == UNCHUNKED:
            yield (
                "Give its `iterator()` a chunk size, `.iterator(chunk_size=2000)`: without one it prefetches nothing "
                "(ValueError since Django 5.0)."
            )
        elif way:
            since = "4.1" if way == "iterator" else "5.0"
            yield f"Take the `{way}()` off: before Django {since} it prefetches nothing."


def naming(origin: Origin | None, calls: str, told: str) -> Iterator[str]:
    """What else changes where `calls` join more rows: what a queryset joins by itself, the columns that they bring.

    `told` is the fix so far.
    """
    yield from replacing(origin, calls, told)
    while origin is not None and not origin.sparse:
        origin = origin.refined
    if origin is not None and ".select_related(" in calls:
        yield "Name what is read of those rows in its `only()`, too, as it does for others: all columns come otherwise."


def _let_in(origin: Origin | None, deferred: list[Event], source: str) -> Iterator[str]:
    """What to change so that a queryset brings the columns that its `only()` or `defer()` left out."""
    inner = [event for event in deferred if is_nested(event)]
    for path in dict.fromkeys(event.path[:-1] for event in inner):
        names = [event.path[-1] for event in inner if event.path[:-1] == path]
        yield f"load {quoted(dict.fromkeys(names))} with the rows that {source} prefetches as `{'__'.join(path)}`"
    for method in ("only", "defer"):
        names = lookups(event.path for event in deferred if event.method == method and event not in inner)
        if not names:
            continue
        held = _that_calls(origin, method)
        if held is not None and held is not origin:
            source = _placed(held, held.text, deferred)
        if len(names) > _NAMED:
            yield f"take the {method}() off {source}, which leaves out {quoted(names[:_NAMED])} and more"
        elif method == "only":
            yield f"add {quoted(names)} to the only() of {source}"
        else:
            yield f"take {quoted(names)} out of the defer() of {source}"


def is_nested(event: Event) -> bool:
    """Whether a path goes through a relation to many rows before its last step."""
    model = event.origin.model if event.origin is not None else None
    for name in event.path[:-1]:
        relation = model.relation(name) if model is not None else None
        if relation is None or relation.many:
            return relation is not None
        model = relation.target
    return False


def _that_calls(origin: Origin | None, method: str) -> Origin | None:
    """The queryset that calls a method itself, where the rows were made of it in another expression."""
    shortened = None
    while origin is not None and f".{method}(" not in origin.text:
        shortened = origin if origin.text.endswith("…") else shortened
        origin = origin.refined
    return origin or shortened


def of_many(origin: Origin | None, source: str, events: list[Event], lacking: Collection[Path] | None = None) -> str:
    """What helps rows that are asked for many related rows, and for what those are asked in turn.

    `lacking` are the keys on the way there that nothing loads, None where that is not told.
    """
    if origin is not None and origin.by == SHARED:
        return ""
    level = within(origin, filter(is_level, events))
    if level is not None:
        return of_level(level, loading(origin, [event for event in events if event.path[:1] != level.path]))
    source = called(origin, events) or _placed(origin, with_branches(origin, source), events)
    named = [event for event in events if _by_manager(event)]
    events = [event for event in events if event not in named]
    counted = numbers(events)
    wanted = unnumbered(events, counted)
    numbered = carried(origin, counted, lacking or ())
    call = loading(origin, wanted, lacking, numbered)
    told = [event for events in numbered.values() for event in events]
    texts = (
        [_appended(origin, f".prefetch_related({', '.join(dict.fromkeys(map(_by_manager, named)))})", source)]
        if named
        else []
    )
    if call and not takes_calls(origin):
        texts.append(elsewhere(origin, call, _paths(origin, wanted)))
    else:
        texts += [*_brought(origin, call, source, counted, told), *streaming(wanted, call)]
    rest = [event for event in counted if event not in told]
    return " ".join([*texts, *_otherwise(origin, wanted, rest), *deeper(wanted)])


def _by_manager(event: Event) -> str:
    """What prefetches rows as the manager gives them that the code names: `author.books(manager="published")`."""
    found = _MANAGER.search(event.asking.text) if event.asking is not None else None
    target = event.relation.target if event.relation is not None else None
    if found is None or target is None:
        return ""
    return f'Prefetch("{"__".join(event.path)}", queryset={target.name}.{found[1]}.all())'


def of_prefetched(origin: Origin | None, source: str, events: list[Event]) -> str:
    """What helps rows that bring what they are asked for, where the question does not look at it."""
    counted = numbers(events)
    wanted = unnumbered(events, counted)
    source = _placed(origin, with_branches(origin, source), events)
    picked = [event.path for event in apart_from_lists(wanted) if event.kind != "bypassed"]
    call = prefetching(picked, wanted, takes_calls(origin))
    texts = _brought(origin, call, source, counted) if takes_calls(origin) else ()
    return " ".join([*texts, *_otherwise(origin, wanted, counted)])


def _brought(
    origin: Origin | None, call: str, source: str, counted: list[Event], inside: Iterable[Event] = ()
) -> Iterator[str]:
    """The sentence for what a queryset is to bring: what `call` loads, numbers `inside` that and those of its rows."""
    owned = _owned(origin, counted)
    calls, numbers = call + (annotated(owned) if owned else ""), [*owned, *inside]
    if calls:
        yield _appended(origin, calls, source, used(numbers, named=ANNOTATED if call else THAT) if numbers else "")


def _owned(origin: Origin | None, counted: list[Event]) -> list[Event]:
    """Those of the numbers that a queryset itself can bring."""
    return [event for event in counted if is_of_row(event) and takes_calls(origin)]


def _otherwise(origin: Origin | None, wanted: list[Event], counted: list[Event]) -> Iterator[str]:
    """What to ask in another way than by the query that runs, and the numbers that rows between are to bring."""
    yield from (*readings(wanted), *read_itself(wanted), *read_keys(wanted))
    yield from instead(wanted, takes_calls(origin))
    owned = _owned(origin, counted)
    for event in [event for event in counted if event not in owned][:_TOLD]:
        yield of_rows_between(event)


def of_rows_between(event: Event, text_of: TextOf = no_text) -> str:
    """The sentence for a number of rows behind rows that something else brings."""
    relation = event.relation
    owner = f"{relation.model.name} rows" if relation is not None and relation.model is not None else "rows"
    brought = annotation(replace(event, path=event.path[-1:], origin=None))
    path, model = event.path[:-1], event.origin.model if event.origin is not None else None
    alone = f" (by a `Prefetch` of `{'__'.join(path)}` alone: a join brings none)" if is_joined(model, path) else ""
    return f"Let the {owner} come from a queryset with `.annotate(…={brought})`{alone} {used([event], text_of)}."


def called(origin: Origin | None, events: list[Event]) -> str:
    """The call in the loop that gives the queryset which another function makes; "" where several loops get it.

    What is appended there costs nobody else.
    """
    loops = {loop for event in events if (loop := event.loop) is not None and loop.behind is None}
    given = loops.pop().called if len(loops) == 1 else None
    if given is None or origin is None or given[1] != origin.place or origin.beside:
        return ""
    return f"`{given[0]}`"


def _placed(origin: Origin | None, source: str, events: list[Event]) -> str:
    """A queryset by its text, and where it stands if that is another function than the one of the loop."""
    where = origin.where if origin is not None else ""
    return f"`{source}`" + (f" in {where}" if where and events and where != events[0].where else "")


def _paths(origin: Origin | None, events: list[Event]) -> str:
    """What `prefetch_related_objects()` takes for rows, or for the one row that they stand behind."""
    if origin is not None and origin.by == HANDED:
        events = [replace(event, path=(*origin.way[-1:], *event.path)) for event in events]
    return given((event.path for event in apart_from_lists(events)), events, is_annotated=False)
