"""Indexes that another one makes superfluous, and those that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.indexes import Index, indexes_of
from stackaudit.link.models.model import Model
from stackaudit.link.queries.values import Manager
from stackaudit.link.usage.bodies import Body
from stackaudit.model.source import Place
from stackaudit.model.values import Known, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


def duplicate_index(stack: Stack) -> Iterator[Verdict]:
    """One site for each index that a model asks for and that nothing has to keep unique."""
    seen: set[Place] = set()
    mysql, may_be_postgres = _uses_mysql(stack), _may_be_postgres(stack)
    for model in stack.models:
        if model.cls is None or model.proxy or model.abstract:
            continue
        found, unread = indexes_of(stack.models, model)
        for number, index in enumerate(found):
            if index.asked != "unique" and index.place not in seen:
                verdict = _judge(model, index, number, found, mysql, model in stack.growing)
                if isinstance(verdict, Fail) and may_be_postgres and _has_constraint(model, index):
                    verdict = replace(verdict, fix=f"{verdict.fix} {_LOCKING}")
                if verdict is not None:
                    seen.add(index.place)
                    yield verdict
        if unread is not None and unread not in seen:
            seen.add(unread)
            yield Unsure(Site(unread, f"{model.label}: Meta"), "the indexes are not written out")


def _uses_mysql(stack: Stack) -> bool:
    value = stack.settings.at("DATABASES", "default", "ENGINE", default="") if stack.settings is not None else None
    return isinstance(value, Known) and "mysql" in str(value.value)


_OTHERS = re.compile(r"sqlite|spatialite|mysql|oracle|mssql")
_POSTGRES = re.compile(r"\bbackends\.(?:postgresql|postgis)\b")
_LOCKING = (
    "On PostgreSQL Django's AlterField also drops the foreign key constraint and adds it again, which checks every row "
    "while both tables are locked: on a large table put it into `SeparateDatabaseAndState` with `DROP INDEX "
    "CONCURRENTLY` in a migration with `atomic = False`."
)
"""Traced on Django 5.2 with PostgreSQL 15: without a constraint (`db_constraint=False`) only the index is dropped."""


def _may_be_postgres(stack: Stack) -> bool:
    """Whether production's database is PostgreSQL, or may be: a default gives way, and code that names it knows why."""
    value = stack.settings.at("DATABASES", "default", "ENGINE", default="") if stack.settings is not None else None
    if not isinstance(value, Known) or defaulted(value.note) or _OTHERS.search(str(value.value)) is None:
        return True
    return any(True for _ in stack.mentions.written(_POSTGRES.search))


def _has_constraint(model: Model, index: Index) -> bool:
    """Whether an index is that of a foreign key which the database watches over."""
    relation = model.relations.get(index.columns[0]) if index.asked == "foreign key" else None
    given = relation.keyword("db_constraint") if relation is not None else None
    return relation is not None and not (isinstance(given, py.Constant) and given.value is False)


def _judge(model: Model, index: Index, number: int, found: list[Index], mysql: bool, grows: bool) -> Verdict | None:
    columns = ", ".join(index.columns)
    site = Site(index.place, f"{model.label}: index on {columns}")
    by = next((other for place, other in enumerate(found) if _replaces(other, index, place < number)), None)
    if by is None:
        return Pass(site) if index.asked != "foreign key" or (grows and not mysql) else None
    if index.asked == "foreign key" and (mysql or not grows):
        return None  # MySQL makes one only where no other serves it; a table that stays small pays nothing for it
    values = {"model": model.name, "columns": columns, "other": _named(by)}
    related = (Step(by.place, "begins with the same columns"),) if by.place != index.place else ()
    cause = {"foreign key": "foreign-key", "field": "field", "index": ""}[index.asked]
    return Fail(site, values, cause, related, fix=_without(model, index, by))


def _without(model: Model, index: Index, by: Index) -> str:
    """How to be rid of an index that `by` replaces."""
    columns, other = ", ".join(index.columns), _named(by)
    field = model.columns.get(columns)
    found = model.cls.find(columns) if model.cls is not None else None
    if found is not None and found.owner is not model.cls and index.asked in ("foreign key", "field"):
        if _stands_in(by.place, found.owner):
            return (
                f"Write `db_index=False` on `{columns}` of {found.owner.label} and make migrations: {other} stands "
                "there, too, for every model that keeps its Meta."
            )
        return (
            f"Declare `{columns}` in {model.name} once more, with `db_index=False`, and make a migration: other models "
            f"take the field from {found.owner.label}, too, and may need its index. Here {other} serves."
        )
    if index.asked == "foreign key":
        return f"Write `db_index=False` on `{columns}` of {model.name} and make a migration; {other} has to stay then."
    if field is not None and index.asked == "field":
        written = "Take `db_index=True` off" if field.keyword("db_index") is not None else "Write `db_index=False` on"
        return f"{written} `{columns}` of {model.name} and make a migration."
    if index.together:
        return f"Take ({columns}) out of `index_together` of {model.name} and make a migration."
    return (
        f"Take the index on ({columns}) out of `Meta.indexes` of {model.name} and make a migration. On a large "
        "PostgreSQL table let it be `RemoveIndexConcurrently`, in a migration with `atomic = False`."
    )


def _stands_in(place: Place, cls: SourceClass) -> bool:
    """Whether a place lies in the body of a class."""
    region = cls.module.facts.region(cls.node)
    return place.path == cls.module.path and region.line <= place.region.line <= region.end_line


def _named(index: Index) -> str:
    if index.asked == "foreign key":
        return "the index of the foreign key itself"
    return f"the {'unique one' if index.asked == 'unique' else 'one'} on ({', '.join(index.columns)})"


def _replaces(other: Index, index: Index, before: bool) -> bool:
    """Whether `index` may go because `other` is there. Of two that are equal, one declared in Meta stays."""
    if other is index or not other.serves(index) or (index.is_text and other.plain != index.plain):
        return False
    if other.plain != index.plain or other.asked == "unique":
        return not index.is_text
    rank = {"foreign key": 0, "index": 1, "field": 2}
    if index.is_text or other.is_text:
        return other.is_text and (not index.is_text or before)
    if rank[other.asked] != rank[index.asked]:
        return rank[other.asked] < rank[index.asked]
    return before


def missing_index(stack: Stack) -> Iterator[Verdict]:
    """One site for each column of a table that grows by which alone several functions look rows up."""
    grown = stack.growing
    asked: dict[tuple[Model, str], list[Place]] = {}
    for body in stack.usage:
        if not any(part in body.module.path for part in _BACKGROUND):
            for key, place in dict(_lookups(body)).items():
                asked.setdefault(key, []).append(place)
    for (model, name), places in asked.items():
        field = model.column(name)
        if model not in grown or len(places) < _OFTEN or field is None or field.call is None or field.owner is None:
            continue
        if field.kind in _COARSE or field.keyword("choices") is not None or model.is_open:
            continue
        found, unread = indexes_of(stack.models, model)
        site = Site(field.owner.module.place(field.call), f"{model.label}.{name}: index")
        if unread is not None:
            yield Unsure(site, "the indexes in Meta are not written out")
        elif any(index.plain[0] == name for index in found) or name == model.pk:
            yield Pass(site)
        else:
            related = tuple(Step(place, f"looks up by `{name}` alone") for place in places[:5])
            fix = (
                f"Look at `EXPLAIN ANALYZE` with production's data; where it says Seq Scan, write `db_index=True` on "
                f"`{name}` of {field.owner.label}, and make a migration."
            )
            values = {"model": model.name, "column": name, "times": str(len(places))}
            yield Fail(site, values, related=related, fix=fix)


_OFTEN = 2
_BACKGROUND = ("management/", "migrations/", "/tests", "tasks", "admin")
_COARSE = frozenset({"BooleanField", "NullBooleanField", "TextField", "JSONField", "ArrayField", "FileField",
                     "ImageField"})  # fmt: skip


def _lookups(body: Body) -> Iterator[tuple[tuple[Model, str], Place]]:
    """The columns that a function looks rows of a whole table up by, each alone, for equality."""
    for call in body.calls:
        func = call.func
        if not isinstance(func, py.Attribute) or func.attr not in ("filter", "get", "aget") or call.args:
            continue
        held = body.value(func.value)
        if isinstance(held, Manager) and len(call.keywords) == 1 and call.keywords[0].name is not None:
            name, _, lookup = call.keywords[0].name.partition("__")
            if lookup in ("", "exact", "in") and _is_whole(body, call, func.attr):
                yield (held.model, name), body.place(call)


def _is_whole(body: Body, call: py.Call, method: str) -> bool:
    """Whether nothing after the call narrows the rows further."""
    holder = body.parents[call]
    return method != "filter" or not (isinstance(holder, py.Attribute) and holder.attr in ("filter", "get", "exclude"))
