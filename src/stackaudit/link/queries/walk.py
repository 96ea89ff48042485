"""The state of a walk: frames, loops, and what is recorded on the way."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, Relation
from stackaudit.link.modules import SETTINGS, SourceModule
from stackaudit.link.queries.events import Branch, Event, EventKind, Outcome, Reached, Record, reached
from stackaudit.link.queries.hooks import Hooks
from stackaudit.link.queries.joining import all_loops, either
from stackaudit.link.queries.loading import SPECIFIC
from stackaudit.link.queries.origins import GIVEN, INHERITED, Asking, Loop, Origin
from stackaudit.link.queries.signals import Signalled
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import (
    UNKNOWN,
    Const,
    Manager,
    Other,
    Related,
    Row,
    Rows,
    Value,
)
from stackaudit.link.settings import Settings
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Step

At: TypeAlias = "Place | tuple[SourceModule, py.Node]"
Keys: TypeAlias = "frozenset[tuple[Loop | None, Origin | None, tuple[str, ...]]]"
"""Foreign keys, by the loop and the queryset of the rows and the path from these."""

MAX_DEPTH = 10
QUIET_DEPTH = 7
FAR = 2
"""So many calls below its loop a query that no row of the loop asks for is not judged any more."""
BUDGET = 40_000
_SETS = (Rows, Manager, Related)


def place_of(at: At) -> Place:
    """The place that an `At` stands for."""
    return at if isinstance(at, Place) else at[0].place(at[1])


def shown(at: At | None, node: py.Node | None, text: str) -> str:
    """How a call is shown: as it was given, as it is written, or by the name of what is called."""
    if text or at is None:
        return text
    written = text_of(at[1]) if isinstance(at, tuple) else ""
    return written or getattr(node, "name", "") or "lambda"


@dataclass(eq=False, slots=True)
class Frame:
    """One function (or module, template, serializer) that is being walked.

    `called` is where the caller called it, `guard` how many conditions stood around the call. `many` says that no bound
    of a loop tells how often it yields.
    """

    module: SourceModule | None
    node: py.FunctionDef | py.Lambda | None
    env: dict[str, Value]
    where: str
    called: At | None = None
    text: str = ""
    owner: SourceClass | None = None
    bound: Value | None = None
    closure: Frame | None = None
    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    many: bool = False
    shields: int = 0
    attached: list[Any] = field(default_factory=list)
    included: bool = False
    guard: int = 0

    @property
    def calls(self) -> bool:
        """Whether somebody called it: an included template is a part of the one that includes it."""
        return self.called is not None and not self.included


class Walk:
    """One walk over the code of a stack."""

    def __init__(
        self, models: Models, django: tuple[int, int] = (5, 2), settings: Callable[[], Settings | None] = lambda: None
    ) -> None:
        self.models = models
        self._settings = settings
        self.modules = models.modules
        self.classes = models.classes
        self.django = django
        self.record = Record()
        self.frames: list[Frame] = []
        self.loops: list[Loop] = []
        self.guard = 0
        self.branch: tuple[Branch, ...] = ()
        self.keys: Keys = frozenset()
        """The keys that a turn has found not to be NULL, or else it would not have come so far."""
        self.area = "orm"
        self.shielded = 0
        self.isolated = 0
        self.later = 0  # calls being walked that run after the code around them
        self.brief: py.Expr | None = None
        """The generator that is gone through until one turn decides, while it is walked."""
        self.spent = 0
        self.asked = 0  # how often, whether it was known already or not
        self.guards: dict[py.If, bool] = {}
        self.bound: dict[py.FunctionDef, tuple[tuple[set[str], tuple[str, ...]], ...]] = {}
        """What the assignments of functions mention, with the names that they bind."""
        self.fills: dict[py.If, bool] = {}
        self.batches: dict[py.FunctionDef, bool] = {}
        self.rebound: dict[py.FunctionDef | py.For | py.While, frozenset[str]] = {}
        """The names that the body of a function or a loop binds."""
        self.written: dict[py.For, tuple[str, str]] = {}
        self.memo: dict[Any, Value] = {}
        self.reached: list[Reached] = []
        """What was asked for since the outermost of the running loops began, in order and as often as it was met."""
        self.left: list[tuple[int, int, int]] = []
        """Branches that left a block which is being walked: where they begin and end in `reached`, and its guard."""
        self.answers: dict[Any, Any] = {}
        self.states: dict[Any, Any] = {}  # with `answers`: what calls gave before
        self.constants: dict[Any, Value] = {}
        self.common: dict[Model, bool] = {}
        """The models that everything of the project is divided by, as far as that was asked."""
        self.signalled = Signalled()
        self.changed: set[tuple[Loop | None, str]] = set()
        """The relations of the rows of loops that a turn has written to."""
        self.registered: dict[py.Node, tuple[tuple[Any, Value], ...]] | None = None
        """What decorators of classes put into dictionaries, once it was asked for."""
        self.served: SourceClass | None = None
        """The class for which a method of one of its bases is walked."""
        self.hooks: Hooks | None = None
        self.anchors: Container[Place] = ()
        """Where what is served asks for each row: fields, columns, templates. A loop that a method of a row runs over
        what the row leads to is told there, since only what loads the rows can load that, too."""
        self.kept: dict[py.Node, Value] = {}
        self.keepers: dict[py.FunctionDef, tuple[SourceModule, str]] = {}

    def keep(self, node: py.Node, value: Value) -> None:
        """Remember that an expression stands for rows, and in which function; who comes later joins what was there."""
        known = self.kept.get(node)
        if known is None:
            self.kept[node] = value
            frame = self.frames[-1]
            if type(frame.node) is py.FunctionDef and frame.module is not None:
                self.keepers.setdefault(frame.node, (frame.module, frame.where))
        elif known is not value:
            self.kept[node] = either(known, value)

    def restart(self) -> None:
        """Forget where the walk stood, after something that could not be followed."""
        self.frames.clear()
        self.loops.clear()
        self.reached.clear()
        self.left.clear()
        self.guard = self.shielded = self.isolated = self.later = 0
        self.keys, self.branch = frozenset(), ()

    def setting(self, name: str, path: str = "") -> AnyValue:
        """A setting of the project; with `path` only what the file there sets."""
        settings = self._settings()
        value = settings.get(name) if settings is not None else Unknown("no settings module was found")
        return value if not path or any(place.path == path for place in value.places) else Unknown("set elsewhere")

    def number(self, value: Value) -> int:
        """The whole number that a value is, where the code or the settings declare one above 0; 0 for all else."""
        found: object = value.value if isinstance(value, Const) else 0
        if isinstance(value, Other) and value.name.startswith(SETTINGS):
            setting = self.setting(value.name.removeprefix(SETTINGS))
            found = setting.value if isinstance(setting, Known) else 0
        return found if type(found) is int and found > 0 else 0

    @property
    def frame(self) -> Frame:
        """The frame on top."""
        return self.frames[-1]

    @contextmanager
    def inside(self, frame: Frame) -> Iterator[Frame]:
        """Walk something in a frame of its own."""
        frame.guard = self.guard
        self.frames.append(frame)
        try:
            yield frame
        finally:
            self.shielded -= self.frames.pop().shields

    @contextmanager
    def step(self, at: At, text: str, where: str = "", included: bool = False) -> Iterator[Frame]:
        """A frame that is no function: an included template, a nested serializer. It shows as a step of flows."""
        with self.inside(Frame(None, None, {}, where or self.where, at, text, included=included)) as frame:
            yield frame

    @property
    def where(self) -> str:
        """The logical name of the function that is being walked."""
        return self.frames[-1].where if self.frames else ""

    def at(self, node: py.Node) -> At:
        """Where a node of the current frame stands."""
        module = self.frames[-1].module if self.frames else None
        if module is not None:
            return module, node
        for frame in reversed(self.frames):
            if frame.module is not None:
                return frame.module, node
        raise LookupError("no frame has a module")

    def few(self, value: Value, why: str) -> None:
        """Take note that the innermost of the loops with which a value changes is short."""
        loop = self.repeating(value.loops)
        if loop is not None:
            self.record.few.setdefault(loop.place, why)

    def repeats(self, loop: Loop | None) -> bool:
        """Whether a loop is running and has no bound."""
        return loop is not None and not loop.bounded and loop in self.loops

    def repeating(self, value_loops: frozenset[Loop]) -> Loop | None:
        """The innermost running loop among `value_loops` that has no bound."""
        for loop in reversed(self.loops):
            if loop in value_loops and not loop.bounded:
                return loop
        return None

    def origin(self, at: At, by: str = "", rows: Rows | None = None) -> Origin:
        """The expression at a place as the origin of rows; `rows` are these rows with what they were made of."""
        text = text_of(at[1]) if not isinstance(at, Place) else ""
        owner = self.frame.owner if self.served is not None and self.frames else None
        if self.served is not None and owner is not None and owner is not self.served and owner in self.served.mro:
            by = by or INHERITED
        made = Origin(place_of(at), text, self.where, by)
        if rows is None:
            return made
        models = self.record.sources.setdefault(made.place, set())
        models.update([rows.model.label] if rows.model is not None else [])
        lists = frozenset(name for name, _, _ in rows.load.lists)
        made = replace(
            made,
            model=rows.model,
            refined=rows.origin if not rows.path else None,
            lists=lists,
            bare=rows.load.every_one,
            link=rows.via.relation.remote if rows.via is not None else "",
            apart=SPECIFIC in rows.load.attributes,
            ordered=rows.ordered,
            models=models,
        )
        row = rows.via.row if rows.via is not None and not rows.asked else None
        if rows.via is None or row is None or row.load.unknown:
            return made
        way = (*row.path, rows.via.relation.name)
        if row.origin is not None and self.repeats(row.loop):
            return replace(made, outer=row.origin, way=way)
        is_given = row.origin is None or row.origin.where != self.where
        return replace(made, by=by or GIVEN, way=way) if is_given else made

    def asking(self, at: At) -> Asking:
        """The expression at a place as its caller knows it, where it is one on the rows that the caller gave."""
        given = ""
        for frame in reversed(self.frames):
            if isinstance(at, Place):
                return Asking(at, "", at.path)
            is_own = isinstance(frame.bound, _SETS)
            if frame.called is None or _is_declared(frame.called) or not (is_own or _is_given(frame, at)):
                return Asking(place_of(at), text_of(at[1]), frame.where, given=given)
            given = given or ("" if is_own else frame.where)
            at = frame.called
        return Asking(place_of(at), "", self.where)

    def add(
        self,
        kind: EventKind,
        outcome: Outcome,
        at: At,
        loop: Loop | None,
        *,
        row: Row | None = None,
        rows: Rows | None = None,
        relation: Relation | None = None,
        model: Model | None = None,
        method: str = "",
        why: str = "",
        text: str = "",
        asking: Asking | None = None,
    ) -> None:
        """Record an event at `at`, which `loop` repeats."""
        if self.shielded:
            return
        self.asked += 1
        query = place_of(at)
        place, flow, said = query, [], text or (text_of(at[1]) if not isinstance(at, Place) else "")
        origin = row.origin if row is not None else rows.origin if rows is not None else None
        path = row.path if row is not None else rows.path if rows is not None else ()
        if relation is not None:
            path = (*path, relation.name)
        guard = self.guard
        if self.keys and any((loop, origin, path[:length]) in self.keys for length in range(1, len(path) + 1)):
            guard += 1
        inner = loop.depth if loop is not None else len(self.frames)
        depth = self._anchored(loop, inner, origin, query)
        around = next((item for item in reversed(self.loops) if item.depth <= depth < inner), None)
        if around is None:
            depth = inner
        where = self.where
        calls = [frame for frame in self.frames[depth:] if frame.called is not None]
        first = next((index for index, frame in enumerate(self.frames) if index >= depth and frame.calls), None)
        if first is not None and (at_call := self.frames[first].called) is not None:
            place, where = place_of(at_call), self.frames[first - 1].where if first else where
            said = shown(at_call, self.frames[first].node, self.frames[first].text) or said
        if origin is not None:
            flow.append(Step(origin.place, f"`{origin.text}` loads the rows" if origin.text else "loads the rows"))
        above = [frame for frame in self.frames[depth:inner] if frame.called is not None]
        for turns, frames in ((around, above), (loop, calls[len(above) :])):
            if turns is not None and turns.place != (origin.place if origin else None):
                flow.append(Step(turns.place, turns.text or "the loop"))
            flow.extend(_way(frames))
        flow.append(Step(query, self._said(kind, outcome, path, relation, method)))
        event = Event(
            kind, outcome, place, query, where, said, origin, path, relation,
            model or (row.model if row is not None else rows.model if rows is not None else None),
            method, loop, tuple(flow),
            loop is not None and (loop.is_guarded or guard > (around or loop).guard), why,
            self.area, len(calls), around, asking, branch=self.branch,
        )  # fmt: skip
        met = reached(event, self.record.add(event), guard)
        if met is not None:
            self.reached.append(met)

    def _anchored(self, loop: Loop | None, inner: int, origin: Origin | None, query: Place) -> int:
        """How many frames stand below what asks: those below the loop, or below the anchor that the loop runs for.

        What is loaded between the anchor and the loop is the business of the code there.
        """
        if loop is None or not self.anchors or query in self.anchors:
            return inner
        if any(frame.called is not None and place_of(frame.called) in self.anchors for frame in self.frames[inner:]):
            return inner
        if loop.behind is not None and origin == loop.behind.own:
            origin = loop.behind.origin
        for index in range(inner - 1, -1, -1):
            called = self.frames[index].called
            if called is not None and not self.frames[index].included and place_of(called) in self.anchors:
                made = {frame.where for frame in self.frames[index:inner]}
                return inner if origin is None or origin.where in made else index
        return inner

    @staticmethod
    def _said(kind: str, outcome: str, path: tuple[str, ...], relation: Relation | None, method: str) -> str:
        if outcome == "pass":
            return "no query for each row"
        if kind == "forward" and relation is not None:
            target = f" {relation.target.name}" if relation.target is not None else " row"
            return f"`{'.'.join(path)}` is not loaded: one query for each{target}"
        if kind == "deferred":
            return f"`{'.'.join(path)}` was left out by only() or defer(): one query for each row"
        if kind in ("reverse", "bypassed") and relation is not None:
            called = f".{method}()" if method else ""
            return f"`{'.'.join(path)}{called}` asks the database for each row"
        return f"`{method}` runs a query on each turn" if method.isidentifier() else "runs a query on each turn"

    def unknown(self, *values: Value) -> Value:
        """Something not known that changes as `values` do."""
        loops = all_loops(values)
        return Other(loops) if loops else UNKNOWN


def _is_declared(called: At) -> bool:
    """Whether what calls a function is a declaration in Python, such as that of a field: nothing asks there."""
    return isinstance(called, Place) and called.path.endswith(".py")


def _is_given(frame: Frame, at: At) -> bool:
    """Whether an expression begins with rows that are an argument of the function that it stands in."""
    node = None if isinstance(at, Place) else at[1]
    while isinstance(node, (py.Attribute, py.Call)):
        node = node.func if isinstance(node, py.Call) else node.value
    params = frame.node.params if frame.node is not None else ()
    return (
        isinstance(node, py.Name)
        and any(param.name == node.id for param in params)
        and isinstance(frame.env.get(node.id), _SETS)
    )


def _way(frames: list[Frame]) -> Iterator[Step]:
    for index, frame in enumerate(frames):
        if frame.called is not None:
            text = f"`{shown(frame.called, frame.node, frame.text)}`"
            yield Step(place_of(frame.called), text if index else f"{text} is asked for each row")
