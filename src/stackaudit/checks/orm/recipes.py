"""One query for what all turns of a loop ask: how to write it, what to keep of its answer, what the loop takes of it.

A recipe is given only where it holds as it stands; otherwise the fix says what to load, in the names of the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackaudit.checks.orm.conditions import Condition
from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.queries.annotations import counted as numbered
from stackaudit.link.queries.lookups import quoted
from stackaudit.link.queries.repeated import OF_DATES, order_of_pick
from stackaudit.link.queries.source import code_of
from stackaudit.link.sources import below
from stackaudit.model.prose import in_words

_KEYS = frozenset({"pk", "id"})
_FIRST = ("first", "earliest", "afirst", "aearliest")
ORDERED = (*_FIRST, "last", "latest", "alast", "alatest")
_SHORTCUTS = ("get_object_or_404", "aget_object_or_404")
COUNTING = ("count", "acount")
CHECKING = ("exists", "aexists")
AGGREGATING = ("aggregate", "aaggregate")
KEEPING = frozenset({
    "", "…", "all", "annotate", "defer", "exclude", "filter", "get", "get_list_or_404", "get_object_or_404", "iterator",
    "none", "only", "order_by", "prefetch_related", "reverse", "select_related", "using", *ORDERED, *_SHORTCUTS,
    *COUNTING, *CHECKING, *AGGREGATING, "aget", "aiterator", "aget_list_or_404",
})  # fmt: skip
"""Methods after which the rows of several turns still are those of each."""
VALUES = frozenset({"values", "values_list"})
_TIMES = {
    "DateField": "dates does not hold a datetime",
    "DateTimeField": "aware datetimes does not hold a naive one",
}
_TEXT = re.compile(r"\brequest\.(?:POST|GET)\b|\.split\(|\bre\.(?:findall|finditer)\(")
"""What hands out texts."""
_HELD = (py.Name, py.Attribute, py.Subscript, py.Call)
"""What a method can be called of as it is written."""


def is_like(one: str, other: str) -> bool:
    """Whether two methods give the same kind of answer: both one row, or both a number."""
    return one == other or {one, other} <= {*ORDERED, "get", "aget"}


@dataclass(frozen=True)
class Around:
    """What stands around a query.

    - `rows` is the queryset that the loop goes through, where its own function makes it, and `model` that of its rows;
    - `given` is what it goes through, as code;
    - `source` is the same with what its names were bound to;
    - `handled` is what takes the exceptions for missing and for several rows: `except Book.DoesNotExist`;
    - `helper` is the function that asks, as it is called ("shelf_of()"), the attribute ("shelf.size") where it is a
      property, "" for the loop itself;
    - `taker` is what gets the one row that is asked for, as a list ("shelf.add()");
    - `setter` is the method of a relation that gets all rows, and does nothing else with them ("book.tags.set()");
    - `late` is the row of which the turn reads what it looks for, where it asks for that row itself;
    - `whole` is the relation of something that stays the same for all turns whose rows are asked for by one column;
    - `fetched` is the method by which the turn asks the same queryset for its row, too ("get"), "pk" where it wants no
      more of that than the key, "" where it does not ask;
    - `is_deep` says that the query is not the helper's own, but that of something it calls;
    - `once` is what the loop goes through where no key is there before a turn has computed it ("`reader`"), `rest` the
      rows that all turns ask about then, as code;
    - `is_caught` says that it goes through no rows, and goes on after what one turn raises;
    - `several` are the columns by which alone it asks for one row, where several rows may have the same in them;
    - `brings` are the calls that load what a turn asks of the row that it gets: `.select_related("author")`;
    - `is_tested` says that what it counts is only asked whether it is nothing, `is_grouped` that the query for
      the rows of the loop may group, which takes the order away that Meta gives them.
    """

    rows: str = ""
    model: Model | None = None
    given: str = ""
    source: str = ""
    handled: tuple[str, ...] = ()
    helper: str = ""
    taker: str = ""
    setter: str = ""
    late: str = ""
    whole: str = ""
    fetched: str = ""
    is_deep: bool = False
    once: str = ""
    rest: str = ""
    is_caught: bool = False
    several: tuple[str, ...] = ()
    brings: str = ""
    is_tested: bool = False
    is_grouped: bool = True

    @property
    def bringing(self) -> str:
        """What to say of the rows where no recipe names the query that gives them."""
        return f" Let that query bring what a turn reads of its row: `{self.brings}`." if self.brings else ""

    def used(self, what: str, handed: str = "") -> str:
        """What becomes of what was asked for before the loop."""
        if not self.helper:
            return f"look {what} up in the loop"
        given = handed or what
        if self.helper.endswith("()"):
            return f"hand {given} to `{self.helper}`"
        if self.is_deep:
            return f"set {given} on its row, where the code that `{self.helper}` leads to reads that first"
        return f"use {given} in place of `{self.helper}`"


def raised(around: Around, begin: str = "") -> str:
    """What `get()` does and a dictionary does not where several rows have the same in some columns, "" for none.

    `begin` says where it asks by them.
    """
    iexact = "__iexact"
    names = ((name.removesuffix(iexact), " in any case" * name.endswith(iexact)) for name in around.several)
    named = in_words([f"`{name}`{any_case}" for name, any_case in names])
    if not named or any("MultipleObjectsReturned" in name for name in around.handled):
        return ""
    of_what = f"{named} together are" if len(around.several) > 1 else f"{named} is"
    if around.handled:
        said = "of several rows with one value a dictionary keeps one, where `get()` raises"
    else:
        said = "keys with no row or with several have to raise as `get()` did"
    return f" {begin}{of_what} not unique: {said}."


def unspecific(method: str, what: str, around: Around, field: str = "") -> str:
    """What to load, where no recipe surely holds; `field` is the one by which the turns differ, where that is known."""
    if method in (*COUNTING, *CHECKING, *AGGREGATING):
        used, by = around.used("it", "what its turn needs"), f"`{field}`" if field else "what they differ in"
        return f"Let one query before the loop answer for all turns, grouped by {by}, and {used}."
    used = around.used("them", "those of each turn") if around.helper else "pick from them in the loop"
    return f"Ask once before the loop for the {what} that all turns need, and {used}.{around.bringing}"


class Recipe:
    """One query for the values that a field has on all turns, and what the loop takes of it."""

    def __init__(self, method: str, model: Model, asked: Condition, around: Around) -> None:
        self.method, self.model, self.asked, self.around = method, model, asked, around
        self.is_any_case = asked.field.endswith("__iexact") and not asked.others
        self.fields = (asked.field.removesuffix("__iexact"),) if self.is_any_case else (asked.field, *asked.others)
        self.names = tuple(map(self._name, self.fields))

    def text(self) -> str:
        """The fix."""
        is_mixed = any(field.endswith("__iexact") for field in self.fields)
        if is_mixed or (self.is_any_case and self.method in AGGREGATING):
            return unspecific(self.method, f"{self.model.name} rows", self.around)
        outer, helper = self.outer(), self.around.helper
        handed = f" and {self.around.used('it')}" if helper else ""
        is_checked = self.method in CHECKING or (self.method in COUNTING and self.around.is_tested)
        if outer and is_checked and not self.around.fetched:
            return f"Ask in the queryset of the loop{handed}: {self.subquery('found', 'Exists', outer)}."
        if outer and self.method in ORDERED and outer == "pk":
            taken, turned = self.taken()
            asks = f"`Subquery({self.narrowed(outer)}{taken})`{turned}"
            if not self.asked.alone:
                asks = (
                    f'`Subquery(…)` of the same query with `{self.asked.field}=OuterRef("{outer}")`, and with '
                    f"`{taken}`{turned}{',' * bool(turned)} in place of `{self.method}()`"
                )
            return f"Annotate what is needed of the row in the queryset of the loop{handed}: {asks}."
        counted = self.counted(outer) if self.method in COUNTING else ""
        if counted:
            return f"Count in the queryset of the loop{handed}: `annotate(number={counted})`."
        if self.asked.ends & VALUES and self.method in (*COUNTING, *CHECKING, *AGGREGATING, *ORDERED):
            return unspecific(self.method, f"{self.model.name} rows", self.around)
        of_rows = self.method not in (*COUNTING, *CHECKING, *AGGREGATING) and not self.asked.ends & VALUES
        if self.asked.field in _KEYS and self.asked.alone and of_rows:
            return self.by_key()
        if self.around.once and self.around.rest and not self.around.fetched:
            name = "known" if self.fields[0].endswith(("s", "x", "y")) else f"{self.fields[0]}s"
            rows = f'{name} = set({self.around.rest}.values_list("{self.fields[0]}", flat=True))'
            looked = (
                f"write `{code_of(self.asked.value)} in {name}` in the loop" if self.asked.value is not None else ""
            )
            return f"Ask once before the loop: `{rows}`, and {looked}.{self.types()}"
        asks = f"Ask once before the loop {self.at_once()}."
        if self.around.once:
            asks = (
                f"Go through {self.around.once} once and keep what each turn computes in a list, ask for all of them "
                f"{self.at_once()}, and go through the list."
            )
        several = raised(self.around) if self._is_single() else ""
        return f"{asks} {self.kept()}{self.missing()}{several}{self.types()}"

    def after(self) -> str:
        """The fix for a query whose keys only another query of the same turn tells."""
        read = f"which of them a turn needs it only learns from `{self.around.late}`, which it asks for itself"
        if self.around.whole and self.method in ("get", "aget", "first", "afirst"):
            rows = f"{{{self.key()}: row for row in {self.around.whole}.all(){self.around.brings}}}"
            return f"Load them once before the loop, `{rows}`, and look them up in it: {read}.{self.missing()}"
        return (
            f"Bring what `{self.around.late}` stands for with one query before the loop, and with another one the "
            f"{self.model.name} rows that all of those name: {read}.{self.around.bringing}"
        )

    def by_key(self) -> str:
        """The fix for one row by its key."""
        used = self.around.used("the rows", "each turn's row")
        if self.around.setter:
            return (
                f"`{self.around.setter}` takes keys as well as rows: hand it the keys, and no row has to be asked for "
                "(one that does not exist is then refused by the database)."
            )
        if self.around.taker:
            return (
                f"`{self.around.taker}` takes a list: hand it all rows at once, `{self.model.name}.objects.filter("
                f"pk__in=…){self.around.brings}`, in place of the loop."
            )
        return (
            f"Collect the keys, ask once with `{self.model.name}.objects{self.around.brings}.in_bulk(keys)` and {used}."
            f"{self.missing()}{self.types()}"
        )

    def taken(self) -> tuple[str, str]:
        """What a subquery takes of the rows of one turn, and what to say of their order where that is not known."""
        is_last, order = self.method not in _FIRST, self.asked.order
        if order and not is_last and self.method not in OF_DATES:
            return ".values(…)[:1]", ""
        names = order_of_pick(self.model, self.method, order, not self.asked.alone)
        if not names:
            return ".order_by(…).values(…)[:1]", ", with the order turned round" * is_last
        return f".order_by({quoted(names)}).values(…)[:1]", ""

    def outer(self) -> str:
        """The column of the loop's rows that the query compares with, where their queryset can ask as well."""
        key, model = self.asked.key, self.around.model
        if not self.around.rows or model is None or self.asked.others or not self.asked.ends <= KEEPING:
            return ""
        if self.around.helper:  # whose parameter it is that the query compares with is told by the relation
            relation = self.model.by_query_name(self.asked.field)
            return key if key == "pk" and relation is not None and relation.target is model else ""
        first = key.partition("__")[0]
        known = first == "pk" or model.column(first) or model.relation(first) or model.attname(first)
        return key if known else ""

    def counted(self, outer: str) -> str:
        """The aggregate that counts the rows behind those of the loop, "" where no relation leads there."""
        relation = self.model.by_query_name(self.asked.field)
        if outer != "pk" or relation is None or relation.target is not self.around.model:
            return ""
        name = relation.remote_query_name
        if not name or relation.relation not in ("fk", "o2o", "m2m"):
            return ""
        if not self.around.is_grouped:
            more = "" if self.asked.alone else ", …"
            rows = f'{self.model.name}.objects.filter({self.asked.field}=OuterRef("pk"){more})'
            return numbered(self.model, rows, self.asked.field)
        narrowed = "" if self.asked.alone else ", filter=Q(…)"
        return f'Count("{name}"{narrowed}, distinct=True)'

    def narrowed(self, outer: str) -> str:
        """The query as a subquery narrows it."""
        return f'{self.model.name}.objects.filter({self.asked.field}=OuterRef("{outer}"))'

    def subquery(self, name: str, function: str, outer: str) -> str:
        """The annotation that asks the same."""
        if self.asked.alone:
            return f"`annotate({name}={function}({self.narrowed(outer)}))`"
        return f'`annotate({name}={function}(…))` of the same query with `{self.asked.field}=OuterRef("{outer}")`'

    def folded(self) -> str:
        """The call that lets the database fold what it compares in any case, "" for nothing to fold."""
        return f'annotate(lower=Lower("{self.fields[0]}"))' if self.is_any_case else ""

    def given(self) -> str:
        """The condition that holds for what any turn asks."""
        if self.is_any_case:
            return "lower__in=[Lower(Value(value)) for value in …]"
        return ", ".join(f"{field}__in=…" for field in self.fields)

    def at_once(self) -> str:
        """How to ask for all turns."""
        given, folded = self.given(), self.folded()
        calls = (f".annotate({keys})" if (keys := self.brought()) else "") + self.around.brings
        if self.asked.alone:
            return f"with `{'.'.join(filter(None, [self.model.name, 'objects', folded]))}.filter({given}){calls}`"
        before = ", ".join(f"{field}=…" for field in (self.asked.field, *self.asked.others))
        as_filter = ", as `filter()`," if self.method in ("get", "aget") else ""
        named = f", and with `{calls.removeprefix('.')}`" if calls else ""
        first = f"`{folded}` and " if folded else ""
        return f"by the same query{as_filter} with {first}`{given}` in place of `{before}`{named}"

    def kept(self) -> str:
        """What to keep of the answer, and how the loop uses it."""
        key = self.key()
        used, rows = self.around.used("it"), self.around.used("them", "those of each turn")
        names = ", ".join(f'"{name}"' for name in self.names)
        if self.method in CHECKING and self.around.fetched == "pk" and len(self.names) == 1:
            pairs = f'….values_list({names}, "pk")'
            held = f"{{value.lower(): pk for value, pk in {pairs}}}" if self.is_any_case else f"dict({pairs})"
            return f"Keep `{held}` of it and {used}: that holds the key of the row, too."
        if self.method in CHECKING and self.around.fetched:
            method = "get" if self.around.fetched == "pk" else self.around.fetched
            return Recipe(method, self.model, self.asked, self.around).kept()
        if self.method in CHECKING:
            values = f"….values_list({names}{', flat=True' if len(self.names) == 1 else ''})"
            held = f"{{value.lower() for value in {values}}}" if self.is_any_case else f"set({values})"
            return f"Keep `{held}` of it and {used}."
        if self.method in COUNTING and self.is_any_case:
            counter = f"Counter(value.lower() for value in ….values_list({names}, flat=True))"
            return f"Count in Python, `{counter}`, and {used}."
        if self.method in COUNTING:
            return (
                f'Count by key, `….order_by().values({names}).annotate(number=Count("pk"))`, make a dictionary '
                f"of the answer and {used}. A key without rows is not in it: read it by `.get(…, 0)`."
            )
        if self.method in AGGREGATING:
            return (
                f"Group by key, `….order_by().values({names}).annotate(…)` with the same aggregates, make a "
                f"dictionary of the answer and {used}."
            )
        named = self.asked.ends & VALUES
        extra = f" (let `{min(named)}()` bring it along)" if named else ""
        shown = key if len(self.names) > 1 or self.is_any_case else self.names[0]
        if self.method in ORDERED and not self._is_unique():
            order = "in the same order"
            if self.method in OF_DATES:
                order = "ordered by the same field"
            keeps = f"`found.setdefault({key}, row)` keeps the first row of each key"
            if self.method not in _FIRST:
                keeps = f"`found[{key}] = row` leaves the last row of each key"
            return f"Leave out `{self.method}()` and go through the rows {order}{extra}: {keeps}; {rows}."
        lists = "Put the rows into a dictionary" if self._is_single() else "Sort the rows into a dictionary of lists"
        return f"{lists} by `{shown}`{extra} and {rows}."

    def key(self) -> str:
        """The key of a row in the dictionary."""
        joined = ", ".join(f"row.{name}{'.lower()' * self.is_any_case}" for name in self.names)
        return f"({joined})" if len(self.names) > 1 else joined

    def brought(self) -> str:
        """What lets the rows carry their keys, where they do not by themselves."""
        pairs = zip(self.fields, self.names, strict=True)
        return ", ".join(f'{name}=F("{field}")' for field, name in pairs if name.startswith("key"))

    def _name(self, field: str) -> str:
        """The attribute of a row that holds the value of a field; "key" and a number where a row has none."""
        if field in _KEYS:
            return "pk"
        relation = self.model.by_query_name(field)
        if "__" in field or (relation is not None and relation.relation not in ("fk", "o2o")):
            at = self.fields.index(field)
            return f"key{at}" if at else "key"
        return field if relation is None else f"{field}_id"

    def _is_unique(self) -> bool:
        if self.is_any_case:
            return False
        if self.fields[0] in _KEYS:
            return True
        column = self.model.column(self.fields[0])
        given = column.keyword("unique") if column is not None else None
        return len(self.fields) == 1 and isinstance(given, py.Constant) and given.value is True

    def _is_single(self) -> bool:
        """Whether there is one row for each key."""
        is_one = self.method in ("get", "aget")
        several = any("MultipleObjectsReturned" in name for name in self.around.handled)
        return (is_one and not several) or self._is_unique()

    def missing(self) -> str:
        """What becomes of a row that is not there."""
        if self.method in ("get", "aget") and self.around.handled:
            handled = " and ".join(f"`{taken}`" for taken in self.around.handled)
            several = " or with several" if "MultipleObjectsReturned" in handled else ""
            return f" Keys without a row{several} take the way of {handled}."
        is_shortcut = bool(self.asked.ends & frozenset(_SHORTCUTS))
        return " Raise `Http404` for a key that is missing there." if is_shortcut else ""

    def types(self) -> str:
        """That a dictionary tells 1 from "1", where the values come from outside, and "a" from "A"."""
        value, field = self.asked.value, self.fields[0]
        if self.is_any_case:
            return f" {self.folding('Look')}."
        if self.around.rows or value is None or isinstance(value, py.Attribute):
            return ""
        items = (node for node in (value, *below(value)) if isinstance(node, py.Subscript))
        named = [str(node.index.value) for node in items if isinstance(node.index, py.Constant)]
        is_key = field in _KEYS or field.endswith("_id") or any(name.lower().endswith("id") for name in named)
        kind, held = self._kind(), "set" if self.method in CHECKING and not self.around.fetched else "dictionary"
        typed = " Look up values of the column's type: "
        if self.around.once and kind in _TIMES:
            return f"{typed}a {held} of {_TIMES[kind]}."
        if is_key and kind == "UUIDField":
            return f"{typed}a {held} of UUIDs does not hold their text, use `uuid.UUID(…)`."
        if is_key or _TEXT.search(self.around.source):
            unlike = 'set that holds 1 does not hold "1"' if held == "set" else 'dictionary does not find "1" under 1'
            return f"{typed}a {unlike}."
        return ""

    def folding(self, look: str) -> str:
        """How to look up what the database finds in any case; `look` is the first word.

        SQLite and the collation "C" fold ASCII letters only, so a key that they have folded is not the one of Python.
        """
        value = self.asked.value
        looked = code_of(value, 40) if isinstance(value, _HELD) else ""
        return f"{look} up `{looked or '…'}.lower()`: the database may fold other letters than Python"

    def wanted(self) -> str:
        """What to ask with for all turns at once; "" where no list of values surely stands for what they ask."""
        if not self.asked.field or self.asked.computed or "?" in self.asked.ends:
            return ""
        if any(field.endswith("__iexact") for field in self.fields):
            return ""
        of_rows = self.method not in (*COUNTING, *CHECKING, *AGGREGATING)
        keys = f"annotate({self.brought()})" if of_rows and self.brought() else ""
        calls = f"{keys}{self.around.brings}".removeprefix(".")
        return " and ".join(f"`{part}`" for part in (self.folded(), self.given(), calls) if part)

    def keyed(self) -> str:
        """The key of each row, where that is not just the value of one of its columns."""
        is_plain = len(self.names) == 1 and not self.is_any_case and self.names[0] in ("pk", *self.fields)
        of_rows = self.method not in (*COUNTING, *CHECKING, *AGGREGATING)
        return f"`{self.key()}`" if of_rows and not is_plain else ""

    def _kind(self) -> str:
        """The class of the column by whose values the answer is kept."""
        field = self.model.pk if self.fields[0] in _KEYS else self.fields[0]
        relation = self.model.relation(field) or self.model.attname(field)
        target = relation.target if relation is not None else None
        column = target.column(target.pk) if target is not None else self.model.column(field)
        return column.kind if column is not None else ""
