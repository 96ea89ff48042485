"""What an expression stands for during the walk.

Every value has `loops`: the loops with each turn of which it changes. Values are immutable, but for the attributes of
an `Instance`; two equal values lead to the same walk.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import ManagerDef, Model, Relation
from stackaudit.link.modules import SourceModule
from stackaudit.link.queries.loading import NOTHING, Load
from stackaudit.model.source import Place

NO_LOOPS: frozenset[Loop] = frozenset()


class Loop(Struct, eq=False):
    """A loop during its walk.

    `depth` counts the frames below it; `bounded` says why its turns do not count, "" where they do; `page` how many
    turns it takes where a page shows so many rows, 0 where that is open. `behind` says whose relation it goes through,
    `owner` is the model of the one row whose relation that is, None where there are several rows, or it is no relation.
    """

    place: Place
    depth: int
    bounded: str = ""
    text: str = ""
    guard: int = 0
    steps: tuple[tuple[Place, str], ...] = ()
    page: int = 0
    behind: Behind | None = None
    owner: Model | None = None


class Origin(Struct, frozen=True, eq=False):
    """The expression that makes a queryset: what a fix changes. `text` is the expression, shortened.

    `model` is the model of its rows, `lists` what they bring by `to_attr`. `refined` is the queryset that it was
    made of (`books` in `books.filter(...)`); `bare` says that its rows come with a `select_related()` that names no
    relation; `beside` are querysets that other branches take instead. Where it is the related manager of a row that a
    loop hands out, and uses what was prefetched, `outer` is the queryset of that loop and `way` leads from its rows to
    these; where the row comes from a caller, `way` alone says which relation it is. `partial` marks one that only a
    branch makes: others leave the manager as it was.
    """

    place: Place
    text: str
    where: str
    by: str = ""
    model: Model | None = None
    refined: Origin | None = None
    outer: Origin | None = None
    way: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()
    bare: bool = False
    beside: tuple[Origin, ...] = ()
    partial: bool = False

    @property
    def is_raw(self) -> bool:
        """Whether its rows come from SQL, to which nothing can be joined."""
        return self.by == RAW or (self.refined is not None and self.refined.is_raw)

    @property
    def is_combined(self) -> bool:
        """Whether its rows are put together from several querysets: Django lets nothing be loaded with them."""
        return self.by == COMBINED or (self.refined is not None and self.refined.is_combined)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same expression of one function; what is known of its rows does not count."""
        if self is other:
            return True
        return type(other) is Origin and (self.place, self.text, self.where, self.by) == (
            other.place,
            other.text,
            other.where,
            other.by,
        )

    def __hash__(self) -> int:
        return hash((self.place, self.text))

    def among(self, other: Origin | None) -> Origin | None:
        """The nearest queryset that both were made of: this one, the other one, or an earlier one; None for none."""
        mine: list[Place] = []
        one: Origin | None = self
        while one is not None:
            mine += [] if one.partial else [one.place]
            one = one.refined
        while other is not None and other.place not in mine:
            other = other.refined
        return other


class Asking(Struct, frozen=True, cache_hash=True):
    """The expression that asks for the rows behind a relation, in the code that has the row: what a fix rewrites.

    `methods` are those between the relation and the rows, but for `all()`; `last` is the one that ends them ("count",
    "first"), "" where the rows are gone through.
    """

    place: Place
    text: str
    where: str
    methods: frozenset[str] = frozenset()
    last: str = ""


class Behind(Struct, frozen=True, cache_hash=True):
    """Rows that a relation of other rows leads to and that nobody loaded, as a prefetch of those would name them.

    `own` is their own origin (`book.tags.all()`); `origin` the outermost queryset that is known, and `path` the
    relations from its rows. Where none is known `origin` is None, and `path` begins at a row of `model`.
    """

    own: Origin | None
    origin: Origin | None
    path: tuple[str, ...]
    model: Model


class Other(Struct, frozen=True, cache_hash=True):
    """Anything that does not matter here, or is not known; `name` is the dotted name of an external thing."""

    loops: frozenset[Loop] = NO_LOOPS
    name: str = ""


UNKNOWN = Other()
GIVEN = "given"
"""`Origin.by` of rows behind one row that another function asked for: other callers may hand over other rows."""
COMBINED = "combined"
"""`Origin.by` of what union(), intersection() and difference() make: nothing can be loaded with it."""
HOOKS = ("index_queryset", "get_queryset")
"""`Origin.by` of rows that a library takes where a class does not define the method; `where` is the class."""
RAW = "raw"
"""`Origin.by` of rows that `raw()` asks for."""
ELEMENT = "@element"
"""The name of what a loop hands out of something that is not known."""
SMALL = "@small"
"""The name of a parameter that is not known and has a small number as its default."""
KEY = "@key"
"""The name of the primary key of a row that is stored: it is never None, and true."""
NO_KEY = "@no key"
"""The name of the primary key of a row that is not stored yet."""
STATE = "@state"
"""The name of the `_state` of a row that is stored; with NO_KEY behind it that of one that is not."""
LISTED = "@listed"
"""The name of what a column holds that is a list or a dictionary itself."""
FORMS = "@formset"
"""The name of the classes that Django's formset factories make, and of their objects."""


class Const(Struct, frozen=True, cache_hash=True):
    """A constant of the source."""

    value: Any
    loops: frozenset[Loop] = NO_LOOPS


class Row(Struct, frozen=True, cache_hash=True):
    """One row. `loop` is the loop that hands it out, None for a single one; `path` leads to it from `origin`'s rows.

    `parent` is the row whose related manager gave it, where the row knows it; `link` the attribute that leads back.
    """

    model: Model
    load: Load = NOTHING
    origin: Origin | None = None
    path: tuple[str, ...] = ()
    loop: Loop | None = None
    loops: frozenset[Loop] = NO_LOOPS
    parent: Row | None = None
    link: str = ""


class Rows(Struct, frozen=True, cache_hash=True):
    """Many rows: a lazy queryset, or the rows themselves (`evaluated`).

    `kind` is "rows", or "values" where they are dictionaries, tuples or scalars. `bounded` says why there are few of
    them, "" where nothing says so. `streamed` marks `.iterator()`. Rows behind a relation of one row say so in `via`;
    `cached` where they were prefetched, `asked` names the method that made a prefetched manager ask again, `asking`
    the whole expression.
    `narrowed` holds what filters ask for ("?" where that cannot be told), `limited` that they are one page or slice,
    and `page` of how many rows at most, 0 where that is not known. `owner` is the model of the one row that a filter on
    a foreign key names, None where none does.
    """

    model: Model | None
    load: Load = NOTHING
    origin: Origin | None = None
    path: tuple[str, ...] = ()
    loop: Loop | None = None
    loops: frozenset[Loop] = NO_LOOPS
    kind: str = "rows"
    evaluated: bool = False
    bounded: str = ""
    streamed: bool = False
    cls: SourceClass | str | None = None
    via: Related | None = None
    cached: bool = False
    asked: str = ""
    asking: Asking | None = None
    narrowed: frozenset[str] = frozenset()
    limited: bool = False
    page: int = 0
    owner: Model | None = None


class Manager(Struct, frozen=True, cache_hash=True):
    """The manager of a model class."""

    model: Model
    definition: ManagerDef | None
    name: str = "objects"
    loops: frozenset[Loop] = NO_LOOPS


class Related(Struct, frozen=True, cache_hash=True):
    """The manager behind a relation of one row."""

    row: Row
    relation: Relation
    loops: frozenset[Loop] = NO_LOOPS


class Seq(Struct, frozen=True, cache_hash=True):
    """A list, tuple, set or generator; `items` where every element is known, else `element` stands for each."""

    element: Value
    items: tuple[Value, ...] | None = None
    loops: frozenset[Loop] = NO_LOOPS
    bounded: str = ""


class Mapping(Struct, frozen=True, cache_hash=True):
    """A dictionary; `items` holds what stands under constant keys, `element` what stands under any other."""

    element: Value
    items: tuple[tuple[Any, Value], ...] = ()
    key: Value = UNKNOWN
    loops: frozenset[Loop] = NO_LOOPS

    def get(self, key: Any) -> Value | None:
        """The value under a constant key."""
        return next((value for name, value in reversed(self.items) if name == key), None)

    def any(self) -> Value:
        """What stands under a key that is not known: one of what is held, where all that is of one kind."""
        if self.element != UNKNOWN or not self.items:
            return self.element
        found = self.items[0][1]
        for _, value in self.items:
            if type(value) is not type(found) or getattr(value, "model", None) is not getattr(found, "model", None):
                return self.element
        for _, value in self.items[1:]:
            found = join(found, value)
        return found


class ClassRef(Struct, frozen=True, cache_hash=True):
    """A class: of the repository, external by name, and the model that it is."""

    cls: SourceClass | str
    model: Model | None = None
    loops: frozenset[Loop] = NO_LOOPS


class Function(Struct, frozen=True, cache_hash=True):
    """A function or a bound method. `owner` is the class whose body holds it; `closure` the frame it was made in."""

    module: SourceModule
    node: py.FunctionDef | py.Lambda
    bound: Value | None = None
    owner: SourceClass | None = None
    closure: Any = None
    loops: frozenset[Loop] = NO_LOOPS


class Method(Struct, frozen=True, cache_hash=True):
    """A method of Django's on a value: `receiver.name`."""

    receiver: Value
    name: str
    loops: frozenset[Loop] = NO_LOOPS


class Instance(Struct, eq=False):
    """An object of a class of the repository; `attributes` are those assigned so far."""

    cls: SourceClass
    attributes: dict[str, Value] = field(default_factory=dict)
    loops: frozenset[Loop] = NO_LOOPS
    made: bool = False


class Super(Struct, frozen=True, cache_hash=True):
    """`super()` in a method that `owner` holds."""

    owner: SourceClass
    bound: Value
    loops: frozenset[Loop] = NO_LOOPS


class ModuleRef(Struct, frozen=True, cache_hash=True):
    """A module of the repository."""

    module: SourceModule
    loops: frozenset[Loop] = NO_LOOPS


class PrefetchRef(Struct, frozen=True, cache_hash=True):
    """`Prefetch(path, queryset, to_attr)`."""

    path: str
    load: Load | None = None
    to_attr: str = ""
    loops: frozenset[Loop] = NO_LOOPS


Value: TypeAlias = (
    Other | Const | Row | Rows | Manager | Related | Seq | Mapping | ClassRef | Function | Method | Instance | Super
    | ModuleRef | PrefetchRef
)  # fmt: skip
ORM = (Row, Rows, Manager, Related)


def decided(value: Value) -> bool | None:
    """Whether a value is true; None where that depends."""
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Other) and value.name in (KEY, NO_KEY):
        return value.name == KEY
    return None


def varying(value: Value, loops: frozenset[Loop]) -> Value:
    """`value`, changing with `loops` too."""
    if not loops or loops <= value.loops:
        return value
    if isinstance(value, Instance):
        return value
    if isinstance(value, Other):
        return Other(value.loops | loops, value.name)
    return replace(value, loops=value.loops | loops)


def matters(value: Value) -> bool:
    """Whether a value holds rows in some form."""
    kind = type(value)
    if kind is Other or kind is Const:
        return False
    if isinstance(value, ORM):
        return True
    if isinstance(value, Seq):
        return matters(value.element) or any(matters(item) for item in value.items or ())
    if isinstance(value, Mapping):
        return matters(value.element) or any(matters(item) for _, item in value.items)
    return isinstance(value, Instance) and bool(value.attributes)


def _either(chosen: Rows, other: Rows) -> Origin | None:
    """The origin of rows that are one or the other: what both were made of, or the chosen one beside the other."""
    first, second = chosen.origin, other.origin
    if first is None or second is None or chosen.path or other.path:
        return first
    shared = first.among(second)
    if shared is not None or other.bounded == EMPTY:
        return shared or first
    known = (first, *first.beside)
    more = tuple(item for item in (second, *second.beside) if item.place not in {one.place for one in known})
    return replace(first, beside=(*first.beside, *more)[:_BRANCHES])


def _asking(one: Asking | None, other: Asking | None) -> Asking | None:
    """What asks for rows that are one or the other: by the methods of both."""
    return replace(one, methods=one.methods | other.methods) if one is not None and other is not None else one or other


EMPTY = "none() holds no rows"
_BRANCHES = 3
_PLAIN = frozenset({Other, Const})


def join(one: Value, other: Value) -> Value:
    """What either of two branches may leave; rows win over what is not known."""
    if one is other or one == other:
        return one
    loops = one.loops | other.loops
    if type(one) in _PLAIN and type(other) in _PLAIN:
        return Other(loops) if loops else UNKNOWN
    if isinstance(one, Rows) and isinstance(other, Rows) and one.model is other.model and one.kind == other.kind:
        chosen = other if one.bounded and not other.bounded else one
        return replace(
            chosen,
            origin=_either(chosen, other if chosen is one else one),
            load=one.load.merge(other.load),
            loops=loops,
            evaluated=one.evaluated or other.evaluated,
            narrowed=one.narrowed | other.narrowed,
            limited=one.limited or other.limited,
            owner=one.owner if other.owner is not None else None,
            page=max(one.page, other.page) if one.page and other.page else 0,
            bounded=one.bounded if other.bounded else "",
            asking=_asking(chosen.asking, other.asking if chosen is one else one.asking),
            asked=chosen.asked or (one.asked or other.asked if one.via is not None and other.via is not None else ""),
        )
    if isinstance(one, Row) and isinstance(other, Row) and one.model is other.model:
        return replace(one, load=one.load.merge(other.load), loops=loops)
    if isinstance(one, Rows) and isinstance(other, Manager):
        one, other = other, one
    if isinstance(one, Manager) and isinstance(other, Rows) and one.model is other.model:
        if other.origin is not None:
            other = replace(other, origin=replace(other.origin, partial=True))
        return varying(one if other.bounded else other, loops)
    if isinstance(one, Seq) and isinstance(other, Seq):
        element = join(one.element, other.element)
        for item in (*(one.items or ()), *(other.items or ())):
            element = join(element, item)
        return Seq(element, None, loops)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        items = dict(one.items)
        for key, value in other.items:
            items[key] = join(items[key], value) if key in items else value
        return Mapping(join(one.element, other.element), tuple(items.items()), join(one.key, other.key), loops)
    if isinstance(one, Instance) or isinstance(other, Instance):
        return one if isinstance(one, Instance) else other
    rank = (matters(one), not isinstance(one, (Other, Const))), (matters(other), not isinstance(other, (Other, Const)))
    if rank[0] == rank[1] == (False, False):
        return Other(loops)
    return varying(one if rank[0] >= rank[1] else other, loops)
