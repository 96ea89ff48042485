"""Expressions of templates: what a path, a filter or a call reads, and what it stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from stackaudit.facts import template as t
from stackaudit.link.pages import conditions
from stackaudit.link.pages import walk as q
from stackaudit.link.pages.files import TemplateFile, Templates
from stackaudit.link.pages.repeated import ASKING, Repeats, builds_anew
from stackaudit.link.pages.turns import Turns
from stackaudit.link.queries import comparing
from stackaudit.link.queries.joining import join
from stackaudit.link.queries.values import (
    LACKING,
    UNKNOWN,
    Choice,
    Const,
    Function,
    Mapping,
    Method,
    Other,
    Row,
    Rows,
    Seq,
    Value,
    is_callable,
)
from stackaudit.link.queries.walk import Walk
from stackaudit.model.source import Place, Region

_SAME = frozenset(
    {"safe", "default", "default_if_none", "dictsort", "dictsortreversed", "list", "sort", "sorted", "reverse", "batch"}
    | {"force_escape", "escape", "e", "unique", "select", "reject"}
)
_ONE = frozenset({"first", "last", "random"})
_PER_ITEM = frozenset({"dictsort", "dictsortreversed", "sort", "groupby", "map", "sum", "selectattr", "rejectattr"})
_COUNTS = frozenset({"length", "length_is", "count"})
_CHANGES = frozenset({"delete", "save", "update", "create", "clear", "add", "set"})
"""Methods that no template calls: they change data."""


@dataclass
class Scope:
    """The context: the innermost dictionary last.

    `macros` are those that the template defines or imports, `lacking` the names that are certain not to be there.
    """

    layers: list[dict[str, Value]]
    macros: dict[str, tuple[TemplateFile, t.Macro]] = field(default_factory=dict)
    lacking: Container[str] = ()

    def get(self, name: str) -> Value | None:
        """The value of a name, None where the context has none."""
        for layer in reversed(self.layers):
            if name in layer:
                return layer[name]
        return None

    def flat(self) -> dict[str, Value]:
        """All names as one dictionary."""
        return {name: value for layer in self.layers for name, value in layer.items()}

    @contextmanager
    def pushed(self, names: dict[str, Value]) -> Iterator[None]:
        """Names that hold for a while."""
        self.layers.append(dict(names))
        try:
            yield
        finally:
            self.layers.pop()


class Expressions(ABC):
    """Evaluates the expressions of one template; a subclass walks its tags."""

    def __init__(
        self,
        walk: Walk,
        templates: Templates,
        texts: dict[Place, str],
        repeats: Repeats,
        turns: Turns,
        file: TemplateFile,
        scope: Scope,
    ) -> None:
        self.walk = walk
        self.templates = templates
        self.texts = texts
        self.file = file
        self.scope = scope
        self.repeats = repeats
        self.turns = turns
        self.head: tuple[str, Value] | None = None
        self.is_fresh = True

    def at(self, region: Region) -> Place:
        """The place of a region of the file."""
        return Place(self.file.path, region)

    def run(self, expr: t.Expr, value: Rows, at: Place) -> None:
        """The rows of a queryset are wanted: its query runs, unless it ran before."""
        self.asks(expr, value, at)
        rows = q.run(self.walk, value, at)
        if isinstance(expr, t.Path) and isinstance(rows, Rows):
            self.evaluated(expr, rows)

    def asks(self, expr: t.Expr, value: Value, at: Place) -> None:
        """Going through `value`, which `expr` stands for, runs a query."""
        path = expr.func if isinstance(expr, t.Call) and not (expr.args or expr.keywords) else expr
        if isinstance(path, t.Path) and (head := self.scope.get(path.name)) is not None and self.is_fresh:
            if path is expr:
                self.repeats.add(path.name, head, path.parts, value, at)
                self.turns.rows(path.name, head, path.parts, value, at)
            elif path.parts:
                self.turns.rows(path.name, head, (*path.parts[:-1], f"{path.parts[-1]}()"), value, at)

    def evaluated(self, path: t.Path, rows: Rows) -> None:
        """A queryset that the context holds keeps its rows once somebody went through them, or through its page."""
        if path.parts:
            return
        self.turns.fetched(self.scope.get(path.name))
        if rows.paged:
            self._listed(rows)
        for layer in reversed(self.scope.layers):
            if path.name in layer:
                layer[path.name] = replace(rows, evaluated=True)
                return

    def _listed(self, page: Rows) -> None:
        """A page has made a list of its queryset, which may have names of its own."""
        done = replace(page, paged=False, evaluated=True)
        for layer in self.scope.layers:
            for name, value in layer.items():
                if isinstance(value, Rows) and replace(value, evaluated=True) == done:
                    layer[name] = done

    @abstractmethod
    def nodes(self, nodes: tuple[t.Node, ...]) -> None:
        """Render what stands in a template, or in a part of it."""

    @abstractmethod
    def above(self) -> None:
        """`{{ block.super }}` and Jinja2's `super()`."""

    @abstractmethod
    def macro(self, name: str, args: tuple[Value, ...], keywords: dict[str, Value], region: Region) -> None:
        """A call of a macro of Jinja2."""

    def text(self, expr: t.Expr) -> str:
        """An expression as one would write it."""
        if isinstance(expr, t.Path):
            return ".".join((expr.name, *expr.parts))
        if isinstance(expr, t.Filtered):
            return self.text(expr.value) + "".join(map(self._written, expr.filters))
        if isinstance(expr, t.Literal):
            return f'"{expr.value}"' if isinstance(expr.value, str) else str(expr.value)
        if isinstance(expr, t.Call):
            return f"{self.text(expr.func)}(…)"
        return "…"

    def _written(self, item: t.Filter) -> str:
        given = [*map(self.text, item.args), *(f"{one.name}={self.text(one.value)}" for one in item.keywords)]
        if self.is_django:
            return f"|{':'.join((item.name, *given))}"
        return f"|{item.name}({', '.join(given)})" if given else f"|{item.name}"

    def value(self, expr: t.Expr) -> Value:
        """The value of an expression; what it reads is recorded on the way."""
        match expr:
            case t.Path():
                if expr.name == "block" and expr.parts == ("super",):
                    self.above()
                    return UNKNOWN
                base = self.scope.get(expr.name)
                if base is None:
                    return UNKNOWN
                place = self.at(expr.region)
                self.texts[place] = self.text(expr)
                self.head, self.is_fresh = (expr.name, base), True
                value = self.follow(base, expr.parts, place, self.is_django)
                self.head = None
                return value
            case t.Literal():
                return Const(expr.value)
            case t.Filtered():
                return self.filtered(expr)
            case t.Follow():
                return self.follow(self.value(expr.value), expr.parts, self.at(expr.region), self.is_django)
            case t.Call():
                return self.called(expr)
            case t.Operation():
                return self.operation(expr)
        return UNKNOWN

    @property
    def is_django(self) -> bool:
        """Whether the file is written in Django's language, which calls what can be called."""
        return self.file.tree.language == "django"

    def operation(self, expr: t.Operation) -> Value:
        """Conditions, arithmetic, literals of lists, subscripts."""
        if expr.op in ("and", "or"):
            return self.either(expr)
        values = [self.value(operand) for operand in expr.operands]
        if expr.op in ("in", "not in", "not") and expr.operands:
            wanted, rows = expr.operands[-1], values[-1]
            if isinstance(rows, Rows) and not rows.evaluated:
                self.run(wanted, rows, self.at(wanted.region))
        if expr.op == "list":
            return Seq(UNKNOWN, tuple(values))
        if expr.op == "if" and len(values) == 3:
            return join(values[1], values[2])
        if expr.op == "slice" and values:
            return q.sliced(self.walk, values[0], values[1], values[2], self.at(expr.region))
        if expr.op == "[]" and len(values) == 2:
            if isinstance(values[0], Mapping) and isinstance(values[1], Const):
                return values[0].get(values[1].value) or values[0].element
            return values[0].element if isinstance(values[0], (Mapping, Seq)) else UNKNOWN
        loops = frozenset().union(*(value.loops for value in values))
        return Other(loops)

    def either(self, expr: t.Operation) -> Value:
        """`and`, `or`: what stands behind may not be asked at all."""
        value: Value = UNKNOWN
        for index, operand in enumerate(expr.operands):
            with ExitStack() as stack:
                if index:
                    stack.enter_context(q.guarded(self.walk))
                    stack.enter_context(self.repeats.inside(expr, index))
                    for before in expr.operands[:index]:
                        stack.enter_context(self.where(before))
                value = self.value(operand)
                if isinstance(value, Rows) and not value.evaluated:
                    self.run(operand, value, self.at(operand.region))
            if conditions.outcome(self.walk, self.scope, operand) is (expr.op == "or"):
                break
        return value

    def where(self, test: t.Expr, is_open: bool = True) -> AbstractContextManager[None]:
        """What stands behind a condition, which may hold on some turns of a loop and not on others if `is_open`."""
        return self.turns.where(test, self.scope.flat(), is_open)

    def bound(self, expr: t.Expr) -> Value:
        """What `expr` stands for, as a name is given to it."""
        value = self.value(expr)
        if isinstance(expr, t.Path) and expr.parts and self.is_fresh and isinstance(value, Rows):
            return self.turns.bound(value)
        return value

    def follow(self, value: Value, parts: tuple[str, ...], at: Place, calls: bool = True) -> Value:
        """Lookups: a key, an attribute (called where it can be), an index."""
        for index, part in enumerate(parts):
            self.asked(value, parts[:index], part, at)
            self.is_fresh = self.is_fresh and builds_anew(value, part)
            held = value
            if isinstance(value, Mapping) and (found := value.get(part)) is not None:
                value = found
            elif part.isdigit():
                value = q.item(self.walk, value, Const(int(part)), at)
            else:
                value = q.attribute(self.walk, value, part, at)
                if part == "object_list" and isinstance(value, Rows):
                    value = replace(value, paged=False)
            if index == len(parts) - 1 and value == Other(value.loops) and isinstance(held, Row):
                lacks = comparing.without(self.walk, held, part)
                value = Other(value.loops, f"{LACKING}{held.model.name}.{part}") if lacks else value
            if calls:
                value = self.auto(value, at, ".".join(parts[: index + 1]))
                self.turns.member(held, part, at, ".".join(filter(None, (self.named(), *parts[: index + 1]))))
        value = self.auto(value, at, "") if calls and not parts else value
        if self.head is not None and self.is_fresh:
            self.repeats.use(self.head[1], parts, value)
        return value

    def asked(self, value: Value, before: tuple[str, ...], part: str, at: Place) -> None:
        """`part`, read of the `value` that the path before it leads to, may run a query of its own."""
        if self.head is None or not self.is_fresh:
            return
        name, head = self.head
        if isinstance(value, Rows) and value.paged:
            if part.isdigit() and not before:
                self.evaluated(t.Path(at.region, name), value)
            return
        self.repeats.use(head, before, value, part)
        if part in ASKING or part.isdigit():
            self.repeats.add(name, head, before, value, at, part)
            self.turns.rows(name, head, before, value, at, part)

    def named(self) -> str:
        """The name that the path begins with which is followed."""
        return self.head[0] if self.head is not None else ""

    def auto(self, value: Value, at: Place, text: str) -> Value:
        """What Django makes of a callable: its outcome, unless it changes data."""
        options = value.options if isinstance(value, Choice) else (value,)
        if any(isinstance(item, Method) and item.name in _CHANGES for item in options):
            return UNKNOWN
        if is_callable(value):
            head, self.head = self.head, None
            outcome = q.call(self.walk, value, (), {}, at, f"{text}()" if text else "")
            self.head = head
            return outcome
        return value

    def filtered(self, expr: t.Filtered) -> Value:
        """A value through its filters."""
        value = self.value(expr.value)
        self.texts[self.at(expr.region)] = self.text(expr)
        for item in expr.filters:
            value = self.filter(expr, value, item)
        return value

    def filter(self, expr: t.Filtered, value: Value, item: t.Filter) -> Value:
        """A value through one filter: of the project, or one of Django's and Jinja2's."""
        args = tuple(self.value(arg) for arg in item.args)
        keywords = {keyword.name: self.value(keyword.value) for keyword in item.keywords}
        place = self.at(expr.region)
        library = self.templates.tag("|" + item.name, self.file)
        if library is not None:
            function = Function(library.module, library.function)
            self.turns.call(function, (value, *args), keywords, place, f"{self.text(expr.value)}|{item.name}")
            return q.call(self.walk, function, (value, *args), keywords, place, f"|{item.name}")
        if item.name == "slice" and self.is_django:
            return self.slice(value, item, place)
        if item.name in _PER_ITEM:
            self.per_item(value, item, args, place)
        if item.name in _COUNTS:
            if isinstance(value, Rows) and not value.evaluated:
                self.run(expr.value, value, place)
            return Other(value.loops)
        if item.name in _ONE:
            return q.item(self.walk, value, Const(0), place)
        if item.name in ("default", "default_if_none") and args:
            return join(value, args[0])
        if item.name in ("dictsort", "dictsortreversed") and isinstance(value, Rows):
            return q.run(self.walk, value, place)
        if item.name in _SAME:
            return value
        if item.name in ("join", "unordered_list"):
            if item is expr.filters[0]:
                self.asks(expr.value, value, place)
            with q.each(self.walk, value, place, f"{self.text(expr.value)}|{item.name}") as element:
                if isinstance(element, Row):
                    q.text(self.walk, element, place)
            return UNKNOWN
        if isinstance(value, Row):
            q.text(self.walk, value, place)
        return Other(value.loops)

    def per_item(self, value: Value, item: t.Filter, args: tuple[Value, ...], place: Place) -> None:
        """Filters that read an attribute of every item."""
        name = args[0] if args else None
        for keyword in item.keywords:
            if keyword.name == "attribute":
                name = self.value(keyword.value)
        if isinstance(name, Const) and isinstance(name.value, str) and isinstance(value, (Rows, Seq)):
            with q.each(self.walk, value, place, f"|{item.name}") as element:
                self.follow(element, tuple(name.value.split(".")), place)

    def slice(self, value: Value, item: t.Filter, place: Place) -> Value:
        """`value|slice:"2:5"`."""
        literal = item.args[0] if item.args else None
        if not (isinstance(literal, t.Literal) and isinstance(literal.value, (str, int))):
            return value
        parts = str(literal.value).split(":")
        bounds = [Const(int(part)) if part.lstrip("-").isdigit() else Const(None) for part in parts]
        lower, upper = (Const(None), bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[1])
        return q.sliced(self.walk, value, lower, upper, place)

    def called(self, expr: t.Call) -> Value:
        """A call of Jinja2: `super()`, a macro, a method."""
        name = self.text(expr.func)
        args = tuple(self.value(arg) for arg in expr.args)
        keywords = {item.name: self.value(item.value) for item in expr.keywords}
        if name == "super":
            self.above()
            return UNKNOWN
        if name in self.scope.macros:
            self.macro(name, args, keywords, expr.region)
            return UNKNOWN
        func = self.value(expr.func)
        if isinstance(func, (Function, Method)):
            return q.call(self.walk, func, args, keywords, self.at(expr.region), f"{name}()")
        return Other(frozenset().union(*(arg.loops for arg in args)) if args else frozenset())
