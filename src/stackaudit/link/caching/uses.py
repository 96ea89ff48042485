"""Where the project uses Django's default cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.facts import template as page
from stackaudit.model.source import Place
from stackaudit.model.values import Known

if TYPE_CHECKING:
    from stackaudit.link.modules import SourceModule
    from stackaudit.link.stack import Stack

COUNTERS = frozenset({"incr", "decr", "add", "aincr", "adecr", "aadd"})
"""Methods of a cache that count or lock."""
MIDDLEWARE = "django.middleware.cache."


NOWHERE = Place.line("", 1)


@dataclass(frozen=True, slots=True)
class Uses:
    """The first use of the cache, and the first one that counts or locks through it, with words for each."""

    first: Place = NOWHERE
    what: str = ""
    counter: Place | None = None
    counter_what: str = ""

    @property
    def anything(self) -> bool:
        """Whether anything uses the cache."""
        return bool(self.what)


def uses(stack: Stack) -> Uses:
    """How the project uses its default cache, as far as imports, middleware and templates show."""
    first, what = NOWHERE, ""
    for place, text in _found(stack):
        first, what = place, text
        break
    counter, counter_what = None, ""
    for place, text in _counters(stack):
        counter, counter_what = place, text
        break
    if counter is not None and not what:
        first, what = counter, counter_what
    return Uses(first, what, counter, counter_what)


def _imports(module: SourceModule) -> Iterator[tuple[ir.ImportFrom, str]]:
    for binding in module.names.values():
        for each in binding:
            if isinstance(each.source, ir.ImportFrom) and each.alias is not None and not each.source.level:
                yield each.source, f"{each.source.module}.{each.alias.name}"


CACHE = "django.core.cache.cache"
USED = frozenset({CACHE, "django.views.decorators.cache.cache_page"})


def _found(stack: Stack) -> Iterator[tuple[Place, str]]:
    settings = stack.settings
    skip = settings.path if settings is not None else ""
    for module in stack.modules:
        if module.path == skip:
            continue
        for node, name in _imports(module):
            if name in USED:
                yield module.place(node), name.rpartition(".")[2]
    if settings is not None:
        middleware = settings.get("MIDDLEWARE")
        if isinstance(middleware, Known) and isinstance(middleware.value, (list, tuple)):
            for item in middleware.value:
                if isinstance(item, Known) and str(item.value).startswith(MIDDLEWARE):
                    yield (item.places or (settings.place("MIDDLEWARE"),))[0], str(item.value).rpartition(".")[2]
    for item in stack.of_kind("template"):
        for part in page_nodes(item.facts.nodes):
            if isinstance(part, page.Cache):
                yield Place(item.path, part.region), "{% cache %}"


def page_nodes(body: tuple[page.Node, ...]) -> Iterator[page.Node]:
    """The nodes of a template and all below them."""
    stack: list[page.Node] = list(body)
    while stack:
        node = stack.pop()
        yield node
        stack += getattr(node, "body", ())
        stack += getattr(node, "empty", ())
        for branch in getattr(node, "branches", ()):
            stack += branch.body


def _counters(stack: Stack) -> Iterator[tuple[Place, str]]:
    for found in stack.mentions.named(*sorted(COUNTERS)):
        func = found.call.func
        if not isinstance(func, ir.Attribute) or not isinstance(func.value, ir.Name):
            continue
        symbol = stack.modules.resolve(found.module, func.value.id)
        if symbol is not None and symbol.name == CACHE:
            yield found.module.place(found.node), f"cache.{func.attr}()"
