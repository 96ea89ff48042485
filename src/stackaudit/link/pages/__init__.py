"""Pages: views with the templates that they render, walked together.

`resolve(stack)` gives `Pages`. `events` are those of the query walk whose place lies in a template: what a template
asks of the rows that its view puts into the context.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.admin import Admins
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, decorators
from stackaudit.link.nodes import nodes
from stackaudit.link.pages.events import certain
from stackaudit.link.pages.files import Templates
from stackaudit.link.pages.flags import Lacking
from stackaudit.link.pages.render import Renderer
from stackaudit.link.pages.repeated import Path
from stackaudit.link.pages.turns import Asked
from stackaudit.link.pages.views import Choices, Views, choices, kind_of
from stackaudit.link.pages.wagtail import WagtailPages, answers, is_page
from stackaudit.link.queries import calls, decorating, fresh_walk
from stackaudit.link.queries.decorating import RENDERING
from stackaudit.link.queries.entries import functions, registered, unbound
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.loading import Load
from stackaudit.link.queries.values import UNKNOWN, Function, Instance, Mapping, Other, Row, Value
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_LOADED = "stackaudit.template:"
_RESPONSES = ("TemplateResponse", "SimpleTemplateResponse")
_LEVELS = 3
_KEPT = frozenset({"forward", "deferred"})
"""What a row keeps once it was asked for."""
ANY_ROW = Load(unknown="where this row comes from is not known")


class PageHooks:
    """What the walk does not know of itself: rendering a template, and what generic views inherit."""

    def __init__(self, walk: Walk, templates: Templates, processors: tuple[Function, ...] = ()) -> None:
        self.walk = walk
        self.renderer = Renderer(walk, templates)
        self.views = Views(walk)
        self.wagtail = WagtailPages(walk, self)
        self.processors = processors
        self._common: dict[str, Value] | None = None
        walk.hooks = self

    def external(self, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
        """Rendering by Django's functions."""
        compiling = self.renderer.compiling
        if compiling and (given := compiling[-1].asked(name, args)) is not None:
            return given
        last = name.rpartition(".")[2]
        if name.startswith(_LOADED):
            if last == "render":
                context = args[0] if args else keywords.get("context", UNKNOWN)
                self.render(tuple(name[len(_LOADED) : -len(".render")].split("\n")), context, at)
            return UNKNOWN
        if not name.startswith("django.") and "jinja" not in name:
            return None
        if last in ("get_template", "select_template") and args:
            found = choices(args[0])
            return Other(name=_LOADED + "\n".join(found[0])) if found else UNKNOWN
        if last in ("render", *_RESPONSES) and ("shortcuts" in name or "response" in name):
            first = 0 if last == "SimpleTemplateResponse" else 1
            template = keywords.get("template_name") or keywords.get("template") or _at(args, first)
            self.choose(choices(template), keywords.get("context") or _at(args, first + 1), at)
            return UNKNOWN
        if last in ("render_to_string", "render_to_response"):
            template = keywords.get("template_name") or _at(args, 0)
            self.choose(choices(template), keywords.get("context") or _at(args, 1), at)
            return UNKNOWN
        return None

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether Django gives the method to a generic view."""
        from stackaudit.link.pages.views import INHERITED

        return name in INHERITED and kind_of(instance.cls) is not None

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """A method of Django's generic views."""
        value = self.views.inherited(instance, name, args, keywords, at)
        if value is None:
            return None
        if name == "render_to_response":
            context = args[0] if args else keywords.get("context", UNKNOWN)
            self.page(instance, context, at)
        elif name == "get":
            self.page(instance, self.views.ask(instance, "get_context_data", at), at)
        return value

    def serves(self, row: Row, name: str) -> bool:
        """Whether Wagtail gives the method to a page."""
        return self.wagtail.offers(row, name)

    def served(self, row: Row, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
        """A method that Wagtail gives to a page."""
        return self.wagtail.called(row, name, args, keywords, at)

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """Nothing that templates care for."""

    def page(self, view: Instance, context: Value, at: At) -> None:
        """Render the template of a view."""
        kind = kind_of(view.cls)
        if kind is None:
            return
        with self.renderer.without(Lacking(self.walk.models, view.cls)):
            self.choose(self.views.names(view, kind, at), context, at)

    def choose(self, chosen: Choices, context: Value, at: At) -> None:
        """Render what each of the lists of names gives that branches choose from."""
        for names in chosen:
            self.render(names, context, at)

    def render(self, names: tuple[str, ...], context: Value, at: At) -> None:
        """Render the first of the templates that exists."""
        held = {str(key): value for key, value in context.items} if isinstance(context, Mapping) else {}
        for name in names:
            if self.renderer.render(name, {**self.common, **held}, at, f'render "{name}"'):
                return

    @property
    def common(self) -> dict[str, Value]:
        """What every page's context holds: the request, its user and what the context processors add."""
        if self._common is None:
            request = Other(name="@request")
            self._common = {"request": request}
            user = self.walk.models.user
            if user is not None:
                self._common["user"] = Row(user)
            for function in self.processors:
                place: At = (function.module, function.node)
                value = calls.apply(self.walk, function, (request,), {}, place)
                if isinstance(value, Mapping):
                    self._common |= {str(key): held for key, held in value.items}
        return self._common


class InTemplates:
    """The places in templates."""

    def __init__(self, templates: Templates) -> None:
        self.templates = templates

    def __contains__(self, place: object) -> bool:
        return isinstance(place, Place) and place.path in self.templates.by_path


class Pages:
    """The pages of a stack."""

    def __init__(self, models: Models, templates: Templates, processors: tuple[Function, ...], walk: Walk) -> None:
        self.models = models
        self.templates = templates
        self.walk = walk
        walk.anchors = InTemplates(templates)
        self.hooks = PageHooks(walk, templates, processors)
        self._walk()

    @cached_property
    def admins(self) -> dict[SourceClass, Model]:
        """The classes of the admin with their models: their own views render templates, too."""
        return registered(self.models)

    @cached_property
    def columns(self) -> set[tuple[SourceClass, str]]:
        """The methods that lists of the admin show as columns: those are asked with the rows of the list."""
        options = ((admin.cls, admin.option("list_display")) for admin in Admins(self.models))
        return {(cls, item.text) for cls, option in options if option is not None for item in option.items}

    @cached_property
    def events(self) -> list[Event]:
        """What the templates ask the database for, in the order of the walk.

        What the code around a template has read of the same row before is there on each turn: that is told of the code.
        """
        held = self.templates.by_path
        found: list[Event] = []
        read: set[tuple[object, ...]] = set()
        for event in certain(self.walk.record.events):
            key = event.kind, event.origin, event.path, event.loop
            if not any(place.path in held for place in _places(event)):
                if event.kind in _KEPT and event.outcome == "fail" and not event.guarded:
                    read.add(key)
            elif key not in read:
                found.append(event)
        return found

    def text(self, place: Place) -> str:
        """The expression of a template that stands at `place`, "" where none does."""
        return self.hooks.renderer.texts.get(place, "")

    @property
    def repeated(self) -> list[Path]:
        """The paths to a queryset that one template evaluates more than once."""
        return list(self.hooks.renderer.repeats.paths)

    @property
    def turned(self) -> list[Asked]:
        """The queries that templates run on each turn of a loop which does not change them."""
        return self.hooks.renderer.turns.asked

    @property
    def rendered(self) -> set[str]:
        """The templates that some view was seen to render, also through others."""
        return self.hooks.renderer.rendered

    def _walk(self) -> None:
        wanted = self._rendering_names()
        for module in self.models.modules:
            for node, owner in functions(self.walk, module):
                if not wanted.isdisjoint((node.name, *_decorators(node))) and not _is_property(node):
                    self._function(module, node, owner)
        for cls in self._view_classes():
            self._view(cls)
        self.hooks.wagtail.walk_all()

    def _function(self, module: SourceModule, node: py.FunctionDef, owner: SourceClass | None) -> None:
        bound: Value | None = None
        if owner is not None:
            model = self.models.of_class(owner)
            if kind_of(owner) is not None or (is_page(model) and answers(owner, node.name)):
                return
            if (owner, node.name) in self.columns:
                return
            bound = Row(model, ANY_ROW) if model is not None else unbound(owner, self.admins)
        self.walk.spent = 0
        called = Function(module, node, bound, owner)
        around = decorating.of_function(self.walk, called).around
        args = (bound,) if around is not None and bound is not None else ()
        calls.call(self.walk, around or called, args, {}, (module, node), node.name, is_entry=True)

    def _view_classes(self) -> Iterator[SourceClass]:
        for module in self.models.modules:
            for bound in module.names.values():
                for binding in bound:
                    if isinstance(binding.node, py.ClassDef) and binding.node.bases:
                        cls = self.models.classes.build(module, binding.node)
                        if kind_of(cls) is not None and self.models.of_class(cls) is None:
                            yield cls

    def _view(self, cls: SourceClass) -> None:
        """What a request to the view does: its own `setup`, `dispatch`, `get` and `post`, or Django's.

        What `dispatch` hands on to is walked beside it, not below it: the walk goes only so deep.
        """
        place: At = (cls.module, py.Name(cls.node.start, cls.node.start + 5, cls.label))
        for name in ("get", "post"):
            view = Instance(cls, {"request": Other(name="@request"), "kwargs": Mapping(UNKNOWN)})
            self.walk.spent = 0
            own = self.hooks.views.own(view, name)
            for step in ("setup", "dispatch", name) if own is not None or name == "get" else ():
                self.hooks.views.requested(view, step, place)
            if own is None and name == "get":
                self.hooks.inherited(view, "get", (), {}, place)

    def _rendering_names(self) -> set[str]:
        """The names of functions that render a template, or call one that does, over a few levels."""
        called: dict[str, set[str]] = {}
        for module in self.models.modules:
            for node, _ in functions(self.walk, module):
                called.setdefault(node.name, set()).update(_called_names(node))
        wanted = {name for name, names in called.items() if names & RENDERING}
        for _ in range(_LEVELS - 1):
            wanted |= {name for name, names in called.items() if names & (wanted - RENDERING - {"get", "save"})}
        return wanted


def _called_names(node: py.FunctionDef) -> Iterator[str]:
    for item in nodes((node,)):
        if type(item) is py.Call:
            func = item.func
            if isinstance(func, py.Attribute):
                yield func.attr
            elif isinstance(func, py.Name):
                yield func.id


def _places(event: Event) -> Iterator[Place]:
    """Where an event stands, and the way to its query: a method that a template calls may be asked in Python alone."""
    yield event.place
    yield event.query
    yield from (step.place for step in event.flow)


def _decorators(node: py.FunctionDef) -> list[str]:
    return [name.rpartition(".")[2] for name in decorators(node)]


def _is_property(node: py.FunctionDef) -> bool:
    return any("property" in name for name in decorators(node))


def _at(args: tuple[Value, ...], index: int) -> Value:
    return args[index] if index < len(args) else UNKNOWN


def context_processors(stack: Stack) -> Iterator[tuple[str, Function]]:
    """The project's own context processors, by their dotted names, in the order of the settings."""
    settings = stack.settings
    value = settings.get("TEMPLATES") if settings is not None else None
    for engine in _items(value):
        options = getattr(engine, "value", None)
        inner = options.get("OPTIONS") if isinstance(options, dict) else None
        held = getattr(inner, "value", None)
        for item in _items(held.get("context_processors") if isinstance(held, dict) else None):
            name = getattr(item, "value", None)
            if isinstance(name, str):
                module_name, _, function = name.rpartition(".")
                module = stack.modules.find(module_name)
                symbol = stack.modules.member(module, function) if module is not None else None
                if symbol is not None and isinstance(symbol.node, py.FunctionDef) and symbol.module is not None:
                    yield name, Function(symbol.module, symbol.node)


def _items(value: object) -> list[object]:
    held = getattr(value, "value", None)
    return list(held) if isinstance(held, (list, tuple)) else []


def resolve(stack: Stack) -> Pages:
    """Walk every view of a stack with its templates."""
    return Pages(stack.models, stack.templates, tuple(item for _, item in context_processors(stack)), fresh_walk(stack))


__all__ = ["Model", "PageHooks", "Pages", "context_processors", "resolve"]
