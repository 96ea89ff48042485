"""Form fields that offer rows: each option is the text of a row, `label_from_instance(row)` or `str(row)`.

`ModelChoiceField`, `ModelMultipleChoiceField` and the filters of django-filter ask it of every row of their queryset
when they are rendered with one of Django's select, radio or checkbox widgets. Other widgets (autocomplete, hidden, raw
ids) render what is chosen alone, and a form that no page renders asks nothing. Fields that `__init__()` adds count like
declared ones; where a class method, a view or a function sets the queryset of a field, that one counts. Of the forms of
the admin those fields count that they declare, the others are the admin's business; of filters count those of a
FilterView, for the filters of an API are not rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from stackaudit.facts import python as py
from stackaudit.link.admin.walk import Changelists
from stackaudit.link.classes import SourceClass
from stackaudit.link.declared.columns import place_in
from stackaudit.link.declared.lists import LISTED, REQUEST, Kind, Lists, calls_one_of, class_place, derives, texts
from stackaudit.link.models.model import Model, keyword
from stackaudit.link.modules import SourceModule, decorators
from stackaudit.link.nodes import is_false, nodes
from stackaudit.link.pages.views import kind_of
from stackaudit.link.queries import calls, forms
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.values import UNKNOWN, ClassRef, Const, Function, Instance, Manager, Mapping, Rows, Value
from stackaudit.model.source import Place

_FORMS = ("django.forms",)
_FILTERS = ("django_filters",)
_FORM = frozenset({"Form", "ModelForm", "BaseForm", "BaseModelForm"})
_FIELDS = frozenset({"ModelChoiceField", "ModelMultipleChoiceField"})
_CHOICES = frozenset({"ModelChoiceFilter", "ModelMultipleChoiceFilter"})
_WIDGETS = frozenset({"Select", "SelectMultiple", "RadioSelect", "CheckboxSelectMultiple"})
_RENDERS = calls_one_of(
    frozenset({"render", "render_to_string", "render_to_response", "TemplateResponse", "render_template"})
)
_OWN = ("widget", "iterator", "get_bound_field", "choices", "_get_choices")
_VIEWS = frozenset({"FilterView", "BaseFilterView", "FilterMixin"})


@dataclass(frozen=True)
class Choice:
    """A field that offers rows. `call` makes it, None where the model's field stands for it; `target` is its model."""

    name: str
    place: Place
    module: SourceModule
    owner: SourceClass
    call: py.Call | None = None
    kind: SourceClass | str | None = None
    target: Model | None = None


class Choices(Kind):
    """Every form and filter set with the rows that it offers."""

    def __init__(self, lists: Lists, admin: Changelists) -> None:
        self.lists = lists
        self.admin = admin

    def run(self) -> None:
        """The forms of pages and the filters of pages."""
        elsewhere = set(self._named(("form",), [*self.lists.classes, *self._nested()]))
        for cls in self.lists.classes:
            if cls in elsewhere or any(base in elsewhere for base in cls.mro):
                if derives(cls, _FORMS, _FORM):  # the fields that it declares, no admin replaces by its own
                    self._form(cls, _FORMS, _FIELDS, is_of_admin=True)
                continue
            if cls.label in self._rendered and derives(cls, _FORMS, _FORM) and not self.admin.admins.is_admin(cls):
                self._form(cls, _FORMS, _FIELDS)
        pages = [cls for cls in self.lists.classes if derives(cls, _FILTERS, _VIEWS)]
        for cls in dict.fromkeys(self._named(("filterset_class",), pages)):
            self._form(cls, _FILTERS, _CHOICES)

    @cached_property
    def _rendered(self) -> frozenset[str]:
        """Names that views mention and functions that render a template: a form that is only validated asks nothing."""
        bodies: list[Sequence[py.Stmt]] = []
        for cls in self.lists.classes:
            if kind_of(cls) is not None or "form_class" in cls.members or "form_list" in cls.members:
                bodies.append(cls.node.body)
        for module in self.lists.models.modules:
            bodies += [(node,) for node, _ in functions(self.lists.walk, module) if _RENDERS(node)]
        found: set[str] = set()
        for body in bodies:
            found |= {node.id for node in nodes(body) if type(node) is py.Name}
            found |= {node.attr for node in nodes(body) if type(node) is py.Attribute}
        return frozenset(found)

    def _named(self, options: tuple[str, ...], classes: list[SourceClass]) -> Iterator[SourceClass]:
        """The classes that an option of some classes names; views say `form_class`, admins and inlines say `form`."""
        for cls in classes:
            for option in options:
                value = self.lists.option(cls, option) if cls.find(option) is not None else None
                if isinstance(value, ClassRef) and isinstance(value.cls, SourceClass):
                    yield value.cls

    def _nested(self) -> Iterator[SourceClass]:
        """Classes inside classes, as polymorphic inlines have them."""
        for cls in self.lists.classes:
            for stmt in cls.node.body:
                if isinstance(stmt, py.ClassDef) and stmt.bases and stmt.name != "Meta":
                    yield self.lists.models.classes.build(cls.module, stmt, f"{cls.name}.{stmt.name}")

    def _form(
        self, cls: SourceClass, packages: tuple[str, ...], kinds: frozenset[str], is_of_admin: bool = False
    ) -> None:
        if self.lists.is_base(cls, "Meta"):
            return
        automatic: Iterable[Choice] = ()
        if not is_of_admin:
            automatic = self._automatic(cls) if packages == _FORMS else self._filtered(cls)
        found = {item.name: item for item in automatic}
        found |= {item.name: item for item in self._declared(cls, packages, kinds)}
        if not found and (cls.find("__init__") is None or packages != _FORMS):
            return
        with self.lists.survived():
            self.lists.walk.spent = 0
            own = {name: self._field(item) for name, item in found.items()}
            made = self._made(cls, own)
            later = self._later.get(cls, {})
            for name, field in made.items():
                item = found.get(name) if field is own.get(name) else _added(cls, name, field)
                if item is None:
                    continue
                replaced = [one for one in later.get(name, ()) if not _offers_same(one, field)]
                for one in replaced or [field]:
                    self._offer(cls, item, one)

    def _declared(self, cls: SourceClass, packages: tuple[str, ...], kinds: frozenset[str]) -> Iterator[Choice]:
        for base in reversed(cls.mro):
            for name, bound in base.members.items() if isinstance(base, SourceClass) else ():
                assert isinstance(base, SourceClass)
                node = bound[-1].node
                kind = self.lists.kind_of(base.module, node)
                if isinstance(node, py.Call) and derives(kind, packages, kinds):
                    yield Choice(name, base.module.place(node), base.module, base, node, kind)

    def _automatic(self, cls: SourceClass) -> Iterator[Choice]:
        """The fields that a ModelForm makes of the relations of its model."""
        options = self.lists.inner(cls)
        model = self.lists.model_of(options)
        if options is None or model is None or not derives(cls, _FORMS, frozenset({"ModelForm"})):
            return
        given = self.lists.option(options, "fields")
        only, without = texts(given), texts(self.lists.option(options, "exclude")) or ()
        member = options.find("fields")
        if only is None and member is not None and not (isinstance(given, Const) and given.value == "__all__"):
            return
        replaced = self.lists.option(options, "widgets")
        classes = self.lists.option(options, "field_classes")
        other = {key for held in (replaced, classes) if isinstance(held, Mapping) for key, _ in held.items}
        if (replaced is not None and not isinstance(replaced, Mapping)) or options.find("formfield_callback"):
            return
        for name in [name for item in model.family() for name in item.relations]:
            relation = model.relation(name)
            if relation is None or relation.relation not in ("fk", "o2o", "m2m") or name in without or name in other:
                continue
            if relation.target is None or (only is not None and name not in only):
                continue
            editable = relation.keyword("editable")
            if not is_false(editable):
                place = place_in(member, name) if member is not None else class_place(cls)
                yield Choice(name, place, options.module, cls, target=relation.target)

    def _filtered(self, cls: SourceClass) -> Iterator[Choice]:
        """The filters that a FilterSet makes of the relations of its model: each offers all rows behind one.

        https://django-filter.readthedocs.io/en/stable/ref/filterset.html#meta-options
        """
        options = self.lists.inner(cls)
        model = self.lists.model_of(options)
        member = options.find("fields") if options is not None else None
        if options is None or model is None or member is None or options.find("filter_overrides") is not None:
            return
        given = self.lists.option(options, "fields")
        if isinstance(given, Mapping):
            chosen = {str(name): texts(lookups) or () for name, lookups in given.items}
            names = [name for name, lookups in chosen.items() if "exact" in lookups]
        else:
            names = list(texts(given) or ())
        for name in names:
            relation = model.relation(name) if cls.find(name) is None else None
            if relation is not None and relation.relation in ("fk", "o2o", "m2m") and relation.target is not None:
                yield Choice(name, place_in(member, name), options.module, cls, target=relation.target)

    def _field(self, item: Choice) -> Instance:
        """The field of a form as an object, for what `__init__` does to it."""
        if item.call is None:
            return forms.of_relation(item.owner, item.name, many=False)
        return forms.field(f"{item.owner.name}.{item.name}", item.module, item.call, item.kind)

    def _made(self, cls: SourceClass, fields: dict[str, Instance]) -> dict[str, Instance]:
        """The fields after `__init__`, which may add and replace some, and change querysets, labels and widgets."""
        found = cls.find("__init__")
        if found is None or not isinstance(found.node, py.FunctionDef):
            return fields
        form = Instance(cls, {"fields": Mapping(forms.REST, tuple(fields.items())), "request": REQUEST}, made=True)
        function = Function(found.owner.module, found.node, form, found.owner)
        at = (found.owner.module, found.node)
        calls.call(self.lists.walk, function, (), {}, at, f"{cls.label}()", is_entry=True)
        return _held(form)

    @cached_property
    def _later(self) -> dict[SourceClass, dict[str, list[Instance]]]:
        """The fields of forms whose querysets others set: class methods of the form, views and functions."""
        known = self.lists.walk.record.forms
        before = len(known)
        every = [
            (module, node, owner)
            for module in self.lists.models.modules
            for node, owner in functions(self.lists.walk, module)
            if owner is None or decorators(node) or not derives(owner, _FORMS, _FORM)
        ]
        setters = {node for _, node, _ in every if _replaces(node)}
        calling = calls_one_of(frozenset(node.name for node in setters))  # they know the arguments
        for module, node, owner in every if setters else ():
            if node in setters or calling(node):
                self.lists.walk_function(module, node, owner)
        found: dict[SourceClass, dict[str, list[Instance]]] = {}
        for form in known[before:]:
            for name, field in _held(form).items():
                if "queryset" in field.attributes:
                    found.setdefault(form.cls, {}).setdefault(name, []).append(field)
        return found

    def _offer(self, cls: SourceClass, item: Choice, made: Instance) -> None:
        if "choices" in made.attributes or not self._is_listed(item, made):
            return
        rows = self._rows(cls, item, made)
        if not isinstance(rows, LISTED) or (isinstance(rows, Rows) and rows.model is None):
            return
        label: Value | None = made.attributes.get("label_from_instance")
        own = item.kind.find("label_from_instance") if isinstance(item.kind, SourceClass) else None
        with self.lists.each(rows, item.place, f"the choices of {item.name}", cls.name) as row:
            if label is not None:
                self.lists.ask(label, row, item.place, "label_from_instance(…)")
            elif own is not None and isinstance(item.kind, SourceClass):
                self.lists.method(Instance(item.kind), "label_from_instance", row, item.place)
            else:
                self.lists.text(row, item.place)

    def _rows(self, cls: SourceClass, item: Choice, made: Instance) -> Value:
        rows = made.attributes.get("queryset")
        if rows is None and "queryset" in made.cls.members:
            rows = self.lists.constant(item.module, made.cls.members["queryset"][-1].node, item.owner)  # type: ignore[arg-type]
            if isinstance(rows, Function):
                rows = self.lists.ask(rows, REQUEST, item.place, "queryset(…)")
        elif rows is None and item.target is not None:
            rows = self.lists.all_rows(item.target, item.place)
        if isinstance(rows, ClassRef) and rows.model is not None:
            rows = self.lists.all_rows(rows.model, item.place)
        return self.lists.rows(rows) if isinstance(rows, (*LISTED, Manager)) else UNKNOWN

    def _is_listed(self, item: Choice, made: Instance) -> bool:
        """Whether every option is rendered, as far as it is seen: another widget may render what is chosen alone."""
        if "widget" in made.attributes:
            return False
        if isinstance(item.kind, SourceClass) and any(item.kind.find(name) is not None for name in _OWN):
            return False
        widget = keyword(item.call, "widget") if item.call is not None else None
        if widget is None:
            return True
        kind = self.lists.kind_of(item.module, widget) or self.lists.models.classes.resolve(item.module, widget)
        return isinstance(kind, str) and derives(kind, _FORMS, _WIDGETS)


def _held(form: Instance) -> dict[str, Instance]:
    """The fields of a form that are known."""
    held = form.attributes.get("fields")
    items = held.items if isinstance(held, Mapping) else ()
    return {str(name): field for name, field in items if isinstance(field, Instance)}


def _added(cls: SourceClass, name: str, field: Instance) -> Choice | None:
    """A field that `__init__` adds; None where nothing tells which call makes it."""
    made = field.cls
    if not isinstance(made, forms.FieldClass) or made.call is None:
        return None
    return Choice(name, made.module.place(made.call), made.module, cls, made.call, made.kind)


def _offers_same(one: Instance, field: Instance) -> bool:
    """Whether both fields were given what one expression makes."""
    places = []
    for item in (one, field):
        rows = item.attributes.get("queryset")
        places.append(rows.origin.place if isinstance(rows, Rows) and rows.origin is not None else None)
    return "queryset" in field.attributes and places[0] == places[1]


def _replaces(node: py.FunctionDef) -> bool:
    """Whether a function sets the queryset of a field of a form."""
    parts = list(nodes((node,)))
    if not any(type(part) is py.Attribute and part.attr == "fields" for part in parts):
        return False
    targets = [target for part in parts if isinstance(part, py.Assign) for target in part.targets]
    return any(isinstance(target, py.Attribute) and target.attr == "queryset" for target in targets)
