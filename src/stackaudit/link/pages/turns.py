"""Queries that a template runs on each turn of a loop although the turns do not change them.

Measured on Django 5.2: `{% for tag in tags %}{% if tag in book.tags.all %}` runs one query for each tag, as do
`{{ book.tags.count }}` and `{{ books.count }}` in a loop over something else; a queryset that the context or a
`{% with %}` outside the loop holds is asked once, and so is all that was prefetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.facts import template as t
from stackaudit.link.pages.each_time import queries
from stackaudit.link.queries import calls
from stackaudit.link.queries.joining import matters
from stackaudit.link.queries.loading import NEW, NOTHING, REQUEST_USER
from stackaudit.link.queries.origins import NO_LOOPS, Loop
from stackaudit.link.queries.table import uses_prefetch
from stackaudit.link.queries.values import Const, Function, Manager, Mapping, Other, Related, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import Walk, place_of
from stackaudit.model.source import Place
from stackaudit.model.verdict import Step

_RANKS = {"fail": 2, "unknown": 1, "pass": 0}
_COUNTERS = frozenset({"forloop", "loop"})


@dataclass(frozen=True)
class _Around:
    """What stands around the tags that are being rendered: a running loop, or a condition.

    `many` says that the loop has many turns. A condition changes with `loops`; `once` says that it may hold on one of
    their turns only, `kept` that what stands in it is not rendered anew. `test` is a condition that may hold or not.
    """

    loop: Loop | None = None
    many: bool = False
    loops: frozenset[Loop] = NO_LOOPS
    once: bool = False
    kept: bool = False
    test: t.Expr | None = None


@dataclass
class Asked:
    """A query in a loop that does not change it; `places` are all those where the template asks for the same.

    `outcome` is "fail", "unknown" (`why` completes "unknown, because ...") or "pass". `how` is the method that runs the
    query, "" for going through rows and "()" for a function of the project; `guarded` says that a condition
    in the loop stands before it.
    """

    place: Place
    text: str
    how: str
    outcome: str
    loop: Loop
    head: Value
    flow: tuple[Step, ...]
    guarded: bool = False
    why: str = ""
    places: set[Place] = field(default_factory=set)

    @property
    def rank(self) -> tuple[int, bool]:
        """What is certain goes before what is not."""
        return _RANKS[self.outcome], not self.guarded


class Turns:
    """The loops and conditions that a walk over templates is in, and the queries that it found in them."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.around: list[_Around] = []
        self._since = 0
        self._found: dict[tuple[Place, str], Asked] = {}
        self._bound: dict[int, tuple[Value, int]] = {}
        self._answers: dict[object, tuple[str, str]] = {}

    @property
    def asked(self) -> list[Asked]:
        """What was found, in the order of the walk."""
        return list(self._found.values())

    @contextmanager
    def _inside(self, around: _Around) -> Iterator[None]:
        self.around.append(around)
        try:
            yield
        finally:
            self.around.pop()

    def turning(self, loop: Loop, source: Value) -> AbstractContextManager[None]:
        """A context manager: the body of a loop over `source`."""
        if isinstance(source, Seq):
            many = source.items is None and _is_looped(source.element)
        else:
            many = isinstance(source, Rows) or (isinstance(source, Mapping) and matters(source))
        return self._inside(_Around(loop, many))

    def where(self, test: t.Expr, scope: dict[str, Value], is_open: bool) -> AbstractContextManager[None]:
        """A context manager: what stands behind a condition; `is_open` says that it may hold or not."""
        loops = frozenset[Loop]().union(*(scope[path.name].loops for path in paths(test) if path.name in scope))
        if isinstance(test, t.Operation) and test.op == "ifchanged":
            loops = frozenset(self.walk.loops)
        return self._inside(_Around(None, loops=loops, once=_is_once(test), test=test if is_open else None))

    @contextmanager
    def block(self) -> Iterator[None]:
        """A context manager: a block of a template, which its layout shows or not as a whole."""
        before, self._since = self._since, len(self.around)
        try:
            yield
        finally:
            self._since = before

    @property
    def is_conditional(self) -> bool:
        """Whether a condition stands around what is being rendered of a block."""
        return any(item.test is not None for item in self.around[self._since :])

    def is_for_some(self, loop: Loop, shown: t.Expr) -> bool:
        """Whether a loop, written `shown`, goes through what belongs to the one row of a page for some visitors only.

        A condition that asks for the rows, or for what they belong to, is none: where it fails there are no rows. A
        queryset of its own runs where its loop is, wherever that stands.
        """
        if loop.behind is None:
            return False
        outer = [item.loop for item in self.around if item.loop is not None]
        if outer:
            begins = (item.behind.origin for item in outer if item.conditional and item.behind is not None)
            return loop.behind.origin in begins
        own = next((_steps(path) for path in paths(shown)), ())
        tests = [item.test for item in self.around[self._since :] if item.test is not None]
        return not all(any(_is_about(_steps(path), own, loop.behind.path) for path in paths(test)) for test in tests)

    def kept(self) -> AbstractContextManager[None]:
        """A context manager: a fragment that is cached."""
        return self._inside(_Around(kept=True))

    @property
    def is_kept(self) -> bool:
        """Whether a cache keeps what is being rendered."""
        return any(item.kept for item in self.around)

    def bound(self, rows: Rows) -> Rows:
        """`rows`, a new queryset that gets a name here: the name keeps what it fetches in the loops that follow."""
        if not self.around:
            return rows
        copy = replace(rows)
        self._bound[id(copy)] = (copy, len(self.around))
        return copy

    def rows(self, name: str, head: Value, parts: tuple[str, ...], value: Value, place: Place, how: str = "") -> None:
        """`value`, a new queryset or manager that `name.parts` leads to from `head`, is asked by `how` at `place`."""
        upto = len(self.around)
        if not parts and not how:
            upto = self._bound.get(id(head), (head, 0))[1]
        if not upto or (isinstance(head, Other) and head.name != "@request"):
            return
        rows = calls.base_rows(self.walk, value) if how and isinstance(value, (Related, Manager)) else value
        if not isinstance(rows, Rows) or rows.evaluated:
            return
        text = ".".join((name, *parts, *([how] if how else [])))
        while parts and parts[-1] in ("all", "all()"):
            parts = parts[:-1]
        outcome, why = self._rows(rows, how)
        self._add(".".join((name, *parts)), text, head, value.loops, place, how, outcome, why, upto)

    def _rows(self, rows: Rows, how: str) -> tuple[str, str]:
        """Whether asking rows runs a query, and why that is not known."""
        if rows.cached:
            used = uses_prefetch(how or "all", rows.sorted)
            if used is None:
                return "unknown", "whether the prefetched rows answer this depends on their ordering"
            return ("pass", "") if used else ("fail", "")
        row = rows.via.row if rows.via is not None else None
        if row is not None and not rows.asked and row.load.unknown and row.load != REQUEST_USER:
            return ("pass", "") if row.load.unknown == NEW.unknown else ("unknown", row.load.unknown)
        return "fail", ""

    def member(self, row: Value, name: str, place: Place, text: str) -> None:
        """A method or property of the project is asked of a row; one that keeps its answer is none of those."""
        cls = row.model.cls if isinstance(row, Row) else None
        found = cls.find(name) if cls is not None and self.around else None
        if found is None or not isinstance(found.node, py.FunctionDef) or not isinstance(row, Row):
            return
        function = Function(found.owner.module, found.node, _alone(row), found.owner)
        self.call(function, (row,), {}, place, text)

    def call(
        self, function: Function, args: tuple[Value, ...], keywords: dict[str, Value], place: Place, text: str
    ) -> None:
        """A function of the project is called with values of the template."""
        given = (*args, *keywords.values())
        if not self.around or not all(isinstance(item, (Row, Const)) for item in given):
            return
        loops = frozenset[Loop]().union(*(item.loops for item in given))
        if self._loop(loops, len(self.around)) is None:
            return
        key = (function.node, tuple(_alone(item) for item in args), tuple(keywords.items()))
        if key not in self._answers:
            plain = tuple(_alone(item) for item in args) if function.bound is None else ()
            named = {name: _alone(item) for name, item in keywords.items()}
            found = queries(self.walk.models, self.walk.django, function, plain, named, place, text, again=True)
            certain = any(event.outcome == "fail" for event in found)
            why = found[0].why if found and not certain else ""
            self._answers[key] = ("fail" if certain else "unknown" if found else "", why)
        outcome, why = self._answers[key]
        if outcome:
            self._add(text, text, function, loops, place, "()", outcome, why, len(self.around))

    def fetched(self, head: Value | None) -> None:
        """A queryset that has a name was gone through: from the next turn on it answers `.count` and such by itself."""
        upto = self._bound.get(id(head), (head, 0))[1]
        inner = {item.loop for item in self.around[upto:] if item.loop is not None}
        if inner:
            self._found = {
                key: item
                for key, item in self._found.items()
                if not (item.head is head and item.loop in inner and item.text.count(".") == 1 and item.how)
            }

    def _loop(self, loops: frozenset[Loop], upto: int) -> tuple[Loop, str, bool] | None:
        """The innermost loop that repeats something which changes with `loops`: ("fail", "unknown" or "pass").

        None where nothing does, and where the turns change it: that is the business of the rows of that loop. The last
        item says that a condition in the loop stands before it.
        """
        if self.is_kept or self.walk.repeating(loops) is not None:
            return None
        found: tuple[Loop, str, bool] | None = None
        for index in range(upto - 1, -1, -1):
            loop = self.around[index].loop
            if loop is None:
                continue
            tests = [item for item in self.around[index + 1 :] if item.loop is None and loop in item.loops]
            if any(item.once for item in tests):
                continue
            if loop.bounded:
                found = found or (loop, "pass", False)
            elif self.around[index].many:
                return loop, "fail", bool(tests) or any(item.loop is None for item in self.around[index + 1 : upto])
            elif found is None or found[1] == "pass":
                found = (loop, "unknown", bool(tests))
        return found

    def _add(
        self, path: str, text: str, head: Value, loops: frozenset[Loop], place: Place, how: str,
        outcome: str, why: str, upto: int,
    ) -> None:  # fmt: skip
        found = self._loop(loops, upto)
        if found is None:
            return
        loop, sure, guarded = found
        if sure != "fail" and outcome != "pass":
            outcome, why = sure, "how often the loop turns is not known" if sure == "unknown" else ""
        flow = [Step(loop.place, loop.text)]
        for frame in self.walk.frames[loop.depth :]:
            if frame.called is not None:
                flow.append(Step(place_of(frame.called), f"`{frame.text}`"))
        flow.append(Step(place, f"`{text}` runs the same query on each turn"))
        made = Asked(place, text, how, outcome, loop, head, tuple(flow), guarded, why, {place})
        key = (loop.place, path)
        known = self._found.get(key)
        if known is not None:
            made.places |= known.places
            if known.rank >= made.rank:
                known.places = made.places
                return
        self._found[key] = made


def _steps(path: t.Path) -> tuple[str, ...]:
    """A variable and the lookups on it that lead to rows."""
    steps = (path.name, *path.parts)
    return steps[:-1] if len(steps) > 1 and steps[-1] in ("all", "all()", "exists", "count") else steps


def _is_about(asked: tuple[str, ...], own: tuple[str, ...], way: tuple[str, ...]) -> bool:
    """Whether what a condition asks for leads to the rows that `own` leads to, the last steps of which are `way`."""
    return asked[: len(own)] == own or own[: len(asked)] == asked or asked[-1] in way


def _is_looped(element: Value) -> bool:
    """Whether a list holds something of each row of a queryset: what no loop has put there was put by hand."""
    if isinstance(element, Mapping):
        return any(_is_looped(item) for item in (element.element, *(item for _, item in element.items)))
    return isinstance(element, Row) or (matters(element) and any(not item.bounded for item in element.loops))


def _alone(value: Value) -> Value:
    """An argument without where it came from."""
    if not isinstance(value, Row):
        return value
    return Row(value.model, NOTHING if value.load == REQUEST_USER else value.load)


def paths(expr: t.Expr) -> Iterator[t.Path]:
    """The variables that an expression reads."""
    match expr:
        case t.Path():
            yield expr
        case t.Filtered():
            yield from paths(expr.value)
            for item in expr.filters:
                for arg in (*item.args, *(keyword.value for keyword in item.keywords)):
                    yield from paths(arg)
        case t.Operation():
            for operand in expr.operands:
                yield from paths(operand)
        case t.Follow():
            yield from paths(expr.value)
        case t.Call():
            for inner in (expr.func, *expr.args, *(keyword.value for keyword in expr.keywords)):
                yield from paths(inner)


def _is_once(test: t.Expr) -> bool:
    """Whether a condition may be made to hold on one turn only: a comparison, the counter of the loop."""
    if isinstance(test, t.Operation):
        own = test.op in ("==", "ifchanged") or test.op.split(" ")[0] == "is" or "=" in test.op.split(" ")
        return own or any(_is_once(operand) for operand in test.operands)
    return any(path.name in _COUNTERS for path in paths(test))
