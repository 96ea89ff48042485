"""Paths of relations as the ORM writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackaudit.link.models.model import Model, Relation

Path = tuple[str, ...]
_JOINED = frozenset({"fk", "o2o", "reverse_o2o"})
_MANY = 6
"""So many paths are written one by one."""


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
    return ["__".join(path) for path in longest(paths)]


def longest(paths: Iterable[Path]) -> list[Path]:
    """Paths, each once, without those that a longer one includes."""
    known = list(dict.fromkeys(paths))
    return [path for path in known if not any(path == other[: len(path)] != other for other in known)]


def quoted(names: Iterable[str]) -> str:
    """Names as arguments: `"author", "tags"`."""
    return ", ".join(f'"{name}"' for name in names)


def arguments(paths: Iterable[Path]) -> str:
    """Paths as arguments, without those that a longer one includes; of many, what several share is told once.

    `*(f"quotation__{path}" …)`: what is read of rows of several child models is read of each by a way of its own.
    """
    given = longest(paths)
    told: list[str] = []
    for before, kinds, rest in _alike(given) if len(given) > _MANY else ():
        put = {(*before, kind, *path) for kind in kinds for path in rest}
        if put.issubset(given):
            start, ways = "".join(f"{name}__" for name in before), quoted("__".join(path) for path in rest)
            told.append(f'*(f"{start}{{kind}}__{{path}}" for kind in ({quoted(kinds)}) for path in ({ways}))')
            given = [path for path in given if path not in put]
    return ", ".join(filter(None, [quoted("__".join(path) for path in given), *told]))


def _alike(paths: list[Path]) -> Iterator[tuple[Path, tuple[str, ...], list[Path]]]:
    """Relations of one row behind which the same paths begin, with these: two of each, at least."""
    shared: dict[tuple[Path, tuple[str, ...]], list[Path]] = {}
    for before in dict.fromkeys(path[:end] for path in paths for end in range(len(path) - 1)):
        kinds: dict[Path, list[str]] = {}
        for path in paths:
            if path[: len(before)] == before and len(path) > len(before) + 1:
                kinds.setdefault(path[len(before) + 1 :], []).append(path[len(before)])
        for rest, names in kinds.items():
            shared.setdefault((before, tuple(names)), []).append(rest)
    for (before, alike), found in shared.items():
        if len(alike) > 1 and len(found) > 1:
            yield before, alike, found


def calls(model: Model | None, paths: Iterable[Path]) -> list[str]:
    """What loads paths with the rows of a model: `select_related("author")` and `prefetch_related("tags")`."""
    known = list(paths)
    joins = [path for path in known if is_joined(model, path)]
    rest = [path for path in known if path not in joins]
    made = [f"select_related({quoted(lookups(joins))})"] if joins else []
    return made + ([f"prefetch_related({quoted(lookups(rest))})"] if rest else [])
