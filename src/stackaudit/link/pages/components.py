"""Components of django-cotton: templates under `cotton/` that are given what the attributes of their tags say.

What a tag encloses is rendered once, where it stands and with the context that is there; the component gets the text.
So a component is an include whose context holds the attributes over the defaults of its own `<c-vars>`. A tag for which
there is no template is plain HTML. https://django-cotton.com/docs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import template as t
from stackaudit.link.pages.expressions import Expressions
from stackaudit.link.pages.files import TemplateFile, Templates, flat
from stackaudit.link.queries.values import UNKNOWN, Const, Mapping, Value
from stackaudit.link.queries.walk import Walk
from stackaudit.model.values import Known

if TYPE_CHECKING:
    from stackaudit.link.pages.render import Renderer

_DEFAULTS, _SLOT, _DYNAMIC = "vars", "slot", "component"
"""What `<c-vars>`, `<c-slot>` and `<c-component is="name">` are, which no file defines."""
_ISOLATING = ("COTTON_ISOLATE_BY_DEFAULT", "COTTON_ENABLE_CONTEXT_ISOLATION")


def file_of(templates: Templates, name: str) -> tuple[str, TemplateFile] | None:
    """The template of a component, with its name: dots are folders, and hyphens mostly underscores."""
    if name in (_DEFAULTS, _SLOT):
        return None
    path = "cotton/" + name.replace(".", "/")
    for given in (path.replace("-", "_"), path):
        for candidate in (f"{given}.html", f"{given}/index.html"):
            if found := templates.find(candidate):
                return candidate, found[0]
    return None


def named(node: t.Component, value: Callable[[t.Expr], Value] | None = None) -> str:
    """The name of the component that a tag means: `is` names one, by a text or by what `value` finds."""
    if node.name != _DYNAMIC:
        return node.name
    chosen = next((item.value for item in node.bindings if item.name == "is"), None)
    if isinstance(chosen, t.Literal):
        return chosen.value if isinstance(chosen.value, str) else ""
    held = value(chosen) if value is not None and chosen is not None else None
    return held.value if isinstance(held, Const) and isinstance(held.value, str) else ""


def render(page: Expressions, renderer: Renderer, node: t.Component) -> None:
    """Render the component of a tag."""
    name = named(node, page.value)
    found = file_of(renderer.templates, name) if name else None
    if found is None:
        return
    given: dict[str, Value] = {item.name: page.bound(item.value) for item in node.bindings}
    if isinstance(more := given.pop("attrs", None), Mapping):
        given.update((key, value) for key, value in more.items if isinstance(key, str))
    context: dict[str, Value] = dict.fromkeys(_slots(page.file), UNKNOWN)
    context |= {item.name: page.value(item.value) for item in _defaults(found[1]) if item.name not in given}
    context |= {**given, "attrs": Mapping(UNKNOWN, tuple(given.items())), _SLOT: UNKNOWN}
    if not node.only and not _is_isolated(page.walk):
        context = {**page.scope.flat(), **context}
    renderer.render(found[0], context, page.at(node.region), f"<c-{name}>", included=True)


def _defaults(file: TemplateFile) -> Iterator[t.Binding]:
    """The defaults that a component gives to attributes which its tag leaves out; those without a value are none."""
    for node in file.tree.nodes:
        if isinstance(node, t.Component) and node.name == _DEFAULTS:
            yield from (item for item in node.bindings if not _is_bare(item))


def _is_bare(item: t.Binding) -> bool:
    return isinstance(item.value, t.Literal) and item.value.value is True


def _slots(file: TemplateFile) -> Iterator[str]:
    """The names under which tags of a file give their components texts."""
    for node in flat(file.tree.nodes):
        if isinstance(node, t.Component) and node.name == _SLOT:
            for item in node.bindings:
                if item.name == "name" and isinstance(item.value, t.Literal) and isinstance(item.value.value, str):
                    yield item.value.value


def _is_isolated(walk: Walk) -> bool:
    """Whether components see nothing of the context around them but what context processors add."""
    values = (walk.setting(name) for name in _ISOLATING)
    return any(isinstance(value, Known) and bool(value.value) for value in values)
