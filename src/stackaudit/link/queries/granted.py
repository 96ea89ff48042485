"""Permissions for single objects, as django-guardian keeps them: what asks for them, once for each object.

`has_perm()` of a user with an object, the same of a checker, and `get_perms()` take two queries for one object and
eight for four; a checker that had `prefetch_perms(objects)` takes two for all, and of superusers nothing is asked
(django-guardian 3.5, `tests/link/queries/test_granted.py`). What gives a lazy queryset (`get_users_with_perms()`,
`get_user_perms()`) is not followed.

https://django-guardian.readthedocs.io/en/stable/userguide/performance/
"""

from __future__ import annotations

from stackaudit.link.queries import access
from stackaudit.link.queries.joining import all_loops
from stackaudit.link.queries.values import Other, Row, Rows, Value
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.values import plain

_CHECKER = "guardian.core.ObjectPermissionChecker"
_BACKEND = "guardian.backends.ObjectPermissionBackend"
PREFETCH = f"{_CHECKER}.prefetch_perms"
READY = Other(name="@checker")
"""A checker that was told for which objects it will be asked."""
ASKED = "guardian.has_perm"
"""What `Event.method` says of a query for what a user may do with one object."""
QUERIES = 2
"""How many queries such a question takes."""
_POSITIONS = {f"{_CHECKER}.has_perm": 1, f"{_CHECKER}.get_perms": 0, "guardian.shortcuts.get_perms": 1}
"""Which argument of a call is the object."""


def external(walk: Walk, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
    """A call of django-guardian, by its dotted name; None for all else."""
    if name == _CHECKER:
        return Other(all_loops(args) | all_loops(keywords.values()), _CHECKER)
    position = _POSITIONS.get(name)
    if position is None:
        return None
    _ask(walk, args[position] if len(args) > position else keywords.get("obj"), at)
    return walk.unknown(*args, *keywords.values())


def tested(walk: Walk, args: tuple[Value, ...], at: At) -> None:
    """`user.has_perm(permission, obj)`, where one of the backends of the settings is that of django-guardian."""
    backends = plain(walk.setting("AUTHENTICATION_BACKENDS"))
    if len(args) > 1 and isinstance(backends, (list, tuple)) and _BACKEND in backends:
        _ask(walk, args[1], at)


def _ask(walk: Walk, obj: Value | None, at: At) -> None:
    if obj is not None and obj.loops:
        model = obj.model if isinstance(obj, Row) else None
        access.ask(walk, Rows(model, loops=obj.loops), at, ASKED)


AT_ONCE = (
    "make one `checker = ObjectPermissionChecker(user)` for all rows, let it ask for them at once, "
    "`checker.prefetch_perms(rows)`, and test each with `checker.has_perm(…, row)`"
)
"""How all rows of a loop are answered before it."""
