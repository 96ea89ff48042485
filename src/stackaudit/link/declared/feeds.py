"""Django's sitemaps and syndication feeds: the methods that are asked about each item.

A sitemap asks `location` (else `get_absolute_url()`), `lastmod`, `changefreq` and `priority` of every item, 50,000 on a
page; a feed asks its `item_*` methods, and takes `str(item)` for the title and the description that it does not define.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.declared.lists import LISTED, REQUEST, Kind, Lists, derives, placed
from stackaudit.link.queries.values import UNKNOWN, Const, Instance, Mapping, Row, Value
from stackaudit.link.queries.walk import At, place_of

Asker: TypeAlias = Callable[[Instance, Value, Member], None]
_SITEMAPS, _FEEDS = ("django.contrib.sitemaps",), ("django.contrib.syndication",)
_ASKED = ("lastmod", "changefreq", "priority")
_TEXTS = (("item_title", "title_template"), ("item_description", "description_template"))


class Feeds(Kind):
    """Every sitemap and every feed with its items."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists

    def run(self) -> None:
        """The items of each class that defines them, its own or inherited ones."""
        for cls in self.lists.classes:
            items = cls.find("items")
            if items is None or not isinstance(items.node, py.FunctionDef):
                continue
            if self.lists.is_base(cls, "items"):
                continue
            if derives(cls, _SITEMAPS, frozenset({"Sitemap", "GenericSitemap"})):
                self._list(cls, items, self._sitemap)
            elif derives(cls, _FEEDS, frozenset({"Feed"})):
                self._list(cls, items, self._feed)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """`super().item_title(item)` and its like: the text of the item, or its URL."""
        titles = name in ("item_title", "item_description") and derives(instance.cls, _FEEDS, frozenset({"Feed"}))
        if not titles or not args or not isinstance(args[0], Row):
            return None
        self.lists.text(args[0], place_of(at))
        return UNKNOWN

    def _list(self, cls: SourceClass, items: Member, ask: Asker) -> None:
        view = self.lists.view(cls)
        with self.lists.survived():
            self.lists.walk.spent = 0
            found = self.lists.called(view, "get_object", (REQUEST,)) if "get_object" in cls.members else None
            rows = self.lists.called(view, "items", (found or UNKNOWN,))
            if isinstance(rows, LISTED):
                place = placed(items)
                with self.lists.each(rows, place, f"the items of {cls.label}", cls.name) as row:
                    ask(view, row, items)

    def _sitemap(self, view: Instance, row: Value, items: Member) -> None:
        if self.lists.method(view, "location", row) is None:
            self.lists.url(row, placed(items))
        for name in _ASKED:
            self._item(view, name, row)

    def _feed(self, view: Instance, row: Value, items: Member) -> None:
        cls, place = view.cls, placed(items)
        asked = {name for base in cls.mro if isinstance(base, SourceClass) for name in base.members}
        for name in sorted(item for item in asked if item.startswith("item_")):
            self._item(view, name, row)
        if "item_link" not in asked:
            self.lists.url(row, place)
        for method, template in _TEXTS:
            given = self.lists.option(cls, template)
            if isinstance(given, Const) and isinstance(given.value, str):
                member = cls.find(template)
                assert member is not None
                self.lists.places.setdefault(placed(member), given.value)
                self.lists.hooks.render((given.value,), Mapping(UNKNOWN, (("obj", row),)), placed(member))
            elif method not in asked:
                self.lists.text(row, place)

    def _item(self, view: Instance, name: str, row: Value) -> None:
        """A method that takes the item; an attribute, or a method that takes none, asks nothing of it."""
        found = view.cls.find(name)
        if found is not None and isinstance(found.node, py.FunctionDef) and len(found.node.params) > 1:
            shown = self.lists.method(view, name, row)
            if isinstance(shown, Row):
                self.lists.text(shown, placed(found))
