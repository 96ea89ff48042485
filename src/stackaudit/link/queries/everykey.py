"""What a `select_related()` that names no relation joins, so that one which names some can take its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.models.model import Model
from stackaudit.link.queries.lookups import Path, is_joined, longest
from stackaudit.link.queries.origins import Origin

_DEEPEST = 5
"""So many keys in a row does Django follow (`max_depth` in django/db/models/sql/query.py of 5.2)."""
_BARE = ".select_related()"
_JOINS = re.compile(r"\.select_related\([^()]*\)")
_MOST = 6
"""More paths than these are not named one by one."""


def is_replaceable(origin: Origin | None) -> bool:
    """Whether names can take the place of what the queryset joins without any: all are known, and they are few."""
    return origin is None or not origin.bare or origin.model is None or _needed(origin) is not None


def beside_bare(origin: Origin | None, joins: list[Path]) -> list[Path]:
    """`joins` with what a bare `select_related()` joins already: one that names relations takes its place.

    Of rows that never leave their loop that is what is read of them.
    """
    if origin is None or not origin.bare or origin.model is None or not joins:
        return joins
    return longest([*(_needed(origin) or ()), *joins])


def replacing(origin: Origin | None, calls: str, told: str) -> Iterator[str]:
    """The sentence that says what becomes of a bare `select_related()` where `calls` name relations.

    `told` is the fix so far, which may write that out.
    """
    is_written = bool(written(origin, calls)) and written(origin, calls) in told
    if origin is not None and origin.bare and ".select_related(" in calls and not is_written:
        yield "That takes the place of the bare `select_related()`: what it joins is named, too."


def written(origin: Origin | None, calls: str) -> str:
    """The queryset with `calls`, whose names stand in place of the bare `select_related()`; "" where it has none.

    So it is where the text is not the whole of it.
    """
    if origin is None or not origin.bare or origin.beside or origin.text.endswith("…"):
        return ""
    joins = _JOINS.match(calls)
    if joins is None or origin.text.count(_BARE) != 1:
        return ""
    return origin.text.replace(_BARE, joins[0]) + calls[joins.end() :]


def _needed(origin: Origin) -> list[Path] | None:
    if origin.read is not None:
        return [path for path in origin.read if is_joined(origin.model, path)]
    return joined(origin.model, origin.link) if origin.model is not None else None


def joined(model: Model, link: str) -> list[Path] | None:
    """The keys that are not null, and theirs; without `link`, by which rows hold the one whose related manager it is.

    None where they are many, or where they cannot be told.
    """
    found: list[Path] = []
    return found if _follow(model, (), frozenset(), link, found) else None


def _follow(model: Model, path: Path, met: frozenset[Model], link: str, found: list[Path]) -> bool:
    """Whether all that is joined behind a path is known; adds the paths that nothing follows to `found`."""
    is_known = not model.is_open or model.cls is None
    if not is_known or model in met or len(found) > _MOST:
        return False
    keys = {
        item.name: item.target
        for one in model.family()
        for item in one.relations.values()
        if item.relation in ("fk", "o2o") and not item.null and item.name not in one.parent_links and item.name != link
    }
    if not keys or len(path) == _DEEPEST:
        found += [path] if path else []
        return len(found) <= _MOST
    return all(
        target is not None and _follow(target, (*path, name), met | {model}, "", found) for name, target in keys.items()
    )
