"""The indexes that Django makes for each model, and where each one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, Relation, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.model.source import Place

Asked: TypeAlias = Literal["field", "foreign key", "index", "unique"]
_TEXT = frozenset({"CharField", "SlugField", "TextField", "EmailField", "URLField", "FilePathField"})
_SPECIAL = frozenset({"condition", "opclasses", "include", "db_tablespace", "expressions", "deferrable",
                      "nulls_distinct"})  # fmt: skip


@dataclass(frozen=True)
class Index:
    """One index. `columns` are field names as Django writes them, a leading "-" for descending.

    `asked` says by what: a field's `db_index` (or its kind, as for SlugField), a foreign key, `Meta.indexes`, or what
    has to be unique (that index stays whatever else there is). `is_text`: PostgreSQL gets a second one for `LIKE`.
    `together`: it comes from `index_together`, and has no name.
    """

    columns: tuple[str, ...]
    asked: Asked
    place: Place
    is_text: bool = False
    together: bool = False

    @property
    def plain(self) -> tuple[str, ...]:
        """The columns without their direction."""
        return tuple(name.removeprefix("-") for name in self.columns)

    def serves(self, other: Index) -> bool:
        """Whether a b-tree of these columns answers all that one of the other's would: it begins with them."""
        length = len(other.columns)
        if self.plain[:length] != other.plain:
            return False
        turned = [one != two for one, two in zip(self.columns[:length], other.columns, strict=True)]
        return all(turned) or not any(turned)  # a b-tree is read in both directions


def indexes_of(models: Models, model: Model) -> tuple[list[Index], Place | None]:
    """The b-tree indexes over whole tables of a model, and the option of Meta that cannot be read, where there is one.

    Partial indexes, those of other kinds and those over expressions stand beside any other, and are left out.
    """
    found = [index for name in (*model.columns, *model.relations) for index in _of_field(model, name)]
    unread: Place | None = None
    for option in ("indexes", "unique_together", "constraints", "index_together"):
        held = _meta(models, model, option)
        if held is None:
            continue
        module, node = held
        made = list(_of_option(module, option, node))
        if None in made:
            unread = unread or module.place(node)
        found += [index for index in made if index is not None and index.columns]
    return found, unread


def may_be_several(models: Models, model: Model, lookups: Iterable[str]) -> bool:
    """Whether several rows of a model may meet conditions by equality, as filters name them; no where that is open.

    What lies behind a relation, or is compared in any case, makes nothing unique.
    """
    columns: set[str] = set()
    for lookup in lookups:
        first, _, rest = lookup.partition("__")
        field = model.relation(first) or model.attname(first) or model.column(first)
        if first in ("pk", model.pk) or field is None:
            return False
        if not rest or rest in ("pk", "id"):
            columns.add(field.name)
    if model.unique:
        return not any(columns.issuperset(names) for names in model.unique)
    found, unread = indexes_of(models, model)
    unique = (index.columns for index in found if index.asked == "unique")
    return not model.is_open and unread is None and not any(columns.issuperset(names) for names in unique)


def _of_field(model: Model, name: str) -> Iterator[Index]:
    field = model.columns.get(name) or model.relations[name]
    if (
        field.call is None
        or field.owner is None
        or (isinstance(field, Relation) and field.relation not in ("fk", "o2o"))
    ):
        return
    place = field.owner.module.place(field.call)
    asked, unique = _truth(field.keyword("db_index")), _truth(field.keyword("unique"))
    if unique or _truth(field.keyword("primary_key")) or (isinstance(field, Relation) and field.relation == "o2o"):
        yield Index((name,), "unique", place)
    elif isinstance(field, Relation):
        if asked is not False:
            yield Index((name,), "foreign key", place)
    elif asked or (asked is None and field.kind == "SlugField"):
        yield Index((name,), "field", place, field.kind in _TEXT)


def _truth(node: py.Expr | None) -> bool | None:
    return node.value if isinstance(node, py.Constant) and isinstance(node.value, bool) else None


def _meta(models: Models, model: Model, option: str) -> tuple[SourceModule, py.Node] | None:
    """The expression of an option of Meta, as Django inherits it."""
    for base in model.cls.mro if model.cls is not None else ():
        if not isinstance(base, SourceClass):
            continue
        for binding in base.members.get("Meta", ()):
            if isinstance(binding.node, py.ClassDef):
                inner = models.classes.build(base.module, binding.node, f"{base.name}.Meta")
                found = inner.find(option)
                return (found.owner.module, found.node) if found is not None and found.node is not None else None
    return None


def _of_option(module: SourceModule, option: str, node: py.Node) -> Iterator[Index | None]:
    if not isinstance(node, (py.List, py.Tuple, py.Set)):
        yield None
        return
    if option.endswith("_together"):
        groups = [node] if node.elts and isinstance(node.elts[0], py.Constant) else node.elts
        for group in groups:
            names = _strings(group)
            asked: Asked = "unique" if option == "unique_together" else "index"
            yield Index(names, asked, module.place(group), together=option == "index_together") if names else None
        return
    for item in node.elts:
        yield _declared(module, item)


def _declared(module: SourceModule, item: py.Expr) -> Index | None:
    """`Index(...)` or `UniqueConstraint(...)`; without columns where it stands beside any other, None if not known."""
    place = module.place(item)
    if not isinstance(item, py.Call):
        return None
    kind = dotted(item.func).rpartition(".")[2]
    if kind not in ("Index", "UniqueConstraint", "BTreeIndex"):
        return Index((), "index", place)
    if item.args or any(given.name in _SPECIAL for given in item.keywords):
        return Index((), "index", place)
    names = _strings(keyword(item, "fields"))
    if not names:
        return None
    return Index(names, "unique" if kind == "UniqueConstraint" else "index", place)


def _strings(node: py.Node | None) -> tuple[str, ...]:
    items = node.elts if isinstance(node, (py.List, py.Tuple)) else ()
    names = tuple(item.value for item in items if isinstance(item, py.Constant) and isinstance(item.value, str))
    return names if len(names) == len(items) else ()
