"""Keys that a turn of a loop computes itself: they are not there before the loop has gone through its source."""

from __future__ import annotations

from stackaudit.checks.orm.conditions import Condition
from stackaudit.checks.orm.turns import Turns
from stackaudit.facts import python as py
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import code_of
from stackaudit.link.sources import below, tries

_BUILTIN = frozenset({"filter", "iter", "map", "open", "zip"})
_READING = frozenset({"DictReader", "finditer", "reader"})
"""What can be gone through once: built-in functions, and those of `csv` and `re`."""
_PLAIN = frozenset({"", "all", "exists", "filter"})


def once(turns: Turns, event: Event, loop: py.For | py.Comprehension, asked: Condition) -> str:
    """What a loop goes through, where that and what a turn makes of it have to be kept to ask for all keys at once.

    That is so where a turn computes its key, and the source gives its elements once or a bad one is caught.
    """
    value, node = asked.value, turns.sources.at(event.query)
    if event.below or not isinstance(loop, py.For) or not isinstance(value, py.Name) or node is None:
        return ""
    made = [
        part
        for part in below(loop)
        if isinstance(part, py.Assign)
        and part.end <= node.start
        and any(value.id in target_names(target) for target in part.targets)
    ]
    if not any(isinstance(part, py.Call) for stmt in made for part in (stmt.value, *below(stmt.value))):
        return ""
    if not _is_once(turns, event, loop) and not any(_is_tried(turns, event, loop, stmt) for stmt in made):
        return ""
    written = code_of(loop.iter, 60)
    return f"`{written}`" if written else "what the loop goes through"


def rest(turns: Turns, event: Event, loop: py.For | py.Comprehension, asked: Condition) -> str:
    """The rows that all turns ask about, as code: the query without the key; "" where no relation narrows them."""
    node, model, value = turns.sources.at(event.query), event.model, asked.value
    rows = node.func.value if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) else None
    filters = rows if isinstance(rows, py.Call) and isinstance(rows.func, py.Attribute) else None
    if event.method != "exists" or model is None or value is None or filters is None or filters.args:
        return ""
    if asked.others or not asked.ends <= _PLAIN or model.column(asked.field) is None:
        return ""
    kept = [item for item in filters.keywords if item.name not in (asked.field, f"{asked.field}__exact")]
    names = {item.name.removesuffix("_id") for item in kept if item.name}
    if len(kept) + 1 != len(filters.keywords) or not any(model.relation(name) for name in names):
        return ""
    bound = {*target_names(loop.target)}
    bound |= {name for part in below(loop) if isinstance(part, py.Assign) for to in part.targets
              for name in target_names(to)}  # fmt: skip
    parts = [part for item in (filters.func, *kept) for part in (item, *below(item))]
    before, given = code_of(filters.func, 80), [code_of(item.value, 40) for item in kept]
    if not before or not all(given) or any(isinstance(part, py.Name) and part.id in bound for part in parts):
        return ""
    pairs = zip(kept, given, strict=True)
    return f"{before}({', '.join(f'{item.name}={text}' for item, text in pairs)})"


def _is_once(turns: Turns, event: Event, loop: py.For) -> bool:
    assert event.loop is not None
    scope = turns.sources.scope(event.loop.place.path, loop)
    made: list[py.Expr] = [loop.iter]
    if isinstance(loop.iter, py.Name):
        made = list(turns.sources.assigned(scope, loop.iter.id, loop.start))
    return any(
        part.kind == "generator"
        if isinstance(part, py.Comp)
        else isinstance(part, py.Call) and (
            dotted(part.func) in _BUILTIN or dotted(part.func).rpartition(".")[2] in _READING
        )
        for part in made
    )  # fmt: skip


def _is_tried(turns: Turns, event: Event, loop: py.For, stmt: py.Assign) -> bool:
    """Whether the turn catches what a statement raises."""
    return any(item.handlers for item in tries(turns.sources.tree(event.query.path), stmt, loop))
