"""Wagtail's pages: models that a site serves with a template of their own.

What `Page.serve()`, `RoutablePageMixin.render()` and `FormMixin.render_landing_page()` do is that of Wagtail 2.0 to 8.0
(https://docs.wagtail.org/en/stable/reference/models.html, `wagtail/models/pages.py`, `PageBase`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models.contrib import FORM_PAGES, PAGES
from stackaudit.link.models.model import Model
from stackaudit.link.modules import dotted
from stackaudit.link.queries import calls
from stackaudit.link.queries.values import UNKNOWN, Const, Mapping, Other, Row, Value
from stackaudit.link.queries.walk import At, Walk

if TYPE_CHECKING:
    from stackaudit.link.pages import PageHooks

_GIVEN = frozenset({"get_context", "get_template", "serve"})
_ROUTABLE = frozenset({"render", "index_route"})
_LANDING = frozenset({"get_landing_page_template", "render_landing_page"})
_ROUTES = frozenset({"route", "path", "re_path"})
_INDEX = frozenset({"", "^$"})
_REQUEST = Other(name="@request")
_CAPITALS = re.compile("(((?<=[a-z])[A-Z])|([A-Z](?![A-Z]|$)))")


def is_page(model: Model | None) -> bool:
    """Whether rows of a model are pages of Wagtail."""
    return model is not None and model.cls is not None and model.cls.is_a(*PAGES)


def underscored(name: str) -> str:
    """`BlogIndexPage` as `blog_index_page`: `wagtail.coreutils.camelcase_to_underscore`."""
    return _CAPITALS.sub(r"_\1", name).lower().strip("_")


class WagtailPages:
    """What Wagtail gives to the pages of a repository, and the requests that they answer."""

    def __init__(self, walk: Walk, hooks: PageHooks) -> None:
        self.walk = walk
        self.hooks = hooks

    def offers(self, row: Row, name: str) -> bool:
        """Whether Wagtail gives the method `name` to a page."""
        cls = row.model.cls
        if cls is None or not is_page(row.model):
            return False
        return name in _GIVEN or (name in _ROUTABLE and _is_routable(cls)) or (
            name in _LANDING and cls.is_a(*FORM_PAGES)
        )  # fmt: skip

    def called(self, row: Row, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
        """A method that a page leaves to Wagtail; None where this is none of those known here."""
        if not self.offers(row, name):
            return None
        if name == "get_context":
            return self.context(row, at)
        if name == "get_template":
            return self.template(row, at)
        if name == "get_landing_page_template":
            return self.landing(row, at)
        if name == "render_landing_page":
            form = (("form_submission", UNKNOWN),)
            self.render(
                self.ask(row, name="get_landing_page_template", at=at), self.ask(row, "get_context", at), at, form
            )
            return UNKNOWN
        template, more = keywords.get("template"), keywords.get("context_overrides")
        if template is None or template == Const(None):
            template = self.ask(row, "get_template", at)
        extra = more.items if isinstance(more, Mapping) else ()
        self.render(template, self.ask(row, "get_context", at), at, extra)
        return UNKNOWN

    def ask(self, row: Row, name: str, at: At) -> Value:
        """Call a method of a page with a request: its own or Wagtail's."""
        found = row.model.cls.find(name) if row.model.cls is not None else None
        if found is not None and isinstance(found.node, py.FunctionDef):
            return calls.apply(self.walk, calls.member(self.walk, row, found, at), (_REQUEST,), {}, at, f"{name}()")
        return self.called(row, name, (_REQUEST,), {}, at) or UNKNOWN

    def context(self, row: Row, at: At) -> Mapping:
        """`get_context()` of Wagtail."""
        items: dict[str, Value] = {"page": row, "self": row, "request": _REQUEST}
        if row.model.cls is not None and row.model.cls.find("context_object_name") is not None:
            named = calls.attribute(self.walk, row, "context_object_name", at)
            if isinstance(named, Const) and isinstance(named.value, str):
                items[named.value] = row
        return Mapping(UNKNOWN, tuple(items.items()))

    def template(self, row: Row, at: At) -> Value:
        """`template` of a page, which each class has for itself: what its own body says, or the name of the class."""
        cls = row.model.cls
        assert cls is not None
        bound = cls.members.get("template")
        if bound:
            return calls.member(self.walk, row, Member(cls, "template", bound[-1]), at)
        return Const(f"{row.model.app}/{underscored(cls.label)}.html")

    def landing(self, row: Row, at: At) -> Value:
        """The template that a form shows after it was sent."""
        if row.model.cls is not None and row.model.cls.find("landing_page_template") is not None:
            return calls.attribute(self.walk, row, "landing_page_template", at)
        template = self.template(row, at)
        if not isinstance(template, Const) or not isinstance(template.value, str):
            return UNKNOWN
        name, dot, suffix = template.value.rpartition(".")
        return Const(f"{name}_landing{dot}{suffix}")

    def render(self, template: Value, context: Value, at: At, extra: tuple[tuple[object, Value], ...] = ()) -> None:
        """Render a template with what get_context() gave, and what stands over it."""
        if isinstance(template, Const) and isinstance(template.value, str) and isinstance(context, Mapping):
            self.hooks.render((template.value,), Mapping(UNKNOWN, (*context.items, *extra)), at)

    def walk_all(self) -> None:
        """Every request that the pages of the repository answer."""
        for model in list(self.walk.models):
            if is_page(model) and not model.abstract and model.cls is not None:
                self._page(model, model.cls)

    def _page(self, model: Model, cls: SourceClass) -> None:
        at: At = (cls.module, py.Name(cls.node.start, cls.node.start + 5, cls.label))
        routes = dict(_routes(cls)) if _is_routable(cls) else {}
        names = list(routes)
        if cls.find("serve") is not None or not _INDEX & set(routes.values()):
            names.append("serve")
        if cls.is_a(*FORM_PAGES):
            names.append("render_landing_page")
        for name in names:
            self.walk.spent = 0
            self.ask(Row(model), name, at)


def answers(cls: SourceClass, name: str) -> bool:
    """Whether a method of a page's class is walked with the page that is asked for."""
    return name in _GIVEN | _LANDING or name in dict(_routes(cls))


def _is_routable(cls: SourceClass) -> bool:
    """Whether a page has routes of its own; old releases have the mixin under another name."""
    return any(name.startswith("wagtail.contrib.") and name.endswith(".RoutablePageMixin") for name in cls.externals)


def _routes(cls: SourceClass) -> Iterator[tuple[str, str | None]]:
    """The methods that answer below the address of a page, with their patterns as far as they are constants."""
    for base in cls.mro:
        for name, bound in base.members.items() if isinstance(base, SourceClass) else ():
            node = bound[-1].node
            for item in node.decorators if isinstance(node, py.FunctionDef) else ():
                if isinstance(item, py.Call) and dotted(item.func).rpartition(".")[2] in _ROUTES:
                    pattern = item.args[0] if item.args else None
                    given = pattern.value if isinstance(pattern, py.Constant) else None
                    yield name, given if isinstance(given, str) else None
