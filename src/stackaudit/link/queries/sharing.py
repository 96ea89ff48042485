"""What helps one loop where the code that asks serves others, too, whose rows bring nothing.

Reading from all rows would be free for the loop and dear for them, so that code is left as it is: the loop's own
queryset brings the answer, or the rows that it is read from, under a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from stackaudit.link.queries.events import Event
from stackaudit.link.queries.lookups import arguments, calls, longest, quoted
from stackaudit.link.queries.origins import Asking
from stackaudit.link.queries.reading import (
    SAID,
    SORTS,
    TextOf,
    behind,
    bringing,
    is_answered,
    is_dear,
    is_given,
    is_left,
    is_narrowed,
    is_number,
    is_of_one,
    is_pick,
    looked_at,
    manager,
    no_text,
    own_prefetches,
    plain,
    shown,
)
from stackaudit.link.queries.repeated import CALLS, OF_DATES, OPEN, order_of_pick
from stackaudit.model.prose import in_words

_KEYWORDS = re.compile(r"filter\(\w+=(?!=)")
"""A filter that takes nothing but keywords."""


def is_shared(event: Event) -> bool:
    """Whether others run the code that asks, and would pay for another way to read."""
    is_asked = event.asking is not None and bool(event.asking.callers and event.path)
    return is_asked and not (is_answered(event) or is_given(event))


def tested_together(events: Iterable[Event]) -> dict[tuple[str, ...], str]:
    """The relations of which one function asks, beside others of the same rows, whether anything is there; and where.

    One annotation for each would be a long query, and the function would have to read all of them; `exists()` uses what
    is prefetched (measured on Django 4.2 and 5.2). What somebody puts into a many-to-many relation by hand is few.
    """
    found: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], str]] = {}
    for event in events:
        asking, relation = event.asking, event.relation
        if asking is None or relation is None or relation.relation != "m2m" or not asking.text or asking.methods:
            continue
        if event.kind == "reverse" and plain(asking.last) == "exists" and is_answered(event):
            found.setdefault((asking.where, event.path[:-1]), {})[event.path] = asking.where
    return {path: where for paths in found.values() if len(paths) > 1 for path, where in paths.items()}


def is_listed(event: Event) -> bool:
    """Whether the rows are to come as a list of their own: `Prefetch(…, to_attr="…")`, or by their keys."""
    return is_shared(event) or is_narrowed(event)


def given(paths: Iterable[tuple[str, ...]], events: Iterable[Event], is_annotated: bool) -> str:
    """What `prefetch_related()` takes for paths: first those in an order of their own, which others lead through."""
    wanted, known = list(paths), list(events)
    inner = bringing(event for event in known if event.kind == "reverse")
    wanted = [path for path in wanted if not any(path[: len(held)] == held != path for held in inner)] + [*inner]
    ordered = own_prefetches(known, wanted)
    rows: dict[str, list[str]] = {}
    for path, queryset in ordered.items():
        rows.setdefault(queryset, []).append("__".join(path))
    made = [
        f'Prefetch("{names[0]}", {queryset})'
        if len(names) == 1
        else f"*(Prefetch(path, {queryset}) for path in ({quoted(names)}))"
        for queryset, names in rows.items()
    ]
    rest = arguments(path for path in longest(wanted) if path not in ordered)
    return ", ".join(filter(None, [*made, rest, *prefetches(known, is_annotated)]))


def prefetches(events: Iterable[Event], is_annotated: bool) -> list[str]:
    """The arguments of `prefetch_related()` that bring lists of their own; `is_annotated` says that keys come by an
    annotation."""
    known = list(events)
    found = [event for event in known if is_listed(event) and not (is_annotated and _key(event))]
    found = [event for event in found if not (is_shared(event) and _is_whole(event.path, known))]
    return list(dict.fromkeys(_list(event, _brings(event, known)) for event in found))


def apart_from_lists(events: Iterable[Event]) -> list[Event]:
    """The events but for those that bring rows of their own, and what those rows are asked for.

    Rows that had better not be loaded are left out, too, with all that they are asked for, and those of which the code
    takes the answer from an attribute.
    """
    known = list(events)
    dear = {event.path for event in known if is_dear(event)}
    found = [event for event in known if not any(event.path[: len(path)] == path for path in dear)]
    apart = {event for event in found if is_listed(event) or is_left(event) or is_given(event)}
    inside = {other for event in apart for other in _within(event, found)}
    return [event for event in found if event not in apart and event not in inside]


def _within(event: Event, events: list[Event]) -> Iterator[Event]:
    """What the rows of a list are asked for, where nothing else needs all of the rows."""
    path, length = event.path, len(event.path)
    below = [other for other in events if len(other.path) > length and other.path[:length] == path]
    if not _is_whole(path, events):
        yield from (other for other in below if not is_listed(other))


def _is_whole(path: tuple[str, ...], events: list[Event]) -> bool:
    """Whether all rows of a relation are loaded anyway."""
    found = (event for event in events if event.path == path)
    return any(not (is_listed(event) or is_left(event) or is_given(event) or is_number(event)) for event in found)


def _loads(event: Event, events: list[Event]) -> list[str]:
    """The calls that bring what the rows of a query are asked for."""
    target = event.relation.target if event.relation is not None else None
    return calls(target, [other.path[len(event.path) :] for other in _within(event, events)])


def _brings(event: Event, events: list[Event]) -> list[str]:
    """The calls that bring what rows are asked for that come in place of a query: also what it took of other tables.

    Where the list is of all rows Python looks at what the query compared, too.
    """
    asking, target = event.asking, event.relation.target if event.relation is not None else None
    if asking is None:
        return []
    is_all = not _is_same_for_all(asking) and not is_pick(asking)
    taken = looked_at(event) if is_all else behind(event, asking.values)
    paths = (*(other.path for other in _within(event, events)), *taken)
    return calls(target, list(dict.fromkeys(path[len(event.path) :] for path in paths)))


def with_keys(events: Iterable[Event], is_annotated: bool) -> str:
    """The call that brings the keys of the rows which shared code picks: `.annotate(…=Subquery(…))`."""
    keys = [_key(event) for event in events if is_annotated and is_shared(event)]
    made = ", ".join(f"…={key}" for key in dict.fromkeys(filter(None, keys)))
    return f".annotate({made})" if made else ""


def instead(events: Iterable[Event], is_annotated: bool, text_of: TextOf = no_text) -> list[str]:
    """The sentences that say which queries stay, and what to read in place of what shared code gives."""
    known = list(events)
    homes: dict[tuple[str, str, bool], dict[str, Asking]] = {}
    for event in known:
        if is_shared(event) and event.asking is not None:
            is_keyed = is_annotated and bool(_key(event))
            is_there = not is_keyed and _is_whole(event.path, known)
            reads = [*(event.asking.uses or event.asking.reads)] if event.asking.is_whole and not is_there else []
            brought = _fetched(event, known) if is_keyed else _kept(event) if is_there else ""
            key = brought, in_words(reads, most=SAID) if reads else "", is_there
            homes.setdefault(key, {})[f"`{event.asking.where}`"] = event.asking
    said = []
    for (brought, replaced, is_there), found in homes.items():
        callers = list(dict.fromkeys(place for asking in found.values() for place in asking.callers))
        serve, it = ("serves", "it") if len(found) == 1 else ("serve", "them")
        once = ", each once," if any("distinct" in asking.methods for asking in found.values()) else ","
        read = (
            f"read that in place of {replaced}" if replaced else f"let {it} read that{once} and ask where there is none"
        )
        told = f"{brought or 'bring the rows under a name of their own'}, and {read}"
        said.append(
            f"{in_words([*found], most=SAID)} {serve} others, too ({in_words(callers, most=SAID)})"
            + (f": leave {it} alone, " if replaced else ": ")
            + (f"let {it} answer from {brought}, and ask where there is none." if is_there else f"{told}.")
        )
    return [*_left(known, text_of), *_given(known), *_tested(known), *said[:SAID]]


def _tested(events: list[Event]) -> list[str]:
    """The sentence for code that asks whether there are rows, and goes on to do so."""
    homes = list(dict.fromkeys(f"`{where}`" for where in tested_together(events).values()))
    return [f"`exists()` uses what is prefetched: it stays in {in_words(homes, most=SAID)}."] if homes else []


def _given(events: list[Event]) -> list[str]:
    """The sentences for code that answers from an attribute where the row has it."""
    told: dict[str, None] = {}
    for event in events:
        asking, origin = event.asking, event.origin
        if asking is not None and is_given(event):
            text = origin.text if origin is not None else ""
            rows = f"the rows of `{text}`{f' in {origin.where}' if origin is not None and origin.where else ''}"
            told[
                f"`{asking.where}` takes `{asking.takes}` where the row has it: give {rows if text else 'these rows'} "
                "that attribute, found for all of them with one query, and leave the code as it is."
            ] = None
    return [*told][:SAID]


def _left(events: list[Event], text_of: TextOf) -> list[str]:
    """The sentences for slices that no other query brings."""
    left = [event for event in events if is_left(event)]
    texts = [f"`{shown(event.asking, text_of) or event.path[-1]}`" for event in left if event.asking]
    if not texts:
        return []
    ask = "asks" if len(set(texts)) == 1 else "ask"
    named = in_words(list(dict.fromkeys(texts)), most=SAID)
    cut = [event for event in left if event.asking is not None and event.asking.text]
    loads = list(dict.fromkeys(f"`.{call}`" for event in cut for call in _loads(event, events)))
    told = (
        f"Leave {named}, or number the rows of each with a `Window()`: {ask} for the first rows of each, where a "
        "prefetch would load all of them."
    )
    return [f"{told} Put {in_words(loads)} before the slice." if loads else told]


def ways(events: Iterable[Event]) -> list[tuple[str, ...]]:
    """The paths to the rows that shared code goes on to be asked of, where the rows that it picks come by keys."""
    found = (event for event in events if is_shared(event) and _key(event))
    return [event.path[:-1] for event in found if event.path[:-1] and event.asking and not event.asking.is_whole]


def _fetched(event: Event, events: list[Event]) -> str:
    """What is to be done with keys that an annotation brings; "" for a list, which needs nothing."""
    target = event.relation.target if event.relation is not None else None
    if target is None or not _key(event):
        return ""
    rows = ".".join([manager(target), *_brings(event, events), "in_bulk(keys)"])
    back = _set_by_manager(event)
    known = f" and that row on it (`{target.name.lower()}.{back} = row`), as the manager does" if back else ""
    return f"fetch the rows of these keys with one `{rows}`, set each on its row{known}"


def _set_by_manager(event: Event) -> str:
    """The foreign key that the related manager fills on each row that it gives, so that reading it asks nothing.

    Others do not: those of many-to-many and of generic relations (measured on Django 5.2). Whoever gets the row may
    read it, also where nobody has done so yet.
    """
    relation, asking = event.relation, event.asking
    if relation is None or relation.relation != "reverse_fk" or asking is None or asking.values:
        return ""
    return relation.remote


def _kept(event: Event) -> str:
    """Where shared code finds all rows of a relation that were prefetched anyway.

    Django keeps them under the accessor, those of a many-to-many relation under the name that queries have for it.
    """
    relation, name = event.relation, event.path[-1]
    key = relation.query_name if relation is not None and relation.relation == "reverse_m2m" else name
    return f'`{name}.all()` where `"{key}" in getattr(row, "_prefetched_objects_cache", ())`'


def _list(event: Event, loads: list[str]) -> str:
    asking, relation = event.asking, event.relation
    assert asking is not None
    target = relation.target if relation is not None else None
    narrowed = asking.methods & CALLS if _is_same_for_all(asking) else frozenset[str]()
    made = [*loads, *(_repeated(asking) if narrowed else ())]
    cut = asking.cut if is_narrowed(event) else ""
    if (
        cut
        and plain(asking.last) == "first"
        and "order_by" not in narrowed
        and target is not None
        and not target.ordered
    ):
        made.append('order_by("pk")')  # as first() does where nothing else says in which order
    rows = f"queryset={manager(target)}.{'.'.join(made or ['all()'])}{cut}, " if target is not None else ""
    return f'Prefetch("{"__".join(event.path)}", {rows if made or cut else ""}to_attr="…")'


def _repeated(asking: Asking) -> list[str]:
    """The filters and the order of a query as another one repeats them: each once, `filter(…)` for what is open."""
    told = list(dict.fromkeys(asking.repeats))
    named = {call.partition("(")[0] for call in told}
    return [*told, *(f"{name}{OPEN}" for name in sorted((asking.methods & CALLS) - named))]


def _is_same_for_all(asking: Asking) -> bool:
    """Whether nothing in the query but its beginning speaks of the row, as far as its text tells."""
    row, _, rest = asking.text.partition(".")
    return not asking.text.endswith("…") and re.search(rf"\b{re.escape(row)}\b", rest) is None


def _key(event: Event) -> str:
    """The key of the row that is picked, as a subquery; "" where another way is needed."""
    asking, relation = event.asking, event.relation
    target = relation.target if relation is not None else None
    if asking is None or relation is None or target is None or not is_pick(asking) or not is_shared(event):
        return ""
    back = relation.remote_query_name or relation.remote
    if not back or not is_of_one(event):
        return ""
    row, last = "__".join(event.path[:-1]) or "pk", plain(asking.last)
    calls = [call for call in _repeated(asking) if not call.startswith("order_by(")]
    narrowed, ends = f'{back}=OuterRef("{row}")', ""
    if last == "get" or f"filter{OPEN}" in calls or f"exclude{OPEN}" in calls:
        narrowed += ", …"
    else:
        if calls and _KEYWORDS.match(calls[0]):
            narrowed += f", {calls.pop(0)[len('filter(') : -1]}"
        ends = "".join(f".{call}" for call in calls)
    if last != "get":
        is_open = bool(asking.methods & SORTS)
        order = order_of_pick(target, last, () if last in OF_DATES else asking.order, is_open)
        ends += f".order_by({quoted(order) or '…'})"
    return f'Subquery({manager(target)}.filter({narrowed}){ends}.values("pk")[:1])'
