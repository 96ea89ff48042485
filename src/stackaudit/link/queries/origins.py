"""Where rows come from: the loops that hand them out, the expressions that make querysets and those that ask them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from stackaudit.link.models.model import Model
from stackaudit.model.source import Place

NO_LOOPS: frozenset[Loop] = frozenset()
MODEL = "model"
"""`Origin.by` of the rows that a view shows because it names a model; its `where` is the view."""
GIVEN = "given"
"""`Origin.by` of rows behind one row that another function asked for: other callers may hand over other rows."""
HANDED = "handed"
"""`Origin.by` of such rows where loops hand over rows that are to bring them: another call would throw them away."""
COMBINED = "combined"
"""`Origin.by` of what union(), intersection() and difference() make: it takes no calls that load more."""
INDEX_QUERYSET = "index_queryset"
"""`Origin.by` of rows that a search index takes where its class does not define the method; `where` is the class."""
GET_QUERYSET = "get_queryset"
"""`Origin.by` of rows that an export or another library takes where its class does not define the method."""
INHERITED = "inherited"
"""`Origin.by` of a queryset that a base class makes while it serves for another class, as it does for all of them."""
SHARED = "shared"
"""`Origin.by` of a queryset that serves several models: the view of a base class, a function that is given a model."""
HOOKS = (INDEX_QUERYSET, GET_QUERYSET)
RAW = "raw"
"""`Origin.by` of rows that `raw()` asks for."""
FETCHES_ONE = frozenset({"get", "aget", "first", "afirst", "last", "alast", "earliest", "latest"})
"""Methods that fetch one row of a queryset; they stand in `Origin.by` of that row."""
UNCHUNKED = "unchunked"
"""`Origin.streamed` of an `iterator()` that prefetches as soon as it is given a `chunk_size`."""

Freedom: TypeAlias = Literal["", "alternatives", "built"]
ALTERNATIVES: Freedom = "alternatives"
"""`Asking.freedom` of what meets one of several conditions: no single value stands for its rows."""
BUILT: Freedom = "built"
"""`Asking.freedom` of what meets conditions that Python puts together."""


class Loop(Struct, eq=False):
    """A loop during its walk.

    `depth` counts the frames below it; `bounded` says why its turns do not count, "" where they do; `page` how many
    turns it takes where a page shows so many rows, or for how many rows of a page or slice it shows what is behind
    each, 0 where that is open. `behind` says whose relation it goes through, `owner` is the model of the one row whose
    relation that is, None where there are several rows, or it is no relation; `second` that of another one, where the
    rows belong to one user and to it. `kept` says that a cache keeps what the turns make, `chosen` that it goes through
    those rows alone that a condition let through, `conditional` that a page shows what belongs to its one row only
    where a condition holds. `called` is the call that gives the queryset which it goes through, where another function
    makes that, with the place there.
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
    second: Model | None = None
    kept: bool = False
    chosen: bool = False
    conditional: bool = False
    called: tuple[str, Place] | None = None

    @property
    def is_guarded(self) -> bool:
        """Whether all that its turns ask depends on a condition."""
        return self.chosen or self.conditional


class Origin(Struct, frozen=True, eq=False):
    """The expression that makes a queryset: what a fix changes. `text` is the expression, shortened.

    `model` is the model of its rows, `lists` what they bring by `to_attr`. `refined` is the queryset that it was
    made of (`books` in `books.filter(...)`); `bare` says that its rows come with a `select_related()` that names no
    relation, `link` by which key they hold the row whose related manager it is, `apart` that each class of them comes
    by a query of its own, which joins nothing; `beside` are querysets that other branches take instead. Where it is
    the related manager of a row that a loop hands out, and uses what was prefetched, `outer` is the queryset of that
    loop and `way` leads from its rows to these; where the row comes from a caller, `way` alone says which relation it
    is. `partial` marks one that only a branch makes: others leave the manager as it was. `streamed` says why going
    through it would not prefetch: it is UNCHUNKED, or the method is named that does so in a later Django. `sparse` says
    that its `only()` names columns of rows that are joined, `ordered` that its `order_by()` says in which order they
    come. `models` are those, by their labels, whose rows the expression gives, all that the walk has met until it is
    asked. `read` are the paths that are read of them, where they never leave the loop over them (`link/staying`), None
    where that is not known.
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
    link: str = ""
    apart: bool = False
    beside: tuple[Origin, ...] = ()
    partial: bool = False
    streamed: str = ""
    sparse: bool = False
    ordered: bool = False
    models: set[str] | None = None
    read: tuple[tuple[str, ...], ...] | None = None

    @property
    def several(self) -> bool:
        """Whether the same expression gives rows of other models, too, for other callers."""
        return self.models is not None and len(self.models) > 1

    @property
    def row(self) -> str:
        """The variable that holds the row whose related manager it is, "" where that is no name."""
        found = self.text.rpartition(f".{self.way[-1]}.")[0] if self.way else ""
        return found if found.replace(".", "").isidentifier() else ""

    @property
    def is_raw(self) -> bool:
        """Whether its rows come from SQL, to which nothing can be joined."""
        return self.by == RAW or (self.refined is not None and self.refined.is_raw)

    @property
    def is_combined(self) -> bool:
        """Whether its rows are put together from several querysets: Django lets nothing be loaded with them."""
        return self.combined is not None

    @property
    def combined(self) -> Origin | None:
        """The expression that puts its rows together from several querysets, made of the first; None for none."""
        made: Origin | None = self
        while made is not None and made.by != COMBINED:
            made = made.refined
        return made

    @property
    def whence(self) -> tuple[Place, ...]:
        """Where it stands, and the querysets of the loops around it whose rows it belongs to."""
        return (self.place, *self.outer.whence) if self.outer is not None else (self.place,)

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


class Handed(Struct, frozen=True, cache_hash=True):
    """How a template got the queryset that it asks on the turns of a loop, where Python made that.

    `tag` is the tag that gave it, as it is written at `place`, "" where no tag did. `prefetch` is the argument of
    `prefetch_related()` that brings the same rows with those of the loop, and `origin` their queryset; "" where no
    relation of the loop's rows is known to lead to them.
    """

    tag: str = ""
    place: Place | None = None
    prefetch: str = ""
    origin: Origin | None = None


class Asking(Struct, frozen=True, cache_hash=True):
    """The expression that asks for the rows behind a relation, in the code that has the row: what a fix rewrites.

    `methods` are those between the relation and the rows, but for `all()`; `last` is the one that ends them ("count",
    "first"), "" where the rows are gone through. `columns` are what `values()`, `order_by()` and keywords of filters
    among them name, `values` those of `values()` alone. `is_broad` says that a filter compares with what another
    queryset finds, or with what a dictionary holds, and `varies` that one compares with what the row tells; `named` are
    the variables and parameters that filters name. `repeats` are its filters and its order as they can be written where
    the rows of the loop are made, in their order ("filter(…)" for one that cannot), `order` the columns of the last
    `order_by()`, () where they are open. `cut` is the slice that leaves the first of the rows ("[:5]"), ""
    where all are read. `given` is the function that runs it on whatever rows it is handed, "" where the code that has
    the row does so itself. Where that code asks whether the rows are loaded, `below` are the paths that it then reads
    of them, and `dear` the function that then asks for each of them what nothing brings. `is_tested` says that a number
    is only asked whether it is nothing, where `link/readers` was asked.

    Of a query that is no access `compared` are the columns that its filters compare with rows of the loop, and what
    leads to these, as `Rows.compared` has it.

    The rest says who else runs it, where `link/readers` was asked: `callers` are other places of the code that do, for
    rows that bring nothing along, as "path:line"; `reads` is how the loop does, and `uses` where a method of querysets
    is asked of what the function gives, as text; `is_whole` says that the functions up to it do nothing else,
    `takes` names the attribute that the function answers from where the row has it,
    `brings` are the paths that rows have to bring for which it calls select_related() and prefetch_related() alone,
    None for all else and where that is not known, and `others` the callers of an expression that brings all rows;
    `is_argument` that it is an argument of a template's filter or tag, `freedom` what the filters of a query that is no
    access to a relation leave open, `handed` how it came to the template that runs it.
    """

    place: Place
    text: str
    where: str
    methods: frozenset[str] = frozenset()
    last: str = ""
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    given: str = ""
    is_broad: bool = False
    varies: bool = False
    named: frozenset[str] = frozenset()
    repeats: tuple[str, ...] = ()
    compared: tuple[tuple[str, tuple[str, ...]], ...] = ()
    order: tuple[str, ...] = ()
    cut: str = ""
    below: tuple[tuple[str, ...], ...] = ()
    dear: str = ""
    is_tested: bool = False
    callers: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    is_whole: bool = False
    takes: str = ""
    brings: tuple[tuple[str, ...], ...] | None = None
    others: tuple[str, ...] = ()
    is_argument: bool = False
    freedom: Freedom = ""
    handed: Handed | None = None

    def whole(self, longer: Asking) -> Asking:
        """What is known of this expression, told of a longer one where that begins with it."""
        begin, start = self.place.region, longer.place.region
        is_longer = self.where == longer.where and (begin.line, begin.column) == (start.line, start.column)
        if not is_longer or longer.text.endswith("…") > self.text.endswith("…"):
            return self
        return replace(self, place=longer.place, text=longer.text, given=longer.given)

    def at(self, here: Asking) -> Asking:
        """The same where another expression calls the method that asks so."""
        return replace(self, place=here.place, text=here.text, where=here.where, given=here.given)


class Spared(Struct, frozen=True, cache_hash=True):
    """Code that asks for a row of which it wants no more than the key, which is a column of the row before it.

    `where` is the function, or the template; `written` holds what stands there and what to write in its place;
    `without` are models that have something else under the name of the relation.
    """

    where: str
    written: tuple[tuple[str, str], ...]
    without: tuple[str, ...] = ()
    is_template: bool = False


class Behind(Struct, frozen=True, cache_hash=True):
    """Rows that a relation of other rows leads to and that nobody loaded, as a prefetch of those would name them.

    `own` is their own origin (`book.tags.all()`); `origin` the outermost queryset that is known, and `path` the
    relations from its rows. Where none is known `origin` is None, and `path` begins at a row of `model`.
    """

    own: Origin | None
    origin: Origin | None
    path: tuple[str, ...]
    model: Model
