"""What to write in place of a query that a loop repeats, by the method that asks.

A recipe is given only where it holds as it stands; otherwise the fix says what to load, in the names of the code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackaudit.checks.orm.conditions import Condition
from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.queries.annotations import counted as numbered
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import code_of
from stackaudit.link.sources import below

_KEYS = frozenset({"pk", "id"})
_FIRST = ("first", "earliest", "afirst", "aearliest")
_ORDERED = (*_FIRST, "last", "latest", "alast", "alatest")
_OF_DATES = ("latest", "earliest", "alatest", "aearliest")
_SHORTCUTS = ("get_object_or_404", "aget_object_or_404")
_COUNTING = ("count", "acount")
_CHECKING = ("exists", "aexists")
_AGGREGATING = ("aggregate", "aaggregate")
_KEEPING = frozenset({
    "", "…", "all", "annotate", "defer", "exclude", "filter", "get", "get_list_or_404", "get_object_or_404", "iterator",
    "none", "only", "order_by", "prefetch_related", "reverse", "select_related", "using", *_ORDERED, *_SHORTCUTS,
    *_COUNTING, *_CHECKING, *_AGGREGATING, "aget", "aiterator", "aget_list_or_404",
})  # fmt: skip
"""Methods after which the rows of several turns still are those of each."""
_VALUES = frozenset({"values", "values_list"})
_TIMES = {
    "DateField": "dates does not hold a datetime",
    "DateTimeField": "aware datetimes does not hold a naive one",
}
_CAUGHT = " The loop catches what one turn raises: catch what the one query raises, too."
_TEXT = re.compile(r"\brequest\.(?:POST|GET)\b|\.split\(|\bre\.(?:findall|finditer)\(")
"""What hands out texts."""


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
    - `several` is the column by which alone it asks for one row, where several rows may have the same value in it;
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
    several: str = ""
    is_tested: bool = False
    is_grouped: bool = True

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


def raised(column: str) -> str:
    """What `get()` does and a dictionary does not where several rows have the same value in a column, "" for none."""
    if not column:
        return ""
    return f" `{column}` is not unique: of several rows with one value a dictionary keeps one, where `get()` raises."


def proposal(event: Event, asked: Condition, around: Around) -> str:
    """The fix for one query."""
    is_open = around.is_caught and not around.once  # what a turn computes is a value that the column takes
    return _proposed(event, asked, around) + (_CAUGHT if is_open else "")


def _proposed(event: Event, asked: Condition, around: Around) -> str:
    if event.model is None:
        return _in_words(event.method, "rows", around)
    model, method = event.model, event.method
    if asked.computed:
        return _computed(method, model, asked, around)
    if around.late and asked.field:
        return _Recipe(method, model, asked, around).after()
    if asked.relation and not around.helper:
        return _related(method, asked, around) or _in_words(method, f"{model.name} rows", around)
    if event.below > 1 or not asked.field or not asked.ends <= _KEEPING | _VALUES:
        field = asked.field if event.below <= 1 and not asked.others and "?" not in asked.ends else ""
        return _in_words(method, f"{model.name} rows", around, field)
    return _Recipe(method, model, asked, around).text()


def _in_words(method: str, what: str, around: Around, field: str = "") -> str:
    """What to load, where no recipe surely holds; `field` is the one by which the turns differ, where that is known."""
    if method in (*_COUNTING, *_CHECKING, *_AGGREGATING):
        used, by = around.used("it", "what its turn needs"), f"`{field}`" if field else "what they differ in"
        return f"Let one query before the loop answer for all turns, grouped by {by}, and {used}."
    used = around.used("them", "those of each turn") if around.helper else "pick from them in the loop"
    return f"Ask once before the loop for the {what} that all turns need, and {used}."


def _computed(method: str, model: Model, asked: Condition, around: Around) -> str:
    if asked.is_cut:
        group = f'F("{asked.field}")' if asked.field and not asked.others else "…"
        return (
            f"Number the rows of each group in the database, `Window(RowNumber(), partition_by={group}, order_by=…)`, "
            "and filter by that number: one query for all turns (Django 4.2 or later)."
        )
    if method in (*_COUNTING, *_CHECKING):
        return (
            f"Count for all turns in one query: `aggregate()` of the {model.name} rows with one "
            '`Count("pk", filter=Q(…))` for each turn.'
        )
    return (
        f"Ask once for the {model.name} rows of all turns, with their conditions joined by `|` as `Q(…) | Q(…)`, and "
        "tell in Python which rows belong to which turn."
    )


def _related(method: str, asked: Condition, around: Around) -> str:
    """The fix for rows behind a relation of the rows of a loop; "" where there is none that surely holds."""
    path, narrowing = asked.relation, asked.ends - {"all", "iterator", method, "", "…"}
    if asked.field:
        return ""
    is_counted = method in (*_COUNTING, *_CHECKING)
    if method in _ORDERED or method in _AGGREGATING or (narrowing and (is_counted or not narrowing <= _NARROWING)):
        return ""
    wanted = f'"{path}"'
    read = {True: ", and take `len(….all())`", False: ""}[method in _COUNTING]
    if method in _CHECKING:
        read = ", and test `….all()`"
    if narrowing:
        wanted = f'Prefetch("{path}", queryset=…, to_attr="…")'
        read = " with the same conditions in its queryset, and go through that list in the loop"
    if around.rows:
        return f"Add `.prefetch_related({wanted})` to `{around.rows}`{read}."
    if around.given:
        return f"Load them for all turns before the loop: `prefetch_related_objects({around.given}, {wanted})`{read}."
    return ""


_NARROWING = frozenset({"filter", "exclude", "order_by", "select_related", "prefetch_related", "only", "defer"})


class _Recipe:
    """One query for the values that a field has on all turns, and what the loop takes of it."""

    def __init__(self, method: str, model: Model, asked: Condition, around: Around) -> None:
        self.method, self.model, self.asked, self.around = method, model, asked, around
        self.fields = (asked.field, *asked.others)
        self.is_any_case = asked.field.endswith("__iexact") and not asked.others
        self.names = tuple("lower" if self.is_any_case else self._name(field) for field in self.fields)

    def text(self) -> str:
        """The fix."""
        if any(field.endswith("__iexact") for field in self.fields) and not self.is_any_case:
            return _in_words(self.method, f"{self.model.name} rows", self.around)
        outer, helper = self.outer(), self.around.helper
        handed = f" and {self.around.used('it')}" if helper else ""
        is_checked = self.method in _CHECKING or (self.method in _COUNTING and self.around.is_tested)
        if outer and is_checked and not self.around.fetched:
            return f"Ask in the queryset of the loop{handed}: {self.subquery('found', 'Exists', outer)}."
        if outer and self.method in _ORDERED and outer == "pk":
            asks = f"`Subquery({self.narrowed(outer)}.order_by(…).values(…)[:1])`"
            if not self.asked.alone:
                asks = (
                    f'`Subquery(…)` of the same query with `{self.asked.field}=OuterRef("{outer}")`, and with '
                    f"`.order_by(…).values(…)[:1]` in place of `{self.method}()`"
                )
            return f"Annotate what is needed of the row in the queryset of the loop{handed}: {asks}."
        counted = self.counted(outer) if self.method in _COUNTING else ""
        if counted:
            return f"Count in the queryset of the loop{handed}: `annotate(number={counted})`."
        if self.asked.ends & _VALUES and self.method in (*_COUNTING, *_CHECKING, *_AGGREGATING, *_ORDERED):
            return _in_words(self.method, f"{self.model.name} rows", self.around)
        of_rows = self.method not in (*_COUNTING, *_CHECKING, *_AGGREGATING) and not self.asked.ends & _VALUES
        if self.fields[0] in _KEYS and self.asked.alone and of_rows:
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
        several = raised(self.around.several) if self._is_single() else ""
        return f"{asks} {self.kept()}{self.missing()}{several}{self.types()}"

    def after(self) -> str:
        """The fix for a query whose keys only another query of the same turn tells."""
        read = f"which of them a turn needs it only learns from `{self.around.late}`, which it asks for itself"
        if self.around.whole and self.method in ("get", "aget", "first", "afirst"):
            rows = f"{{row.{self.names[0]}: row for row in {self.around.whole}.all()}}"
            return f"Load them once before the loop, `{rows}`, and look them up in it: {read}.{self.missing()}"
        return (
            f"Bring what `{self.around.late}` stands for with one query before the loop, and with another one the "
            f"{self.model.name} rows that all of those name: {read}."
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
                "pk__in=…)`, in place of the loop."
            )
        return (
            f"Collect the keys, ask once with `{self.model.name}.objects.in_bulk(keys)` and {used}."
            f"{self.missing()}{self.types()}"
        )

    def outer(self) -> str:
        """The column of the loop's rows that the query compares with, where their queryset can ask as well."""
        key, model = self.asked.key, self.around.model
        if not self.around.rows or model is None or self.asked.others or not self.asked.ends <= _KEEPING:
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

    def at_once(self) -> str:
        """How to ask for all turns."""
        if self.is_any_case:
            name = self.asked.field.removesuffix("__iexact")
            if self.asked.alone:
                asks = f'with `{self.model.name}.objects.annotate(lower=Lower("{name}")).filter(lower__in=…)`'
                return f"{asks} and lower-case values"
            return (
                f'by the same query with `annotate(lower=Lower("{name}"))` and `lower__in=…` (lower-case values) in '
                f"place of `{self.asked.field}=…`"
            )
        given = ", ".join(f"{field}__in=…" for field in self.fields)
        brought = self.brought()
        if self.asked.alone:
            return f"with `{self.model.name}.objects.filter({given}){f'.annotate({brought})' if brought else ''}`"
        before = ", ".join(f"{field}=…" for field in self.fields)
        as_filter = ", as `filter()`," if self.method in ("get", "aget") else ""
        named = f", and with `annotate({brought})`" if brought else ""
        return f"by the same query{as_filter} with `{given}` in place of `{before}`{named}"

    def kept(self) -> str:
        """What to keep of the answer, and how the loop uses it."""
        key = self.key()
        used, rows = self.around.used("it"), self.around.used("them", "those of each turn")
        names = ", ".join(f'"{name}"' for name in self.names)
        if self.method in _CHECKING and self.around.fetched == "pk" and len(self.names) == 1:
            return f'Keep `dict(….values_list({names}, "pk"))` of it and {used}: that holds the key of the row, too.'
        if self.method in _CHECKING and self.around.fetched:
            method = "get" if self.around.fetched == "pk" else self.around.fetched
            return _Recipe(method, self.model, self.asked, self.around).kept()
        if self.method in _CHECKING:
            flat = ", flat=True" if len(self.names) == 1 else ""
            return f"Keep `set(….values_list({names}{flat}))` of it and {used}."
        if self.method in _COUNTING:
            return (
                f'Count by key, `….order_by().values({names}).annotate(number=Count("pk"))`, make a dictionary '
                f"of the answer and {used}. A key without rows is not in it: read it by `.get(…, 0)`."
            )
        if self.method in _AGGREGATING:
            return (
                f"Group by key, `….order_by().values({names}).annotate(…)` with the same aggregates, make a "
                f"dictionary of the answer and {used}."
            )
        named = self.asked.ends & _VALUES
        extra = f" (let `{min(named)}()` bring it along)" if named else ""
        shown = key if len(self.names) > 1 else self.names[0]
        if self.method in _ORDERED and not self._is_unique():
            order = "in the same order"
            if self.method in _OF_DATES:
                order = "ordered by the same field"
            keeps = f"`found.setdefault({key}, row)` keeps the first row of each key"
            if self.method not in _FIRST:
                keeps = f"`found[{key}] = row` leaves the last row of each key"
            return f"Leave out `{self.method}()` and go through the rows {order}{extra}: {keeps}; {rows}."
        lists = "Put the rows into a dictionary" if self._is_single() else "Sort the rows into a dictionary of lists"
        return f"{lists} by `{shown}`{extra} and {rows}."

    def key(self) -> str:
        """The key of a row in the dictionary."""
        joined = ", ".join(f"row.{name}" for name in self.names)
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
        """That a dictionary tells 1 from "1", where the values come from outside."""
        value, field = self.asked.value, self.fields[0]
        if self.around.rows or self.is_any_case or value is None or isinstance(value, py.Attribute):
            return ""
        items = (node for node in (value, *below(value)) if isinstance(node, py.Subscript))
        named = [str(node.index.value) for node in items if isinstance(node.index, py.Constant)]
        is_key = field in _KEYS or field.endswith("_id") or any(name.lower().endswith("id") for name in named)
        kind, held = self._kind(), "set" if self.method in _CHECKING and not self.around.fetched else "dictionary"
        typed = " Look up values of the column's type: "
        if self.around.once and kind in _TIMES:
            return f"{typed}a {held} of {_TIMES[kind]}."
        if is_key and kind == "UUIDField":
            return f"{typed}a {held} of UUIDs does not hold their text, use `uuid.UUID(…)`."
        if is_key or _TEXT.search(self.around.source):
            unlike = 'set that holds 1 does not hold "1"' if held == "set" else 'dictionary does not find "1" under 1'
            return f"{typed}a {unlike}."
        return ""

    def _kind(self) -> str:
        """The class of the column by whose values the answer is kept."""
        field = self.model.pk if self.fields[0] in _KEYS else self.fields[0]
        relation = self.model.relation(field) or self.model.attname(field)
        target = relation.target if relation is not None else None
        column = target.column(target.pk) if target is not None else self.model.column(field)
        return column.kind if column is not None else ""
