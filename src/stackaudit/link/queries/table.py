"""The table of what costs a query: every method of querysets and managers.

Proved row by row on real Django by `tests/link/queries/test_table.py`. `returns`:

- "rows": a queryset of the same rows; "values": a queryset of dictionaries, tuples or scalars;
- "row": one row; "row_or_none"; "pair": (row, created); "rows_list"; "mapping": rows by key;
- "iterator": the rows, never kept; "scalar": a plain value; "none".

`runs`: "never" (lazy), "read", "write", or "both" (reads, then may write).
`on_prefetched`: what the method does on a manager whose rows are prefetched: "cache" (no query), "query" (asks the
database again), "ordered" (no query where the related model has `Meta.ordering`), "-" (writes, or makes no difference).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal, TypeAlias

Returns: TypeAlias = Literal[
    "rows", "values", "row", "row_or_none", "pair", "rows_list", "mapping", "iterator", "scalar", "none"
]
Runs: TypeAlias = Literal["never", "read", "write", "both"]
OnPrefetched: TypeAlias = Literal["cache", "query", "ordered", "-"]
Effect: TypeAlias = Literal["", "join", "prefetch", "only", "defer", "annotate", "none", "fetch_mode", "alias", "union"]


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `since` is the first Django version that has it; `effect` is what it does to what rows bring."""

    returns: Returns
    runs: Runs = "never"
    on_prefetched: OnPrefetched = "query"
    effect: Effect = ""
    since: tuple[int, int] = (1, 0)


_LAZY = Method("rows")
_WRITE = Method("scalar", "write", "-")

METHODS: dict[str, Method] = {
    # lazy, same rows
    "all": Method("rows", on_prefetched="cache"),
    "filter": _LAZY, "exclude": _LAZY, "complex_filter": _LAZY, "order_by": _LAZY, "reverse": _LAZY,
    "distinct": _LAZY, "extra": Method("rows", effect="annotate"), "using": _LAZY, "select_for_update": _LAZY,
    "annotate": Method("rows", effect="annotate"), "alias": Method("rows", effect="alias"),
    "select_related": Method("rows", effect="join"),
    "prefetch_related": Method("rows", effect="prefetch"),
    "only": Method("rows", effect="only"), "defer": Method("rows", effect="defer"),
    "none": Method("rows", on_prefetched="cache", effect="none"),
    "union": Method("rows", effect="union"), "intersection": Method("rows", effect="union"),
    "difference": Method("rows", effect="union"),
    "fetch_mode": Method("rows", effect="fetch_mode", since=(6, 1)),
    "get_queryset": Method("rows", on_prefetched="cache"),
    # lazy, other things than rows
    "values": Method("values"), "values_list": Method("values"), "dates": Method("values"),
    "datetimes": Method("values"),
    "raw": Method("rows"),
    # one row
    "get": Method("row", "read"),
    "first": Method("row_or_none", "read", "ordered"), "last": Method("row_or_none", "read"),
    "latest": Method("row", "read"), "earliest": Method("row", "read"),
    # plain values
    "count": Method("scalar", "read", "cache"), "exists": Method("scalar", "read", "cache"),
    "contains": Method("scalar", "read", "cache"), "aggregate": Method("scalar", "read"),
    "explain": Method("scalar", "read"),
    # many rows
    "in_bulk": Method("mapping", "read"), "iterator": Method("iterator", "read"),
    # writes
    "create": Method("row", "write", "-"), "get_or_create": Method("pair", "both", "-"),
    "update_or_create": Method("pair", "both", "-"), "bulk_create": Method("rows_list", "write", "-"),
    "bulk_update": _WRITE, "update": _WRITE, "delete": _WRITE,
    # related managers
    "add": Method("none", "write", "-"), "remove": Method("none", "write", "-"), "clear": Method("none", "write", "-"),
    "set": Method("none", "write", "-"),
}  # fmt: skip

ASYNC = {
    f"a{name}": name
    for name in (
        "get", "first", "last", "latest", "earliest", "count", "exists", "contains", "aggregate", "explain", "in_bulk",
        "iterator", "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete",
        "add", "remove", "clear", "set",
    )
}  # fmt: skip

MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
"""The managers that Django gives to models."""

MANAGER_BASES = frozenset({"django.db.models.Manager", "django.db.models.manager.Manager"})
QUERYSET_BASES = frozenset({"django.db.models.QuerySet", "django.db.models.query.QuerySet"})

# Methods that managers have and querysets have not.
MANAGER_ONLY = frozenset({"get_queryset", "add", "remove", "clear", "set", "aadd", "aremove", "aclear", "aset"})

# Methods of one row. `save` and `delete` write, `refresh_from_db` reads one row; the others cost nothing.
ROW_METHODS: dict[str, Runs] = {
    "save": "write", "delete": "write", "refresh_from_db": "read", "asave": "write", "adelete": "write",
    "arefresh_from_db": "read", "full_clean": "read", "validate_unique": "read", "clean_fields": "never",
    "get_deferred_fields": "never", "serializable_value": "never", "clean": "never", "save_base": "write",
}  # fmt: skip

_NEIGHBOURS = ("get_next_by_", "get_previous_by_")
_IN_ORDER = frozenset({"get_next_in_order", "get_previous_in_order"})


PERMISSIONS = frozenset(
    f"{prefix}{name}" for prefix in ("", "a")
    for name in ("has_perm", "has_perms", "has_module_perms", "get_all_permissions", "get_group_permissions",
                 "get_user_permissions")
)  # fmt: skip
"""Methods of Django's users that ask the database, once for each object of a user.

`has_perm()` of an active user who is no superuser takes two queries, one for his permissions and one for those of his
groups, whatever was prefetched (measured on Django 5.2); `get_group_permissions()` one.
"""


def is_neighbour(name: str, columns: Container[str]) -> bool:
    """Whether a method of a row with these columns asks for the row before or after it.

    https://docs.djangoproject.com/en/5.2/ref/models/instances/#django.db.models.Model.get_next_by_FOO
    """
    start = next((start for start in _NEIGHBOURS if name.startswith(start)), "")
    return name in _IN_ORDER or (bool(start) and name.removeprefix(start) in columns)


def method(name: str, django: tuple[int, int] | None = None) -> Method | None:
    """The row of the table for a method, by its synchronous or asynchronous name; None where Django has no such."""
    found = METHODS.get(name) or METHODS.get(ASYNC.get(name, ""))
    return None if found is None or (django is not None and django < found.since) else found


def uses_prefetch(name: str, ordered: bool | None) -> bool | None:
    """Whether a method of a prefetched manager answers from the prefetched rows; None where ordering decides it."""
    found = method(name)
    if found is None:
        return None
    if found.on_prefetched == "ordered":
        return ordered
    return found.on_prefetched == "cache"
