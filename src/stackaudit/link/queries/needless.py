"""Rows that need not be asked for: the row itself again, and rows of which nothing but the key is wanted."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.link.queries.events import Event
from stackaudit.link.queries.reading import SAID, TextOf, no_text
from stackaudit.model.prose import in_words


def read_itself(events: Iterable[Event], text_of: TextOf = no_text) -> list[str]:
    """Where rows of a child model are asked for themselves, and that they have all of it already."""
    told: dict[str, None] = {}
    for event in events:
        if event.is_itself and event.relation is not None and event.model is not None:
            name, text = event.relation.name, text_of(event.query)
            way = f".{name}."
            again = f"`{name}` of a {event.model.name} is that row again, by one more query: "
            shown = (
                f"write `{text.replace(way, '.', 1)}` for `{text}`" if text.count(way) == 1 else "read the row itself"
            )
            told[f"{again}{shown}."] = None
    return list(told)[:SAID]


def read_keys(events: Iterable[Event]) -> list[str]:
    """Where rows are asked for of which only the key is wanted, and what to write there."""
    found: dict[tuple[str, bool], tuple[dict[tuple[str, str], None], dict[str, None]]] = {}
    for event in events:
        if event.spared is not None:
            written, without = found.setdefault((event.spared.where, event.spared.is_template), ({}, {}))
            written.update(dict.fromkeys(event.spared.written))
            without.update(dict.fromkeys(event.spared.without))
    told = []
    for (where, is_template), (written, without) in sorted(found.items(), key=lambda item: item[0]):
        changes = in_words([f"`{new}` for `{old}`" for old, new in written], ", and ", SAID)
        place = f"Write {changes} in {where}" if is_template else f"In `{where}` write {changes}"
        none = (
            f" ({in_words(list(without))} {'has' if len(without) == 1 else 'have'} no such column)" if without else ""
        )
        told.append(f"{place}: the key is a column of the row{none}.")
    return told
