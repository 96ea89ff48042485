"""Queries and writes that a loop repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.checks.orm.causes import grouped, own, source, verdict
from stackaudit.checks.orm.keys import only_keys
from stackaudit.link.queries.events import Event
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

ROWS = 100
NEAR = 2
"""So many calls below a loop a query is still the loop's business; deeper ones belong to what is called."""
_BACKGROUND = ("management/commands/", "/tasks.py", "/tasks/", "/cron")


def n_plus_one_forward(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset whose rows are gone through and asked for a relation to one row."""
    keys = only_keys(stack)
    events = [event for event in own(stack) if event.kind in ("forward", "deferred") and event.place not in keys]
    for group in grouped(events, source):
        yield verdict(group, _forward)


def n_plus_one_reverse(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset whose rows are gone through and asked for many related rows."""
    for group in grouped((event for event in own(stack) if event.kind == "reverse"), source):
        yield verdict(group, _reverse)


def prefetch_bypassed(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset whose prefetched relation is asked again for each row."""
    events = [event for event in own(stack) if event.kind == "bypassed"]
    known = {(source(event), event.path) for event in events}
    prefetched = [
        event
        for event in own(stack)
        if event.kind == "reverse" and event.outcome == "pass" and (source(event), event.path) not in known
    ]
    for group in grouped((*events, *prefetched), source):
        yield verdict(group, _bypassed)


def query_in_loop(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop that runs a query which changes with its turns."""
    near = (event for event in own(stack) if event.kind == "query" and event.below <= NEAR)
    for group in grouped(near, _loop):
        yield verdict(group, _query)


def write_in_loop(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop that writes row by row, and for each statement that writes many rows."""
    for group in grouped((event for event in own(stack) if event.kind == "write"), _loop):
        yield verdict(group, _write)


def _loop(event: Event) -> Place:
    return event.loop.place if event.loop is not None and event.outcome != "pass" else event.query


def _paths(events: list[Event]) -> list[str]:
    """Relation paths as the ORM writes them, without those that a longer one includes."""
    paths = list(dict.fromkeys("__".join(event.path) for event in events))
    return [path for path in paths if not any(other.startswith(path + "__") for other in paths)]


def _shown(events: list[Event]) -> str:
    paths = list(dict.fromkeys(".".join(event.path) for event in events))
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


def _cost(queries: int, events: list[Event]) -> Cost:
    page = max((event.loop.page for event in events if event.loop is not None), default=0)
    rows = page or ROWS
    return Cost(queries * rows + 1, rows, f"{rows} rows on a page" if page else f"{rows} rows in the loop, assumed")


def _cause(events: list[Event], cause: str = "") -> str:
    if all(event.guarded for event in events):
        return "conditional"
    return cause


def words(event: Event) -> dict[str, str]:
    """The values of an event that messages name."""
    model = event.model.name if event.model is not None else "row"
    source = event.origin.text if event.origin is not None and event.origin.text else "the queryset"
    return {"model": model, "source": source, "where": event.where, "access": event.text, "method": event.method}


def _forward(site: Site, events: list[Event]) -> Fail:
    deferred = [event for event in events if event.kind == "deferred"]
    relations = [event for event in events if event.kind == "forward"]
    said = words(events[0])
    if not relations:
        names = sorted({event.path[-1] for event in deferred})
        fix = f"Add {', '.join(names)} to only(), or take it out of defer(), on `{said['source']}`."
        return Fail(
            site, {**said, "paths": _shown(deferred)}, _cause(deferred, "deferred"),
            _related(events, "leaves the column out"), events[0].flow, fix, _cost(len(names), deferred),
        )  # fmt: skip
    generic = [event for event in relations if event.relation is not None and event.relation.relation == "generic_fk"]
    joins = _paths([event for event in relations if event not in generic])
    calls = []
    if joins:
        calls.append(f".select_related({', '.join(repr(path) for path in joins)})".replace("'", '"'))
    if generic:
        calls.append(f".prefetch_related({', '.join(repr(path) for path in _paths(generic))})".replace("'", '"'))
    fix = f"Append `{''.join(calls)}` to `{said['source']}`."
    return Fail(
        site, {**said, "paths": _shown(relations)}, _cause(events), _related(events, "the queryset"), events[0].flow,
        fix, _cost(len({event.path for event in relations}), relations),
    )  # fmt: skip


def _reverse(site: Site, events: list[Event]) -> Fail:
    said = words(events[0])
    paths = _paths(events)
    call = f".prefetch_related({', '.join(repr(path) for path in paths)})".replace("'", '"')
    methods = {event.method for event in events}
    fix = f"Append `{call}` to `{said['source']}`."
    if methods <= {"count", "exists"}:
        fix = f"Annotate `{said['source']}` with Count or Exists, or append `{call}`."
    elif methods - {"", "count", "exists", "contains"}:
        named = ", ".join(f".{name}()" for name in sorted(methods - {"", "count", "exists", "contains"}))
        fix = (
            f'Append `.prefetch_related(Prefetch("{paths[0]}", queryset=…, to_attr="…"))` to `{said["source"]}` and '
            f"read that list: {named} would ask the database again even where `{paths[0]}` is prefetched."
        )
    return Fail(
        site, {**said, "paths": _shown(events)}, _cause(events), _related(events, "the queryset"), events[0].flow, fix,
        _cost(len({event.path for event in events}), events),
    )  # fmt: skip


def _bypassed(site: Site, events: list[Event]) -> Fail:
    said = words(events[0])
    fix = (
        f"Filter or order in Python, or prefetch what is wanted: "
        f'`Prefetch("{_paths(events)[0]}", queryset=…, to_attr="…")`.'
    )
    return Fail(
        site, {**said, "paths": _shown(events)}, _cause(events), _related(events, "prefetches the rows"),
        events[0].flow, fix, _cost(len({event.path for event in events}), events),
    )  # fmt: skip


def _query(site: Site, events: list[Event]) -> Fail:
    said = words(events[0])
    background = any(part in site.place.path for part in _BACKGROUND)
    return Fail(
        site, {**said, "loop": _loop_text(events[0])}, _cause(events, "background" if background else ""),
        _loop_step(events), events[0].flow, cost=_cost(len({event.query for event in events}), events),
    )  # fmt: skip


def _write(site: Site, events: list[Event]) -> Fail:
    said = words(events[0])
    background = any(part in site.place.path for part in _BACKGROUND)
    return Fail(
        site, {**said, "loop": _loop_text(events[0])}, "background" if background else "", _loop_step(events),
        events[0].flow, _WRITE_FIX.get(events[0].method, ""), _cost(len({event.query for event in events}), events),
    )  # fmt: skip


_WRITE_FIX = {
    "create": "Collect the objects in a list and pass it to `bulk_create()` after the loop.",
    "save": "Change the objects in the loop and write them after it with `bulk_update(objects, [fields])` "
    "(new objects: `bulk_create()`).",
    "delete": "Delete with one statement after the loop: `filter(pk__in=…).delete()`.",
    "update": "Write with one statement: `filter(pk__in=…).update(…)`, or `bulk_update()` where the values differ.",
    "add": "Collect the objects and pass them all at once: `.add(*objects)`.",
    "remove": "Collect the objects and pass them all at once: `.remove(*objects)`.",
    "get_or_create": "Read what exists with one `filter(…__in=…)`, then `bulk_create()` the rest.",
    "update_or_create": "Use `bulk_create(objects, update_conflicts=True, update_fields=…, unique_fields=…)`.",
}


def _loop_text(event: Event) -> str:
    return event.loop.text if event.loop is not None else "the loop"


def _loop_step(events: list[Event]) -> tuple[Step, ...]:
    loop = events[0].loop
    steps = {loop.place: Step(loop.place, loop.text)} if loop is not None else {}
    for event in events[1:]:
        if event.place != events[0].place:
            steps.setdefault(event.place, Step(event.place, f"`{event.text}`"))
    return tuple(steps.values())[:20]
