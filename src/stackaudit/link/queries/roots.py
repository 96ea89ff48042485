"""Which queryset is to load what its rows lack, where one is made of another in a base class or a function."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.origins import INHERITED, SHARED, Origin
from stackaudit.model.source import Place
from stackaudit.model.verdict import Step

_LOADS = re.compile(r"\.(?:select_related|only)\(")
_Lacking = Mapping[tuple[Place, tuple[str, ...]], dict[str, Model]]
"""The models whose rows lack what a path leads to, by the expression that gives them."""


def apart(events: Iterable[Event]) -> list[Event]:
    """Events whose querysets are of one model each.

    A queryset that rows of several models come from is one of a function or base class that many share: what is
    missing is loaded where the queryset begins that it was made of, unless the rows of all of them lack the same of
    the model that they derive from.
    """
    found = list(events)
    models: dict[Place, set[str]] = {}
    lacking: dict[tuple[Place, tuple[str, ...]], dict[str, Model]] = {}
    for event in found:
        origin = event.origin
        while origin is not None:
            models.setdefault(origin.place, set()).add(origin.model.label if origin.model is not None else "")
            if event.outcome == "fail" and event.path and origin.model is not None:
                lacking.setdefault((origin.place, event.path), {})[origin.model.label] = origin.model
            origin = origin.refined
    return [_own(event, models, lacking) for event in found]


def _own(event: Event, models: Mapping[Place, set[str]], lacking: _Lacking) -> Event:
    own = event.origin
    while own is not None and (own.by == INHERITED or own.several or len(models[own.place]) > 1):
        given = models[own.place] | (own.models or set())
        if own.by != INHERITED and (base := _base(given, lacking.get((own.place, event.path), {}), event)) is not None:
            own = replace(own, model=base, models=None)
            break
        own = own.refined
    if event.origin is None or own is event.origin:
        return event
    if own is None:
        return replace(event, origin=replace(event.origin, by=SHARED))
    return _of(event, own)


def _base(given: set[str], lacking: Mapping[str, Model], event: Event) -> Model | None:
    """The model from which all models `given` derive, where the rows of each lack what it has the relation for.

    A queryset that loads something for all of them may join a row for one more that has no need of it.
    """
    assert event.origin is not None
    loads = event.kind == "forward" and len(lacking) > 1 and _LOADS.search(event.origin.text)
    if not event.path or not (given <= set(lacking) or loads):
        return None
    families = [list(model.family()) for model in lacking.values()]
    base = next((model for model in families[0] if all(model in family for family in families)), None)
    if base is None or not given <= {model.label for model in (base, *base.derived())}:
        return None
    return base if (base.relation(event.path[0]) or base.column(event.path[0])) is not None else None


def inherited(events: Iterable[Event]) -> list[Event]:
    """Events whose querysets lack nothing that the one lacks as well of which a base class made them.

    What that one loads, all that are made of it load.
    """
    found = list(events)
    lacking = {
        (event.origin.place, event.origin.model, event.path)
        for event in found
        if event.origin is not None and event.path and event.outcome == "fail" and not event.guarded
    }
    return [_earlier(event, lacking) for event in found]


def _earlier(event: Event, lacking: Container[tuple[Place, Model | None, tuple[str, ...]]]) -> Event:
    own = event.origin
    earlier = own.refined if own is not None and event.outcome == "fail" else None
    found: Origin | None = None
    while earlier is not None and own is not None and earlier.model is own.model:
        if (earlier.place, earlier.model, event.path) in lacking and earlier.where != own.where:
            found = earlier
        earlier = earlier.refined
    return _of(event, found) if found is not None else event


def _of(event: Event, origin: Origin) -> Event:
    """An event as one of the rows of another queryset, of which that of the event was made."""
    flow = event.flow
    if flow and event.origin is not None and flow[0].place == event.origin.place != origin.place:
        flow = (Step(origin.place, f"`{origin.text}` loads the rows"), *flow[1:])
    return replace(event, origin=origin, flow=flow)
