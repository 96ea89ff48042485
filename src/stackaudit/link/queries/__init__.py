"""Every place where the code asks the database, and how often: an abstract walk over function bodies.

Rooms: `table` (what each queryset method costs), `loading` (what rows bring with them), `origins` (loops, and the
expressions that make and ask querysets), `values` (what an expression stands for), `joining` (two values become one),
`walk` (frames, loops, recording), `access` (attributes of rows, evaluation), `attributes` (those of all else),
`attached` (what is done to rows that are there), `existence` (counts that only say whether there are any), `narrowing`
(how many rows filters leave), `rows`, `writes` (methods of querysets), `signals` (who waits for writes), `calls`,
`expressions`, `displays` (lists, dictionaries and comprehensions), `containers` and `subscripts` (what they give),
`statements`, `branches` (what all arms of a condition ask for), `guards` (conditions that guard a query), `memos`
(dictionaries that remember answers), `comparisons` (what is certain of conditions), `loops`, `repeating` (`for` and
`while`), `batches` (generators of slices), `effects` (work outside the database), `answers` (what calls gave before),
`builtin`, `known` (Django's helpers), `bases` (what base classes give), `forms` (the fields of forms), `hooks` (whom
the walk asks about calls that leave the repository), `events` (what is found), `source` (expressions as text), `advice`
(what to append to a queryset), `elsewhere` (where nothing can be), `everykey` (what a bare `select_related()` joins),
`levels` (code that comes back to itself), `needless` (rows that need not be asked for), `asked` (queries that are no
access to a relation), `reading` (how to read what is loaded then), `lookups` (paths as the ORM writes them),
`annotations` (numbers that rows bring), `sharing` (what helps where others run the code that asks), `belonging` and
`amounts` (whose rows they are, how many, and what that costs), `entries` (where the walk begins), `overriding`
(inherited methods that ask what a class overrides), `callbacks` and `decorating` (functions that are handed over, or
stand around others), `spelled` and `registries` (lists that are written out, and dictionaries that a decorator fills),
`schemas` and `validation` (what is made of rows, or of data, field by field), `packaged` (what other packages give to
rows: trees, Wagtail's pages, histories), `granted` (permissions for single objects), `kinds` (rows that come as rows of
the classes below), `presence` (what is certainly not None, or true), `binding` (parameters), `births` (what runs for
each row as Django makes it), `trials` (what would be asked if something were loaded), `rescues` (which handler of a
`try` runs), `roots` (which of several querysets is to load what is missing).

Entry interface for whoever brings rows from elsewhere (templates, serializers, admin):

    queries = stack.queries                   # the Python code has been walked
    walk = queries.walk                       # the same walk goes on; new events join queries.events
    value = queries.entry(module, function)   # call a function or method with unknown arguments: what it returns
    value = queries.method(cls, "get_queryset")   # call a method on an instance of a class of the repository
    value = queries.attribute(value, "author", place)             # one step; costs are recorded at place

    with queries.each(value, place, "for book in books") as book:      # a loop; `book` is one element of it
        queries.follow(book, "author.country.name", place)             # as templates do: callables are called
        queries.render(book, place)                                    # str(book)
    with queries.step(place, "{% include 'row.html' %}"):              # a step of the flows of what happens inside
        ...

`place` is a `model.source.Place`. `follow` returns the value that the path leads to (`values.Value`): a `Rows` may be
given to `each` again, a `Mapping` is a context (`value.get("books")`). What is not known is `values.UNKNOWN`, and
following it costs and records nothing. Events say where (`Event.place`), which rows (`Event.origin`), which path
(`Event.path`) and by which way (`Event.flow`). Walk inside `with queries.reporting("drf"):` and the events carry that
area; the checks of `orm` judge only those of the Python code's own walk (area "orm").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.modules import SourceModule
from stackaudit.link.queries import access, calls, entries, loops, signals
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.presence import unsure
from stackaudit.link.queries.values import UNKNOWN, Const, Function, Instance, Mapping, Rows, Seq, Value, is_callable
from stackaudit.link.queries.walk import At, Walk
from stackaudit.link.settings import Settings

__all__ = ["Event", "Queries", "Rows", "Value", "fresh_walk", "release", "resolve"]


_MADE_UP = frozenset({"existence", "write"})
"""What is no matter where a module makes up its rows."""


class Queries:
    """The walk over a stack and what it found.

    What the modules `samples`, by their paths, write is made up; the modules `dead` are never run.
    """

    def __init__(
        self,
        models: Models,
        django: tuple[int, int] = (5, 2),
        samples: frozenset[str] = frozenset(),
        settings: Callable[[], Settings | None] = lambda: None,
        dead: frozenset[str] = frozenset(),
    ) -> None:
        self.models = models
        self._samples = samples
        self._dead = dead
        self.walk = Walk(models, django, settings)
        entries.walk_all(self.walk)

    @property
    def events(self) -> list[Event]:
        """What was found, in the order of the walk."""
        found = self.walk.record.events
        unwritten = self._samples | self._dead
        return [item for item in found if item.place.path not in (unwritten if item.kind in _MADE_UP else self._dead)]

    def entry(self, module: SourceModule, function: py.FunctionDef, bound: Value | None = None) -> Value:
        """What a function returns when it is called with unknown arguments."""
        self.walk.spent = 0
        called = Function(module, function, bound)
        return calls.call(self.walk, called, (), {}, (module, function), function.name, is_entry=True)

    def method(self, cls: SourceClass, name: str, instance: Instance | None = None) -> Value:
        """What a method of a class returns, UNKNOWN where no class of the repository defines it."""
        found = cls.find(name)
        if found is None or not isinstance(found.node, py.FunctionDef):
            return UNKNOWN
        self.walk.spent = 0
        bound = instance or Instance(cls)
        called = Function(found.owner.module, found.node, bound, found.owner)
        at = (found.owner.module, found.node)
        return calls.call(self.walk, called, (), {}, at, f"{cls.label}.{name}()", is_entry=True)

    @contextmanager
    def each(self, value: Value, place: At, text: str = "the loop", bounded: str = "") -> Iterator[Value]:
        """Go through a value: a queryset runs its query; the element changes with each turn."""
        element, _ = loops.enter(self.walk, value, place, text, bounded)
        try:
            yield element
        finally:
            loops.leave(self.walk)

    @contextmanager
    def reporting(self, area: str) -> Iterator[None]:
        """What is walked inside is the business of another area of rules ("template", "drf", "admin")."""
        before, self.walk.area = self.walk.area, area
        try:
            yield
        finally:
            self.walk.area = before

    def step(self, place: At, text: str, where: str = "") -> Any:
        """A context manager: what happens inside is reached through this place."""
        return self.walk.step(place, text, where)

    def follow(self, value: Value, path: str, place: At) -> Value:
        """The value that a dotted path leads to, as a template follows it; its costs are recorded at `place`."""
        for part in path.split(".") if path else ():
            value = self.attribute(value, part, place)
        return value

    def attribute(self, value: Value, name: str, place: At) -> Value:
        """One step of a path: key, attribute or index; what can be called is called."""
        if isinstance(value, Mapping):
            held = value.get(name)
            if held is not None:
                return self.called(held, place)
        if name.isdecimal() and isinstance(value, (Rows, Seq)):
            if isinstance(value, Seq) and value.items is not None and int(name) < len(value.items):
                return value.items[int(name)]
            if isinstance(value, Rows):
                value = access.evaluate(self.walk, value, place, "[…]")
            return unsure(loops.one_of(self.walk, value, Const(int(name))))
        return self.called(calls.attribute(self.walk, value, name, place), place)

    def called(self, value: Value, place: At) -> Value:
        """A function or method called without arguments; any other value as it is."""
        if is_callable(value):
            return calls.apply(self.walk, value, (), {}, place)
        return value

    def render(self, value: Value, place: At) -> None:
        """Show a value as text: a row's `__str__` is asked, a queryset is evaluated."""
        if isinstance(value, Rows):
            access.evaluate(self.walk, value, place)
        access.as_text(self.walk, value, place)


def resolve(stack: Any) -> Queries:
    """Walk the Python code of a stack."""
    management = stack.management
    return Queries(stack.models, release(stack), management.samples, lambda: stack.settings, management.dead)


def fresh_walk(stack: Any) -> Walk:
    """A walk of its own over the stack's models: it has seen nothing yet, and needs nothing that another one saw."""
    walk = Walk(stack.models, release(stack), lambda: stack.settings)
    walk.record.apart = True
    walk.signalled = signals.signalled_models(walk.models)
    return walk


def release(stack: Any) -> tuple[int, int]:
    """The Django release that the stack runs on, as (major, minor); 5.2 where nothing tells."""
    packages = stack.packages
    found = getattr(getattr(packages, "django_version", None), "value", None)
    numbers: tuple[int, ...] = getattr(found, "release", ())
    return (int(numbers[0]), int(numbers[1])) if len(numbers) > 1 else (5, 2)
