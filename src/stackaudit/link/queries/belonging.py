"""To which single rows a filter leaves what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.models.model import Model, Relation
from stackaudit.link.modules import dotted
from stackaudit.link.queries.values import OBJECT, Other, Row, Rows, Value
from stackaudit.link.queries.walk import At, Walk

_COMMON = 4
"""A table to which every fourth one belongs, and not one alone, is what a project is divided by: a tenant, a domain."""
_KEYS = 2
"""Behind more foreign keys than these the rows of one row are as many as those of a list."""


def owner(walk: Walk, model: Model, keywords: dict[str, Value]) -> Model | None:
    """The model of the one row to which a filter leaves what belongs to it.

    It names that row by a foreign key, or by one of a row between (`book__author`), a `user` among those of a row,
    too; or it asks for the keys that a query on the rows of one row finds.
    """
    user = walk.models.user
    for name, value in keywords.items():
        if name in ("pk__in", "id__in", f"{model.pk}__in") and isinstance(value, Rows) and not value.evaluated:
            if (found := whose(value, user)) is not None:
                return found
            continue
        is_one = value.loop is None if isinstance(value, Row) else isinstance(value, Other) and value.name == OBJECT
        if not is_one:
            continue
        relation = model.relation(name)
        is_own = relation is not None and relation.target is user is not None and relation.relation == "m2m"
        target = relation.target if relation is not None and is_own else _over_keys(walk, model, name)
        if target is not None:
            return value.model if isinstance(value, Row) else target
    return None


def _over_keys(walk: Walk, model: Model, path: str) -> Model | None:
    """The model of the row to which a path leads over one foreign key or two; None for any other path.

    Over two it is no user, nor what a project is divided by, and neither is the row between: what belongs to each of
    the rows of those is many.
    """
    followed = _to_one(model, path)
    keys = sum(relation.relation == "fk" for relation in followed)
    if keys == _KEYS and any(
        item.target is walk.models.user or (item.target is not None and _is_common(walk, item.target))
        for item in followed
    ):
        return None
    return followed[-1].target if 0 < keys <= _KEYS else None


def in_any_case(walk: Walk, model: Model, at: At) -> Model | None:
    """The user model, where all alternatives of a filter leave rows of one user: `Q(owner=me) | Q(shared=me)`."""
    user = walk.models.user
    call = at[1] if isinstance(at, tuple) else None
    for arg in call.args if isinstance(call, py.Call) and user is not None else ():
        if all(owner(walk, model, _values(walk, leaf)) is user for leaf in _alternatives(arg)):
            return user
    return None


def _alternatives(node: py.Expr) -> Iterator[py.Expr]:
    """The operands of `one | other | …`, itself where it is none."""
    if isinstance(node, py.BinOp) and node.op == "|":
        yield from _alternatives(node.left)
        yield from _alternatives(node.right)
    else:
        yield node


def _values(walk: Walk, node: py.Expr) -> dict[str, Value]:
    """What `Q(…)` asks for, as far as names and attributes of one row tell; nothing for any other expression."""
    from stackaudit.link.queries import expressions

    if not isinstance(node, py.Call) or dotted(node.func).rpartition(".")[2] != "Q":
        return {}
    plain = (item for item in node.keywords if item.name and isinstance(item.value, (py.Name, py.Attribute)))
    return {item.name: expressions.evaluate(walk, item.value) for item in plain if item.name}


def whose(rows: Rows, user: Model | None) -> Model | None:
    """The model of the one row to which rows belong, None where there is none.

    What belongs to each row of a loop is many, but for the few rows of one `user`.
    """
    if rows.owner is not None:
        return rows.owner
    row = rows.via.row if rows.via is not None else None
    if row is None:
        return None
    if row.loop is None:
        return row.model
    return user if user is not None and row.loop.owner is user and not row.loop.page else None


def pair(walk: Walk, rows: Rows, keywords: dict[str, Value]) -> tuple[Model, Model] | None:
    """The user model and another one, where filters leave what belongs to one row of both: a user's shelves of a book.

    None where everything of the project is divided by the other one, or where it only sorts things, as a category
    does: there a user may have many rows.
    """
    user = walk.models.user
    if user is None or rows.model is None:
        return None
    found = [rows.owner] if rows.owner is not None else []
    if rows.via is not None and rows.via.row.loop is None:
        found.append(rows.via.row.model)
    certain = list(found)
    for target, value in _named(rows.model, keywords):
        found.append(target)
        if isinstance(value, Row):
            certain.append(target)
    others = [item for item in found if item is not user and _belongs(item) and not _is_common(walk, item)]
    return (user, others[0]) if user in certain and others else None


def _named(model: Model, keywords: dict[str, Value]) -> Iterator[tuple[Model, Value]]:
    """The rows of other models that the keywords of a filter name, by paths of relations to one row."""
    for name, value in keywords.items():
        is_one = (isinstance(value, Row) and value.loop is None) or (isinstance(value, Other) and not value.loops)
        followed = _to_one(model, name) if is_one else []
        target = followed[-1].target if followed else None
        if target is not None and target is not model:
            yield target, value


def _to_one(model: Model, path: str) -> list[Relation]:
    """The relations to one row that a path follows; none where it names anything else."""
    followed: list[Relation] = []
    target: Model | None = model
    for step in path.split("__"):
        relation = target.relation(step) if target is not None else None
        if relation is None or relation.relation not in ("fk", "o2o"):
            return []
        followed.append(relation)
        target = relation.target
    return followed


def _belongs(model: Model) -> bool:
    """Whether the rows of a model belong to something themselves."""
    found = [held for item in model.family() for held in item.relations.values() if held.forward]
    return any(held.target is not None and held.target not in model.family() for held in found)


def _is_common(walk: Walk, model: Model) -> bool:
    """Whether a project is divided by the rows of a model."""
    if model not in walk.common:
        own = [item for item in walk.models if item.path and not item.abstract and not item.proxy]
        belonging = [
            item for item in own if any(held.forward and held.target is model for held in item.relations.values())
        ]
        walk.common[model] = len(belonging) > 1 and len(belonging) * _COMMON >= len(own)
    return walk.common[model]
