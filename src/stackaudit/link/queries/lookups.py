"""Paths of relations as the ORM writes them."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.link.models.model import Model, Relation

Path = tuple[str, ...]
_JOINED = frozenset({"fk", "o2o", "reverse_o2o"})


def is_joined(model: Model | None, path: Path) -> bool:
    """Whether `select_related` takes the path: each of its steps leads to one row in one table."""
    for name in path:
        relation = model.relation(name) if model is not None else None
        if relation is None:
            return model is None
        if relation.relation not in _JOINED:
            return False
        model = relation.target
    return True


def way_to(model: Model | None, written: str) -> Path:
    """The relations that Python follows from a row to what a query calls `author__country__name`.

    The key of a row is a column of the one before, so the row itself is not needed for it.
    """
    way: list[Relation] = []
    rest = written.split("__")
    while rest and model is not None and (relation := model.by_query_name(rest[0])) is not None:
        way.append(relation)
        model, rest = relation.target, rest[1:]
    is_column = bool(rest) and model is not None and model.column(rest[0]) is not None and rest[0] != model.pk
    if way and not way[-1].many and not is_column:
        way.pop()
    return tuple(relation.name for relation in way)


def lookups(paths: Iterable[Path]) -> list[str]:
    """Paths as the ORM writes them, without those that a longer one includes."""
    known = list(dict.fromkeys(paths))
    return ["__".join(path) for path in known if not any(path == other[: len(path)] != other for other in known)]


def quoted(names: Iterable[str]) -> str:
    """Names as arguments: `"author", "tags"`."""
    return ", ".join(f'"{name}"' for name in names)


def calls(model: Model | None, paths: Iterable[Path]) -> list[str]:
    """What loads paths with the rows of a model: `select_related("author")` and `prefetch_related("tags")`."""
    known = list(paths)
    joins = [path for path in known if is_joined(model, path)]
    rest = [path for path in known if path not in joins]
    made = [f"select_related({quoted(lookups(joins))})"] if joins else []
    return made + ([f"prefetch_related({quoted(lookups(rest))})"] if rest else [])
