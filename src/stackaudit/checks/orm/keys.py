"""Keys of related rows that are read from the related row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stackaudit.checks.orm.causes import grouped, own, source
from stackaudit.facts import python as py
from stackaudit.link.models.model import Relation
from stackaudit.link.queries.loading import NEW
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Row
from stackaudit.link.usage.bodies import Body
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack


def fk_id_dereference(stack: Stack) -> Iterator[Verdict]:
    """One site for each foreign key of which a function reads nothing but the key of the row behind it."""
    keys, _, others = _causes(stack)
    read = {
        (event.loop.place, event.relation.name)
        for event in own(stack)
        if event.kind == "forward" and event.loop is not None and event.relation is not None and event.place not in keys
    }
    for body in stack.usage:
        seen: set[str] = set()
        for node in body.of_kind(py.Attribute, py.Compare) if body.rows else ():
            for key in keys_of(body, node):
                if text_of(key.held) not in seen and body.place(key.held) not in others:
                    seen.add(text_of(key.held))
                    loop = key.row.loop
                    is_read = loop is not None and (loop.place, key.relation.name) in read
                    yield from _judge(body, node, key, is_read)


def only_keys(stack: Stack) -> set[Place]:
    """The accesses in loops that are no N+1 problem of their own: nothing but keys is read of what they load."""
    return _causes(stack)[1]


def _causes(stack: Stack) -> tuple[set[Place], set[Place], set[Place]]:
    """Accesses of keys: all, those of querysets that need nothing else, and those of querysets that lack more."""
    keys = held_keys(stack)
    failed = [event for event in own(stack) if event.kind == "forward" and event.outcome == "fail"]
    groups = grouped(failed, source)
    alone = [group for group in groups if all(event.place in keys for event in group)]
    mixed = [group for group in groups if not all(event.place in keys for event in group)]
    return (
        keys,
        {event.place for group in alone for event in group},
        {event.place for group in mixed for event in group},
    )


def held_keys(stack: Stack) -> set[Place]:
    """The accesses of foreign keys of which a function needs no more than the key."""
    return {
        body.place(key.held)
        for body in stack.usage
        for node in (body.of_kind(py.Attribute, py.Compare) if body.rows else ())
        for key in keys_of(body, node)
        if not _is_read(body, key.held)
    }


@dataclass(frozen=True)
class Key:
    """A foreign key of which an expression needs no more than the key: `held` is `row.fk`, `instead` what to write."""

    row: Row
    relation: Relation
    held: py.Attribute
    instead: str

    @property
    def column(self) -> str:
        """The attribute that holds the key."""
        return f"{text_of(self.held.value)}.{self.relation.name}_id"


def keys_of(body: Body, node: py.Node) -> Iterator[Key]:
    """What `row.fk.pk`, `row.fk is None` and `row.fk == other` need of foreign keys."""
    if isinstance(node, py.Attribute) and isinstance(node.value, py.Attribute):
        found = _foreign_key(body, node.value)
        if found is not None and found[1].target is not None and node.attr in ("pk", found[1].target.pk):
            key = Key(*found, node.value, "")
            yield replace(key, instead=key.column)
    elif isinstance(node, py.Compare) and len(node.ops) == 1:
        yield from _compared(body, node.left, node.ops[0], node.comparators[0])


def _compared(body: Body, left: py.Expr, op: str, right: py.Expr) -> Iterator[Key]:
    sides: list[tuple[str, Key | None, py.Expr]] = []
    for side in (left, right):
        found = _foreign_key(body, side) if isinstance(side, py.Attribute) else None
        key = Key(*found, side, "") if found is not None and isinstance(side, py.Attribute) else None
        sides.append((key.column if key is not None else f"{text_of(side)}.pk", key, side))
    (one, first, _), (other, second, _) = sides
    if isinstance(right, py.Constant) and right.value is None and op in ("is", "is not", "==", "!="):
        if first is not None:
            yield replace(first, instead=f"{one} {op} None")
    elif op in ("==", "!="):
        for key, opposite in ((first, right), (second, left)):
            row = body.value(opposite)
            if key is not None and isinstance(row, Row) and row.model is key.relation.target:
                yield replace(key, instead=f"{one} {op} {other}")


def _foreign_key(body: Body, held: py.Attribute) -> tuple[Row, Relation] | None:
    row = body.value(held.value)
    if not isinstance(row, Row):
        return None
    relation = row.model.relation(held.attr)
    if relation is None or relation.relation not in ("fk", "o2o") or relation.target is None or relation.to_field:
        return None
    return None if relation.target.parents or body.value(held) is None else (row, relation)


def _judge(body: Body, node: py.Node, key: Key, is_read: bool) -> Iterator[Verdict]:
    """One verdict for a key; `is_read` says that a method of the row reads what stands behind the key anyway."""
    site = Site(body.place(node), f"{body.where}: {text_of(node)}")
    row, relation = key.row, key.relation
    is_attribute = isinstance(node, py.Attribute)
    if not is_attribute and row.loop is None:
        return  # the check of an owner, once for a request
    if row.load.to_one(relation.name) is not None or is_read or _is_read(body, key.held):
        yield Pass(site)  # the row is loaded anyway
    elif row.load.unknown == NEW.unknown:
        return
    elif row.load.unknown or body.is_given(key.held):
        yield Unsure(site, "whether a caller has loaded the related row is not known")
    elif not row.load.peers and (relation.null or not row.load.every_one):
        fix = f"Write `{key.instead}`"
        if relation.null and is_attribute:
            fix += ", which is None where there is no such row"
        elif relation.null and "request.user.pk" in key.instead:
            fix += (
                " where only users come who are signed in: the key of an anonymous one is None, as that column may be"
            )
        values = {"access": text_of(node), "column": key.column}
        values["target"] = relation.target.name if relation.target is not None else ""
        yield Fail(site, values, "repeated" if row.loop is not None else "", fix=f"{fix}.")


def _is_read(body: Body, held: py.Attribute) -> bool:
    """Whether the function reads or uses the related row itself somewhere."""
    written = text_of(held)
    return any(
        not any(key.held is node for key in keys_of(body, body.parents[node]))
        for node in body.of_kind(py.Attribute)
        if node.attr == held.attr and node is not held and text_of(node) == written
    )
