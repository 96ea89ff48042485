"""Numbers that the row behind a key is to bring: the queryset of a `Prefetch` of that key annotates them.

A join brings no annotations, and Django skips the prefetch of a key whose row a join has brought. Measured with Django
5.2 for five rows of which each asked the row behind its key for a number: 11 queries, with the Prefetch beside a
`select_related()` of the key 6, and with the Prefetch alone 2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.queries.annotations import annotated
from stackaudit.link.queries.elsewhere import takes_calls
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.lookups import Path, calls, is_joined
from stackaudit.link.queries.origins import Origin
from stackaudit.link.queries.reading import is_of_row, manager


def carried(origin: Origin | None, counted: Iterable[Event], lacking: Collection[Path]) -> dict[Path, list[Event]]:
    """Those of the numbers `counted` that rows behind keys bring, by the paths to these.

    `lacking` are the paths that nothing loads: of one that the queryset loads already there is no second Prefetch
    (ValueError).
    """
    found: dict[Path, list[Event]] = {}
    model = origin.model if origin is not None else None
    for event in counted if model is not None and takes_calls(origin) else ():
        path = event.path[:-1]
        if path in lacking and not is_of_row(event) and is_joined(model, path):
            found.setdefault(path, []).append(event)
    return found


def carrying(origin: Origin | None, found: dict[Path, list[Event]], paths: Iterable[Path]) -> list[str]:
    """The arguments of `prefetch_related()` that bring rows with their numbers; `paths` are to be loaded as well."""
    wanted, made = list(paths), []
    for path, events in found.items():
        model = _behind(origin.model if origin is not None else None, path)
        assert model is not None
        inner = [other[len(path) :] for other in wanted if other != path and holder(other, found) == path]
        rows = ".".join([_all(model), *calls(model, [way for way in inner if is_joined(model, way)])])
        numbers = annotated([replace(event, path=event.path[-1:], origin=None) for event in events])
        made.append(f'Prefetch("{"__".join(path)}", queryset={rows}{numbers})')
    return made


def holder(path: Path, found: Collection[Path]) -> Path:
    """The longest of the paths whose rows bring numbers that another path leads through; () for none."""
    return max((held for held in found if path[: len(held)] == held), key=len, default=())


def outside(origin: Origin | None, found: Collection[Path], paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` that no Prefetch with numbers brings."""
    model = origin.model if origin is not None else None
    return [path for path in paths if not (holder(path, found) and is_joined(model, path))]


def _behind(model: Model | None, path: Path) -> Model | None:
    for name in path:
        relation = model.relation(name) if model is not None else None
        model = relation.target if relation is not None else None
    return model


def _all(model: Model) -> str:
    """The manager by which Django follows a key: one that leaves out rows would take them from those who have them."""
    made = model.managers.get(model.default_manager)
    narrows = made is not None and isinstance(made.cls, SourceClass) and made.cls.find("get_queryset") is not None
    return f"{model.name}._base_manager" if narrows else manager(model)
