"""What helps the rows of a queryset to which nothing can be appended where it stands."""

from __future__ import annotations

import re

from stackaudit.link.queries.origins import FETCHES_ONE, HANDED, HOOKS, INDEX_QUERYSET, Origin
from stackaudit.link.queries.reading import manager

_COMBINING = re.compile(r"\.(union|intersection|difference)\(")


def takes_calls(origin: Origin | None) -> bool:
    """Whether what loads relations can be appended to a queryset where it stands."""
    return origin is None or not (origin.is_raw or origin.is_combined or origin.by in (*HOOKS, HANDED))


def elsewhere(origin: Origin | None, calls: str, paths: str) -> str:
    """The sentence for a queryset that cannot take the calls itself; `paths` are the relations that they load.

    A union takes neither `select_related()` nor `prefetch_related()` nor `annotate()` (NotSupportedError), but what the
    first of its querysets prefetches is prefetched for all rows (measured with Django 5.2: 7 queries without it, 3 with
    it); a raw queryset takes only `prefetch_related()`, which fails for rows without a key.
    """
    if origin is None or origin.model is None:
        return ""
    if origin.by == HANDED:
        return (
            f"Write `prefetch_related_objects([{origin.row}], {paths})` before `{origin.text}` and leave that as it is:"
            " with another call it would ask again where a loop hands over rows that bring it."
        )
    if origin.by in HOOKS:
        takes = "self, using=None" if origin.by == INDEX_QUERYSET else "self"
        return f"Let `{origin.by}({takes})` of {origin.where} return `{manager(origin.model)}{calls}`."
    if origin.is_raw:
        return (
            f"Fetch the rows by the keys that the SQL gives, `found = {manager(origin.model)}{calls}.in_bulk(keys)` "
            "with `keys = [row.pk for row in …]`, and go through `[found[key] for key in keys]`, which keeps the order:"
            " a raw queryset joins and annotates nothing."
        )
    combined = origin.combined
    first = combined.refined if combined is not None else None
    if combined is not None and first is not None and _is_reached(first):
        where, named = f" in {first.where}" if first.where else "", _COMBINING.findall(combined.text)
        before = f"`{named[-1]}()`" if named else "it is combined with others"
        return (
            f"Append `.prefetch_related({paths})` to `{first.text}`{where}, before {before}: what the first queryset "
            "prefetches it prefetches for all rows."
        )
    after = "after union(), intersection() or difference() a queryset takes no calls that load more."
    if origin.by in FETCHES_ONE:
        return f"Hand the row that `{origin.text}` gives to `prefetch_related_objects([row], {paths})`: {after}"
    return f"Make a list of `{origin.text}` and hand it to `prefetch_related_objects(rows, {paths})`: {after}"


def _is_reached(first: Origin) -> bool:
    """Whether the first of several querysets stands in the code, where it takes calls; `none()` hands on nothing."""
    return (
        bool(first.text)
        and first.by == ""
        and not first.way
        and not first.beside
        and takes_calls(first)
        and (".none(" not in first.text)
    )
