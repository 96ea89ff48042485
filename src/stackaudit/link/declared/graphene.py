"""graphene-django: DjangoObjectType over models, and the fields of other classes that list them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import cached_property

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.declared.columns import place_in
from stackaudit.link.declared.graphql import Field, Root, Type, list_like, relation_fields
from stackaudit.link.declared.lists import Lists, class_place, head, texts
from stackaudit.link.modules import dotted
from stackaudit.link.queries.values import Const

_PACKAGE = ("graphene_django",)
_OBJECT = frozenset({"DjangoObjectType"})
_OF_ALL = frozenset({"DjangoListField", "DjangoConnectionField", "DjangoFilterConnectionField"})


class Graphene:
    """The types and lists of graphene."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists

    def types(self) -> Iterator[Type]:
        """Every DjangoObjectType that names a model."""
        for cls in self.lists.derived(*_PACKAGE, names=_OBJECT):
            model = self.lists.model_of(self.lists.inner(cls))
            if model is not None:
                made = Type(cls, model)
                declared = {item.name: item for item in self._declared(cls)}
                automatic = {item.name: item for item in self._automatic(made)}
                made.fields = list({**automatic, **declared}.values())
                yield made

    def roots(self, is_type: Container[SourceClass]) -> Iterator[Root]:
        """Lists and connections that are fields of other classes: queries and their mixins."""
        for cls in self.lists.every_class:
            if cls in is_type:
                continue
            for item in self._declared(cls, own=True):
                name = dotted(item.hints.func).rpartition(".")[2] if item.hints is not None else ""
                if item.hints is not None and list_like(item.hints):
                    yield Root(item, cls, name in _OF_ALL)

    def _declared(self, cls: SourceClass, own: bool = False) -> Iterator[Field]:
        """The fields that a class declares, with their resolvers, and resolvers of the model's own fields."""
        seen = set()
        for base in cls.mro[:1] if own else cls.mro:
            if not isinstance(base, SourceClass):
                continue
            for name, bound in base.members.items():
                node = bound[-1].node
                if isinstance(node, py.FunctionDef) and name.startswith("resolve_") and not own:
                    plain = name.removeprefix("resolve_")
                    call = base.members.get(plain, [None])[-1]
                    inner = call.node if call is not None and isinstance(call.node, py.Call) else None
                    if plain not in seen:
                        seen.add(plain)
                        yield Field(plain, base.module.place(head(node)), base.module, node, base, inner)
                elif isinstance(node, py.Call) and self._is_field(base, node):
                    found = cls.find(f"resolve_{name}")
                    function = found.node if found is not None and isinstance(found.node, py.FunctionDef) else None
                    place = base.module.place(node)
                    if function is not None and found is not None:
                        place = found.owner.module.place(head(function))
                    if name not in seen:
                        seen.add(name)
                        yield Field(name, place, base.module, function, base, node, node)

    def _is_field(self, cls: SourceClass, call: py.Call) -> bool:
        kind = self.lists.kind_of(cls.module, call)
        names = (kind,) if isinstance(kind, str) else kind.externals if kind is not None else ()
        return any(name.startswith(("graphene.", "graphene_django.")) for name in names)

    def _automatic(self, made: Type) -> Iterator[Field]:
        """The relations among the fields that `Meta.fields` asks for."""
        options = self.lists.inner(made.cls)
        assert options is not None
        names = relation_fields(made.model)
        without = texts(self.lists.option(options, "exclude")) or ()
        value = self.lists.option(options, "fields") or self.lists.option(options, "only_fields")
        member = options.find("fields") or options.find("only_fields")
        only = texts(value)
        if only is None and isinstance(value, Const) and value.value == "__all__":
            only = tuple(names)
        if only is None and member is not None:
            return  # which fields there are cannot be told
        for name in names:
            if name in without or (only is not None and name not in only):
                continue
            relation = made.model.relation(name)
            target = relation.target if relation is not None else None
            if target is not None and target.cls is not None:
                inner = self._types.get(target.cls)
                place = place_in(member, name) if member is not None else class_place(made.cls)
                if inner is not None:
                    yield Field(name, place, inner.module, None, made.cls, py.Name(0, 0, inner.label))

    @cached_property
    def _types(self) -> dict[SourceClass, SourceClass]:
        """The type that stands for each model: relations to models without one are no fields."""
        found: dict[SourceClass, SourceClass] = {}
        for cls in self.lists.derived(*_PACKAGE, names=_OBJECT):
            model = self.lists.model_of(self.lists.inner(cls))
            if model is not None and model.cls is not None:
                found.setdefault(model.cls, cls)
        return found
