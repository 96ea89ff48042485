"""Keys of related rows that are read from the related row."""

from __future__ import annotations

from collections.abc import Iterator
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
    others = _causes(stack)[1]
    for body in stack.usage:
        seen: set[str] = set()
        for node in body.nodes:
            found = key_of(body, node)
            if found is not None:
                row, relation, held = found
                if text_of(held) not in seen and body.place(held) not in others:
                    seen.add(text_of(held))
                    yield from _judge(body, node, row, relation, held)


def only_keys(stack: Stack) -> set[Place]:
    """The accesses in loops that are no N+1 problem of their own: nothing but keys is read of what they load."""
    return _causes(stack)[0]


def _causes(stack: Stack) -> tuple[set[Place], set[Place]]:
    """Accesses of keys, of querysets that need nothing else, and of those that lack more than the key's relation."""
    keys = {
        body.place(found[2])
        for body in stack.usage
        for node in body.nodes
        if (found := key_of(body, node)) is not None and not _is_read(body, found[2])
    }
    failed = [event for event in own(stack) if event.kind == "forward" and event.outcome == "fail"]
    groups = grouped(failed, source)
    alone = [group for group in groups if all(event.place in keys for event in group)]
    mixed = [group for group in groups if not all(event.place in keys for event in group)]
    return {event.place for group in alone for event in group}, {event.place for group in mixed for event in group}


def key_of(body: Body, node: py.Node) -> tuple[Row, Relation, py.Attribute] | None:
    """The row, its foreign key and `row.fk` where a node is `row.fk.pk` or `row.fk.id`."""
    if not isinstance(node, py.Attribute) or not isinstance(node.value, py.Attribute):
        return None
    held = node.value
    row = body.value(held.value)
    if not isinstance(row, Row):
        return None
    relation = row.model.relation(held.attr)
    if relation is None or relation.relation not in ("fk", "o2o") or relation.target is None or relation.to_field:
        return None
    if node.attr not in ("pk", relation.target.pk) or relation.target.parents or body.value(held) is None:
        return None
    return row, relation, held


def _judge(body: Body, node: py.Node, row: Row, relation: Relation, held: py.Attribute) -> Iterator[Verdict]:
    site = Site(body.place(node), f"{body.where}: {text_of(node)}")
    if row.load.to_one(relation.name) is not None or _is_read(body, held):
        yield Pass(site)  # the row is loaded anyway
    elif row.load.unknown == NEW.unknown:
        return
    elif row.load.unknown or body.is_given(held):
        yield Unsure(site, "whether a caller has loaded the related row is not known")
    elif not row.load.every_one and not row.load.peers:
        column = f"{text_of(held.value)}.{relation.name}_id"
        repeated = row.loop is not None
        fix = f"Write `{column}`" + (", which is None where there is no such row." if relation.null else ".")
        values = {"access": text_of(node), "column": column, "target": relation.target.name if relation.target else ""}
        yield Fail(site, values, "repeated" if repeated else "", fix=fix)


def _is_read(body: Body, held: py.Attribute) -> bool:
    """Whether the function reads or uses the related row itself somewhere."""
    written = text_of(held)
    for node in body.nodes:
        if isinstance(node, py.Attribute) and node.attr == held.attr and node is not held and text_of(node) == written:
            holder = body.parents[node]
            if not (isinstance(holder, py.Attribute) and key_of(body, holder) is not None):
                return True
    return False
