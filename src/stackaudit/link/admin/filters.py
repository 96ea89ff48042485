"""Filters of changelists that list the rows of a related table.

Measured on Django 5.2: `RelatedFieldListFilter`, which Django takes for every entry of `list_filter` that ends at a
relation, from either side, shows str() of each row that the default manager of the related model gives, whenever the
changelist is shown; `RelatedOnlyFieldListFilter` of each that some row leads to. Other filters list what they like.
"""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.admin import Admin
from stackaudit.link.admin.options import Item
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Relation

_LISTING = frozenset({"RelatedFieldListFilter", "RelatedOnlyFieldListFilter"})
_DECIDING = ("__init__", "field_choices", "field_admin_ordering", "choices")


def listing(admin: Admin) -> Iterator[tuple[Item, Relation]]:
    """The entries of `list_filter` that surely show the text of each row of a table, with the relation to it."""
    if admin.model is None or admin.overrides("get_list_filter"):
        return
    option = admin.option("list_filter")
    for item in option.items if option is not None else ():
        relation = admin.model.ends_at(item.text) if item.text else None
        if relation is None or relation.relation in ("generic", "generic_fk"):
            continue
        if relation.keyword("limit_choices_to") is None and _is_listing(admin, item):
            yield item, relation


def _is_listing(admin: Admin, item: Item) -> bool:
    """Whether the filter of an entry is Django's own for relations, or derives from it and lets it list the rows."""
    if not isinstance(item.node, (py.Tuple, py.List)):
        return True
    cls = admin.classes.resolve(item.module, item.node.elts[1]) if len(item.node.elts) == 2 else None
    if isinstance(cls, SourceClass):
        return not cls.is_open and all(map(_is_djangos, cls.externals)) and not any(map(cls.find, _DECIDING))
    return isinstance(cls, str) and _is_djangos(cls)


def _is_djangos(name: str) -> bool:
    return name.startswith("django.contrib.admin.") and name.rpartition(".")[2] in _LISTING
