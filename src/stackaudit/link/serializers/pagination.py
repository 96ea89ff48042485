"""What divides the lists of an API into pages, and how many rows a page has."""

from __future__ import annotations

import re

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models import Models
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import expressions
from stackaudit.link.queries.walk import Walk
from stackaudit.link.serializers.views import ApiView
from stackaudit.link.settings import Settings
from stackaudit.model.values import Known, Unknown

NUMBERED = ("PageNumberPagination", "LimitOffsetPagination", "CursorPagination")
SIZES = ("page_size", "default_limit")
_API_SETTING = re.compile(r"(?:^|\.)api_settings\.\w+$")


def pagination_of(models: Models, settings: Settings | None, view: ApiView) -> SourceClass | str | Unknown | None:
    """The class that divides the lists of a view: one of the repository, or the dotted name of another one.

    None where nothing divides them.
    """
    member = view.member("pagination_class")
    if member is None:
        if view.cls.is_open or any(_is_foreign(base) for base in view.cls.externals):
            return Unknown("a base class from another package may divide the list into pages")
        if settings is None:
            return Unknown("no settings module was found, so DEFAULT_PAGINATION_CLASS is not known")
        value = settings.at("REST_FRAMEWORK", "DEFAULT_PAGINATION_CLASS", default=None)
        if isinstance(value, Unknown) or not value.value:
            return value if isinstance(value, Unknown) else None
        return _named(models, str(value.value))
    node = member.node
    if isinstance(node, py.Constant) and node.value is None:
        return None
    cls = models.classes.resolve(member.owner.module, node) if isinstance(node, (py.Name, py.Attribute)) else None
    return cls if cls is not None else Unknown("its pagination_class cannot be told")


def labels(cls: SourceClass | str) -> list[str]:
    """The names of the classes of other packages that a pagination class is, or inherits from."""
    return [base.rpartition(".")[2] for base in ([cls] if isinstance(cls, str) else cls.externals)]


def page_size(walk: Walk, settings: Settings | None, view: ApiView) -> int:
    """How many rows a page of a view's list has, as the code or the settings declare it; 0 where that is open."""
    own = view.member("paginate_by")
    if own is not None and _is_read(view, "paginate_by"):
        return _declared(walk, settings, own)
    cls = pagination_of(walk.models, settings, view)
    if not isinstance(cls, (SourceClass, str)) or not any(label in NUMBERED for label in labels(cls)):
        return 0
    if isinstance(cls, SourceClass):
        if any(cls.find(name) is not None for name in ("get_page_size", "get_limit", "paginate_queryset")):
            return 0
        for name in SIZES:
            member = cls.find(name)
            if member is not None and member.node is not None:
                return _declared(walk, settings, member)
    return _set(settings, "PAGE_SIZE")


def _declared(walk: Walk, settings: Settings | None, member: Member) -> int:
    """The size that a class declares, which may be one of the framework's settings."""
    name = dotted(member.node) if isinstance(member.node, py.Attribute) else ""
    if _API_SETTING.search(name):
        return _set(settings, name.rpartition(".")[2])
    if isinstance(member.node, (py.FunctionDef, py.ClassDef)) or not isinstance(member.node, py.Node):
        return 0
    return walk.number(expressions.constant(walk, member.owner.module, member.node, member.owner))


def _is_read(view: ApiView, name: str) -> bool:
    """Whether a view takes its size from an attribute: the framework no longer does, but copies of old releases do."""
    method = view.member(f"get_{name}")
    read = nodes((method.node,)) if method is not None and method.node is not None else ()
    return any(isinstance(node, py.Attribute) and dotted(node) == f"self.{name}" for node in read)


def _set(settings: Settings | None, name: str) -> int:
    """The whole number that a key of REST_FRAMEWORK holds, 0 where it holds none."""
    size = settings.at("REST_FRAMEWORK", name, default=None) if settings is not None else None
    return size.value if isinstance(size, Known) and type(size.value) is int else 0


def _named(models: Models, name: str) -> SourceClass | str:
    """The class that a setting names."""
    module_name, _, label = name.rpartition(".")
    module = models.modules.find(module_name)
    found = models.classes.of(models.modules.member(module, label)) if module is not None else None
    return found if isinstance(found, SourceClass) else name


def _is_foreign(base: str) -> bool:
    return not base.startswith(("rest_framework.", "builtins.", "django.", "typing.", "abc."))
