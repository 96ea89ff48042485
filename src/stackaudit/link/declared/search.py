"""Search documents: haystack's indexes and the documents of django-elasticsearch-dsl and django-opensearch-dsl.

An update of the index goes through all rows of `index_queryset()` or `get_queryset()` and prepares every field of each
(haystack 3.4: `SearchField.prepare`; django-elasticsearch-dsl 9.0: `DEDField.get_value_from_instance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.declared.lists import LISTED, Kind, Lists, class_place, derives
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule
from stackaudit.link.nodes import is_true
from stackaudit.link.queries.origins import GET_QUERYSET, INDEX_QUERYSET
from stackaudit.link.queries.values import UNKNOWN, ClassRef, Instance, Mapping, Related, Row, Rows, Value
from stackaudit.link.queries.walk import At
from stackaudit.model.source import Place

Asker: TypeAlias = Callable[[Instance, Value], None]
_HAYSTACK = ("haystack",)
_INDEX = frozenset({"SearchIndex", "BasicSearchIndex", "ModelSearchIndex", "RealTimeSearchIndex"})
_ELASTIC = ("django_elasticsearch_dsl", "django_opensearch_dsl")
_DOCUMENT = frozenset({"Document", "DocType"})
_NESTED = frozenset({"ObjectField", "NestedField"})
_QUERYSETS = ("index_queryset", "get_queryset", "build_queryset", "get_indexing_queryset")


class Documents(Kind):
    """Every index and document with its rows."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists

    def run(self) -> None:
        """The classes that name a model."""
        for cls in self.lists.classes:
            if derives(cls, _HAYSTACK, _INDEX):
                self._list(cls, self._index)
            elif derives(cls, _ELASTIC, _DOCUMENT) and cls.node.decorators:  # what nobody registers is not indexed
                self._list(cls, self._document)

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether a library gives the method to an index or a document."""
        return name in _QUERYSETS and self._is_document(instance.cls)

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """`super().index_queryset()` and `super().get_queryset()`: all rows of the model."""
        if name in _QUERYSETS and self._is_document(instance.cls):
            model = self._model(instance)
            if model is None:
                return UNKNOWN
            hook = INDEX_QUERYSET if derives(instance.cls, _HAYSTACK, _INDEX) else GET_QUERYSET
            return self.lists.all_rows(model, class_place(instance.cls), hook, instance.cls.label)
        return None

    def _is_document(self, cls: SourceClass) -> bool:
        return derives(cls, _HAYSTACK, _INDEX) or derives(cls, _ELASTIC, _DOCUMENT)

    def _model(self, index: Instance) -> Model | None:
        named = self.lists.called(index, "get_model")
        if isinstance(named, ClassRef):
            return named.model
        for inner in ("Django", "Meta"):
            found = self.lists.model_of(self.lists.inner(index.cls, inner))
            if found is not None:
                return found
        return None

    def _list(self, cls: SourceClass, ask: Asker) -> None:
        index = Instance(cls)
        with self.lists.survived():
            self.lists.walk.spent = 0
            made = [self.lists.called(index, name) for name in _QUERYSETS if cls.find(name) is not None]
            rows = made[0] if made else self.inherited(index, "get_queryset", (), {}, class_place(cls))
            if isinstance(rows, LISTED):
                self.lists.batches.add(class_place(cls))
                with self.lists.each(rows, class_place(cls), f"{cls.label} indexes its rows", cls.name) as row:
                    ask(index, row)

    # haystack

    def _index(self, index: Instance, row: Value) -> None:
        for name, call, owner in self._fields(index.cls):
            place = owner.module.place(call)
            if is_true(keyword(call, "use_template")):
                self._template(name, call, row, place)
            else:
                path = _text(keyword(call, "model_attr"))
                if path:
                    self._values(row, tuple(path.split("__")), place)
            self.lists.method(index, f"prepare_{name}", row)
        self.lists.method(index, "prepare", row)

    def _values(self, value: Value, path: tuple[str, ...], place: Place) -> None:
        """Each value that a path of haystack leads to: it goes through related rows on the way."""
        for index, part in enumerate(path):
            value = self.lists.path(value, (part,), place)
            if isinstance(value, (Rows, Related)):
                for item in self.lists.many(value, place, part) if path[index + 1 :] else ():
                    self._values(item, path[index + 1 :], place)
                return
        self.lists.text(value, place)

    def _template(self, name: str, call: py.Call, row: Value, place: Place) -> None:
        given = _text(keyword(call, "template_name"))
        model = row.model if isinstance(row, Row) else None
        stock = f"search/indexes/{model.app}/{model.name.lower()}_{name}.txt" if model is not None else ""
        self.lists.places.setdefault(place, given or stock)
        self.lists.hooks.render((given or stock,), Mapping(UNKNOWN, (("object", row),)), place)

    # django-elasticsearch-dsl

    def _document(self, index: Instance, row: Value) -> None:
        for name, call, owner in self._fields(index.cls):
            methods = (f"prepare_{name}_with_related", f"prepare_{name}")
            own = next((method for method in methods if index.cls.find(method)), "")
            if own:
                self.lists.method(index, own, row)
            else:
                self._field(name, call, owner, row)
        self.lists.method(index, "prepare", row)

    def _field(self, name: str, call: py.Call, owner: SourceClass, row: Value) -> None:
        place = owner.module.place(call)
        value = self.lists.path(row, tuple((_text(keyword(call, "attr")) or name).split(".")), place)
        kind = self.lists.kind_of(owner.module, call)
        if not derives(kind, _ELASTIC, _NESTED):
            return
        for item in self.lists.many(value, place, name):
            for key, inner in self._properties(call, owner):
                self._field(key, inner, owner, item)

    def _properties(self, call: py.Call, owner: SourceClass) -> Iterator[tuple[str, py.Call]]:
        given = keyword(call, "properties")
        if isinstance(given, py.Dict):
            for key, item in zip(given.keys, given.values, strict=True):
                if isinstance(key, py.Constant) and isinstance(item, py.Call):
                    yield str(key.value), item
        cls = self.lists.models.classes.resolve(owner.module, keyword(call, "doc_class"))
        if isinstance(cls, SourceClass):
            yield from ((name, inner) for name, inner, _ in self._fields(cls))

    def _fields(self, cls: SourceClass) -> list[tuple[str, py.Call, SourceClass]]:
        """The fields that a class and its bases declare: name, expression, declaring class."""
        found: dict[str, tuple[str, py.Call, SourceClass]] = {}
        for base in reversed(cls.mro):
            for name, bound in base.members.items() if isinstance(base, SourceClass) else ():
                assert isinstance(base, SourceClass)
                node = bound[-1].node
                if isinstance(node, py.Call) and self._is_field(base.module, node):
                    found[name] = (name, node, base)
        return list(found.values())

    def _is_field(self, module: SourceModule, call: py.Call) -> bool:
        kind = self.lists.kind_of(module, call)
        externals = (kind,) if isinstance(kind, str) else kind.externals if kind is not None else ()
        return any(
            name.endswith("Field") and name.startswith(tuple(f"{package}." for package in (*_HAYSTACK, *_ELASTIC)))
            for name in externals
        )


def _text(node: py.Expr | None) -> str:
    return node.value if isinstance(node, py.Constant) and isinstance(node.value, str) else ""
