"""Lists that classes declare: which rows, and what is asked of each of them.

`Lists` is the walk of this room. Every kind of class (a `Kind`) finds its classes and their rows, goes through them
with `each` and asks each row with `path`, `text` and `ask`, always at the place of the line that declares it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, decorators, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import PageHooks
from stackaudit.link.pages import walk as q
from stackaudit.link.pages.files import Templates
from stackaudit.link.queries import calls, expressions, loops
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.loading import Load
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Const,
    Function,
    Instance,
    Manager,
    Mapping,
    Method,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Value,
    default_manager,
)
from stackaudit.link.queries.walk import At, Walk, place_of
from stackaudit.model.source import Place

REQUEST = Other(name="@request")
LISTED = (Rows, Seq)


class Kind(ABC):
    """One kind of class that declares lists. Most need to know nothing of how their objects are made or asked."""

    @abstractmethod
    def run(self) -> None:
        """Walk every list of this kind."""

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """An object of a class of the repository is made somewhere."""

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether `inherited` knows the method of an object of a class that does not define it."""
        return False

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """A method that the library gives to `instance`; None for what this kind does not know."""
        return None


class DeclaredHooks(PageHooks):
    """What the walk does not know of itself: methods that the libraries' classes inherit."""

    def __init__(self, walk: Walk, templates: Templates) -> None:
        super().__init__(walk, templates)
        self.kinds: list[Kind] = []

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether a library gives the method to an object."""
        return any(kind.offers(instance, name) for kind in self.kinds) or super().offers(instance, name)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """`super().get_queryset()` and its like."""
        for kind in self.kinds:
            value = kind.inherited(instance, name, args, keywords, at)
            if value is not None:
                return value
        return super().inherited(instance, name, args, keywords, at)

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """`BookTable(books)`."""
        for kind in self.kinds:
            kind.constructed(cls, args, keywords, at)

    def render(self, names: tuple[str, ...], context: Value, at: At) -> None:
        """Pages are the business of `link.pages`; only what a list renders for each row counts here."""
        if self.walk.loops:
            super().render(names, context, at)


class Lists:
    """The walk over lists. `places` are the lines at which what they ask is reported, with what stands there.

    `batches` are the places of the lists that no request goes through.
    """

    def __init__(self, models: Models, walk: Walk, templates: Templates) -> None:
        self.models = models
        self.walk = walk
        self.hooks = DeclaredHooks(walk, templates)
        self.places: dict[Place, str] = {}
        self.batches: set[Place] = set()

    # What there is

    @cached_property
    def classes(self) -> list[SourceClass]:
        """The classes of the repository that derive from something, models left out."""
        return [cls for cls in self.every_class if cls.node.bases and self.models.of_class(cls) is None]

    @cached_property
    def every_class(self) -> list[SourceClass]:
        """The classes at the top level of the modules of the repository."""
        return [
            self.models.classes.build(module, binding.node)
            for module in self.models.modules
            for bound in module.names.values()
            for binding in bound
            if isinstance(binding.node, py.ClassDef)
        ]

    def derived(self, *packages: str, names: frozenset[str]) -> list[SourceClass]:
        """The classes that derive from one of the classes `names` of some packages."""
        return [cls for cls in self.classes if derives(cls, packages, names)]

    def is_base(self, cls: SourceClass, *names: str) -> bool:
        """Whether classes derive from `cls` and each of them defines one of `names` anew."""
        derived = self._derived.get(cls, ())
        return bool(derived) and all(
            any(
                name in base.members
                for base in other.mro[: other.mro.index(cls)]
                if isinstance(base, SourceClass)
                for name in names
            )
            for other in derived
        )

    @cached_property
    def _derived(self) -> dict[SourceClass, list[SourceClass]]:
        found: dict[SourceClass, list[SourceClass]] = {}
        for cls in self.classes:
            for base in cls.mro[1:]:
                if isinstance(base, SourceClass):
                    found.setdefault(base, []).append(cls)
        return found

    def walk_functions(self, wanted: Callable[[py.FunctionDef], bool]) -> None:
        """Walk the functions that `wanted` names, with arguments that are not known."""
        for module in self.models.modules:
            for node, owner in functions(self.walk, module):
                if wanted(node):
                    self.walk_function(module, node, owner)

    def walk_function(self, module: SourceModule, node: py.FunctionDef, owner: SourceClass | None) -> None:
        """Walk one function or method with arguments that are not known."""
        model = self.models.of_class(owner) if owner is not None else None
        bound: Value | None = None
        kinds = decorators(node)
        if owner is not None and "classmethod" in kinds:
            bound = ClassRef(owner, model)
        elif owner is not None and "staticmethod" not in kinds:
            bound = Row(model, Load(unknown="where this row comes from is not known")) if model else self.view(owner)
        self.walk.spent = 0
        with self.survived():
            called = Function(module, node, bound, owner)
            calls.call(self.walk, called, (), {}, (module, node), node.name, is_entry=True)

    def view(self, cls: SourceClass) -> Instance:
        """An object that serves a request."""
        return Instance(cls, {"request": REQUEST, "kwargs": Mapping(UNKNOWN), "args": UNKNOWN})

    @contextmanager
    def survived(self) -> Iterator[None]:
        """What nests too deeply to be followed costs its own list alone."""
        try:
            yield
        except RecursionError:
            self.walk.restart()

    # Options of classes

    def option(self, cls: SourceClass | None, name: str) -> Value | None:
        """What a class attribute is set to, evaluated; None where no class of the repository sets it."""
        found = cls.find(name) if cls is not None else None
        if cls is None or found is None:
            return None
        return calls.member(self.walk, ClassRef(cls), found, (found.owner.module, found.node or found.owner.node))

    def inner(self, cls: SourceClass, name: str = "Meta", own: bool = False) -> SourceClass | None:
        """The class `Meta` inside a class; with `own` only the one in its own body."""
        found = Member(cls, name, cls.members[name][-1]) if own and name in cls.members else None
        found = found or (cls.find(name) if not own else None)
        if found is None:
            return None
        if isinstance(found.node, py.ClassDef):
            return self.models.classes.build(found.owner.module, found.node, f"{found.owner.name}.{name}")
        value = calls.member(self.walk, ClassRef(cls), found, (found.owner.module, found.node or found.owner.node))
        return value.cls if isinstance(value, ClassRef) and isinstance(value.cls, SourceClass) else None

    def model_of(self, options: SourceClass | None, name: str = "model") -> Model | None:
        """The model that an option names."""
        value = self.option(options, name)
        return value.model if isinstance(value, ClassRef) else None

    def constant(self, module: SourceModule, node: py.Expr, owner: SourceClass | None = None) -> Value:
        """The value of an expression of a class body."""
        return expressions.constant(self.walk, module, node, owner)

    def kind_of(self, module: SourceModule, call: py.Node | None) -> SourceClass | str | None:
        """The class that an expression makes an object of."""
        return self.models.classes.resolve(module, call.func) if isinstance(call, py.Call) else None

    # Rows

    def all_rows(self, model: Model, at: At, hook: str = "", owner: str = "") -> Rows:
        """All rows of a model's default manager; `hook` is the method of the class `owner` that may say otherwise."""
        manager = default_manager(model)
        rows = calls.base_rows(self.walk, manager)
        origin = self.walk.origin(at)
        text = f"{model.name}.{model.default_manager}.all()"
        return replace(rows, origin=replace(origin, text=text, by=hook, where=owner or origin.where, model=model))

    def rows(self, value: Value) -> Value:
        """A manager as its rows; anything else as it is."""
        return calls.base_rows(self.walk, value) if isinstance(value, (Manager, Related)) else value

    def called(self, instance: Instance, name: str, args: tuple[Value, ...] = ()) -> Value | None:
        """What a method of a class of the repository returns; None where none defines it."""
        found = instance.cls.find(name)
        if found is None or not isinstance(found.node, py.FunctionDef):
            return None
        at: At = (found.owner.module, head(found.node))
        function = calls.member(self.walk, instance, found, at)
        if not isinstance(function, Function):
            return function
        given = args if len(found.node.params) > 1 else ()
        return self.rows(q.call(self.walk, function, given, {}, at, f"{name}()"))

    # Asking

    @contextmanager
    def each(self, rows: Value, at: At, text: str, where: str, page: int = 0) -> Iterator[Value]:
        """Go through the rows of a list; `page` says how many of them one request shows, 0 where that is open."""
        self.walk.spent = 0
        with self.survived(), self.walk.step(at, text, where):
            element, loop = loops.enter(self.walk, rows, at, text)
            loop.page = page or loop.page
            yield element
            loops.leave(self.walk)

    def path(self, value: Value, parts: tuple[str, ...], place: Place, *, between: bool = True) -> Value:
        """Follow attributes; what can be called is called, but for managers of related rows.

        With `between` off only the last one is: a method on the way leads nowhere.
        """
        self.places.setdefault(place, ".".join(parts))
        for index, part in enumerate(parts):
            held = value.get(part) if isinstance(value, Mapping) else None
            value = held if held is not None else q.attribute(self.walk, value, part, place)
            if isinstance(value, (Function, Method)):
                if not between and index < len(parts) - 1:
                    return UNKNOWN
                value = q.call(self.walk, value, (), {}, place, f"{part}()")
        return value

    def ask(self, function: Value, row: Value, place: Place, text: str, **keywords: Value) -> Value:
        """Call a function with a row, or with `keywords` where they are given (those that it takes)."""
        self.places.setdefault(place, text)
        args = () if keywords else (row,)
        if isinstance(function, Function) and isinstance(function.node, py.Lambda):
            with self.walk.step(place, text):
                return q.call(self.walk, function, args, keywords, place, text)
        return q.call(self.walk, function, args, keywords, place, text)

    def method(
        self, instance: Instance, name: str, row: Value, place: Place | None = None, **given: Value
    ) -> Value | None:
        """Ask a method of the declaring class about a row; None where no class of the repository defines it."""
        found = instance.cls.find(name)
        if found is None or found.node is None:
            return None
        place = place or placed(found)
        return self.ask(calls.member(self.walk, instance, found, place), row, place, f"{name}(…)", **given)

    def text(self, value: Value, place: Place) -> None:
        """Show a value as text."""
        self.places.setdefault(place, "str()")
        q.text(self.walk, value, place)

    def many(self, value: Value, place: Place, name: str) -> Iterator[Value]:
        """Each of the related rows that a value stands for; the value itself where it is one row."""
        self.places.setdefault(place, name)
        if isinstance(value, (Rows, Related, Seq)):
            with q.each(self.walk, value, place, f"`{name}` of each row") as element:
                yield element
        else:
            yield value

    def url(self, row: Value, place: Place) -> None:
        """`row.get_absolute_url()`."""
        if isinstance(row, Row) and row.model.cls is not None and row.model.cls.find("get_absolute_url") is not None:
            self.path(row, ("get_absolute_url",), place)


def derives(cls: SourceClass | str | None, packages: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether a class is, or derives from, one of the classes `names` of some packages."""
    externals = (cls,) if isinstance(cls, str) else cls.externals if cls is not None else ()
    return any(
        base.rpartition(".")[2] in names and any(base.startswith(package + ".") for package in packages)
        for base in externals
    )


def head(node: py.FunctionDef | py.ClassDef) -> py.Name:
    """The words `def name` or `class Name` of a definition."""
    word = "class" if isinstance(node, py.ClassDef) else "async def" if node.is_async else "def"
    return py.Name(node.start, min(node.start + len(word) + 1 + len(node.name), node.end), node.name)


def placed(member: Member) -> Place:
    """Where a member of a class is declared."""
    node = member.node
    if isinstance(node, (py.FunctionDef, py.ClassDef)):
        return member.owner.module.place(head(node))
    return member.owner.module.place(node or member.owner.node)


def class_place(cls: SourceClass) -> Place:
    """The head of a class."""
    return cls.module.place(head(cls.node))


def texts(value: Value | None) -> tuple[str, ...] | None:
    """The strings of a list that is known; None where it is not, or where there is none."""
    if isinstance(value, Seq) and value.items is not None:
        return tuple(item.value for item in value.items if isinstance(item, Const) and isinstance(item.value, str))
    return None


def calls_one_of(names: frozenset[str]) -> Callable[[py.FunctionDef], bool]:
    """Whether a function calls something that bears one of some names."""

    def wanted(node: py.FunctionDef) -> bool:
        return any(type(item) is py.Call and dotted(item.func).rpartition(".")[2] in names for item in nodes((node,)))

    return wanted


__all__ = ["LISTED", "REQUEST", "DeclaredHooks", "Kind", "Lists", "place_of"]
