"""Rows that come as rows of the classes below that of their queryset: django-polymorphic's, `select_subclasses()`."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from stackaudit.link.classes import Member
from stackaudit.link.models.model import Relation
from stackaudit.link.queries import access, calls
from stackaudit.link.queries.joining import choice_of
from stackaudit.link.queries.loading import NEW, SOMEWHERE
from stackaudit.link.queries.values import KIND, Related, Row, Rows, Value
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.prose import in_words

POLYMORPHIC = "polymorphic.models.PolymorphicModel"
PLAIN = "non_polymorphic"
"""The method of django-polymorphic's querysets that brings rows of the class above, and what their load says of it."""
BELOW = "select_subclasses"
"""The method of django-model-utils that brings rows of the classes below, and what their load says of it."""


def is_mixed(row: Row) -> bool:
    """Whether a row comes as one of its own class, below that of its queryset.

    https://django-polymorphic.readthedocs.io/en/stable/quickstart.html#using-polymorphic-models
    https://django-model-utils.readthedocs.io/en/latest/managers.html#inheritancemanager
    """
    cls, load = row.model.cls, row.load
    if cls is None or not row.model.children or load.unknown == NEW.unknown or PLAIN in load.attributes:
        return False
    return cls.is_a(POLYMORPHIC) or (BELOW in load.attributes and row.loop is not None)


def of_each(walk: Walk, row: Row, name: str, own: Member | None, at: At) -> Value | None:
    """What a row of one class or another has under a name; `own` is what the class of the queryset has.

    None where no class below has anything else.
    """
    if not is_mixed(row):
        return None
    found: list[Value] = []
    walk.guard += 1
    for child in row.model.derived():
        member = child.cls.members.get(name) if child.cls is not None else None
        if member and child.cls is not None and child.relation(name) is None and child.column(name) is None:
            other = child.cls.find(name)
            one = replace(row, model=child, among=row.among or row.model)
            found += [calls.member(walk, one, other, at)] if other is not None else []
    if found and own is not None:
        found.append(calls.member(walk, row, own, at))
    walk.guard -= 1
    return choice_of(found) if found else None


def leads_apart(row: Row, relation: Relation) -> bool:
    """Whether the class of a row has a relation that the model of its queryset has not: no queryset can name it."""
    return row.among is not None and row.among.relation(relation.name) is None


def to_one(walk: Walk, row: Row, relation: Relation, at: At) -> Row | None:
    """The row behind a relation that the class of a row alone has: a query for each, whatever the queryset loads."""
    if relation.target is None:
        return None
    if row.load.unknown:  # somebody may have handed the rows of that class to prefetch_related_objects()
        return Row(relation.target, SOMEWHERE, loops=row.loops)
    key = f"{relation.name}_id" if relation.relation in ("fk", "o2o") else ""
    access.ask(walk, Rows(relation.target, loops=row.loops), at, f"{KIND}{row.model.name}.{relation.name}.{key}")
    return Row(relation.target, SOMEWHERE, loops=row.loops)


def related(row: Row, relation: Relation) -> Related:
    """The manager behind a relation that the class of a row alone has: what brings its rows is not known."""
    return Related(replace(row, load=SOMEWHERE, among=None), relation, row.loops)


def at_once(methods: Iterable[str]) -> str:
    """How the rows are loaded for which `to_one` asks by these methods, before a loop."""
    found: dict[tuple[str, str], list[str]] = {}
    for method in dict.fromkeys(methods):
        kind, name, key = method.removeprefix(KIND).split(".")
        found.setdefault((name, key), []).append(kind)
    return "; ".join(_handed(kinds, name, key) for (name, key), kinds in found.items())


def _handed(kinds: list[str], name: str, key: str) -> str:
    compared = f" (to compare it with a row, `{key}` and the key of that row are enough)" if key else ""
    begin = f"only {in_words(kinds)} {'has' if len(kinds) == 1 else 'have'} `{name}`"
    which = f"all {kinds[0]} rows" if len(kinds) == 1 else "the rows of each of these classes"
    named = kinds[0] if len(kinds) == 1 else "…"
    rows = f"[row for row in rows if isinstance(row, {named})]"
    return (
        f"{begin}, so no queryset of the class above can name it: hand {which} to "
        f'`prefetch_related_objects({rows}, "{name}")` before the loop{compared}'
    )
