"""Which tables grow as long as the site is used: what is told from the models and from the code that makes rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Field, Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import is_true
from stackaudit.link.serializers.views import asks_for_staff, is_creating, label_of, listed

if TYPE_CHECKING:
    from stackaudit.link.mentions import Mentions
    from stackaudit.link.models import Models

_MAKING = frozenset({"create", "acreate", "bulk_create", "abulk_create", "get_or_create", "aget_or_create"} | {
    "update_or_create", "aupdate_or_create", "create_user",
})  # fmt: skip
_BY_HAND = ("management/", "migrations/", "/admin", "admin.py", "fixtures", "seed", "sample", "demo", "factor")


def growing(models: Models, mentions: Mentions) -> frozenset[Model]:
    """The user model, and the models that belong to others, keep when each row was made, and are made by running code.

    A time and an owner say that rows are events or contributions rather than entries of a list that somebody keeps;
    code or forms outside commands, migrations and the admin that make them say that nobody counts them.
    """
    rows_made = made(models, mentions)
    user = models.user
    found = {
        model
        for model in models
        if model in rows_made and _belongs(model) and any(_is_time_of_making(item) for item in _columns(model))
    }
    return frozenset(found | ({user} if user is not None else set()))


def made(models: Models, mentions: Mentions) -> frozenset[Model]:
    """The models whose rows code, forms or views outside commands, migrations and the admin make."""
    return frozenset((*_shown_in_forms(models), *_made(models, mentions), *_made_by_views(models, mentions)))


def _made(models: Models, mentions: Mentions) -> Iterator[Model]:
    """The models that code outside commands and the admin makes rows of: `Order(...)`, `….create(...)` and its like."""
    for model in models:
        for found in mentions.named(model.name):
            if not _is_by_hand(found.module) and models.of_expr(found.module, found.call.func) is model:
                yield model
                break
    reverse = _reverse_names(models)
    for found in mentions.named(*_MAKING):
        func = found.call.func
        if isinstance(func, py.Attribute) and isinstance(func.value, py.Attribute) and not _is_by_hand(found.module):
            named = models.of_expr(found.module, func.value.value) or reverse.get(func.value.attr)
            if named is not None:
                yield named


def _reverse_names(models: Models) -> dict[str, Model]:
    """The names of relations to many rows that only one model's rows stand behind."""
    targets: dict[str, set[Model]] = {}
    for model in models:
        for relation in model.relations.values():
            if relation.many and relation.target is not None:
                targets.setdefault(relation.name, set()).add(relation.target)
    return {name: next(iter(found)) for name, found in targets.items() if len(found) == 1}


def _is_by_hand(module: SourceModule) -> bool:
    return any(part in module.path for part in _BY_HAND)


def _shown_in_forms(models: Models) -> Iterator[Model]:
    """The models of the forms outside the admin that make rows of them."""
    for module in models.modules:
        if _is_by_hand(module):
            continue
        for bound in module.names.values():
            node = bound[-1].node
            if isinstance(node, py.ClassDef) and any(dotted(base).endswith("ModelForm") for base in node.bases):
                for inner in node.body:
                    if isinstance(inner, py.ClassDef) and inner.name == "Meta":
                        yield from _named(models, module, inner)


def _made_by_views(models: Models, mentions: Mentions) -> Iterator[Model]:
    """The models whose rows are made by generic views that are more than bases of others, but for those of staff."""
    for module in models.modules:
        for bound in module.names.values() if not _is_by_hand(module) else ():
            node = bound[-1].node
            if not isinstance(node, py.ClassDef) or not node.bases or node.name not in mentions.names:
                continue
            cls = models.classes.build(module, node)
            is_page = any(label_of(base) == "CreateView" for base in cls.mro[1:])
            if (is_page or is_creating(cls)) and _takes_posts(cls) and not asks_for_staff(cls, models.classes):
                yield from _of_view(models, cls)


def _takes_posts(cls: SourceClass) -> bool:
    """Whether a view lets requests by POST in, as far as `http_method_names` says."""
    member = cls.find("http_method_names")
    listed = member.node if member is not None else None
    names = listed.elts if isinstance(listed, (py.List, py.Tuple)) else None
    return names is None or any(isinstance(item, py.Constant) and item.value == "post" for item in names)


def _of_view(models: Models, cls: SourceClass) -> Iterator[Model]:
    """The model of a view: its `model`, that of its `queryset`, or what its serializer is made for."""
    found = listed(cls, models, "model") or listed(cls, models)
    if found is not None:
        yield found
        return
    member = cls.find("serializer_class")
    if member is not None and isinstance(member.node, py.Node):
        serializer = models.classes.resolve(member.owner.module, member.node)  # type: ignore[arg-type]
        meta = serializer.find("Meta") if isinstance(serializer, SourceClass) else None
        if meta is not None and isinstance(meta.node, py.ClassDef):
            yield from _named(models, meta.owner.module, meta.node)


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
    if is_true(stamped):
        return True
    default = field.keyword("default")
    return field.kind == "DateTimeField" and dotted(default).rpartition(".")[2] in ("now", "utcnow")
