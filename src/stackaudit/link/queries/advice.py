"""What to append to a queryset so that its rows bring what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import Origin
from stackaudit.model.source import Place
from stackaudit.model.verdict import Step

Path = tuple[str, ...]
SHARED = "shared"
"""`Origin.by` of a queryset that serves several models: the view of a base class, a function that is given a model."""
_JOINED = frozenset({"fk", "o2o", "reverse_o2o"})
_OF_PREFETCHED = frozenset({"", "all", "count", "exists", "contains"})
_NAMED = 6
"""So many columns are named one by one."""


def outermost(event: Event) -> Event:
    """An event on the rows of `day.slots.all()`, asked in a loop over days, as one on the queryset of the days."""
    origin, path = event.origin, event.path
    while origin is not None and origin.outer is not None:
        origin, path = origin.outer, (*origin.way, *path)
    return event if origin is event.origin else replace(event, origin=origin, path=path)


def apart(events: Iterable[Event]) -> list[Event]:
    """Events whose querysets are of one model each.

    A queryset that rows of several models come from is one of a function or base class that many share: what is
    missing is loaded where the queryset begins that it was made of.
    """
    found = list(events)
    models: dict[Place, set[str]] = {}
    for event in found:
        origin = event.origin
        while origin is not None:
            models.setdefault(origin.place, set()).add(origin.model.label if origin.model is not None else "")
            origin = origin.refined
    return [_own(event, models) for event in found]


def _own(event: Event, models: dict[Place, set[str]]) -> Event:
    own = event.origin
    while own is not None and len(models[own.place]) > 1:
        own = own.refined
    if event.origin is None or own is event.origin:
        return event
    if own is None:
        return replace(event, origin=replace(event.origin, by=SHARED))
    flow = event.flow
    if flow and flow[0].place == event.origin.place:
        flow = (Step(own.place, f"`{own.text}` loads the rows"), *flow[1:])
    return replace(event, origin=own, flow=flow)


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


def beside_bare(origin: Origin | None, joins: list[Path]) -> list[Path]:
    """`joins` with what a bare `select_related()` joins already: one that names relations takes its place."""
    if origin is None or not origin.bare or origin.model is None or not joins:
        return joins
    keys = [name for name, item in origin.model.relations.items() if item.relation in ("fk", "o2o") and not item.null]
    return [(name,) for name in keys] + [path for path in joins if path not in [(name,) for name in keys]]


def is_joined(model: Model | None, path: Path) -> bool:
    """Whether `select_related` takes the path: each of its steps leads to one row in one table."""
    for name in path:
        relation = model.relation(name) if model is not None else None
        if relation is None:
            return model is None
        if relation.relation not in _JOINED:
            return False
        model = relation.target
    return True


def loading(origin: Origin | None, events: Iterable[Event]) -> str:
    """The calls that load the relations of events: `.select_related("author").prefetch_related("tags")`."""
    model = origin.model if origin is not None else None
    paths = list(dict.fromkeys(event.path for event in events))
    generic = {event.path for event in events if event.relation is not None and event.relation.relation == "generic_fk"}
    many = {event.path for event in events if event.kind in ("reverse", "bypassed")}
    can_join = origin is None or not origin.is_raw
    joins = [path for path in paths if can_join and path not in generic | many and is_joined(model, path)]
    joined = beside_bare(origin, joins)
    rest = [path for path in paths if path not in joins]
    return _call("select_related", joined) + _call("prefetch_related", rest)


def _call(name: str, paths: list[Path]) -> str:
    given = quoted(lookups(paths))
    return f".{name}({given})" if given else ""


def lookups(paths: Iterable[Path]) -> list[str]:
    """Paths as the ORM writes them, without those that a longer one includes."""
    known = list(dict.fromkeys(paths))
    return ["__".join(path) for path in known if not any(path == other[: len(path)] != other for other in known)]


def quoted(names: Iterable[str]) -> str:
    """Names as arguments: `"author", "tags"`."""
    return ", ".join(f'"{name}"' for name in names)


def with_branches(origin: Origin | None, source: str) -> str:
    """The text of a queryset with those of the branches that take another one, to stand between backticks."""
    others = [item.text for item in origin.beside if item.text] if origin is not None else []
    return "` and `".join(dict.fromkeys([source, *others]))


def of_one(origin: Origin | None, source: str, events: list[Event]) -> str:
    """What helps rows that are asked for relations to one row, or for columns that `only()` or `defer()` left out."""
    if origin is not None and origin.by == SHARED:
        return ""
    source = with_branches(origin, source)
    deferred = [event for event in events if event.kind == "deferred"]
    call = loading(origin, [event for event in events if event.kind != "deferred"])
    parts = []
    for method in ("only", "defer"):
        names = lookups(event.path for event in deferred if event.method == method)
        if len(names) > _NAMED:
            parts.append(f"take the {method}() off `{source}`, which leaves out {quoted(names[:_NAMED])} and more")
        elif names and method == "only":
            parts.append(f"add {quoted(names)} to the only() of `{source}`")
        elif names:
            parts.append(f"take {quoted(names)} out of the defer() of `{source}`")
    if call:
        parts.append(f"append `{call}` to " + ("it" if parts else f"`{source}`"))
    text = " and ".join(parts) + "."
    return text[:1].upper() + text[1:]


def of_many(origin: Origin | None, source: str, events: list[Event]) -> str:
    """What helps rows that are asked for many related rows, and for what those are asked in turn."""
    if origin is not None and origin.by == SHARED:
        return ""
    source = with_branches(origin, source)
    again = {event.path for event in events if event.kind == "reverse" and event.method not in _OF_PREFETCHED}
    plain = [event for event in events if event.path not in again]
    numbers = bool(plain) and not again and {event.method for event in plain} <= {"count", "exists"}
    call = loading(origin, plain)
    if numbers:
        return f"Annotate `{source}` with Count or Exists, or append `{call}`."
    texts = [f"Append `{call}` to `{source}`."] if call else []
    if again:
        wanted = ", ".join(f'Prefetch("{"__".join(path)}", queryset=…, to_attr="…")' for path in list_of(events, again))
        methods = sorted({event.method for event in events if event.path in again} - _OF_PREFETCHED)
        named, first = ", ".join(f".{name}()" for name in methods), "__".join(list_of(events, again)[0])
        texts.append(
            f"Append `.prefetch_related({wanted})` to `{source}` and read that list: {named} would ask the database "
            f"again even where `{first}` is prefetched."
        )
    return " ".join(texts)


def list_of(events: list[Event], among: set[Path]) -> list[Path]:
    """The paths of `among` in the order of the events, three at most."""
    return list(dict.fromkeys(event.path for event in events if event.path in among))[:3]
