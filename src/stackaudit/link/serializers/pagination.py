"""What divides the lists of an API into pages, and how many rows a page has."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.modules import dotted
from stackaudit.link.queries import expressions
from stackaudit.link.queries.walk import Walk
from stackaudit.link.serializers.views import ApiView
from stackaudit.link.settings import Settings
from stackaudit.model.values import Known, Unknown

NUMBERED = ("PageNumberPagination", "LimitOffsetPagination", "CursorPagination")
SIZES = ("page_size", "default_limit")


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
    cls = pagination_of(walk.models, settings, view)
    if not isinstance(cls, (SourceClass, str)) or not any(label in NUMBERED for label in labels(cls)):
        return 0
    if isinstance(cls, SourceClass):
        if any(cls.find(name) is not None for name in ("get_page_size", "get_limit", "paginate_queryset")):
            return 0
        for name in SIZES:
            member = cls.find(name)
            node = member.node if member is not None else None
            declared = isinstance(node, py.Attribute) and dotted(node).endswith("api_settings.PAGE_SIZE")
            if member is not None and node is not None and not declared:
                return walk.number(expressions.constant(walk, member.owner.module, node, member.owner))
    size = settings.at("REST_FRAMEWORK", "PAGE_SIZE", default=None) if settings is not None else None
    return size.value if isinstance(size, Known) and type(size.value) is int else 0


def _named(models: Models, name: str) -> SourceClass | str:
    """The class that a setting names."""
    module_name, _, label = name.rpartition(".")
    module = models.modules.find(module_name)
    found = models.classes.of(models.modules.member(module, label)) if module is not None else None
    return found if isinstance(found, SourceClass) else name


def _is_foreign(base: str) -> bool:
    return not base.startswith(("rest_framework.", "builtins.", "django.", "typing.", "abc."))
