"""The same query asked again within one template: each `book.tags.all` builds a new queryset that knows no rows.

Measured on Django 5.2: `{% if b.tags.all %}{% for t in b.tags.all %}` runs two queries, as do `{{ qs.first.a }}` with
`{{ qs.first.b }}`, and `{{ qs.count }}` before a loop; the count after the loop is free, and so is all that was
prefetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import decorators
from stackaudit.link.queries import calls
from stackaudit.link.queries.values import Instance, Manager, Mapping, Related, Row, Rows, Value
from stackaudit.link.queries.walk import Walk
from stackaudit.model.source import Place

ASKING = frozenset({"count", "exists", "first", "last"})
"""Methods without arguments that run a query of their own on a queryset that holds no rows yet."""


@dataclass(frozen=True)
class Asked:
    """One evaluation: `how` is the method that runs the query, "" for going through the rows; `text` is as written.

    `each` says that every turn of a loop asks it of another row.
    """

    place: Place
    how: str
    text: str
    branch: tuple[tuple[int, int], ...]
    each: bool = False


@dataclass
class Uses:
    """How templates read the rows that a path leads to: the `highest` number, and whether in any other way, too."""

    head: Value
    highest: int = -1
    is_read: bool = False


@dataclass
class Path:
    """A path to a queryset, and everything in one template that evaluates it.

    `head` is what the path begins with; `cached` says that the rows were prefetched, and `sorted` that they hold an
    order of which Django knows (None where that is not known), `unknown` why that cannot be told,
    `plain` that a prefetch would answer: no method on the way filters or orders them. `uses` tells of all templates
    that read the same rows.
    """

    text: str
    head: Value
    cached: bool
    sorted: bool | None
    unknown: str
    plain: bool
    uses: Uses
    asked: list[Asked] = field(default_factory=list)

    @property
    def again(self) -> list[Asked]:
        """The evaluations that surely run where an earlier one ran; one for each place, whatever renders it."""
        found: dict[tuple[Place, str], Asked] = {}
        for index, late in enumerate(self.asked):
            if any(_implied(early, late) for early in self.asked[:index]):
                found.setdefault((late.place, late.text), late)
        return list(found.values())

    def along(self, one: Asked) -> list[Asked]:
        """The evaluations on the way of another: no branch divides them. They stand in the order of the template."""
        return [item for item in self.asked if item is one or _implied(item, one) or _implied(one, item)]

    def before(self, late: Asked) -> Asked:
        """The first evaluation that runs where `late` does."""
        return next(early for early in self.asked if early is not late and _implied(early, late))


def _implied(one: Asked, other: Asked) -> bool:
    """Whether one of two evaluations runs whenever the other does: no branch divides them."""
    length = min(len(one.branch), len(other.branch))
    return one.place != other.place and one.branch[:length] == other.branch[:length]


class Repeats:
    """What the templates of a walk evaluate, by template and path."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.branch: tuple[tuple[int, int], ...] = ()
        self._uses: dict[tuple[int, tuple[str, ...]], Uses] = {}
        self._paths: dict[tuple[str, str, tuple[str, ...], int], Path] = {}

    @property
    def paths(self) -> Iterator[Path]:
        """The paths that are evaluated at least twice."""
        return (path for path in self._paths.values() if path.again)

    @contextmanager
    def inside(self, node: object, index: int) -> Iterator[None]:
        """What happens in one branch of a tag."""
        before = self.branch
        self.branch = (*before, (id(node), index))
        try:
            yield
        finally:
            self.branch = before

    def use(self, head: Value, parts: tuple[str, ...], value: Value, part: str = "") -> None:
        """`value`, that `parts` lead to from `head`, is read, or `part` of it."""
        if not isinstance(value, (Manager, Related, Rows)) or part == "all":
            return
        uses = self._of(head, parts)
        if part.isdigit():
            uses.highest = max(uses.highest, int(part))
        else:
            uses.is_read = True

    def _of(self, head: Value, parts: tuple[str, ...]) -> Uses:
        while parts and parts[-1] == "all":
            parts = parts[:-1]
        return self._uses.setdefault((id(head), parts), Uses(head))

    def add(self, name: str, head: Value, parts: tuple[str, ...], value: Value, place: Place, how: str = "") -> None:
        """`value`, that `name.parts` leads to from `head`, is evaluated at `place`."""
        rows = calls.base_rows(self.walk, value) if isinstance(value, (Related, Manager)) else value
        if not isinstance(rows, Rows) or rows.evaluated:
            return
        written = ".".join((name, *parts, *([how] if how else [])))
        while parts and parts[-1] == "all":
            parts = parts[:-1]
        unknown = rows.via.row.load.unknown if rows.via is not None and not rows.cached else ""
        key = (place.path, name, parts, id(head))
        plain = rows.via is not None and not rows.asked
        text, uses = ".".join((name, *parts)), self._of(head, parts)
        path = self._paths.setdefault(key, Path(text, head, rows.cached, rows.sorted, unknown, plain, uses))
        loop = self.walk.repeating(value.loops)
        asked = Asked(place, how, written, self.branch, loop is not None and self.walk.guard <= loop.guard)
        if asked not in path.asked:
            path.asked.append(asked)


def builds_anew(value: Value, name: str) -> bool:
    """Whether reading `value.name` gives a new queryset each time: no attribute that some code has set or keeps."""
    if isinstance(value, Mapping):
        return not isinstance(value.get(name), Rows)  # a dictionary holds one queryset, which keeps its rows
    cls = value.model.cls if isinstance(value, Row) else value.cls if isinstance(value, Instance) else None
    member = cls.find(name) if isinstance(cls, SourceClass) else None
    if member is None or not isinstance(member.node, py.FunctionDef):
        return not isinstance(value, Instance)
    body = [stmt for stmt in member.node.body if not _is_docstring(stmt)]
    plain = set(decorators(member.node)) <= {"property"}
    return plain and len(body) == 1 and isinstance(body[0], py.Return)


def _is_docstring(stmt: py.Stmt) -> bool:
    return isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Constant)
