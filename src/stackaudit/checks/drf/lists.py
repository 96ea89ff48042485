"""Lists of an API without an end, and the pages that the browsable API adds to it."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.drf.lengths import length
from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.mentions import Found
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.serializers.pagination import NUMBERED, SIZES, labels, pagination_of
from stackaudit.link.serializers.views import ApiView
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_LOGIN = frozenset({"rest_framework", "rest_framework.urls"})
"""The module of login and logout for the browsable API, and the namespace under which its pages look for them."""


def no_pagination(stack: Stack) -> Iterator[Verdict]:
    """Views that list rows, and what divides the list into pages."""
    for view in stack.api.views:
        if view.lists and view.own_list is None and (view.member("queryset") or view.member("get_queryset")):
            yield _paged(stack, view, Site(view.place, f"{view.cls.name}: list"))


def _paged(stack: Stack, view: ApiView, site: Site) -> Verdict:
    settings = stack.settings
    cls = pagination_of(stack.models, settings, view)
    if isinstance(cls, Unknown):
        return Unsure(site, cls.why)
    if cls is not None:
        return _by_class(settings, view, site, cls)
    member = view.member("pagination_class")
    if member is not None and member.node is not None:
        return _whole(stack, view, site, Step(member.owner.module.place(member.node), "switches pagination off"))
    assert settings is not None
    return _whole(stack, view, site, Step(settings.place_at("REST_FRAMEWORK"), "sets no DEFAULT_PAGINATION_CLASS"))


def _whole(stack: Stack, view: ApiView, site: Site, where: Step) -> Verdict:
    """A list that nothing divides: how much it matters depends on how long it may get."""
    kept = length(stack, view)
    if kept == "single" or view.member("paginate_queryset") is not None:
        return Pass(site)
    named = _used(stack, view)
    fix = (
        f"Set `pagination_class = {named}` on {view.cls.label}."
        if named
        else f"Give {view.cls.label} a `pagination_class`: a `PageNumberPagination` with `page_size = 50` of its own."
    )
    fix += " Clients get an object then, with the rows under `results` in place of a list: they have to change with it."
    return Fail(site, {"view": view.cls.label}, kept, (where,), fix=fix)


def _used(stack: Stack, view: ApiView) -> str:
    """The class of the repository by which other views are divided into pages, "" for none."""
    found: dict[str, int] = {}
    for other in stack.api.views:
        member = other.member("pagination_class") if other is not view else None
        node = member.node if member is not None else None
        if member is None or not isinstance(node, (py.Name, py.Attribute)):
            continue
        cls = stack.models.classes.resolve(member.owner.module, node)
        if isinstance(cls, SourceClass) and any(item.rpartition(".")[2] in NUMBERED for item in cls.externals):
            found[cls.label] = found.get(cls.label, 0) + 1
    return max(found, key=lambda name: (found[name], name), default="")


def _by_class(settings: Settings | None, view: ApiView, site: Site, given: SourceClass | str) -> Verdict:
    """A pagination class: one without a page size gives everything, one may give what the client asks for."""
    if isinstance(given, str) and not given.startswith("rest_framework."):
        return Pass(site)  # a class of another package: it is there to divide
    cls, names = (given if isinstance(given, SourceClass) else None), labels(given)
    if not any(label in NUMBERED for label in names) or (cls is not None and cls.find("get_page_size") is not None):
        return Pass(site)
    sizes = [cls.find(key) for key in SIZES] if cls is not None else []
    member = next((item for item in sizes if item is not None), None)
    if member is not None:
        none = isinstance(member.node, py.Constant) and member.node.value is None
        if not none:
            return _asked(view, site, cls)
    size = settings.at("REST_FRAMEWORK", "PAGE_SIZE", default=None) if settings is not None else Known(None)
    if isinstance(size, Unknown):
        return Unsure(site, size.why)
    if member is not None or size.value is None:
        where = (Step(settings.place_at("REST_FRAMEWORK"), "sets no PAGE_SIZE"),) if settings is not None else ()
        label = cls.label if cls is not None else names[0]
        size_name = "default_limit" if any(item.startswith("Limit") for item in names) else "page_size"
        fix = f"Set `PAGE_SIZE` in REST_FRAMEWORK, or `{size_name} = 50` on a class of its own in place of {label}."
        if cls is not None:
            fix = f"Set `{size_name} = 50` on {label}."
        return Fail(site, {"view": view.cls.label}, cause="size", related=where, fix=fix)
    return _asked(view, site, cls)


def _asked(view: ApiView, site: Site, cls: SourceClass | None) -> Verdict:
    """Whether the client may ask for as many rows as it likes."""
    if cls is None:
        return Pass(site)
    parameter, limit = cls.find("page_size_query_param"), cls.find("max_page_size")
    free = parameter is not None and isinstance(parameter.node, py.Constant) and parameter.node.value is not None
    if free and parameter is not None and limit is None and parameter.node is not None:
        where = Step(parameter.owner.module.place(parameter.node), "lets the client choose the size of a page")
        values = {"view": view.cls.label, "class": cls.label}
        return Fail(site, values, cause="client", related=(where,), fix=f"Set `max_page_size` on {cls.label}.")
    return Pass(site)


_PAGES = ("rest_framework/api.html", "rest_framework/base.html")
"""https://www.django-rest-framework.org/topics/browsable-api/#customizing"""


def browsable_api(stack: Stack) -> Iterator[Verdict]:
    """Whether production renders the browsable API."""
    settings = stack.settings
    if settings is None or not stack.modules.imports("rest_framework"):
        return
    place: Place = settings.place_at("REST_FRAMEWORK", "DEFAULT_RENDERER_CLASSES")
    site = Site(place, "REST_FRAMEWORK.DEFAULT_RENDERER_CLASSES")
    if settings.doubt:
        yield Unsure(site, settings.doubt)
        return
    if own := next((found for name in _PAGES for found in stack.templates.find(name)), None):
        yield Unsure(site, f"the project has a page of its own for the browsable API, {own.path}")
        return
    value = settings.at("REST_FRAMEWORK", "DEFAULT_RENDERER_CLASSES", default=None)
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
        return
    cause = "wanted" if _offers_login(stack) else ""
    if value.value is None:
        why = "is not set, and its default holds BrowsableAPIRenderer"
        yield Fail(site, {"why": why}, cause, fix=_rendered(["rest_framework.renderers.JSONRenderer"]))
        return
    names = value.value if isinstance(value.value, (list, tuple)) else ()
    for item in names:
        if isinstance(item, Unknown) or not isinstance(item, Known):
            yield Unsure(site, getattr(item, "why", "one of the renderers is not known"))
            return
    others = [str(item.value) for item in names if not str(item.value).endswith("BrowsableAPIRenderer")]
    if len(others) == len(names):
        yield Pass(site)
    else:
        others = others or ["rest_framework.renderers.JSONRenderer"]
        yield Fail(site, {"why": "holds BrowsableAPIRenderer"}, cause, fix=_rendered(others))


def _offers_login(stack: Stack) -> bool:
    """Whether a URLconf offers, in production too, the login of the browsable API: the pages of the namespace."""
    return any(
        _includes_login(found.call) and not _is_for_debug(stack, found) for found in stack.mentions.named("include")
    )


def _includes_login(call: py.Call) -> bool:
    """`include("rest_framework.urls")`, or `include()` of patterns under the namespace that the pages ask for it."""
    first = call.args[0] if call.args else None
    patterns = first.elts if isinstance(first, py.Tuple) else ()
    names = [first, *patterns[1:], *(item.value for item in call.keywords if item.name == "namespace")]
    return any(isinstance(name, py.Constant) and name.value in _LOGIN for name in names)


def _is_for_debug(stack: Stack, found: Found) -> bool:
    """Whether something stands behind a condition on DEBUG."""
    node: py.Node | None = found.node
    tree = stack.sources.tree(found.module.path)
    while node is not None:
        node = tree.get(node)
        tested = nodes((node.test,)) if isinstance(node, (py.If, py.IfExp)) else ()
        if any(
            dotted(part).rpartition(".")[2] == "DEBUG" for part in tested if isinstance(part, (py.Name, py.Attribute))
        ):
            return True
    return False


def _rendered(names: list[str]) -> str:
    held = ", ".join(f'"{name}"' for name in names)
    return (
        f'Set `"DEFAULT_RENDERER_CLASSES": [{held}]` in REST_FRAMEWORK for production, and add the browsable renderer '
        "where DEBUG is on. An internal tool that wants it may waive the rule."
    )
