"""Queries and writes that a loop repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.checks.orm.callers import BACKGROUND, Callers
from stackaudit.checks.orm.causes import grouped, own, source, together, verdict
from stackaudit.checks.orm.keys import only_keys
from stackaudit.checks.orm.short import is_handful, is_of_pieces
from stackaudit.checks.orm.turns import Turns
from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.queries import amounts
from stackaudit.link.queries.advice import is_nested, leads, of_many, of_one, of_prefetched, outermost, rows_of, shared
from stackaudit.link.queries.annotations import numbers
from stackaudit.link.queries.carried import carried
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.origins import Origin
from stackaudit.link.queries.reading import is_rewritten, takes_less
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_BUSY = 3
"""A turn that asks so often is not slow because of one query."""
_WRITES = 2
"""A turn that writes at so many places is busy with them."""
_SAVING = frozenset({"asave", "create", "delete", "save"})
_FINAL = frozenset({"beside", "by-hand", "conditional-pair", "few", "pair"})
"""The ways of failing that nothing else makes smaller."""


def n_plus_one_forward(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset whose rows are gone through and asked for a relation to one row."""
    keys = only_keys(stack)
    loops, turns = Loops.of(stack), Turns(stack)
    asked = list(loops.judged(own(stack)))
    whole, picks = _unloaded(asked), _picked(asked)
    events = [
        event for event in asked
        if event.kind in ("forward", "deferred") and event.place not in keys and event not in picks
    ]  # fmt: skip
    wanted = (event for event in map(outermost, events) if not _is_below(event, whole) and not _leads_to(event, whole))
    groups = grouped(wanted, source)
    yield from together(verdict(group, partial(_forward, loops, turns)) for group in groups)


def n_plus_one_reverse(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset whose rows are gone through and asked for many related rows.

    What those rows are asked for in turn belongs to it: one path loads both.
    """
    loops, turns = Loops.of(stack), Turns(stack)
    events = list(loops.judged(own(stack)))
    keys, whole, picks = only_keys(stack), _unloaded(events), _picked(events)
    asked = [outermost(event) for event in events if event.kind == "reverse" and event not in picks]
    below = [
        moved
        for event in events
        if event.kind == "forward" and event.outcome == "fail" and event.place not in keys and event not in picks
        if _is_below(moved := outermost(event), whole)
    ]
    groups, lacking = grouped((*asked, *below), source), _lacking(events)
    yield from together(verdict(group, partial(_reverse, loops, turns, lacking)) for group in groups)


def _lacking(events: list[Event]) -> dict[Place, set[tuple[str, ...]]]:
    """The keys that are followed row by row, by the querysets that could bring the rows."""
    found: dict[Place, set[tuple[str, ...]]] = {}
    for event in map(outermost, events):
        if event.kind == "forward" and event.outcome == "fail":
            found.setdefault(source(event), set()).add(event.path)
    return found


def _unloaded(events: list[Event]) -> set[tuple[Place, tuple[str, ...]]]:
    """The relations to many rows that are asked row by row, with the querysets that could bring them.

    So are keys whose rows are to bring numbers: a Prefetch brings what those are asked for in turn.
    """
    lacking, found = _lacking(events), dict[Place, list[Event]]()
    for event in map(outermost, events):
        if event.kind in ("forward", "reverse") and event.outcome == "fail":
            found.setdefault(source(event), []).append(event)
    keys = {
        (place, path)
        for place, group in found.items()
        if place in lacking
        for path in carried(group[0].origin, numbers(group), lacking[place])
    }
    return keys | {(place, event.path) for place, group in found.items() for event in group if event.kind == "reverse"}


def _is_below(event: Event, whole: set[tuple[Place, tuple[str, ...]]]) -> bool:
    return any((source(event), event.path[:length]) in whole for length in range(1, len(event.path)))


def _leads_to(event: Event, whole: set[tuple[Place, tuple[str, ...]]]) -> bool:
    """Whether what has to be prefetched anyway brings the row: `author__books` brings the author."""
    if event.outcome != "fail" or event.kind != "forward" or not event.path:
        return False
    place, path = source(event), event.path
    return any(place == other and len(path) < len(more) and more[: len(path)] == path for other, more in whole)


def prefetch_bypassed(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset whose prefetched relation is asked again for each row."""
    loops = Loops.of(stack)
    asked = list(loops.judged(own(stack)))
    events, picks = [event for event in asked if event.kind == "bypassed"], _picked(asked)
    known = {(source(event), event.path) for event in events}
    prefetched = [
        event
        for event in asked
        if event.kind == "reverse" and event.outcome == "pass" and (source(event), event.path) not in known
    ]
    groups = grouped((*events, *picks, *prefetched), source)
    yield from together(verdict(group, partial(_bypassed, loops)) for group in groups)


def _picked(events: list[Event]) -> dict[Event, None]:
    """What is asked of one row that a turn picks from prefetched ones by a query of its own.

    A prefetch alone would not answer that, so it is told with the pick.
    """
    picks = {(event.origin, event.path, event.loop) for event in events if event.kind == "bypassed"}
    kinds = ("forward", "reverse")
    asked = (event for event in events if picks and event.kind in kinds and event.outcome == "fail")
    return dict.fromkeys(
        event
        for event in asked
        if any((event.origin, event.path[:length], event.loop) in picks for length in range(1, len(event.path)))
    )


def _is_of_any(event: Event) -> bool:
    """Whether a function narrows whatever rows it is given: reading all of them would be dear for others."""
    asking = event.asking
    return asking is not None and bool(asking.given) and is_rewritten(event) and takes_less(asking)


def loop_of(event: Event) -> Place:
    """The loop that repeats an event; the statement itself where nothing does."""
    return event.loop.place if event.loop is not None and event.outcome != "pass" else event.query


def _shown(events: list[Event]) -> str:
    """The paths, first those that each row is asked for."""
    sure = list(dict.fromkeys(".".join(event.path) for event in events if not event.guarded))
    paths = list(dict.fromkeys(".".join(event.path) for event in events if ".".join(event.path) not in sure))
    return f"{_some(sure)} (and, where a condition holds, {_some(paths)})" if sure and paths else _some(sure or paths)


def _some(paths: list[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths[:4]) + (", …" if len(paths) > 4 else "")


def _related(events: list[Event], text: str) -> tuple[Step, ...]:
    steps: dict[Place, Step] = {}
    origin = events[0].origin
    if origin is not None:
        steps[origin.place] = Step(origin.place, text)
    for event in events[1:]:
        if event.place != events[0].place:
            steps.setdefault(event.place, Step(event.place, f"`{event.text}`"))
    return tuple(steps.values())[:20]


def cost(events: list[Event]) -> Cost:
    """What the queries of the turns of a loop cost, with the one that the loop goes through."""
    return amounts.cost(events, amounts.ROWS, f"{amounts.ROWS} rows in the loop", before=1)


@dataclass(frozen=True)
class Loops:
    """What is known of the loops of a stack, by their places.

    `slow` ones do work beside which a query is little. `listed` ones go through what one column holds. `tasks` are the
    functions that workers run. `changed` holds the models, by their labels, whose rows the turns of a loop write.
    `batches` are those that build an index. `callers` tells what leads to a function, `user` is the model of users.
    """

    slow: frozenset[Place]
    tasks: frozenset[str]
    listed: frozenset[Place]
    changed: dict[Place, set[str]]
    batches: frozenset[Place]
    callers: Callers
    user: Model | None

    @classmethod
    def of(cls, stack: Stack) -> Loops:
        """Loops whose turns do work outside the database, or write several rows anyway."""
        writes: dict[Place, set[Place]] = {}
        for event in stack.queries.events:
            if event.kind == "write" and event.loop is not None:
                writes.setdefault(event.loop.place, set()).add(event.query)
        record = stack.queries.walk.record
        tasks = frozenset(f"{task.module.name}.{task.node.name}" for task in stack.celery.tasks)
        busy = {place for place, found in writes.items() if len(found) >= _WRITES}
        slow = frozenset(record.working | busy)
        return cls(slow, tasks, frozenset(record.listed), record.changed, stack.declared.batches, Callers(stack),
                   stack.models.user)  # fmt: skip

    def cause(self, site: Site, events: list[Event], otherwise: str = "") -> str:
        """The way of failing that decides the severity."""
        outer = amounts.outer(events)
        if all(event.loop is not None and self.callers.is_by_hand(event.loop.place) for event in outer):
            return "by-hand"
        is_slow = all(event.loop is not None and event.loop.place in self.slow for event in outer)
        is_guarded, few = all(event.guarded for event in outer), amounts.few(events, self.user)
        if few and all(event.second is not None for event in events):
            return "conditional-pair" if is_guarded or is_slow else "pair"
        if is_slow:
            return "beside"
        if all(event.loop is not None and is_handful(event.loop.text) for event in outer):
            return "few"
        if is_guarded:
            return "conditional-detail" if few else "conditional"
        if few in ("own", "short"):
            return f"{otherwise}-own" if otherwise else few
        if self.in_background(site, events[0]):
            return "background"
        return "-".join(filter(None, (otherwise, few)))

    def judged(self, events: Iterable[Event]) -> Iterator[Event]:
        """Events; unknown are those that rows loaded before the loop would not answer.

        They ask for what the turns before have made of the loop's own rows, which those would not show, or in a
        function that narrows whatever it is given.
        """
        for event in events:
            moved = outermost(event)
            own = moved.origin.model if moved.origin is not None else None
            is_written = event.outcome == "fail" and own is not None and own.label in self._changed([event])
            if own is not None and is_written and any(model in own.family() for _, model in shared(moved)):
                why = f"the loop writes {own.name} rows, and what was loaded before it would not show that"
                yield replace(event, outcome="unknown", why=why)
            elif event.outcome == "fail" and _is_of_any(event):
                why = "a function that any rows may be given to narrows them, which rows loaded before would not answer"
                yield replace(event, outcome="unknown", why=why)
            else:
                yield event

    def _changed(self, events: list[Event]) -> set[str]:
        """The models, by their labels, whose rows the loops of events write."""
        loops = {loop.place for event in events for loop in (event.loop, event.around) if loop is not None}
        return set().union(*(self.changed.get(place, ()) for place in loops))

    def warning(self, events: list[Event]) -> str:
        """What to mind where the turns write rows that are to be loaded before; "" where they write others."""
        changed = self._changed(events)
        wanted = (event for event in events if event.is_loaded)
        found = [item for event in wanted for item in shared(event) if item[1].label in changed]
        if not found:
            return ""
        paths = _some(list(dict.fromkeys("__".join(path) for path, _ in found)))
        names = _some(list(dict.fromkeys(model.name for _, model in found)))
        return f" Leave out {paths} if a turn has to see what others write: the loop writes {names}, too."

    def in_background(self, site: Site, event: Event) -> bool:
        """Whether nobody waits for a loop: a worker or a command runs it, or it builds an index."""
        if event.turns is not None and event.turns.place in self.batches:
            return True
        if event.where in self.tasks or any(part in f"/{site.place.path}" for part in BACKGROUND):
            return True
        return event.loop is not None and self.callers.is_background(event.loop.place)


def words(event: Event) -> dict[str, str]:
    """The values of an event that messages name."""
    model = rows_of(event) if event.path else event.model
    source = event.origin.text if event.origin is not None and event.origin.text else "the queryset"
    return {
        "model": model.name if model is not None else "row",
        "source": source,
        "where": event.where,
        "access": event.text,
        "method": event.method,
    }


def _behind_conditions(events: list[Event]) -> list[Event]:
    """Events, with the conditions of those that lead to them: nothing behind rows is asked where they are not."""
    certain = {event.path for event in events if not event.guarded}
    guarded = {event.path for event in events} - certain
    return [
        replace(event, guarded=True)
        if any(event.path[:length] in guarded for length in range(len(event.path)))
        else event
        for event in events
    ]


def _of_one_origin(events: list[Event]) -> list[Event]:
    """The events whose paths begin at the queryset that a fix names, where there are such, and at rows of one model."""
    named = next((event.origin for event in events if event.origin is not None), None)
    if named is None:
        return events
    return [
        event
        for event in events
        if event.origin == named
        and event.origin.model is named.model
        and leads(event)  # not of `model.objects` of others
    ]


def _cause(loops: Loops, turns: Turns, site: Site, events: list[Event], otherwise: str = "") -> str:
    """The way of failing; a turn that writes, or asks for much else, gains less by one query less."""
    cause = loops.cause(site, events, otherwise)
    if cause not in _FINAL and all(is_of_pieces(loops.callers, turns, event) for event in events):
        return "few"
    turn = turns.of(events) if cause in ("", "background", "conditional", "detail", "own", "pair") else None
    if turn is None or not (turn.outside or turn.writes or len(turn.asks) >= _BUSY):
        return cause
    if cause == "pair":
        return "conditional-pair" if turn.outside or turn.writes else cause
    is_little = len(turn.asks) >= _BUSY * len({event.path for event in events})
    if cause and (turn.outside or turn.writes or (cause == "background" and is_little)):
        return "beside"
    return cause or "background"


def _is_saved_by_hand(turns: Turns, cause: str, events: list[Event]) -> bool:
    """Whether rows ask while a loop that somebody starts by hand saves them: nobody minds one query less for each."""
    return cause == "by-hand" and all(
        any(_is_saving(turns.sources.at(place)) for place in (event.place, *(step.place for step in event.flow)))
        for event in events
    )


def _is_saving(node: py.Node | None) -> bool:
    return isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr in _SAVING


def _said(events: list[Event]) -> dict[str, str]:
    said = words(events[0])
    return {**said, "paths": _shown(events), "each": _each(said["model"], events)}


def _each(model: str, events: list[Event]) -> str:
    """Of how many rows the relations are asked, as it follows "asks the database"."""
    if all(event.guarded for event in events):
        return f"for each {model} that a condition lets through"
    relation, path = events[0].relation, events[0].path
    is_key = len(path) == 1 and all(event.kind == "forward" and event.path == path for event in events)
    if is_key and relation is not None and relation.is_optional:
        return f"once for each {model} that has one"
    return f"once for each {model}{', or for each row behind it' if any(map(is_nested, events)) else ''}"


def _told(loops: Loops, of: Callable[[Origin | None, str, list[Event]], str], source: str, events: list[Event]) -> str:
    """The fix, with what to mind; "" where the queryset is not known."""
    text = of(events[0].origin, source, events) if events[0].origin is not None else ""
    return text + (loops.warning(events) if text else "")


def _forward(loops: Loops, turns: Turns, site: Site, events: list[Event]) -> Fail | Pass:
    if all(turns.is_refusal(event) for event in events):
        return Pass(site)  # the first turn that succeeds is the last, and none of those before matters to it
    wanted = _of_one_origin(events) or events
    said = _said(wanted)
    deferred = all(event.kind == "deferred" for event in wanted)
    cause = _cause(loops, turns, site, wanted, "deferred" if deferred else "")
    if _is_saved_by_hand(turns, cause, wanted):
        return Pass(site)
    return Fail(
        site, said, cause,
        _related(wanted, "leaves the column out" if deferred else "the queryset"), wanted[0].flow,
        _told(loops, of_one, said["source"], wanted),
        cost(wanted),
    )  # fmt: skip


def _reverse(
    loops: Loops, turns: Turns, lacking: dict[Place, set[tuple[str, ...]]], site: Site, events: list[Event]
) -> Fail | Pass:
    if all(turns.is_refusal(event) for event in events):
        return Pass(site)
    wanted = _behind_conditions(_of_one_origin(events) or events)
    if all(event.guarded and event.origin is not None and event.origin.streamed for event in wanted):
        return Pass(site)  # of rows that are streamed a prefetch would load what few of them are asked for
    many = {event.path for event in wanted if event.kind == "reverse"}
    own = [event for event in wanted if any(event.path[: len(path)] == path for path in many)]
    said, cause = _said(wanted), _cause(loops, turns, site, own or wanted)  # keys beside them are not worse alone
    if _is_saved_by_hand(turns, cause, wanted):
        return Pass(site)
    if cause == "beside" and amounts.few(wanted, loops.user) and all(event.guarded for event in wanted):
        return Pass(site)  # a prefetch would run on every turn of what waits for others, and save next to nothing
    return Fail(
        site, said, cause, _related(wanted, "the queryset"),
        wanted[0].flow,
        _told(loops, partial(of_many, lacking=lacking.get(source(wanted[0]), ())), said["source"], wanted),
        cost(wanted),
    )  # fmt: skip


def _bypassed(loops: Loops, site: Site, events: list[Event]) -> Fail:
    said = words(events[0])
    fix = of_prefetched(events[0].origin, said["source"], events)
    passed = [event for event in events if event.kind == "bypassed"]
    return Fail(
        site, {**said, "paths": _shown(passed)}, loops.cause(site, events), _related(events, "prefetches the rows"),
        events[0].flow, fix, cost(events),
    )  # fmt: skip


def loop_text(event: Event) -> str:
    """The head of the loop, as it is written."""
    return event.loop.text if event.loop is not None else "the loop"


def loop_step(events: list[Event]) -> tuple[Step, ...]:
    """The loop, and where else its turns ask or write."""
    loop = events[0].loop
    steps = {loop.place: Step(loop.place, loop.text)} if loop is not None else {}
    for event in events[1:]:
        if event.place != events[0].place:
            steps.setdefault(event.place, Step(event.place, f"`{event.text}`"))
    return tuple(steps.values())[:20]
