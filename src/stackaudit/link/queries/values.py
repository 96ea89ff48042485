"""What an expression stands for during the walk.

Every value has `loops`: the loops with each turn of which it changes. Values are immutable, but for the attributes of
an `Instance`; two equal values lead to the same walk.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct, field

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import ManagerDef, Model, Relation
from stackaudit.link.modules import SourceModule
from stackaudit.link.queries.loading import NOTHING, ORDERED, Load
from stackaudit.link.queries.origins import NO_LOOPS, Asking, Loop, Origin


class Other(Struct, frozen=True, cache_hash=True):
    """Anything that does not matter here, or is not known; `name` is the dotted name of an external thing."""

    loops: frozenset[Loop] = NO_LOOPS
    name: str = ""


UNKNOWN = Other()
ELEMENT = "@element"
"""The name of what a loop hands out of something that is not known."""
SMALL = "@small"
"""The name of a parameter that is not known and has a small number as its default."""
KEY = "@key"
"""The name of the primary key of a row that is stored: it is never None, and true."""
KNOWN = "@known"
"""The name of what is certainly not None, and may be false: a number that a queryset counts."""
NO_KEY = "@no key"
"""The name of the primary key of a row that is not stored yet."""
THERE = "@there"
"""The key in a dictionary that is certainly not None, though another value may stand beside it."""
STATE = "@state"
"""The name of the `_state` of a row that is stored; with NO_KEY behind it that of one that is not."""
LISTED = "@listed"
"""The name of what a column holds that is a list or a dictionary itself."""
FORMS = "@formset"
"""The name of the classes that Django's formset factories make, and of their objects."""
META = "@meta"
"""The key under which the `_meta` of a model holds the model."""
FIELD = "@field:"
"""How the name of one of the fields of a model begins; the names of its foreign keys follow."""
FIELD_NAME = "@field name:"
"""How the name of the name of one of the fields of a model begins; the names of its foreign keys follow."""
SPREAD = "what a star spreads"
"""`Seq.bounded` of an argument that stands for several: `function(*rows)`."""
PAGES = "pages"
"""`Seq.bounded` of all pages of a paginator."""
OBJECT = "@object"
"""The name of `self.object` of a view that shows one row."""
OF_TAG = "@tag "
"""How the names of what compiles and renders a template's tag begin: the parser, a token, variables, the body."""
KIND = "@kind:"
"""How the method of a query begins that asks for what the class of a row alone has."""
LACKING = "@lacks "
"""How the name of what a template reads of a row begins that its model does not have; model and attribute follow."""
TEMPLATES = "@templates:"
"""How the name of a value begins that is the name of one of several files; they follow, one a line."""


class Const(Struct, frozen=True, cache_hash=True):
    """A constant of the source."""

    value: Any
    loops: frozenset[Loop] = NO_LOOPS


class Row(Struct, frozen=True, cache_hash=True):
    """One row. `loop` is the loop that hands it out, None for a single one; `path` leads to it from `origin`'s rows.

    `parent` is the row whose related manager gave it, where the row knows it; `link` the attribute that leads back.
    `there` says that it is one, and not None: a loop or get() hands it out.
    `among` is the model whose rows a queryset brings, where this is one of a class below that.
    """

    model: Model
    load: Load = NOTHING
    origin: Origin | None = None
    path: tuple[str, ...] = ()
    loop: Loop | None = None
    loops: frozenset[Loop] = NO_LOOPS
    parent: Row | None = None
    link: str = ""
    there: bool = False
    among: Model | None = None


class Rows(Struct, frozen=True, cache_hash=True):
    """Many rows: a lazy queryset, or the rows themselves (`evaluated`).

    `kind` is "rows", or "values" where they are dictionaries, tuples or scalars. `bounded` says why there are few of
    them, "" where nothing says so. `streamed` marks `.iterator()`. Rows behind a relation of one row say so in `via`;
    `cached` where they were prefetched, `asked` names the method that made a prefetched manager ask again, `asking`
    the whole expression.
    `narrowed` holds what filters ask for ("?" where that cannot be told), `limited` that they are one page or slice,
    and `page` of how many rows at most, 0 where that is not known; `paged` marks the page itself, which is no queryset
    and makes a list of its rows once one is read by number. `owner` is the model of the one row that a filter on
    a foreign key names, None where none does, and `second` that of another one where filters name one user and it.
    `compared` are the columns that filters compare with rows of loops, and the paths from the queryset to these, or
    LACKING and what such a row has not. `ordered` says that `order_by()` gave them an order, `there` that they are a
    list which a prefetch made: not None.
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
    second: Model | None = None
    paged: bool = False
    ordered: bool = False
    there: bool = False
    compared: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def sorted(self) -> bool | None:
        """Whether prefetched rows hold an order of which Django knows; None where their model's is not known."""
        if ORDERED in self.load.attributes:
            return True
        return self.model.ordered if self.model is not None else None


class Manager(Struct, frozen=True, cache_hash=True):
    """The manager of a model class."""

    model: Model
    definition: ManagerDef | None
    name: str = "objects"
    loops: frozenset[Loop] = NO_LOOPS


def default_manager(model: Model) -> Manager:
    """The manager by which Django itself asks for the rows of a model."""
    return Manager(model, model.managers.get(model.default_manager), model.default_manager)


class Related(Struct, frozen=True, cache_hash=True):
    """The manager behind a relation of one row."""

    row: Row
    relation: Relation
    loops: frozenset[Loop] = NO_LOOPS


class Seq(Struct, frozen=True, cache_hash=True):
    """A list, tuple, set or generator; `items` where every element is known, else `element` stands for each.

    `page` is of how many elements it is a page, 0 where it is none or that is not known. `chosen` says that it holds
    those of a loop alone that a condition let through. `others` stand for the rows of other models that it holds.
    """

    element: Value
    items: tuple[Value, ...] | None = None
    loops: frozenset[Loop] = NO_LOOPS
    bounded: str = ""
    page: int = 0
    chosen: bool = False
    others: tuple[Value, ...] = ()


class Mapping(Struct, frozen=True, cache_hash=True):
    """A dictionary; `items` holds what stands under constants and classes, `element` what under any other key.

    `whole` says that a class or a module writes it out with all of its keys.
    """

    element: Value
    items: tuple[tuple[Any, Value], ...] = ()
    key: Value = UNKNOWN
    loops: frozenset[Loop] = NO_LOOPS
    whole: bool = False

    def get(self, key: Any) -> Value | None:
        """The value under a constant key."""
        return next((value for name, value in reversed(self.items) if name == key), None)


class ClassRef(Struct, frozen=True, cache_hash=True):
    """A class: of the repository, external by name, and the model that it is."""

    cls: SourceClass | str
    model: Model | None = None
    loops: frozenset[Loop] = NO_LOOPS


def key_of(value: Value) -> Any:
    """What a value is as a key of `Mapping.items`: a constant, or a class; None for any other."""
    if isinstance(value, ClassRef):
        return ClassRef(value.cls, value.model)
    return value.value if isinstance(value, Const) else None


def of_key(key: Any) -> Value:
    """A key of `Mapping.items` as a value."""
    return key if isinstance(key, ClassRef) else Const(key)


class Function(Struct, frozen=True, cache_hash=True):
    """A function or a bound method. `owner` is the class whose body holds it; `closure` the frame it was made in.

    `bare` says that its decorators are not asked: it is what they are given.
    """

    module: SourceModule
    node: py.FunctionDef | py.Lambda
    bound: Value | None = None
    owner: SourceClass | None = None
    closure: Any = None
    loops: frozenset[Loop] = NO_LOOPS
    bare: bool = False


class Partial(Struct, frozen=True, cache_hash=True):
    """`partial(function, *args, **keywords)`."""

    function: Value
    args: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()
    loops: frozenset[Loop] = NO_LOOPS


class Choice(Struct, frozen=True, cache_hash=True):
    """One of several functions, classes, objects or rows: which one, only running the code tells.

    `is_open` says that it may be something else, too, of which nothing is known.
    """

    options: tuple[Value, ...]
    loops: frozenset[Loop] = NO_LOOPS
    is_open: bool = False


class Method(Struct, frozen=True, cache_hash=True):
    """A method of Django's on a value: `receiver.name`."""

    receiver: Value
    name: str
    loops: frozenset[Loop] = NO_LOOPS


def is_callable(value: Value) -> bool:
    """Whether a value is a function or a method, or one of several."""
    options = value.options if isinstance(value, Choice) else (value,)
    return all(isinstance(item, (Function, Method)) for item in options)


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
    | ModuleRef | PrefetchRef | Partial | Choice
)  # fmt: skip
ORM = (Row, Rows, Manager, Related)
