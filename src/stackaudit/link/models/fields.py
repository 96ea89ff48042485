"""Reads columns, relations and managers out of model classes; used by `link.models` alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.contrib import AUTO_PREFETCH, CONTRIB, FIELD_KINDS, TAG, TAGS, ContribModel, canonical
from stackaudit.link.models.given import TO, given
from stackaudit.link.models.model import Field, ManagerDef, Model, Relation, RelationKind, keyword
from stackaudit.link.models.packages import PACKAGED
from stackaudit.link.modules import Binding, dotted
from stackaudit.link.nodes import is_false, is_true

if TYPE_CHECKING:
    from stackaudit.link.models import Models

_ENDS = {"GenericForeignKey": "generic_fk", "ForeignKey": "fk", "OneToOneField": "o2o", "ManyToManyField": "m2m"}
_REVERSE: dict[str, RelationKind] = {"fk": "reverse_fk", "o2o": "reverse_o2o", "m2m": "reverse_m2m"}


class Builder:
    """Fills the models that were found."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.classes = models.classes

    def build(self, found: list[Model]) -> None:
        """Fill every model: first what stands in its own class, then the other side of each relation."""
        for model in found:
            self._parents(model)
        for model in found:
            self._own(model)
        for name, known in CONTRIB.items():
            contrib = self.models.of_class(name)
            if contrib is not None and not known.abstract:
                self._contrib(contrib, known)
        for model in self.models:
            if not model.proxy:
                for relation in list(model.relations.values()):
                    self._other_side(model, relation)

    def _parents(self, model: Model) -> None:
        if model.cls is None:
            return
        for base in model.cls.bases:
            for parent in self._concrete(base):
                model.parents.append(parent)
                parent.children.append(model)

    def _concrete(self, base: SourceClass | str | None) -> list[Model]:
        parent = self.models.of_class(base)
        if parent is not None and not parent.abstract:
            return [parent]
        if isinstance(base, SourceClass):
            return [found for above in base.bases for found in self._concrete(above)]
        return []

    def _own(self, model: Model) -> None:
        assert model.cls is not None
        inherited = {id(base) for parent in model.parents if parent.cls for base in parent.cls.mro}
        for base in reversed(model.cls.mro):
            if isinstance(base, str):
                known = CONTRIB.get(canonical(base)) or PACKAGED.get(base)
                if known is not None and known.abstract and id(base) not in inherited:
                    self._contrib(model, known)
            elif base is not None and (base is model.cls or id(base) not in inherited):
                for name, bound in base.members.items():
                    self._member(model, base, name, bound[-1])
        self._managers(model)
        ordering = self.models.meta(model.cls, "ordering")
        model.ordered = None if isinstance(ordering, py.Node) else bool(ordering)
        if ordering is None and model.parents:
            model.ordered = model.parents[0].ordered
        if ordering is None and model.is_open:
            model.ordered = None
        for parent in model.parents:
            if not model.proxy:
                self._parent_link(model, parent)

    def _parent_link(self, model: Model, parent: Model) -> None:
        explicit = next(
            (item for item in model.relations.values() if item.relation == "o2o" and item.target is parent), None
        )
        if explicit is None:
            name = f"{parent.name.lower()}_ptr"
            model.relations[name] = Relation(
                name, "OneToOneField", relation="o2o", model=model, target=parent, remote=model.name.lower()
            )
        model.parent_links[explicit.name if explicit else f"{parent.name.lower()}_ptr"] = parent

    def _member(self, model: Model, owner: SourceClass, name: str, binding: Binding) -> None:
        if name in model.relations or name in model.columns:
            model.relations.pop(name, None)
            model.columns.pop(name, None)
        call = binding.node
        if not isinstance(call, py.Call):
            return
        kind = self._field_kind(owner, call)
        if kind in ("fk", "o2o", "m2m", "generic_fk", "generic"):
            relation = self._relation(model, owner, name, call, kind)
            model.relations[name] = relation
            if is_true(relation.keyword("primary_key")):
                model.pk = name
        elif kind:
            column = Field(name, kind, call, owner)
            model.columns[name] = column
            if is_true(column.keyword("primary_key")):
                model.pk = name

    def _field_kind(self, owner: SourceClass, call: py.Call) -> str:
        cls = self.classes.resolve(owner.module, call.func)
        if cls is None:
            cls = self._partial(owner, call.func)
        if isinstance(cls, SourceClass):
            kinds = (_kind_of(base) for base in cls.externals)
            known = next(filter(None, kinds), "")
            return known or (cls.label if any(base.endswith("Field") for base in cls.externals) else "")
        if isinstance(cls, str):
            last = cls.rpartition(".")[2]
            return _kind_of(cls) or (last if last.endswith("Field") else "")
        return ""

    def _partial(self, owner: SourceClass, func: py.Expr) -> SourceClass | str | None:
        """The field of `Key = functools.partial(models.ForeignKey, on_delete=models.CASCADE)`."""
        symbol = self.models.modules.resolve(owner.module, dotted(func)) if dotted(func) else None
        made = symbol.node if symbol is not None and symbol.kind == "value" else None
        is_partial = isinstance(made, py.Call) and bool(made.args) and dotted(made.func).endswith("partial")
        if symbol is None or symbol.module is None or not isinstance(made, py.Call) or not is_partial:
            return None
        return self.classes.resolve(symbol.module, made.args[0])

    def _relation(self, model: Model, owner: SourceClass, name: str, call: py.Call, kind: str) -> Relation:
        target = None
        cls = self.classes.resolve(owner.module, call.func)
        made = given(cls, call, owner.module)
        words = {name: node for name, (node, _) in made.items()}
        wanted, module = made.get(TO, (None, owner.module))
        is_of_tags = _holds_tags(cls)
        if is_of_tags:
            wanted = keyword(call, "to")  # its first argument is its name for people
            target = self.models.foreign(TAG) if wanted is None else None
        if kind != "generic_fk" and target is None:
            if isinstance(wanted, py.Constant) and wanted.value == "self":
                target = model
            else:
                target = self.models.of_expr(module, wanted, model.app)
                if target is None and isinstance(wanted, py.Constant):
                    target = self.models.of_expr(module, wanted, self.models.app_of(module))
        related = words.get("related_name")
        remote = f"{model.name.lower()}_set" if kind != "o2o" else model.name.lower()
        query_name = model.name.lower()
        default = self.models.meta(model.cls, "default_related_name") if related is None and model.cls else None
        written = related.value if isinstance(related, py.Constant) else default
        if isinstance(written, str):
            text = written.replace("%(class)s", model.name.lower()).replace("%(app_label)s", model.app)
            text = text.replace("%(model_name)s", model.name.lower())
            remote = query_name = "" if text.endswith("+") else text
        elif related is not None:
            remote = query_name = ""
        asked = words.get("related_query_name")
        if isinstance(asked, py.Constant) and isinstance(asked.value, str):
            query_name = asked.value
        elif kind == "generic":
            query_name = ""  # its rows cannot be asked for by the one that they speak of: a FieldError on Django 5.2
        symmetric = kind == "m2m" and target is model and not is_false(words.get("symmetrical"))
        to_field = words.get("to_field")
        return Relation(
            name,
            kind,
            call,
            owner,
            relation=kind,  # type: ignore[arg-type]
            model=model,
            target=target,
            remote="" if symmetric or is_of_tags or kind in ("generic", "generic_fk") else remote,
            query_name=name,
            remote_query_name=query_name,
            null=is_true(words.get("null")),
            to_field=str(to_field.value) if isinstance(to_field, py.Constant) else "",
            peers=any(base.startswith(AUTO_PREFETCH) for base in _externals(cls)),
            own_form=isinstance(cls, SourceClass) and cls.find("formfield") is not None,
        )

    def _other_side(self, model: Model, relation: Relation) -> None:
        if relation.relation not in _REVERSE or relation.target is None or not relation.remote or model.abstract:
            return
        target = relation.target
        while target.proxy and target.parents:
            target = target.parents[0]
        if relation.remote in target.relations and target.relations[relation.remote].forward:
            return
        target.relations.setdefault(
            relation.remote,
            Relation(
                relation.remote,
                relation.kind,
                relation.call,
                relation.owner,
                relation=_REVERSE[relation.relation],
                model=target,
                target=model,
                remote=relation.name,
                query_name=relation.remote_query_name or relation.remote,
                null=True,
            ),
        )

    def _contrib(self, model: Model, known: ContribModel) -> None:
        for column in known.columns:
            model.columns.setdefault(column, Field(column, ""))
        for field, (kind, label, remote, null) in known.relations.items():
            target = self.models.user if label == "AUTH_USER_MODEL" else self.models.named(label)
            model.relations.setdefault(
                field,
                Relation(
                    field, "", relation=kind, model=model, target=target, remote=remote, query_name=field, null=null
                ),
            )

    def _managers(self, model: Model) -> None:
        assert model.cls is not None
        for base in model.cls.mro:
            if not isinstance(base, SourceClass):
                continue
            for name, bound in base.members.items():
                if name not in model.managers:
                    manager = self._manager(base, name, bound[-1])
                    if manager is not None:
                        model.managers[name] = manager
        wanted = self.models.meta(model.cls, "default_manager_name")
        if isinstance(wanted, str):
            model.default_manager = wanted
        elif model.managers:
            model.default_manager = next(iter(model.managers))

    def _scoped(self, owner: SourceClass, cls: str, call: py.Call) -> SourceClass | None:
        """The manager that django-scopes makes another one of: `ScopedManager(shop="shop", _manager_class=Books)`.

        https://github.com/raphaelm/django-scopes
        """
        given = keyword(call, "_manager_class") if cls == "django_scopes.ScopedManager" else None
        if isinstance(given, py.Call):
            return self.classes.merged(owner.module, given)
        found = self.classes.resolve(owner.module, given)
        return found if isinstance(found, SourceClass) else None

    def _manager(self, owner: SourceClass, name: str, binding: Binding) -> ManagerDef | None:
        call = binding.node
        if not isinstance(call, py.Call):
            return None
        func = call.func
        if isinstance(func, py.Attribute) and func.attr == "as_manager":
            return ManagerDef(name, "django.db.models.Manager", self.classes.resolve(owner.module, func.value))
        if isinstance(func, py.Call) and isinstance(func.func, py.Attribute) and func.func.attr == "from_queryset":
            merged = self.classes.merged(owner.module, func)
            return ManagerDef(name, merged)
        symbol = self.models.modules.resolve(owner.module, dotted(func)) if dotted(func) else None
        if symbol is not None and symbol.kind == "value" and symbol.module is not None:
            # BookManager = models.Manager.from_queryset(BookQuerySet)
            made = symbol.node
            if isinstance(made, py.Call) and isinstance(made.func, py.Attribute) and made.func.attr == "from_queryset":
                return ManagerDef(name, self.classes.merged(symbol.module, made))
            return None
        cls = self.classes.of(symbol)
        if _holds_tags(cls):
            return None
        if isinstance(cls, SourceClass):
            is_manager = any(base.endswith(("Manager", "ManagerBase")) for base in cls.externals)
            return ManagerDef(name, cls) if is_manager or (cls.is_open and cls.label.endswith("Manager")) else None
        if isinstance(cls, str) and cls.endswith("Manager"):
            return ManagerDef(name, self._scoped(owner, cls, call) or canonical(cls))
        return None


def _kind_of(name: str) -> str:
    """The kind of relation that a class of fields makes, by its dotted name; "" for columns.

    `ChainedForeignKey` of another package is a foreign key: what derives from Django's relations is named like them.
    """
    known = FIELD_KINDS.get(canonical(name))
    return known or next((kind for end, kind in _ENDS.items() if name.endswith(end)), "")


def _holds_tags(cls: SourceClass | str | None) -> bool:
    """Whether a class is a field of tags, which is called a manager and is none."""
    return not set(TAGS).isdisjoint(_externals(cls))


def _externals(cls: SourceClass | str | None) -> Iterable[str]:
    """The classes of other packages that a class is, or derives from."""
    return cls.externals if isinstance(cls, SourceClass) else [cls] if cls is not None else []
