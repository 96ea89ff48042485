"""Which tables grow as long as the site is used: what is told from the models and from the code that makes rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.models.model import Field, Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries.loading import NEW
from stackaudit.link.queries.values import Manager, Related, Row, Rows
from stackaudit.link.usage.bodies import Body

if TYPE_CHECKING:
    from stackaudit.link.models import Models

_MAKING = frozenset({"create", "acreate", "bulk_create", "abulk_create", "get_or_create", "aget_or_create"} | {
    "update_or_create", "aupdate_or_create", "create_user",
})  # fmt: skip
_BY_HAND = ("management/", "migrations/", "/admin", "admin.py", "fixtures", "seed", "sample", "demo", "factor")


def growing(models: Models, bodies: Iterable[Body]) -> frozenset[Model]:
    """The user model, and the models that belong to others, keep when each row was made, and are made by running code.

    A time and an owner say that rows are events or contributions rather than entries of a list that somebody keeps;
    code or forms outside commands, migrations and the admin that make them say that nobody counts them.
    """
    made = set(_shown_in_forms(models))
    for body in bodies:
        if not any(part in body.module.path for part in _BY_HAND):
            made.update(_made(body))
    user = models.user
    found = {
        model
        for model in models
        if model in made and _belongs(model) and any(_is_time_of_making(item) for item in _columns(model))
    }
    return frozenset(found | ({user} if user is not None else set()))


def _made(body: Body) -> Iterable[Model]:
    for call in body.calls:
        value = body.value(call)
        if isinstance(value, Row) and value.load.unknown == NEW.unknown:
            yield value.model
        elif isinstance(call.func, py.Attribute) and call.func.attr in _MAKING:
            held = body.value(call.func.value)
            model = held.relation.target if isinstance(held, Related) else None
            if isinstance(held, (Manager, Rows)):
                model = held.model
            if model is not None:
                yield model


def _shown_in_forms(models: Models) -> Iterator[Model]:
    """The models of the forms outside the admin that make rows of them."""
    for module in models.modules:
        if any(part in module.path for part in _BY_HAND):
            continue
        for bound in module.names.values():
            node = bound[-1].node
            if isinstance(node, py.ClassDef) and any(dotted(base).endswith("ModelForm") for base in node.bases):
                for inner in node.body:
                    if isinstance(inner, py.ClassDef) and inner.name == "Meta":
                        yield from _named(models, module, inner)


def _named(models: Models, module: SourceModule, meta: py.ClassDef) -> Iterator[Model]:
    for stmt in meta.body:
        if isinstance(stmt, py.Assign) and isinstance(stmt.targets[0], py.Name) and stmt.targets[0].id == "model":
            found = models.of_expr(module, stmt.value)
            if found is not None:
                yield found


def _belongs(model: Model) -> bool:
    return any(
        relation.relation in ("fk", "o2o") and relation.target is not None and relation.target is not model
        for item in model.family()
        for relation in item.relations.values()
    )


def _columns(model: Model) -> Iterable[Field]:
    return [field for item in model.family() for field in item.columns.values()]


def _is_time_of_making(field: Field) -> bool:
    stamped = field.keyword("auto_now_add")
    if isinstance(stamped, py.Constant) and stamped.value is True:
        return True
    default = field.keyword("default")
    return field.kind == "DateTimeField" and dotted(default).rpartition(".")[2] in ("now", "utcnow")
