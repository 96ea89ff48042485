"""The events of the walk that the Python code answers for, one group for each root cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace as changed
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stackaudit.link.queries.advice import outermost
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.origins import GIVEN, HANDED
from stackaudit.link.queries.roots import apart
from stackaudit.link.queries.rows import PRESUMED
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_APPENDED = re.compile(r" to (`[^`]+`(?: and `[^`]+`)*(?: in [\w.]*\w)?)")
_STEPS = 20


def own(stack: Stack) -> Iterator[Event]:
    """The events of the Python code, without what rests on a row that every known caller brings loaded.

    What classes declare (columns, exports, feeds, types) stands among them, at the lines that declare it.
    """
    walked = (*stack.queries.events, *stack.declared.events)
    here = (event for event in walked if event.area == "orm" and event.place.path.endswith(".py"))
    events = apart(stack.readers.told(here, stack.queries.walk))
    loaded = {_answered(event) for event in walked if event.outcome == "pass" and event.relation}
    named = stack.mentions.prefetched
    roots = [outermost(event) for event in events]
    looped = {
        _asked(event)
        for event, first in zip(events, roots, strict=True)
        if first.path != event.path and not _is_presumed(first)
    }
    handed = {source(event) for event in events if _asked(event) in looped}
    for event, first in zip(events, roots, strict=True):
        if _is_presumed(first) and _asked(event) in looped:
            continue  # the loops that hand over the row are told the whole way from their querysets
        by = first.origin.by if first.origin is not None and event.outcome == "fail" else ""
        known = _answered(event) in loaded
        if first.origin is None and len(first.path) > 1 and event.outcome == "fail":
            why = f"which queryset brings {first.path[0]} along is not known"
            yield replace(event, outcome="unknown", why=why)
        elif by not in (PRESUMED, GIVEN):
            yield event
        elif by == GIVEN or not known:
            assert first.origin is not None
            way = first.origin.way[-1:] + (first.path if by == GIVEN else ())
            told = known or any(way == path[at : at + len(way)] for path in named for at in range(len(path)))
            why = f"other code prefetches {'__'.join(way)}, and whether it does so for these rows is not known"
            mine = event.origin
            if not told and mine is not None and mine.by == GIVEN and mine.place in handed:
                if not mine.row:
                    continue  # the loops that hand over the row are told the whole way, and nothing names it here
                event = replace(event, origin=replace(mine, by=HANDED))
            yield replace(event, outcome="unknown", why=why) if told else event


def _is_presumed(event: Event) -> bool:
    return event.origin is not None and event.origin.by == PRESUMED


def _asked(event: Event) -> tuple[object, ...]:
    """What an event asks for, whoever hands over the row."""
    return event.kind, event.place, event.query, event.path


def _answered(event: Event) -> tuple[object, ...]:
    """What an event asks for on the turns of its loop, whose rows other callers of the same function may bring."""
    return event.query, event.relation, event.turns.place if event.turns is not None else None


def source(event: Event) -> Place:
    """The queryset whose rows an event asks, or the loop where it is not known."""
    return event.origin.place if event.origin is not None else event.loop.place if event.loop else event.place


def grouped(events: Iterable[Event], key: Callable[[Event], Place]) -> list[list[Event]]:
    """Events of one root cause together; what fails goes first, and what is known before what is not."""
    groups: dict[Place, list[Event]] = {}
    for event in events:
        groups.setdefault(key(event), []).append(event)
    rank = {"fail": 0, "unknown": 2, "pass": 1}
    return [sorted(group, key=lambda event: rank[event.outcome]) for _, group in sorted(groups.items())]


def verdict(group: list[Event], fail: Callable[[Site, list[Event]], Fail | Pass]) -> Verdict:
    """One verdict for the events of one root cause; `fail` words the failure, or says that it is none."""
    first = group[0]
    site = Site(first.place, f"{first.where}: {first.text}")
    failed = [event for event in group if event.outcome == "fail"]
    if failed:
        return fail(site, failed)
    if any(event.outcome == "pass" for event in group):
        return Pass(site)
    return Unsure(site, first.why)


def together(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """Verdicts, with what one place asks of the rows of several querysets as one failure, which names all of them."""
    failed: dict[tuple[Site, str], list[Fail]] = {}
    for verdict in verdicts:
        if isinstance(verdict, Fail):
            failed.setdefault((verdict.site, verdict.cause), []).append(verdict)
        else:
            yield verdict
    for first, *others in failed.values():
        steps = dict.fromkeys((*first.related, *(step for other in others for step in other.related)))
        yield changed(first, fix=_for_each(first.fix, [other.fix for other in others]), related=tuple(steps)[:_STEPS])


def _for_each(first: str, others: Iterable[str]) -> str:
    """The fix of a queryset with those of others that lack as much: what is the same for them is said once."""
    alike, more = [], []
    said = list(dict.fromkeys((first, *others)))
    first, *others = (text for text in said if not any(text != whole and text in whole for whole in said))
    for other in others:
        target = _APPENDED.search(other)
        if target is not None and _APPENDED.sub("", other, 1) == _APPENDED.sub("", first, 1):
            alike += [target[1]] if target[1] not in first else []
        else:
            more.append(other)
    same = [f"Do the same for {in_words(alike)}."] if alike else []
    return " ".join(filter(None, [first, *same, *more]))
