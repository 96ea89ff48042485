"""Code that comes back to itself on each level of a tree: a prefetch reaches the levels that it names, and no more.

Measured with Django 5.2 for a root with ten rows below it, each of which has ten: a function that goes through
`node.children.all()` and calls itself ran 112 queries, with `.prefetch_related("children")` appended there 123 (what
is appended asks again, whatever was prefetched), and with all rows read once before and put by their parent 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackaudit.link.queries.events import Event
from stackaudit.link.queries.origins import Origin
from stackaudit.link.queries.reading import manager
from stackaudit.model.prose import in_words


def is_level(event: Event) -> bool:
    """Whether a loop over the rows behind a relation asks each of them for the rows that it goes through next."""
    relation, loop = event.relation, event.loop
    if event.kind != "reverse" or relation is None or loop is None or loop.place != event.query:
        return False
    model, target = relation.model, relation.target
    return model is not None and target is not None and (model in target.family() or target in model.family())


def within(origin: Origin | None, events: Iterable[Event]) -> Event | None:
    """The event of a level whose rows come from where it asks, so that nothing above brings them; None for others."""
    return next((event for event in events if origin is not None and origin.place == event.query), None)


def of_level(event: Event, calls: str) -> str:
    """What to do in place of a query for each row of each level; `calls` load what else the rows are asked for."""
    relation, asking = event.relation, event.asking
    assert relation is not None and relation.target is not None
    home = f"`{asking.where}`" if asking is not None and asking.where else "The code"
    text = asking.text if asking is not None and asking.text else f"….{relation.name}.all()"
    rows = f"`{manager(relation.target)}{calls or '.all()'}`"
    head = f"{home} calls itself for each level, and a prefetch reaches the levels that it names: before the first call"
    if relation.relation != "reverse_fk" or not relation.remote:
        return f"{head} read the rows of all levels ({rows}) and their links, and look them up in place of `{text}`."
    methods = [f"`{name}()`" for name in sorted(asking.methods)] if asking is not None else []
    alike = f", with the {in_words(methods)} of the loop" if methods else ""
    held = text.partition(f".{relation.name}.")[0] or "…"
    return (
        f"{head} read the rows of all levels with one query ({rows}, or those of this tree{alike}), put each under its "
        f"parent (`{relation.name}[row.{relation.remote}_id].append(row)` with a `defaultdict(list)`), and go through "
        f"`{relation.name}[{held}.pk]` in place of `{text}`."
    )


def deeper(events: Iterable[Event]) -> Iterator[str]:
    """The sentence for what has to be named for more levels than a prefetch names."""
    levels = [event for event in events if is_level(event)]
    told = [(event.asking.where, event.path[-1]) for event in levels if event.asking is not None]
    for where, name in dict.fromkeys(told):
        yield (
            f"`{where}` comes back to itself for each level: add one more `__{name}` for each that there is, or read "
            "all rows once and put them by their parent in Python."
        )
