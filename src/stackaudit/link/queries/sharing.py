"""What helps one loop where the code that asks serves others, too, whose rows bring nothing.

Reading from all rows would be free for the loop and dear for them, so that code is left as it is: the loop's own
queryset brings the answer, or the rows that it is read from, under a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from stackaudit.link.queries.events import Event
from stackaudit.link.queries.lookups import is_joined, lookups, quoted
from stackaudit.link.queries.origins import Asking
from stackaudit.link.queries.reading import (
    SAID,
    is_answered,
    is_dear,
    is_left,
    is_narrowed,
    is_number,
    is_of_one,
    is_pick,
    manager,
    plain,
)
from stackaudit.model.prose import in_words


def is_shared(event: Event) -> bool:
    """Whether others run the code that asks, and would pay for another way to read."""
    return event.asking is not None and bool(event.asking.callers and event.path) and not is_answered(event)


def is_listed(event: Event) -> bool:
    """Whether the rows are to come as a list of their own: `Prefetch(…, to_attr="…")`, or by their keys."""
    return is_shared(event) or is_narrowed(event)


def prefetches(events: Iterable[Event], is_annotated: bool) -> list[str]:
    """The arguments of `prefetch_related()` that bring lists of their own; `is_annotated` says that keys come by an
    annotation."""
    known = list(events)
    found = [event for event in known if is_listed(event) and not (is_annotated and _key(event))]
    return list(dict.fromkeys(_list(event, list(_within(event, known))) for event in found))


def apart_from_lists(events: Iterable[Event]) -> list[Event]:
    """The events but for those that bring lists of their own, or that the rows of such lists are asked for.

    Rows that had better not be loaded are left out, too, with all that they are asked for.
    """
    known = list(events)
    dear = {event.path for event in known if is_dear(event)}
    found = [event for event in known if not any(event.path[: len(path)] == path for path in dear)]
    inside = {other for event in found if is_listed(event) and not _key(event) for other in _within(event, found)}
    return [event for event in found if not (is_listed(event) or is_left(event) or event in inside)]


def _within(event: Event, events: list[Event]) -> Iterator[Event]:
    """What the rows of a list are asked for, where nothing else needs all of the rows."""
    path, length = event.path, len(event.path)
    below = [other for other in events if len(other.path) > length and other.path[:length] == path]
    if not any(other.path == path and not (is_listed(other) or is_number(other)) for other in events):
        yield from (other for other in below if not is_listed(other))


def with_keys(events: Iterable[Event], is_annotated: bool) -> str:
    """The call that brings the keys of the rows which shared code picks: `.annotate(…=Subquery(…))`."""
    keys = [_key(event) for event in events if is_annotated and is_shared(event)]
    made = ", ".join(f"…={key}" for key in dict.fromkeys(filter(None, keys)))
    return f".annotate({made})" if made else ""


def instead(events: Iterable[Event], is_annotated: bool) -> list[str]:
    """The sentences that say what to read in place of what shared code gives."""
    homes: dict[tuple[str, str], dict[str, Asking]] = {}
    for event in events:
        if is_shared(event) and event.asking is not None:
            reads = [*(event.asking.uses or event.asking.reads)] if event.asking.is_whole else []
            key = _fetched(event) if is_annotated else "", in_words(reads, most=SAID) if reads else ""
            homes.setdefault(key, {})[f"`{event.asking.where}`"] = event.asking
    said = []
    for (fetched, replaced), found in homes.items():
        callers = list(dict.fromkeys(place for asking in found.values() for place in asking.callers))
        serve, it = ("serves", "it") if len(found) == 1 else ("serve", "them")
        read = f"read that in place of {replaced}" if replaced else f"let {it} read that, and ask where there is none"
        said.append(
            f"{in_words([*found], most=SAID)} {serve} others, too ({in_words(callers, most=SAID)})"
            + (f": leave {it} alone, " if replaced else ": ")
            + f"{fetched or 'bring the rows under a name of their own'}, and {read}."
        )
    return said[:SAID]


def ways(events: Iterable[Event]) -> list[tuple[str, ...]]:
    """The paths to the rows that shared code goes on to be asked of, where the rows that it picks come by keys."""
    found = (event for event in events if is_shared(event) and _key(event))
    return [event.path[:-1] for event in found if event.path[:-1] and event.asking and not event.asking.is_whole]


def _fetched(event: Event) -> str:
    """What is to be done with keys that an annotation brings; "" for a list, which needs nothing."""
    target = event.relation.target if event.relation is not None else None
    if target is None or not _key(event):
        return ""
    return f"fetch the rows of these keys with one `{manager(target)}.in_bulk(keys)`, set each on its row"


def _list(event: Event, within: list[Event]) -> str:
    asking, relation = event.asking, event.relation
    assert asking is not None
    target = relation.target if relation is not None else None
    narrowed = asking.methods & {"filter", "exclude", "order_by"} if _is_same_for_all(asking) else ()
    paths = [other.path[len(event.path) :] for other in within]
    joins = [path for path in paths if is_joined(target, path)]
    calls = [f"select_related({quoted(lookups(joins))})"] if joins else []
    rest = [path for path in paths if path not in joins]
    calls += [f"prefetch_related({quoted(lookups(rest))})"] if rest else []
    calls += [f"{name}(…)" for name in sorted(narrowed)]
    cut = asking.cut if is_narrowed(event) else ""
    if (
        cut
        and plain(asking.last) == "first"
        and "order_by" not in narrowed
        and target is not None
        and not target.ordered
    ):
        calls.append('order_by("pk")')  # as first() does where nothing else says in which order
    rows = f"queryset={manager(target)}.{'.'.join(calls or ['all()'])}{cut}, " if target is not None else ""
    return f'Prefetch("{"__".join(event.path)}", {rows if calls or cut else ""}to_attr="…")'


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
    row = "__".join(event.path[:-1]) or "pk"
    narrowing = ", …" if asking.methods & {"filter", "exclude"} or plain(asking.last) == "get" else ""
    return f'Subquery({manager(target)}.filter({back}=OuterRef("{row}"){narrowing}).order_by(…).values("pk")[:1])'
