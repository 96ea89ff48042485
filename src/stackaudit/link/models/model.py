"""One model and its parts, as the walk over queries sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.model.source import Place

RelationKind: TypeAlias = Literal[
    "fk", "o2o", "m2m", "reverse_fk", "reverse_o2o", "reverse_m2m", "generic_fk", "generic"
]
_MANY = frozenset({"m2m", "reverse_fk", "reverse_m2m", "generic"})


@dataclass(eq=False)
class Field:
    """A column: `call` is the expression that makes it, `kind` the class of the field ("CharField")."""

    name: str
    kind: str
    call: py.Call | None = None
    owner: SourceClass | None = None

    def keyword(self, name: str) -> py.Expr | None:
        """The expression given for a keyword of the field."""
        return keyword(self.call, name) if self.call is not None else None


@dataclass(eq=False)
class Relation(Field):
    """A relation as an attribute of `model`, from either side.

    `target` is the model it leads to, None where that cannot be told. `remote` is the name of the same relation on the
    other side ("" where it has none). `peers` says that one row that is asked brings it for all rows that were loaded
    with it, as the keys of django-auto-prefetch do; `own_form` that its class makes a form field of its own.
    """

    relation: RelationKind = "fk"
    model: Model | None = None
    target: Model | None = None
    remote: str = ""
    query_name: str = ""
    remote_query_name: str = ""
    null: bool = False
    to_field: str = ""
    peers: bool = False
    own_form: bool = False

    @property
    def many(self) -> bool:
        """Whether the attribute is a manager of many rows."""
        return self.relation in _MANY

    @property
    def forward(self) -> bool:
        """Whether the column stands in this model's table."""
        return self.relation in ("fk", "o2o", "generic_fk")

    @property
    def is_optional(self) -> bool:
        """Whether the key that it leads by may be NULL: then it leads nowhere, which asks nothing."""
        return self.forward and self.null

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of this model's table that hold the key it leads by; none where another table does."""
        if self.relation == "generic_fk":
            return self._given("ct_field", 0, "content_type"), self._given("fk_field", 1, "object_id")
        return (self.name,) if self.forward else ()

    @property
    def far_columns(self) -> tuple[str, ...]:
        """The fields of the other model's table by which the rows of a generic relation are found; none for others."""
        if self.relation != "generic":
            return ()
        return self._given("content_type_field", 2, "content_type"), self._given("object_id_field", 1, "object_id")

    def _given(self, name: str, index: int, default: str) -> str:
        """The name that the expression which makes the relation gives."""
        args = self.call.args if self.call is not None else ()
        node = self.keyword(name) or (args[index] if index < len(args) else None)
        return node.value if isinstance(node, py.Constant) and isinstance(node.value, str) else default


@dataclass(eq=False)
class ManagerDef:
    """A manager of a model: its class, or that of the queryset it was made of (`as_manager`)."""

    name: str
    cls: SourceClass | str | None
    queryset: SourceClass | str | None = None


@dataclass(eq=False)
class Model:
    """A model. `label` is "app.Name"; `cls` is None for one that the repository does not define.

    `unique` are the sets of columns of which no two rows have the same, for models of Django's own; for those of the
    repository `link/indexes` reads them.
    """

    label: str
    name: str
    app: str
    cls: SourceClass | None = None
    abstract: bool = False
    proxy: bool = False
    is_open: bool = False
    ordered: bool | None = False
    pk: str = "id"
    parents: list[Model] = field(default_factory=list)
    children: list[Model] = field(default_factory=list)
    columns: dict[str, Field] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    managers: dict[str, ManagerDef] = field(default_factory=dict)
    default_manager: str = "objects"
    parent_links: dict[str, Model] = field(default_factory=dict)
    unique: tuple[tuple[str, ...], ...] = ()

    def relation(self, name: str) -> Relation | None:
        """The relation that `row.<name>` follows, own or of a concrete parent."""
        found = self.relations.get(name)
        if found is None:
            for parent in self.parents:
                found = parent.relation(name)
                if found is not None:
                    break
        return found

    def by_query_name(self, name: str) -> Relation | None:
        """The relation that a path of `select_related`, `prefetch_related` or a filter names."""
        found = self.relation(name)
        if found is not None:
            return found
        for model in self.family():
            for item in model.relations.values():
                if item.query_name == name:
                    return item
        return None

    def ends_at(self, path: str) -> Relation | None:
        """The relation that a path with `__` ends at; None for a column, a lookup and what is not known."""
        found: Relation | None = None
        reached: Model | None = self
        for name in path.split("__"):
            found = reached.by_query_name(name) or reached.attname(name) if reached is not None else None
            if found is None:
                return None
            reached = found.target
        return found

    def is_itself(self, relation: Relation) -> bool:
        """Whether a relation leads from a row to that row again: the accessor that a parent has for a child model.

        A row of the child has its parent's accessor, too, and the parent's table leads to the child's that way.
        """
        target = relation.target
        if target is None or relation.relation != "reverse_o2o":
            return False
        return relation.remote in target.parent_links and target in self.family()

    def column(self, name: str) -> Field | None:
        """The column `name`, own or of a concrete parent."""
        found = self.columns.get(name)
        if found is None:
            for parent in self.parents:
                found = parent.column(name)
                if found is not None:
                    break
        return found

    def attname(self, name: str) -> Relation | None:
        """The forward relation whose key column is the attribute `name` ("author_id")."""
        if not name.endswith("_id"):
            return None
        found = self.relation(name[:-3])
        return found if found is not None and found.relation in ("fk", "o2o") else None

    def family(self) -> Iterator[Model]:
        """The model and its concrete ancestors."""
        yield self
        for parent in self.parents:
            yield from parent.family()

    def derived(self) -> Iterator[Model]:
        """The models that derive from it, at any depth; not the model itself."""
        for child in self.children:
            yield child
            yield from child.derived()

    @property
    def path(self) -> str:
        """The file it is defined in, "" for one from another package."""
        return self.cls.module.path if self.cls is not None else ""

    @property
    def place(self) -> Place | None:
        """Where its class stands."""
        return self.cls.module.place(self.cls.node) if self.cls is not None else None


def keyword(call: py.Call, name: str) -> py.Expr | None:
    """The expression given for the keyword `name` of a call."""
    return next((item.value for item in call.keywords if item.name == name), None)
