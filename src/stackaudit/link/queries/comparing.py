"""What the filters of a query compare with the rows of a running loop, and what such rows do not have."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import LACKING, Other, Row, Value
from stackaudit.link.queries.walk import Walk


def with_rows(walk: Walk, keywords: dict[str, Value]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keywords of a filter that name rows which a loop hands out, or rows behind those, with the paths to them."""
    for name, value in keywords.items():
        if isinstance(value, Row) and walk.repeats(value.loop) and _is_one(value):
            yield name, value.path or ("pk",)
        elif isinstance(value, Other) and value.name.startswith(LACKING):
            yield name, (LACKING, value.name.removeprefix(LACKING))


def _is_one(row: Row) -> bool:
    """Whether each row of the queryset leads to one row at most on the way to this one."""
    model = row.origin.model if row.origin is not None else None
    for part in row.path:
        relation = model.relation(part) if model is not None else None
        model = relation.target if relation is not None and not relation.many else None
    return model is not None


def without(walk: Walk, row: Row, name: str) -> bool:
    """Whether the rows of a model surely have nothing under a name, which a template takes for None.

    No class that is known defines it, no queryset brings it, and code sets it at most on rows of other models.
    """
    model, load = row.model, row.load
    if model.cls is None or model.is_open or model.cls.is_open or load.unknown or row.among is not None:
        return False
    if name in load.attributes or any(name == held for held, _, _ in load.lists) or name.startswith(("get_", "_")):
        return False
    known = model.relation(name) or model.column(name) or model.attname(name) or name in ("pk", "id", model.pk)
    is_defined = any(model.cls.find(item) is not None for item in (name, "__getattr__", "__getattribute__"))
    below = any(child.relation(name) or child.column(name) for child in model.family())
    return not (known or is_defined or below or _is_set(walk, name))


def _is_set(walk: Walk, name: str) -> bool:
    """Whether code sets an attribute on something, and no model has it as a field, which that would be."""
    is_field = any(model.relation(name) or model.column(name) for model in walk.models)
    return name in walk.models.mentions.assigned and not is_field


def lacked(event: Event) -> tuple[str, str] | None:
    """The model and the attribute that it lacks with which a query compares; None for none."""
    for _, path in event.asking.compared if event.asking is not None else ():
        if path[:1] == (LACKING,):
            model, _, name = path[1].partition(".")
            return model, name
    return None


def outer(event: Event) -> str:
    """What the filter of a subquery takes that compares with the rows of the loop: `group=OuterRef("group")`, or ""."""
    asking = event.asking
    told = [f'{name}=OuterRef("{"__".join(path)}")' for name, path in asking.compared if path] if asking else []
    is_more = asking is not None and (len(told) < len(asking.compared) or ".exclude(" in asking.text)
    return ", ".join([*told, *(["…"] if is_more else [])]) if told else ""
