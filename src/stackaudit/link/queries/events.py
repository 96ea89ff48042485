"""What the walk found: queries with the loop that repeats them and the way that leads to them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, pairwise
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.models.model import Model, Relation
from stackaudit.link.modules import SourceModule
from stackaudit.link.queries.origins import Asking, Loop, Origin, Spared
from stackaudit.link.queries.values import Instance, Row, Rows
from stackaudit.model.source import Place
from stackaudit.model.verdict import Step

EventKind: TypeAlias = Literal["forward", "reverse", "deferred", "bypassed", "query", "write", "existence", "fetched"]
Outcome: TypeAlias = Literal["fail", "pass", "unknown"]
Branch: TypeAlias = tuple[int, int]
"""The identity of a condition in the source, and which of its branches: of those only one is taken."""
Likeness: TypeAlias = Literal[0, 1, 2]
UNLIKE: Likeness = 0
ALIKE_OR_NONE: Likeness = 1
ALIKE: Likeness = 2
"""What a row is compared with: something else at times, a row of the same model or None, or always such a row."""
OWNED = 10
"""So many rows are taken to belong to one row, where nothing tells: one book has fewer tags than a list has books."""
PAIRED = 2
"""So many rows are taken to belong to one user and to one row of something else."""
_PAGE = 25
"""Whoever divides what belongs to one row into longer pages has many of them."""


class Event(Struct, frozen=True, cache_hash=True):
    """One place that asks the database, or would if the rows did not bring what it reads.

    - `kind` "fetched" is a relation of a row that the turn itself asks for: what brings that row could bring it, too,
      but for a `method`, which would ask again; it stands apart in the record;
    - `place` is the first access in the frame of the loop (a template line, also of one that the loop includes, or the
      call of a method), `query` the place that runs the query; `origin` is the queryset whose rows are looped over,
      None where it is not one;
    - `path` is the relation path from those rows ("author", "country"); `relation` its last step;
    - `method` is the method that runs the query ("get", "filter", "save"), "" for plain access, or the one that left a
      column out ("only", "defer");
    - `guarded` says that a condition inside the loop stands before it, or around a whole loop (`is_guarded`);
    - `area` is the area of rules that answers for it: that of whoever walked ("orm" for the Python code itself);
    - `below` counts the calls between the loop and the query;
    - `asking` is the expression that asks, in the code that has the row, where it asks for many rows or is no access;
    - `spared` says what to write so that a row of which only the key is wanted is not asked for, where `link/keys` was
      asked and nothing else wants more of it;
    - `around` is the loop whose rows the code is asked of that runs `loop`, None where that is no matter;
    - `branch` are the conditions that it stands behind, the outer ones first, each with the number of its branch;
    - `why` completes "unknown, because ..." (unknown), says why all is well (pass) or why it matters little (fail).
    """

    kind: EventKind
    outcome: Outcome
    place: Place
    query: Place
    where: str
    text: str
    origin: Origin | None = None
    path: tuple[str, ...] = ()
    relation: Relation | None = None
    model: Model | None = None
    method: str = ""
    loop: Loop | None = None
    flow: tuple[Step, ...] = ()
    guarded: bool = False
    why: str = ""
    area: str = "orm"
    below: int = 0
    around: Loop | None = None
    asking: Asking | None = None
    spared: Spared | None = None
    branch: tuple[Branch, ...] = ()

    @property
    def is_loaded(self) -> bool:
        """Whether it helps to load what it asks for: the key of a row, or the row itself again, is there without."""
        return self.spared is None and not self.is_itself

    @property
    def is_itself(self) -> bool:
        """Whether it asks a row of a child model for that row again, by the accessor that its parent has for it.

        The parent's table leads to the child's that way, and `select_related()` of the child knows no such name.
        """
        relation, model = self.relation, self.model
        return self.kind == "forward" and relation is not None and model is not None and model.is_itself(relation)

    @property
    def turns(self) -> Loop | None:
        """The loop whose rows are asked: that of the page, the list or the function."""
        return self.around or self.loop

    @property
    def owner(self) -> Model | None:
        """The model of the one row to which the rows belong that are asked; None where they are of no single one."""
        return self.turns.owner if self.turns is not None else None

    @property
    def owners(self) -> str:
        """To whom the rows belong that are asked, as it follows "10 rows": "of one User"; "" for no single row."""
        names = [item.name for item in (self.owner, self.second) if item is not None]
        return " and ".join(f"of one {name}" for name in names)

    @property
    def second(self) -> Model | None:
        """The model of a second row to which the rows belong as well, where the first one is a user."""
        return self.turns.second if self.turns is not None else None

    @property
    def owned(self) -> int:
        """How many rows are taken to belong to the row, or to both rows, that they belong to."""
        return PAIRED if self.second is not None else OWNED

    @property
    def is_short(self) -> bool:
        """Whether few rows are asked: those of a short page, or what belongs to one row."""
        page = self.turns.page if self.turns is not None else 0
        if self.owner is not None:
            return page <= _PAGE
        return 0 < page <= OWNED


class Reached(Struct, frozen=True):
    """What a turn of a loop asks for, with the number of conditions that stand before it.

    `key` is that of the event, `what` tells what it asks for, wherever that stands.
    """

    key: tuple[object, ...]
    what: tuple[object, ...]
    loop: Loop
    guard: int


class Record:
    """The events of a walk; each is kept once, and what is certain goes before what is not.

    `working` are the loops, by their places, that do work outside the database on their turns; `workers` the functions
    that do it. `listed` are loops over what one column of one row holds. `outside` holds the calls that are such work,
    with the dotted name of what they call, and `called` the functions of the repository that calls lead to, each the
    first one that it was seen to lead to; `besides` are the others. `shown` are the rows that templates and lists go
    through, by the place of the loop and the origin. `sources` holds the models, by their labels, whose rows an
    expression gives, by its place, `changed` those whose rows the turns of a loop write, by its place. `forms` are the
    forms whose fields somebody asked for, `looked` says that code has asked whether the rows of a relation are loaded.
    `single` are the rows that are shown alone, by the loop that stands for one, and `once` the code that asks of such a
    row: where it begins, with the place that shows the row. `alike` are expressions of rows that code compares, and
    whether it does so with rows of the same model.
    With `apart`, what one loop over a relation asks is an event for each of the querysets whose rows the relation
    belongs to.
    """

    def __init__(self) -> None:
        self.apart = False
        self._events: dict[tuple[object, ...], Event] = {}
        self.working: set[Place] = set()
        self.workers: set[object] = set()
        self.few: dict[Place, str] = {}
        self.listed: set[Place] = set()
        self.outside: dict[py.Node, str] = {}
        self.called: dict[py.Node, tuple[SourceModule, py.FunctionDef]] = {}
        self.besides: dict[py.Node, set[py.FunctionDef]] = {}
        self.shown: dict[tuple[Place, Origin | None], Rows] = {}
        self.changed: dict[Place, set[str]] = {}
        self.sources: dict[Place, set[str]] = {}
        self.forms: list[Instance] = []
        self.looked = False
        self.single: dict[Loop, Row] = {}
        self.once: dict[tuple[str, int, int], dict[Place, Row]] = {}
        self.alike: dict[py.Node, Likeness] = {}

    def add(self, event: Event) -> tuple[object, ...]:
        """Keep an event, unless the same one is known already; its key."""
        behind = event.loop.behind if self.apart and event.loop is not None else None
        key = (
            event.kind,
            event.place,
            event.query,
            event.origin.whence if event.origin else (),
            event.path,
            event.outcome,
            event.origin.model if event.origin else None,
            (behind.origin.place if behind.origin is not None else None, behind.path) if behind is not None else None,
            event.model if event.kind == "query" else None,
        )
        if event.outcome == "pass" and event.loop is not None and (row := self.single.get(event.loop)) is not None:
            self.once.setdefault(begin(event.query), {}).setdefault(event.loop.place, row)
        known = self._events.get(key)
        if known is None or (known.guarded and not event.guarded):
            self._events[key] = event
        elif known.branch != event.branch:
            both = (one for one, other in zip(known.branch, event.branch, strict=False) if one == other)
            self._events[key] = replace(known, branch=tuple(both))
        return key

    def lead(self, call: py.Node, module: SourceModule, function: py.FunctionDef) -> None:
        """Remember that a call leads to a function of a module."""
        if self.called.setdefault(call, (module, function))[1] is not function:
            self.besides.setdefault(call, set()).add(function)

    def leads(self, call: py.Node) -> tuple[py.FunctionDef, ...]:
        """The functions that a call was seen to lead to; none where it was not seen."""
        first = self.called.get(call)
        return (first[1], *self.besides.get(call, ())) if first is not None else ()

    def settle(self, reached: Reached) -> None:
        """Take what was behind a condition as asked on each turn."""
        event = self._events[reached.key]
        if event.guarded and event.turns is reached.loop:
            self._events[reached.key] = replace(event, guarded=reached.loop.is_guarded)

    def change(self, loops: Iterable[Loop], model: Model) -> None:
        """Remember that the turns of loops write rows of a model."""
        for loop in loops:
            self.changed.setdefault(loop.place, set()).add(model.label)

    def __len__(self) -> int:
        return len(self._events)

    def since(self, mark: int) -> list[Event]:
        """The events that came when the record had the length `mark`, the last one first."""
        late = islice(reversed(self._events.values()), len(self._events) - mark)
        return [event for event in late if event.kind != "fetched"]

    def on_every_branch(self, marks: list[int], guard: int) -> None:
        """Take what all branches of a condition ask for as certain.

        `marks` are the lengths of the record before the first branch and after each, `guard` the number of conditions
        around them.
        """
        late = list(islice(reversed(self._events.items()), len(self._events) - marks[0]))[::-1]
        branches = [late[start - marks[0] : end - marks[0]] for start, end in pairwise(marks)]
        asked = [{_asked(event) for _, event in branch} for branch in branches]
        shared = set.intersection(*asked)
        for key, event in late if shared else ():
            if event.guarded and event.loop is not None and guard <= event.loop.guard and _asked(event) in shared:
                is_inside = guard >= event.loop.guard
                self._events[key] = replace(event, guarded=event.loop.is_guarded and is_inside)

    @property
    def events(self) -> list[Event]:
        """All events in the order of the walk; a write beside work outside the database belongs to its row."""
        return [self._settled(event) for event in self._events.values() if event.kind != "fetched"]

    @property
    def fetched(self) -> list[Event]:
        """What turns ask of rows that they have asked for themselves."""
        return [event for event in self._events.values() if event.kind == "fetched"]

    def _settled(self, event: Event) -> Event:
        if event.kind not in ("write", "query") or event.loop is None:
            return event
        if event.kind == "write" and event.loop.place in self.working:
            return replace(event, outcome="pass", why="the loop does work outside the database for each row")
        if event.loop.place in self.few:
            return replace(event, outcome="pass", why=self.few[event.loop.place])
        return event


def begin(place: Place) -> tuple[str, int, int]:
    """Where an expression begins: a longer one that begins with it has the same."""
    return place.path, place.region.line, place.region.column


def reached(event: Event, key: tuple[object, ...], guard: int) -> Reached | None:
    """A query that the turns of a loop repeat, as it was met behind so many conditions; None for any other event."""
    if event.turns is None or event.outcome != "fail":
        return None
    if event.path:
        return Reached(key, _asked(event), event.turns, guard)
    is_of_table = event.kind == "query" and event.model is not None
    what = (event.kind, event.model, event.method, event.below, id(event.loop)) if is_of_table else key
    return Reached(key, what, event.turns, guard)


def _asked(event: Event) -> tuple[object, ...]:
    """What an event asks for, wherever it stands."""
    return event.kind, event.outcome, event.origin, event.path, event.method, id(event.loop)
