"""Views whose whole response is cached with `cache_page`, and what in them belongs to one user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from stackaudit.facts import python as ir
from stackaudit.facts import template as page
from stackaudit.link.modules import SourceModule, callee, dotted
from stackaudit.link.nodes import nodes
from stackaudit.model.source import Place
from stackaudit.model.values import Known

if TYPE_CHECKING:
    from stackaudit.link.pages.files import TemplateFile
    from stackaudit.link.stack import Stack

CACHE_PAGE = "django.views.decorators.cache.cache_page"
METHOD = "django.utils.decorators.method_decorator"
VARY = frozenset({"django.views.decorators.vary.vary_on_cookie"})
VARY_ON = "django.views.decorators.vary.vary_on_headers"
NEVER = "django.views.decorators.cache.never_cache"
GUARDS = frozenset(
    {
        "django.contrib.auth.decorators.login_required",
        "django.contrib.auth.decorators.permission_required",
        "django.contrib.auth.decorators.user_passes_test",
        "django.contrib.admin.views.decorators.staff_member_required",
    }
)
"""Decorators that ask who the user is; inside of the cache they are asked only when it is empty."""
GUARD_MIXINS = ("LoginRequiredMixin", "PermissionRequiredMixin", "UserPassesTestMixin", "AccessMixin")
PERSONAL = frozenset({"user", "session", "COOKIES", "auser"})
RENDERERS = frozenset(
    {
        "django.shortcuts.render",
        "django.template.response.TemplateResponse",
        "django.template.loader.render_to_string",
    }
)
PLAIN = frozenset(
    {
        "django.shortcuts.get_object_or_404",
        "django.shortcuts.get_list_or_404",
        "django.contrib.sites.shortcuts.get_current_site",
        "django.http.JsonResponse",
        "django.http.HttpResponse",
    }
)
PUBLIC = ("django.contrib.sitemaps.", "django.contrib.syndication.", "django.views.i18n.")
"""Views of Django that show the same to everybody."""
DEPTH = 4
CANDIDATES = 4
"""How many templates of one name are read."""


@dataclass(frozen=True, slots=True)
class Leak:
    """What belongs to one user, and where."""

    place: Place
    what: str


@dataclass(frozen=True, slots=True)
class CachedView:
    """A use of `cache_page`: where, on what, whether the response varies by user, and what in it is a user's own.

    `doubt` says what could not be followed.
    """

    place: Place
    name: str
    varies: bool
    leaks: tuple[Leak, ...] = ()
    doubt: str = ""


def cached_views(stack: Stack) -> Iterator[CachedView]:
    """Every view under `cache_page`."""
    modules = {found.module.path: found.module for found in stack.mentions.imports if _is_import(found.node)}
    for module in modules.values():
        finder = _Finder(stack, module)
        yield from finder.definitions(module.facts.body, ())
        yield from finder.wrapped()


def _is_import(node: ir.Import | ir.ImportFrom) -> bool:
    return (
        isinstance(node, ir.ImportFrom)
        and node.module == "django.views.decorators.cache"
        and any(alias.name == "cache_page" for alias in node.names)
    )


@dataclass(slots=True)
class _Finder:
    stack: Stack
    module: SourceModule

    def name_of(self, expr: ir.Expr) -> str:
        """The full dotted name of a function that is called or named, "" where it is not known."""
        text = callee(expr)
        if not text:
            return ""
        symbol = self.stack.modules.resolve(self.module, text)
        return symbol.name if symbol is not None else ""

    def definitions(self, body: tuple[ir.Stmt, ...], around: tuple[str, ...]) -> Iterator[CachedView]:
        """Functions and classes that are decorated."""
        for statement in body:
            if not isinstance(statement, (ir.FunctionDef, ir.ClassDef)):
                continue
            name = ".".join((*around, statement.name))
            layers = [layer for decorator in statement.decorators for layer in self.layers(decorator)]
            for index, (layer, node) in enumerate(layers):
                if layer == CACHE_PAGE:
                    yield self.judged(name, node, statement, layers[index + 1 :], around)
                    break
            if isinstance(statement, ir.ClassDef):
                yield from self.definitions(statement.body, (*around, statement.name))

    def layers(self, decorator: ir.Expr) -> list[tuple[str, ir.Expr]]:
        """The decorators that one decorator stands for, outermost first, with their nodes."""
        if isinstance(decorator, ir.Call) and self.name_of(decorator) == METHOD and decorator.args:
            inner = decorator.args[0]
            if isinstance(inner, (ir.List, ir.Tuple)):
                return [(self.label(part), part) for part in inner.elts]
            symbol = self.stack.modules.resolve(self.module, dotted(inner) or "?")
            if symbol is not None and symbol.module is not None and isinstance(symbol.node, (ir.List, ir.Tuple)):
                there = _Finder(self.stack, symbol.module)  # `staff_required = [login_required, user_passes_test(...)]`
                return [(there.label(part), inner) for part in symbol.node.elts]
            return [(self.label(inner), inner)]
        return [(self.label(decorator), decorator)]

    def label(self, expr: ir.Expr) -> str:
        """A decorator's full name; one that varies by headers counts only where Cookie is among them."""
        name = self.name_of(expr)
        if name == VARY_ON and isinstance(expr, ir.Call):
            named = {str(arg.value).lower() for arg in expr.args if isinstance(arg, ir.Constant)}
            return next(iter(VARY)) if "cookie" in named else name
        return name

    def judged(
        self,
        name: str,
        node: ir.Expr,
        view: ir.FunctionDef | ir.ClassDef,
        inside: list[tuple[str, ir.Expr]],
        around: tuple[str, ...],
    ) -> CachedView:
        """A decorated view with what is a user's own in it."""
        label = f"{self.module.name}.{name}"
        place = self.module.place(node)
        if any(layer in VARY or layer == NEVER for layer, _ in inside):
            return CachedView(place, label, True)
        leaks = [Leak(self.module.place(part), _asked_once(layer)) for layer, part in inside if layer in GUARDS]
        reader = _Reader(self.stack)
        if isinstance(view, ir.FunctionDef):
            reader.function(self.module, view, 1 if around else 0)
        else:
            reader.cls(self.module, view)
        unfollowed = next((layer or dotted(part) for layer, part in inside if not _is_known(layer)), "")
        doubt = reader.doubt or (f"the decorator {unfollowed} is not followed" if unfollowed else "")
        return CachedView(place, label, False, (*leaks, *reader.leaks), doubt)

    def wrapped(self) -> Iterator[CachedView]:
        """`cache_page(60)(view)`."""
        for node in nodes(self.module.facts.body):
            if not (isinstance(node, ir.Call) and isinstance(node.func, ir.Call) and node.args):
                continue
            if self.name_of(node.func) != CACHE_PAGE:
                continue
            yield self.of_wrapped(node, node.args[0])

    def of_wrapped(self, node: ir.Call, view: ir.Expr) -> CachedView:
        """A view that is given to `cache_page(...)`."""
        place = self.module.place(node.func)
        if isinstance(view, ir.Call) and self.label(view) in (*VARY, NEVER):
            return CachedView(place, f"{self.module.name}: cache_page", True)
        target = view.func if isinstance(view, ir.Call) else view
        text = dotted(target).removesuffix(".as_view")
        label = f"{self.module.name}: cache_page({text or '...'})"
        symbol = self.stack.modules.resolve(self.module, text) if text else None
        if symbol is not None and symbol.name.startswith(PUBLIC):
            return CachedView(place, label, False)
        if symbol is None or symbol.module is None or not isinstance(symbol.node, (ir.FunctionDef, ir.ClassDef)):
            return CachedView(place, label, False, (), f"the view {text or 'in it'} is not followed")
        reader = _Reader(self.stack)
        if isinstance(symbol.node, ir.FunctionDef):
            inner = _Finder(self.stack, symbol.module)
            layers = [layer for decorator in symbol.node.decorators for layer in inner.layers(decorator)]
            if any(layer in VARY or layer == NEVER for layer, _ in layers):
                return CachedView(place, label, True)
            reader.leaks += [
                Leak(symbol.module.place(part), _asked_once(layer)) for layer, part in layers if layer in GUARDS
            ]
            reader.function(symbol.module, symbol.node, 0)
        else:
            reader.cls(symbol.module, symbol.node)
        return CachedView(place, label, False, tuple(reader.leaks), reader.doubt)


def _asked_once(guard: str) -> str:
    return (
        f"{guard.rpartition('.')[2]} is asked only while the cache is empty, afterwards anybody gets the page, also "
        "without a login"
    )


def _is_known(layer: str) -> bool:
    return layer in GUARDS or layer in VARY or layer.startswith(("django.", "functools.", "rest_framework.decorators."))


class _Reader:
    """Looks for what is a user's own in functions, classes and templates."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.leaks: list[Leak] = []
        self.doubt = ""
        self.seen: set[str] = set()
        self.given: set[str] = set()
        self.chosen = False

    def unsure(self, why: str) -> None:
        """Notes what could not be followed."""
        self.doubt = self.doubt or why

    def function(self, module: SourceModule, node: ir.FunctionDef, index: int, depth: int = 0) -> None:
        """A function whose parameter at `index` is the request."""
        key = f"{module.path}:{node.start}"
        if key in self.seen or len(node.params) <= index:
            return
        self.seen.add(key)
        request = node.params[index].name
        for each in nodes(node.body):
            if isinstance(each, ir.Attribute) and each.attr in PERSONAL and self._is_request(each.value, request):
                self.leaks.append(Leak(module.place(each), f"it reads request.{each.attr}"))
            elif isinstance(each, ir.Call):
                self._call(module, each, request, depth)

    def _is_request(self, expr: ir.Expr, request: str) -> bool:
        return dotted(expr) in (request, f"{request}.request", "self.request")

    def _call(self, module: SourceModule, node: ir.Call, request: str, depth: int) -> None:
        symbol = self.stack.modules.resolve(module, dotted(node.func)) if dotted(node.func) else None
        name = symbol.name if symbol is not None else ""
        if name == "django.middleware.csrf.get_token":
            self.leaks.append(Leak(module.place(node), "it holds a CSRF token"))
        if name in RENDERERS:
            self._render(module, node, 1 if name != "django.template.loader.render_to_string" else 0)
            return
        positions = [index for index, arg in enumerate(node.args) if self._is_request(arg, request)]
        if not positions or name in PLAIN:
            return
        known = symbol is not None and symbol.module is not None and isinstance(symbol.node, ir.FunctionDef)
        if known and depth < DEPTH:
            assert symbol is not None and symbol.module is not None and isinstance(symbol.node, ir.FunctionDef)
            self.function(symbol.module, symbol.node, positions[0], depth + 1)
        else:
            self.unsure(f"{dotted(node.func) or 'a base class'} is given the request and is not followed")

    def _render(self, module: SourceModule, node: ir.Call, index: int) -> None:
        for arg in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(arg, ir.Dict):
                self.given |= {str(key.value) for key in arg.keys if isinstance(key, ir.Constant)}
        named = [keyword.value for keyword in node.keywords if keyword.name == "template_name"]
        chosen = node.args[index] if len(node.args) > index else named[0] if named else None
        if isinstance(chosen, ir.Constant) and isinstance(chosen.value, str):
            self.template(chosen.value)
        else:
            self.unsure("which template it renders is not known")

    def cls(self, module: SourceModule, node: ir.ClassDef) -> None:
        """A class-based view."""
        for base in node.bases:
            text = dotted(base)
            if text.rpartition(".")[2] in GUARD_MIXINS:
                self.leaks.append(Leak(module.place(base), _asked_once(text)))
                continue
            symbol = self.stack.modules.resolve(module, text) if text else None
            if symbol is not None and symbol.module is not None and isinstance(symbol.node, ir.ClassDef):
                key = f"{symbol.module.path}:{symbol.node.start}"
                if key not in self.seen:
                    self.seen.add(key)
                    self.cls(symbol.module, symbol.node)
            elif symbol is None or not symbol.name.startswith("django.views."):
                self.unsure(f"its base {text or 'class'} is not followed")
        for statement in node.body:
            if isinstance(statement, ir.FunctionDef):
                self.function(module, statement, 0)
            elif isinstance(statement, ir.Assign) and isinstance(statement.targets[0], ir.Name):
                named, value = statement.targets[0].id, statement.value
                if named == "template_name" and isinstance(value, ir.Constant) and value.value:
                    self.template(str(value.value))

    def template(self, name: str) -> None:
        """A template by name, with what it extends and includes."""
        if f"template {name}" in self.seen:
            return
        self.seen.add(f"template {name}")
        found = self.stack.templates.find(name)
        if not found:
            self.unsure(f"the template {name} is not in the repository")
        elif len(found) == 1:
            self.nodes(found[0].path, found[0].tree.nodes)
        else:
            self._one_of(name, found)

    def _one_of(self, name: str, found: list[TemplateFile]) -> None:
        """Several applications have a template of that name: what the first holds counts where all hold something."""
        readers = []
        for item in found[:CANDIDATES]:
            reader = _Reader(self.stack)
            # only the first choice is read apart: choices within choices would multiply
            reader.seen, reader.given = self.seen if self.chosen else set(self.seen), self.given
            reader.chosen = True
            reader.nodes(item.path, item.tree.nodes)
            readers.append(reader)
        if all(reader.leaks for reader in readers):
            self.leaks += readers[0].leaks
        elif any(reader.leaks for reader in readers):
            self.unsure(f"which of the templates {name} it renders is not known")
        self.doubt = self.doubt or next((reader.doubt for reader in readers if reader.doubt), "")

    def nodes(self, path: str, body: tuple[page.Node, ...]) -> None:
        """The nodes of a template."""
        parts = list(_parts(body))
        bound = {name for part in parts if isinstance(part, page.For) for name in part.targets}
        bound |= {each.name for part in parts if isinstance(part, (page.With, page.Include)) for each in part.bindings}
        bound |= self.given
        for part in parts:
            if isinstance(part, page.Path):
                own = part.name in ("user", "perms") and part.name not in bound and self._has("auth")
                asked = part.name == "request" and bool(part.parts) and part.parts[0] in PERSONAL
                if own or asked:
                    text = ".".join((part.name, *part.parts))
                    self.leaks.append(Leak(Place(path, part.region), f"the template shows or asks {text}"))
            elif isinstance(part, page.Tag) and part.name == "csrf_token":
                self.leaks.append(Leak(Place(path, part.region), "the template holds a CSRF token"))
            elif isinstance(part, (page.Include, page.Extends)):
                target = part.template
                if isinstance(target, page.Literal) and isinstance(target.value, str):
                    self.template(target.value)
                else:
                    self.unsure(f"{path} takes in a template that is not known")

    def _has(self, processor: str) -> bool:
        """Whether templates are given the user (or it is not known that they are not)."""
        settings = self.stack.settings
        value = settings.at("TEMPLATES", 0, "OPTIONS", "context_processors", default=()) if settings else None
        if not isinstance(value, Known) or not isinstance(value.value, (list, tuple)) or not value.value:
            return True
        return any(not isinstance(item, Known) or str(item.value).endswith(f".{processor}") for item in value.value)


def _parts(value: Any) -> Iterator[Any]:
    """Every part of a template, expressions too."""
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend(reversed(item))
        elif isinstance(item, page.Part) or (isinstance(item, msgspec.Struct) and hasattr(item, "region")):
            yield item
            waiting.extend(getattr(item, name) for name in reversed(item.__struct_fields__) if name != "region")
