"""Queries that repeat for each row of a page, a serializer or a changelist, one for each root cause.

A root cause is a queryset (or, where its rows come from elsewhere, a loop) whose rows lack something that is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.link.queries import amounts
from stackaudit.link.queries.advice import (
    addition,
    below,
    joins_rows,
    naming,
    of_one,
    of_rows_between,
    prefetching,
    streaming,
)
from stackaudit.link.queries.annotations import ANNOTATED, THAT, annotated, numbers, unnumbered, used
from stackaudit.link.queries.asked import asked_for_each
from stackaudit.link.queries.carried import carried, carrying, outside
from stackaudit.link.queries.elsewhere import elsewhere, takes_calls
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.everykey import beside_bare
from stackaudit.link.queries.levels import deeper
from stackaudit.link.queries.lookups import arguments, longest
from stackaudit.link.queries.needless import read_itself, read_keys
from stackaudit.link.queries.origins import Origin
from stackaudit.link.queries.reading import TextOf, is_of_row, no_text, readings
from stackaudit.link.queries.roots import apart, inherited
from stackaudit.link.queries.sharing import apart_from_lists, given, instead, is_listed
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Step

REPEATING = ("forward", "reverse", "deferred", "bypassed", "query")
PAGE = 25
_TOLD = 3
"""So many numbers of rows behind the rows are told one by one."""
Cause: TypeAlias = tuple[Place, Place | None, str]
"""The place of a queryset or loop, that of a query which is no access of a row, and the model of the rows."""


@dataclass
class Repeat:
    """The accesses that one queryset's rows get: `events` in the order of the walk.

    `shown` are relations of which somebody else needs the rows themselves, `several` the templates that show rows of
    several querysets. `brought` is the queryset of the rows, as it is to be told, where the events know none.
    """

    events: list[Event] = field(default_factory=list)
    shown: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()
    brought: str = ""

    @property
    def failing(self) -> list[Event]:
        """The accesses that ask the database for each row, the certain ones first."""
        found = [event for event in self.events if event.outcome == "fail"]
        return sorted(found, key=lambda event: event.guarded)

    @property
    def first(self) -> Event:
        """The access that the verdict stands at."""
        failing = self.failing
        unsure = [event for event in self.events if event.outcome == "unknown"]
        return (failing or unsure or self.events)[0]

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """The relation paths that are not loaded, each once, without those that another one goes through."""
        return longest(event.path for event in self.failing if event.path)

    @property
    def relations(self) -> str:
        """The paths that are not loaded, as a message names them: first those that each row is asked for."""
        sure = longest(event.path for event in self.failing if event.path and not event.guarded)
        paths = [path for path in self.paths if not any(path == other[: len(path)] for other in sure)]
        if not sure or not paths:
            return some([".".join(path) for path in self.paths])
        told, more = some([".".join(path) for path in sure]), some([".".join(path) for path in paths])
        return f"{told} (and, where a condition holds, {more})"

    @property
    def many(self) -> set[tuple[str, ...]]:
        """The paths to many rows, through a generic foreign key or from SQL: what only a prefetch can load."""
        through = {event.loop.behind.path for event in self.events if event.loop and event.loop.behind}
        return through | {prefix for event in self.events for prefix in _many(event)}

    @property
    def counted(self) -> list[Event]:
        """The accesses that ask only for a number which the rows can bring, or for whether there are any."""
        return numbers(self.failing, [(name,) for name in self.shown])

    @property
    def origin(self) -> Origin | None:
        """The queryset that brings the rows, as it is written in the code; None where it is not known."""
        origin = self.first.origin
        while origin is not None and not origin.text:
            origin = origin.refined
        return origin

    @property
    def owned(self) -> list[Event]:
        """Those of the numbers that the queryset itself can bring."""
        return [event for event in self.counted if is_of_row(event) and takes_calls(self.origin)]

    @property
    def _carried(self) -> dict[tuple[str, ...], list[Event]]:
        """The numbers that rows behind keys bring which are to be loaded."""
        lacking = {event.path for event in self.failing if event.kind == "forward"}
        return carried(self.origin, self.counted, lacking)

    @property
    def _inside(self) -> list[Event]:
        return [event for events in self._carried.values() for event in events]

    def annotates(self) -> str:
        """The call that brings these numbers with the rows: `.annotate(…=Count("copy"))`."""
        return annotated(self.owned) if self.owned else ""

    def advice(self, text_of: TextOf = no_text) -> str:
        """What to add to the queryset, and what to read in another way; "" where that is not known."""
        for_all = {event.path[:1] for event in self.events if not _is_for_some(event)}
        some = [event for event in self.failing if _is_for_some(event) and event.path[:1] not in for_all]
        hidden = Repeat(some, self.shown, self.several, self.brought)
        if hidden.events and hidden.loads():
            rest = Repeat([event for event in self.events if event not in hidden.events], self.shown, self.several)
            told = [rest.advice(text_of)] if rest.failing else []
            return " ".join([*told, hidden._for_some(text_of)])
        origin, loads = self.origin, self.loads()
        deferred = [event for event in self.failing if event.kind == "deferred"]
        # first: no key can be left out and joined at once (FieldError)
        told = [of_one(origin, origin.text, deferred)] if deferred and origin is not None else []
        told += [self._loading(origin, loads, text_of), *self.otherwise(text_of)]
        return " ".join(sentence for sentence in told if sentence)

    def otherwise(self, text_of: TextOf = no_text) -> list[str]:
        """What no call on the queryset answers: numbers of rows behind the rows, and what is to be read otherwise."""
        owned = self.owned if self.origin is not None else []
        inside = self._inside
        told = [
            of_rows_between(event, text_of) for event in self.counted if event not in owned and event not in inside
        ][:_TOLD]
        asked = asked_for_each(self.failing, text_of, self.brought)
        told += readings(self._missing, text_of, self.several)
        told += instead(self._missing, takes_calls(self.origin), text_of)
        told += [*read_itself(self.failing, text_of), *read_keys(self.failing), *deeper(self._missing)]
        return [*told, *([asked] if asked else [])]

    def _for_some(self, text_of: TextOf) -> str:
        """What to load of the one row of a page that shows it to some visitors only."""
        loop, origin = self.first.loop, self.origin
        model = origin.model if origin is not None else loop.behind.model if loop and loop.behind else None
        where = f" of {origin.where}" if origin is not None and origin.where else ""
        listed = (event.path for event in self._missing if is_listed(event))
        asked = {path[:length] for path in (*self.prefetches, *listed) for length in range(1, len(path) + 1)}
        return " ".join([
            f"Where the condition holds, hand the {model.name if model is not None else 'row'}{where} to "
            f"`prefetch_related_objects([row], {self._lookups()})`: a prefetch on its queryset would cost everybody "
            f"else up to {len(asked)} queries for nothing.",
            *self.otherwise(text_of),
        ])  # fmt: skip

    def _lookups(self) -> str:
        """What is missing, as `prefetch_related_objects()` takes it."""
        told = given([*self.joins, *self.prefetches], self._missing, is_annotated=False)
        return ", ".join(filter(None, [*self._carrying, told]))

    def _loading(self, origin: Origin | None, loads: str, text_of: TextOf) -> str:
        """The sentences that say where what is missing is to be loaded, and the numbers with it; "" for nothing."""
        paths = self._lookups()
        if origin is not None and takes_calls(origin):
            numbers = [*self.owned, *self._inside]
            then = used(numbers, text_of, self.several, ANNOTATED if loads else THAT) if numbers else ""
            calls = loads + self.annotates()
            told = [addition(origin, calls, then)] if calls else []
            return " ".join([*told, *naming(origin, loads, " ".join(told)), *streaming(self.failing, loads)])
        if not loads:
            return ""
        if origin is not None:
            return elsewhere(origin, loads, paths)
        loop = self.first.loop
        behind = loop.behind if loop is not None else None
        if behind is not None and behind.origin is None and _is_below(self.first.path, behind.path):
            return (
                f"Load it with the {behind.model.name} that this begins with: `{loads}` on its queryset, or "
                f"`prefetch_related_objects([row], {paths})` where there is only the row."
            )
        return f"Load it where these rows come from, by `{loads}` on their queryset."

    def loads(self) -> str:
        """The calls that load what is missing: `.select_related("a__b").prefetch_related("c")`."""
        joined = beside_bare(self.origin, self.joins)
        joins = f".select_related({arguments(joined)})" if joined else ""
        return joins + self.fetches()

    def fetches(self) -> str:
        """The calls of `loads` that are no join."""
        return prefetching(self.prefetches, self._missing, takes_calls(self.origin), self._carrying)

    @property
    def _carrying(self) -> list[str]:
        return carrying(self.origin, self._carried, self._wanted)

    @property
    def joins(self) -> list[tuple[str, ...]]:
        """The missing paths that a join can load."""
        many = self.many
        return [path for path in self._loadable if not _through(path, many)] if joins_rows(self.origin) else []

    @property
    def prefetches(self) -> list[tuple[str, ...]]:
        """The missing paths that only a prefetch can load."""
        joins = self.joins
        return [path for path in self._loadable if path not in joins]

    @property
    def _loadable(self) -> list[tuple[str, ...]]:
        return outside(self.origin, self._carried, self._wanted)

    @property
    def _wanted(self) -> list[tuple[str, ...]]:
        loaded = ("deferred", "bypassed")
        wanted = [event for event in apart_from_lists(self._missing) if event.path and event.is_loaded]
        paths = [event.path for event in wanted if event.kind not in loaded]
        return longest([*paths, *below(wanted)])

    @property
    def _missing(self) -> list[Event]:
        return unnumbered(self.failing, self.counted)

    @property
    def read(self) -> list[tuple[str, ...]]:
        """Every path to one row that is read, loaded or not, without those that another one goes through."""
        asked = (event for event in self.events if event.kind == "forward" and event.path and event.is_loaded)
        found = list(dict.fromkeys(event.path for event in asked))
        many = self.many
        return longest(path for path in found if not _through(path, many))

    def related(self) -> tuple[Step, ...]:
        """The queryset, then the other accesses."""
        steps = []
        first = self.first
        if first.origin is not None:
            text = f"`{first.origin.text}` " if first.origin.text else ""
            steps.append(Step(first.origin.place, f"{text}loads the rows"))
        places = {first.place}
        named = {event.path or event.query: event for event in reversed(self.failing)}
        for event in dict.fromkeys((*reversed(named.values()), *self.failing)):
            for place in (event.place, event.query):
                if place not in places and len(steps) < 12:
                    places.add(place)
                    what = ".".join(event.path) or (event.method if event.method.isidentifier() else "")
                    asks = f"asks for `{what}`" if what else "runs a query"
                    steps.append(Step(place, f"reads `{what}` too" if what and place is event.place else asks))
        return tuple(steps)

    def cost(self, rows: int, assumed: str) -> Cost:
        """What a request costs; `rows` of them, as `assumed` says, where the size of the page is not known."""
        return amounts.cost(self.failing, rows, assumed)

    def few(self, user: Model | None) -> amounts.Few:
        """How few rows there are: the tags of a book that is shown, and not the books of a list."""
        return amounts.few(self.failing, user)


def _is_for_some(event: Event) -> bool:
    """Whether a page shows what an event asks for to some visitors only, though it loads the row for everybody."""
    return event.guarded and event.loop is not None and event.loop.conditional


def some(names: list[str]) -> str:
    """Names in a row, six at most."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def grouped(events: Iterable[Event], accept: Callable[[Event], bool]) -> list[Repeat]:
    """The events that `accept` wants, by root cause, in the order of the walk."""
    found: dict[Cause, Repeat] = {}
    inner: dict[Place, tuple[Cause, tuple[str, ...]]] = {}
    for event in rooted(event for event in events if event.kind in REPEATING and accept(event)):
        key = cause_of(event)
        if event.origin is None and event.path and event.loop is not None and event.loop.place in inner:
            # The rows of an inner loop that nobody loads: whoever loads them has to load what they bring, too.
            key, before = inner[event.loop.place]
            if event.loop.behind is None:
                event = replace(event, path=(*before, *event.path))
        many = event.outcome == "fail" and event.kind in ("reverse", "bypassed") and event.path
        if many and (event.loop is None or event.loop.place != event.place):
            inner.setdefault(event.place, (key, event.path))
        found.setdefault(key, Repeat()).events.append(event)
    return list(found.values())


def certain(events: Iterable[Event]) -> Iterator[Event]:
    """Events in the order of the walk; below rows of which it is not known how they are loaded, nothing is certain.

    Whoever loads the rows of an inner loop may load with them what they are asked for.
    """
    unsure: dict[tuple[Place, Origin | None], str] = {}
    for event in events:
        origin = event.origin
        behind = event.loop.behind if event.loop is not None else None
        if event.loop is not None and behind is not None and origin == behind.own:
            origin = behind.origin
            why = unsure.get((event.loop.place, origin), "")
            if why and event.outcome == "fail":
                event = replace(event, outcome="unknown", why=why)
        yield event
        if event.outcome == "unknown" and event.kind in ("reverse", "bypassed") and event.path:
            unsure.update({(place, origin): event.why for place in (event.place, event.query)})


def rooted(events: Iterable[Event]) -> list[Event]:
    """Events as ones of the outermost querysets that are known, each of one model."""
    return inherited(apart(outermost(event) for event in events))


def outermost(event: Event) -> Event:
    """An event of the rows behind a relation, as one of the rows that the relation belongs to.

    A queryset method on `book.tags.all()` would bypass what a view prefetches: what is missing is loaded where the
    outermost rows are.
    """
    behind = event.loop.behind if event.loop is not None else None
    if behind is None or not event.path or event.origin != behind.own:
        return event
    flow = [Step(behind.origin.place, f"`{behind.origin.text}` loads the rows")] if behind.origin is not None else []
    if event.turns is not None and event.turns.place not in {step.place for step in flow}:
        flow.append(Step(event.turns.place, event.turns.text or "the loop"))
    flow += inner_steps(event)
    return replace(event, origin=behind.origin, path=(*behind.path, *event.path), flow=tuple(flow))


def _is_below(path: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _through(path: tuple[str, ...], many: set[tuple[str, ...]]) -> bool:
    return any(path[:length] in many for length in range(1, len(path) + 1))


def _many(event: Event) -> Iterator[tuple[str, ...]]:
    """The beginnings of an event's path that a join cannot follow, found backwards from its last relation."""
    relation = event.relation
    path = event.path
    while relation is not None and path:
        if relation.many or relation.relation == "generic_fk":
            yield path
        path = path[:-1]
        model = relation.model
        if not path or model is None:
            return
        relation = next(
            (
                item
                for other in model.relations.values()
                if other.target is not None
                for item in [other.target.relation(path[-1])]
                if item is not None and item.target is model
            ),
            None,
        )


def cause_of(event: Event) -> Cause:
    """What tells one root cause from another."""
    if event.origin is not None and event.path:
        return event.origin.place, None, event.origin.model.label if event.origin.model is not None else ""
    return (event.loop.place if event.loop is not None else event.place), None if event.path else event.query, ""


def inner_steps(event: Event) -> tuple[Step, ...]:
    """The steps from the loop's own access to the query."""
    before = (event.origin is not None) + (
        event.turns is not None and event.turns.place != (event.origin.place if event.origin else None)
    )
    return event.flow[before:]


def inner_place(event: Event) -> Place:
    """The access inside the method that the loop calls for each row; the place of the query where it calls none."""
    steps = inner_steps(event)
    return steps[1].place if len(steps) > 1 else event.query


def is_indirect(event: Event) -> bool:
    """Whether a method or property of the repository stands between the loop's row and the query."""
    return event.query != event.place
