"""Queries that a serializer runs for each row of a list, or of a list that is nested in one object."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.drf.kept import beyond, kept
from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.pages.events import REPEATING, Cause, Repeat, cause_of, grouped, inner_steps, rooted, some
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.memos import is_behind_cache
from stackaudit.link.queries.reading import is_number
from stackaudit.link.serializers.walk import Api
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Step, Unsure, Verdict

PAGE = 25
NESTED = 10
_ALONE = "Lists are made there, too, and need none of it: load it for actions that show one object, by `self.action`."
_WHAT = {
    "pk": "writes out the keys of",
    "link": "links to",
    "string": "writes out str() of",
    "slug": "reads an attribute of",
    "nested": "nests",
    "plain": "reads",
    "custom": "reads",
    "method": "reads",
}


def n_plus_one(stack: Stack) -> Iterator[Verdict]:
    """Fields that read related rows, against what the view's queryset loads."""
    api, user = stack.api, stack.models.user
    for listing in api.listings:
        if listing.why:
            name = f"{listing.view.cls.name}: list"
            yield Unsure(Site(listing.view.place, name), listing.why)
    for detail in {detail.view: detail for detail in api.details.unclear}.values():
        yield Unsure(Site(detail.view.place, f"{detail.view.cls.name}: retrieve"), detail.why)
    events = stack.readers.told(api.events, api.walk)
    further = _beyond(api, events)
    besides: dict[tuple[Place, Place], list[Event]] = {}
    for event, loads in kept(events, lambda event: _in_method(api, event)).items():
        besides.setdefault((loads.place, loads.query), []).append(event)
    for repeat in grouped(events, lambda event: event in further or not _in_method(api, event)):
        also = [event for item in repeat.failing for event in besides.get((item.place, item.query), ())]
        yield _fields(api, user, repeat, also)


def _in_method(api: Api, event: Event) -> bool:
    """Whether the query is run by code of the repository that the field calls, not by the field itself.

    Columns that were left out are one finding, whatever reads them.
    """
    return event.kind != "deferred" and (api.field(event).kind == "method" or event.query not in api.fields)


def _access(api: Api, event: Event) -> Place:
    """The first access in the code that the field calls."""
    return next((step.place for step in inner_steps(event) if step.place not in api.fields), event.query)


def _beyond(api: Api, events: list[Event]) -> set[Event]:
    """What the code of a field asks of the very rows that the field itself asks for."""
    return beyond(events, lambda event: _in_method(api, event), lambda event: _innermost(api, event))


def _innermost(api: Api, event: Event) -> Place:
    """The field that asks, or calls the code that does: of nested fields the last one."""
    found = event.place
    for step in inner_steps(event):
        if step.place not in api.fields:
            break
        found = step.place
    return found


def _fields(api: Api, user: Model | None, repeat: Repeat, also: list[Event]) -> Verdict:
    """The verdict on fields that read related rows; `also` is what code asks for that other fields call."""
    event = repeat.first
    field = api.field(event)
    queryset = event.origin.where if event.origin is not None else event.where
    site = Site(event.place, f"{queryset} > {field.owner.name if field.owner else event.where}.{field.name}")
    if event.outcome == "pass":
        return Pass(site)
    if event.outcome == "unknown":
        return Unsure(site, event.why)
    listed = _of_lists(api, repeat)
    origin = repeat.origin.text if repeat.origin is not None else ""
    names = list(dict.fromkeys(api.field(item).name for item in repeat.failing))
    return Fail(
        site,
        {
            "fields": some(names),
            "relation": (listed or repeat).relations or event.method,
            "does": "reads" if event.kind == "deferred" else _WHAT.get(field.kind, "reads"),
            "queryset": f"`{origin}`" if origin else "the queryset",
            "loop": event.loop.text if event.loop is not None else "the list",
            "method": event.method,
        },
        cause=_cause(api, repeat, listed, user),
        related=Repeat([*repeat.events, *also]).related(),
        flow=event.flow,
        fix=_advice(api, repeat, listed),
        cost=_cost(repeat, listed),
    )


def _of_lists(api: Api, repeat: Repeat) -> Repeat | None:
    """What the lists of an API ask, without what its single objects ask; None where no list fails."""
    events = [event for event in repeat.failing if event.loop not in api.details.loops]
    return Repeat(events, repeat.shown, brought=repeat.brought) if events else None


def _advice(api: Api, repeat: Repeat, listed: Repeat | None) -> str:
    """What to load for a list, and what more for a single object."""
    if listed is None:
        told = repeat.advice()
        return f"{told} {_ALONE}" if told and repeat.loads() and _also_lists(api, repeat) else told
    paths = {event.path for event in listed.failing}
    others = [event for event in repeat.failing if event.path not in paths]
    more = Repeat(others).loads() if others else ""
    told = listed.advice()
    return f"{told} For a single object it needs `{more}`, too." if told and more else told


def _also_lists(api: Api, repeat: Repeat) -> bool:
    """Whether the queryset of a single object is made in a method that gives the lists of its view theirs, too."""
    where = repeat.origin.where if repeat.origin is not None else ""
    label, _, method = where.rpartition(".")
    return method == "get_queryset" and any(view.lists and view.cls.name == label for view in api.views)


def _cost(repeat: Repeat, listed: Repeat | None) -> Cost:
    """What one request costs: for a list, or for one object where no list asks."""
    if listed is not None:
        return listed.cost(PAGE, "25 rows in a page")
    return repeat.cost(NESTED, f"{NESTED} rows of the nested list")


def _is_cached(api: Api, event: Event) -> bool:
    """Whether the serializer of a field answers from a cache, so that it asks for those rows alone that are not there.

    It is the serializer's own `to_representation()` that does so, and runs for each row of the list.
    """
    owner = api.field(event).owner
    member = owner.find("to_representation") if owner is not None else None
    node = member.node if member is not None else None
    return isinstance(node, py.FunctionDef) and is_behind_cache(node)


def _cause(api: Api, repeat: Repeat, listed: Repeat | None, user: Model | None, query: str = "") -> str:
    """What fails: what is asked (`query` where a rule tells plain queries apart), where and of how many rows."""
    failing = (listed or repeat).failing
    few = listed.few(user) if listed is not None else ""
    if all(event.kind == "bypassed" for event in repeat.failing):
        return "-".join(filter(None, ("bypassed", few if few == "short" else few and "few")))
    guarded = all(event.guarded for event in failing)
    if listed is not None and all(_is_cached(api, event) for event in failing):
        return "-".join(
            filter(None, ("cached", query if all(event.kind == "query" for event in repeat.failing) else ""))
        )
    amount = "detail" if listed is None else "few" if few and (guarded or few == "detail") else few
    kind = query if all(event.kind == "query" for event in repeat.failing) else ""
    return "-".join(filter(None, ("guarded" if guarded else "", amount, kind)))


def method_field_query(stack: Stack) -> Iterator[Verdict]:
    """Method fields and properties that ask the database for each row."""
    api = stack.api
    found: dict[Cause, list[Event]] = {}
    events = stack.readers.told(api.events, api.walk)
    there = {*kept(events, lambda event: _in_method(api, event)), *_beyond(api, events)}
    asking = (event for event in events if event.kind in REPEATING and _in_method(api, event))
    for event in rooted(event for event in asking if event not in there):
        found.setdefault(_root(event), []).append(event)
    shown: dict[Place | None, set[str]] = {}
    for event in rooted(api.events):
        if event.path and (len(event.path) > 1 or not is_number(event)):
            shown.setdefault(event.origin.place if event.origin is not None else None, set()).add(event.path[0])
    for events in (_always(api, events) for events in found.values()):
        origin = events[0].origin
        relations = frozenset(shown.get(origin.place if origin is not None else None, ()))
        told = _brought(api, Repeat(events).first)  # the one that the finding stands at
        yield _method(api, stack.models.user, Repeat(events, relations, brought=told))


def _always(api: Api, events: list[Event]) -> list[Event]:
    """Events of one query without those of serializers that a cache answers for, where others run it as well."""
    often = [event for event in events if event.outcome != "fail" or event.path or not _is_cached(api, event)]
    return often if any(event.outcome == "fail" for event in often) else events


def _brought(api: Api, event: Event) -> str:
    """The queryset of a list for whose rows a query runs, with where it stands; "" where there is no single one."""
    if api.field(event).kind == "nested":
        return ""  # it runs for rows behind those of the list
    place = event.loop.place if event.loop is not None else None
    found = {origin for at, origin in api.walk.record.shown if at == place and origin is not None and origin.text}
    told = [f"`{origin.text}`{f' in {origin.where}' if origin.where else ''}" for origin in found]
    return told[0] if len(told) == 1 else ""


def _root(event: Event) -> Cause:
    """The rows that lack something; for a query of another kind the query itself, however many fields lead to it."""
    return cause_of(event) if event.path else (event.query, None, "")


def _method(api: Api, user: Model | None, repeat: Repeat) -> Verdict:
    event = repeat.first
    field = api.field(event)
    access = _access(api, event)
    owner = field.owner.name if field.owner is not None else event.where
    queryset = event.origin.where if event.origin is not None else event.where
    place = event.place if field.kind == "nested" else access
    read = ".".join(event.path) or event.method
    site = Site(place, f"{queryset} > {owner}.{field.method or field.name}: {read}")
    if event.outcome == "pass":
        return Pass(site)
    if event.outcome == "unknown":
        return Unsure(site, event.why)
    listed = _of_lists(api, repeat)
    origin = repeat.origin.text if repeat.origin is not None else ""
    fields = list(dict.fromkeys(api.field(item).name for item in repeat.failing))
    other = field.place if place == access else access
    declared = Step(other, f"the field `{field.name}` of each row" if place == access else f"reads `{read}`")
    return Fail(
        site,
        {
            "field": "`, `".join(fields[:4]) + ("`, `…" if len(fields) > 4 else ""),
            "relation": (listed or repeat).relations or event.method,
            "queryset": f"`{origin}`" if origin else "the queryset",
            "method": event.method,
        },
        cause=_cause(api, repeat, listed, user, "query"),
        related=(declared, *repeat.related()),
        flow=event.flow,
        fix=_advice(api, repeat, listed),
        cost=_cost(repeat, listed),
    )
