"""Queries that a loop repeats and that one query before it could ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stackaudit.checks.orm import births, permissions, trees
from stackaudit.checks.orm.alike import alike
from stackaudit.checks.orm.alternatives import is_alternative, of_either
from stackaudit.checks.orm.causes import grouped, own, verdict
from stackaudit.checks.orm.conditions import Condition, chain, condition
from stackaudit.checks.orm.counting import by_one_aggregate
from stackaudit.checks.orm.fetched import Fetched
from stackaudit.checks.orm.guards import needless
from stackaudit.checks.orm.instances import is_for_others
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.checks.orm.proposals import proposal
from stackaudit.checks.orm.recipes import Around, is_like
from stackaudit.checks.orm.short import is_short
from stackaudit.checks.orm.surroundings import around
from stackaudit.checks.orm.turns import Turn, Turns, ends
from stackaudit.facts import python as py
from stackaudit.link.indexes import may_be_several
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.queries import amounts
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import method as method_of
from stackaudit.link.queries.values import Rows
from stackaudit.link.sources import Sources, below
from stackaudit.link.sources import around as enclosing
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

NEAR = 2
"""So many calls below a loop a query is still the loop's business; deeper ones belong to what is called."""
_BUSY = 2
"""A turn that does so much beside a query gains little by one query less."""
_FULL = 3
"""A turn that does so much is busy with it, whoever asks."""
_LONG = 40
"""Lines of a function that does more than look something up."""
_SAVING = frozenset({"bulk_create", "create", "delete", "get_or_create", "save", "update_or_create"})
_OWN = frozenset({"refresh_from_db", "get_or_create", "update_or_create", "select_for_update"})
"""Methods that speak of one row: whoever calls them wants that row as it is now, or writes it."""
_HANDFUL = re.compile(r"Roles?\.objects\b|\bself\.fields\b")
"""Loops over roles, or over the fields of a form."""
_STEPS = 20
_ARGUMENTS = re.compile(r"\b(?:options|args)\b")
"""What somebody has typed behind a command."""


def query_in_loop(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop that runs a query which changes with its turns."""
    judge = _Judge(stack)
    near = [event for event in own(stack) if event.kind == "query" and event.below <= NEAR]
    apart = (births.asks, permissions.asks, trees.asks)
    for group in grouped((event for event in near if not any(asks(event) for asks in apart)), loop_of):
        yield verdict(group, judge.of)
    yield from permissions.judged(stack, judge.loops, near)
    yield from trees.judged(judge.loops, near)
    yield from births.judged(near)


@dataclass(frozen=True)
class _Asked:
    """One query of a turn: what it asks for, and why it might not matter."""

    event: Event
    condition: Condition
    reasons: tuple[str, ...] = field(default=())


class _Judge:
    def __init__(self, stack: Stack) -> None:
        self.loops, self._turns = Loops.of(stack), Turns(stack)
        self._fetched = Fetched(stack)
        self._many = stack.made | stack.growing
        self._models = stack.models
        self._working = frozenset(stack.queries.walk.record.working)
        self._declared = {event.place for event in stack.declared.events}
        self._events: dict[Place, list[Event]] = {}
        for event in stack.queries.events:
            if event.loop is not None and (event.outcome != "pass" or event.kind == "write"):
                self._events.setdefault(event.loop.place, []).append(event)

    def of(self, site: Site, events: list[Event]) -> Fail | Pass:
        """What is to say of the queries of one loop: nothing where asking at once would gain next to nothing."""
        first = events[0]
        turn = self._turns.of([event for event in events if event.below == 0] or events) or Turn()
        is_working = first.loop is not None and first.loop.place in self._working
        if turn.outside or is_working:
            return Pass(site)
        asked = [self._asked(turn, event) for event in events if not self._is_single(event)]
        asked = [item for item in asked if not item.condition.locks and not item.condition.batch]
        asked = [item for item in asked if not self._turns.is_handling(item.event)]
        if not asked:
            return Pass(site)
        least = min(asked, key=lambda item: (len(item.reasons), not item.condition.is_shared, item.event.below))
        if len(least.reasons) >= _BUSY or self._is_minor(site, turn, least) or self._is_of_kinds(least):
            return Pass(site)
        if not (least.condition.is_told or self._turns.goes_through_rows(least.event)):
            return Pass(site)  # what single query would stand for what the turns ask for cannot be told
        if least.event is not first:
            site = Site(least.event.place, f"{least.event.where}: {least.event.text}")
        cause = self._cause(site, turn, least)
        beside = [item for item in asked if item is not least]
        others = [item.event for item in beside]
        either = self._either(least, asked)
        said, steps = self._words(turn, least, others, either), self._steps(turn, least.event, others)
        costs = [least.event, *self._fetched.asked(least.event)]
        return Fail(
            site, said, cause, steps, least.event.flow, self._fix(least, beside, either),
            cost(costs) if cause not in ("few", "row-or-key") else None,
        )  # fmt: skip

    def _steps(self, turn: Turn, event: Event, others: list[Event]) -> tuple[Step, ...]:
        """The loop of an event, and where else its turns ask: what one call leads to by the places that ask."""
        sources = self._turns.sources
        found = {step.place: step for step in loop_step([event, *others])}
        beside = (other for other in others if other.place == event.place)
        for place in (other.query for item in (beside, self._fetched.asked(event)) for other in item):
            node = sources.at(place)
            if node is not None and place not in (event.place, event.query):
                found.setdefault(place, Step(place, f"`{text_of(node)}`"))
        own = {event.query, *chain(sources, event)}
        for place in (place for place, _ in turn.places if event.below and place not in own):
            asks = _asks(sources, place) if sources.function(place) is sources.function(event.query) else None
            at = sources.modules[place.path].place(asks) if asks is not None else place
            if asks is not None and at not in own:
                found.setdefault(at, Step(at, f"`{text_of(asks)}`"))
        return tuple(found.values())[:_STEPS]

    def _either(self, least: _Asked, asked: list[_Asked]) -> list[_Asked]:
        """The queries of which a turn runs one, in the order of the source; those alone that ask in other words."""
        found: dict[str, _Asked] = {}
        for item in (least, *asked):
            if item is least or is_alternative(least.event, item.event):
                found.setdefault(_text(self._turns.sources, item.event), item)
        return sorted(found.values(), key=lambda item: item.event.query)

    def _fix(self, asked: _Asked, beside: list[_Asked], either: list[_Asked]) -> str:
        """What to write in place of one query of a turn, with others that it asks, or of those of which it asks one."""
        event, others = asked.event, [item.event for item in beside]
        if told := needless(self._turns.sources, event) or by_one_aggregate(self._turns, event, others):
            return told
        known = around(self._turns, event, asked.condition, others, self._asking(event))
        if len(either) > 1:
            stand = [self._own(item, around(self._turns, item.event, item.condition)) for item in either]
            return of_either([
                (item.event, item.condition, own) for item, own in zip(either, stand, strict=True)
            ])  # fmt: skip
        rows = [event, *(other for other in others if known.fetched and other.model is event.model)]
        brings = next(filter(None, map(self._fetched.loading, rows)), "")
        fix = proposal(event, asked.condition, replace(self._own(asked, known), brings=brings))
        return fix + (
            "" if known.late or known.once or known.fetched else alike(event, fix, self._alike(asked, beside))
        )

    def _alike(self, asked: _Asked, beside: list[_Asked]) -> list[tuple[Event, str]]:
        """Others that ask by a like method for what no query of the turn gives, with their fixes."""
        event, sources = asked.event, self._turns.sources
        found: dict[str, tuple[Event, str]] = {_text(sources, event): (event, "")}
        for item in beside:
            other = item.event
            is_near = other.below == event.below and (not event.below or other.place == event.place)
            if not is_near or not is_like(other.method, event.method) or not item.condition.is_shared:
                continue
            known = around(self._turns, other, item.condition, (), self._asking(other))
            if not known.late and not known.once:
                fix = proposal(other, item.condition, self._own(item, known))
                if other.loop is not None and other.model is not None:
                    written = self.loops.changed.get(other.loop.place, ())
                    fix += " Add what the turns write to it." if other.model.label in written else ""
                found.setdefault(_text(sources, other), (other, fix))
        return list(found.values())[1:]

    def _own(self, asked: _Asked, known: Around) -> Around:
        """What stands around a query, with what its row is asked for and what several rows would have alike."""
        model, wanted = asked.event.model, asked.condition
        fields = (wanted.field, *wanted.others) if wanted.is_whole and asked.event.method in ("get", "aget") else ()
        several = fields if fields and model is not None and may_be_several(self._models, model, fields) else ()
        return replace(known, several=several, brings=self._fetched.loading(asked.event))

    def _asking(self, event: Event) -> set[Place]:
        """Where the turns of the loop of an event ask for rows, or make them."""
        around = self._events.get(event.loop.place, ()) if event.loop is not None else ()
        return {place for other in around for place in (other.place, other.query)} - {event.place, event.query}

    def _asked(self, turn: Turn, event: Event) -> _Asked:
        wanted = condition(self._turns.sources, event, self._turns.many, self._turns.called(event))
        reasons = [*self._work(turn, event)]
        if wanted.computed:
            reasons.append("computed")
        few = is_short(self.loops.listed, self.loops.callers, self._turns, event)
        if few or (event.second is not None and event.is_short) or _HANDFUL.search(self._turns.source(event)):
            reasons.append("few")
        if self._turns.is_fetched(event) or self._turns.is_within_work(event):
            reasons.append("beside")
        if wanted.computed and turn.writes:
            reasons.append("beside")
        if self._turns.is_conditional(event) or self._is_search(event):
            reasons.append("conditional")
            around = self._events.get(event.loop.place, []) if event.loop is not None else []
            if len({other.query for other in around} - {event.query}) >= _FULL:
                reasons.append("beside")
        return _Asked(event, wanted, tuple(reasons))

    def _work(self, turn: Turn, event: Event) -> Iterator[str]:
        """What a turn does beside a query, where that is what it is for."""
        around = self._events.get(event.loop.place, []) if event.loop is not None else []
        writes = {other.query for other in around if other.kind == "write"}
        is_writing = bool(writes or turn.writes)
        others = [other for other in around if other.kind != "write" and other.model is not event.model]
        kinds = {other.query for other in others if event.below == 0 or other.place == event.place}
        if event.below == 0:
            works = max(len(turn.asks), max(len(writes), len(turn.writes)) + len(kinds)) if is_writing else 0
            yield from ["beside"] * (2 if works >= _FULL else 1 if works >= _BUSY else 0)
            return
        rewrites = (other for other in around if other.kind == "write" and other.place == event.place)
        found = ["beside"] * min(max(is_writing, len(turn.writes)), _BUSY)
        found += ["beside"] * any(other.model is event.model is not None for other in rewrites)
        found += ["beside"] * (len(kinds) >= _BUSY)
        found += ["beside"] * (self._turns.lines(event) >= _LONG)
        yield from found if is_writing else found[:1]

    def _is_single(self, event: Event) -> bool:
        """Whether a query is about one row as it is: read again, just written, being saved, or created if missing."""
        if event.method in _OWN:
            return True
        node = self._turns.sources.at(event.place)
        called = node.func if event.below and isinstance(node, py.Call) else None
        if isinstance(called, py.Attribute) and called.attr in _SAVING:
            return True
        if self._is_deleted(event):
            return True
        around = self._events.get(event.loop.place, ()) if event.loop is not None else ()
        return any(
            other.kind == "write" and other.model is event.model and other.model is not None
            and (other.method == "create" or _is_before(other.place, event.place))
            for other in around
        )  # fmt: skip

    def _is_deleted(self, event: Event) -> bool:
        """Whether the function that asks for a row deletes it."""
        node, names = self._named(event)
        calls = below(enclosing(self._turns.sources.tree(event.query.path), node)) if node is not None and names else ()
        return any(
            isinstance(call, py.Call) and isinstance(call.func, py.Attribute) and call.func.attr == "delete"
            and dotted(call.func.value) in names
            for call in calls
        )  # fmt: skip

    def _is_search(self, event: Event) -> bool:
        """Whether the first turn whose query finds something ends the loop."""
        node, names = self._named(event)
        if node is None or not names or event.below:
            return False
        loop = enclosing(self._turns.sources.tree(event.query.path), node)
        return isinstance(loop, py.For) and any(
            isinstance(stmt, py.If) and ends(stmt.body) and names & {part.id for part in (stmt.test, *below(stmt.test))
                                                                     if isinstance(part, py.Name)}
            for stmt in below(loop)
        )  # fmt: skip

    def _named(self, event: Event) -> tuple[py.Node | None, set[str]]:
        """The expression that asks, and the names that it is bound to."""
        node = self._turns.sources.at(event.query)
        holder = self._turns.sources.tree(event.query.path).get(node) if node is not None else None
        if isinstance(holder, py.NamedExpr):
            return node, set(target_names(holder.target))
        targets = holder.targets if isinstance(holder, py.Assign) else ()
        return node, {name for target in targets for name in target_names(target)}

    def _cause(self, site: Site, turn: Turn, asked: _Asked) -> str:
        reason = asked.reasons[0] if asked.reasons else ""
        is_long = self._is_long(asked.event)
        if asked.event.loop is not None and self.loops.callers.is_by_hand(asked.event.loop.place):
            return "by-hand"
        if is_for_others(self._turns.sources, asked.event, asked.condition):
            return "row-or-key"
        if self.loops.in_background(site, asked.event):
            is_sure = asked.condition.is_shared and not turn.writes and not reason
            return "background" if is_sure else "rare" if reason in ("", "conditional") else reason
        if reason == "conditional":
            return reason if is_long and asked.condition.is_shared and not turn.writes else "rare"
        if reason:
            return reason
        if not asked.condition.is_shared:
            return "open"
        if amounts.few([asked.event], self.loops.user) in ("own", "short"):
            return "few"
        return "" if is_long and not turn.writes else "given"

    def _is_of_kinds(self, asked: _Asked) -> bool:
        """Whether the first rows of each are asked for in a loop over a table that nothing makes grow.

        A window function numbers all rows where each of these queries stops at the first that its index gives: of
        100,000 rows the loop took 3 ms for 5 kinds where a Window took 79, 82 and 136 for 100, 1,111 and 183 for 2,000
        (measured on SQLite, in memory).
        """
        rows = self._turns.rows(asked.event)
        model = rows.model if rows is not None and not (isinstance(rows, Rows) and rows.via is not None) else None
        return asked.condition.is_cut and model is not None and model not in self._many

    def _is_minor(self, site: Site, turn: Turn, asked: _Asked) -> bool:
        """Whether nobody waits for a turn that has more to do, or that only begins a loop with queries of its own."""
        event = asked.event
        if not self.loops.in_background(site, event):
            return False
        drowns = any(not other.guarded for other in self._events.get(event.query, ()))
        if drowns or event.place in self._events or _ARGUMENTS.search(self._turns.source(event)):
            return True
        if {"computed", "few"} & set(asked.reasons) or (event.below == 0 and "beside" in asked.reasons):
            return True
        return bool(turn.writes) and ("conditional" in asked.reasons or not self._turns.goes_through_rows(event))

    def _is_long(self, event: Event) -> bool:
        """Whether a loop goes through the rows of a table, a list of a request or what a declaration hands out."""
        return event.place in self._declared or (
            self._turns.goes_through_rows(event) and event.owner is None and not self._turns.is_cut(event, amounts.ROWS)
        )

    def _words(self, turn: Turn, asked: _Asked, others: list[Event], either: list[_Asked]) -> dict[str, str]:
        event, sources = asked.event, self._turns.sources
        named = event.below > 0 and self._turns.called(event) is not None and event.model is not None
        method = f" (`{event.method}`)" if event.method not in ("", "…") else ""
        asks = f"asks for {event.model.name}{method}" if named and event.model is not None else "runs a query"
        own = {event.query, *chain(sources, event)}
        found = ((item.query, sources.at(item.query)) for item in others)
        more = ((place, text_of(node)) for place, node in found if node is not None)
        other = next((text for place, text in (*turn.places, *more) if place not in own), "")
        return {
            **words(event),
            "access": "` or `".join(dict.fromkeys(item.event.text for item in either)),
            "loop": "` and, with the same answer, of `".join([loop_text(event), *self._turns.inner(event)]),
            "asks": asks,
            "turns": "some turns" if "conditional" in asked.reasons else "each turn",
            "beside": f"`{other}`" if other else "other work",
            "computed": asked.condition.computed,
        }


def _asks(sources: Sources, place: Place) -> py.Node | None:
    """The call that runs the query whose chain stands at a place, None where that is only put together there."""
    node, tree = sources.at(place), sources.tree(place.path)
    while node is not None:
        func = node.func if isinstance(node, py.Call) else None
        known = method_of(func.attr) if isinstance(func, py.Attribute) else None
        if known is not None and known.runs == "read":
            return node
        held = tree.get(node)
        above = tree.get(held) if isinstance(held, py.Attribute) else None
        node = above if isinstance(above, py.Call) and above.func is held else None
    return None


def _text(sources: Sources, event: Event) -> str:
    """What asks, as text."""
    node = sources.at(event.query)
    return text_of(node, 400) if node is not None else event.text


def _is_before(first: Place, second: Place) -> bool:
    """Whether a place stands above another one of the same module."""
    one, other = first.region, second.region
    return first.path == second.path and (one.line, one.column) < (other.line, other.column)
