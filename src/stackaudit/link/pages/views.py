"""Class-based generic views: what Django's own classes do where a project's class leaves it to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.pages import walk as q
from stackaudit.link.queries import bases, calls
from stackaudit.link.queries.bases import OF_MANY, OF_ONE_ROW
from stackaudit.link.queries.entries import from_url
from stackaudit.link.queries.joining import templates
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Const,
    Instance,
    Manager,
    Mapping,
    Other,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Walk

_OTHER = frozenset({"TemplateView", "FormView", "CreateView", "View", "ContextMixin", "TemplateResponseMixin"} | {
    "RedirectView", "LoginView", "PasswordChangeView",
})  # fmt: skip
_SUFFIX = {"DetailView": "_detail", "UpdateView": "_form", "CreateView": "_form", "DeleteView": "_confirm_delete",
           "ArchiveIndexView": "_archive"}  # fmt: skip
INHERITED = frozenset(
    {"get_queryset", "get_context_data", "get_object", "render_to_response", "get_template_names", "get", "post"}
    | {"paginate_queryset", "dispatch", "get_form", "form_valid", "form_invalid", "get_context_object_name"}
)


Choices: TypeAlias = tuple[tuple[str, ...], ...]
"""Names of templates: several lists where branches choose, and in each list those of which the first counts."""


@dataclass(frozen=True)
class Kind:
    """Which of Django's views a class is: "list", "detail" or "other"."""

    name: str
    suffix: str


def kind_of(cls: SourceClass) -> Kind | None:
    """What kind of generic view a class is, None where it is no view of Django's."""
    labels = [base.rpartition(".")[2] for base in cls.externals if "rest_framework" not in base]
    found = next((item for item in labels if item in OF_MANY | OF_ONE_ROW | _OTHER), None)
    if found is None:
        return None
    if any(item in OF_MANY for item in labels):
        return Kind("list", next((_SUFFIX[item] for item in labels if item in _SUFFIX), "_list"))
    if any(item in OF_ONE_ROW for item in labels):
        return Kind("detail", next((_SUFFIX[item] for item in labels if item in _SUFFIX), "_detail"))
    return Kind("other", next((_SUFFIX[item] for item in labels if item in _SUFFIX), ""))


class Views:
    """Runs what a generic view inherits."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def model(self, view: Instance, at: At) -> Model | None:
        """The model of a view: `model`, or that of its queryset."""
        found = view.cls.find("model")
        value = calls.attribute(self.walk, view, "model", at) if found is not None else UNKNOWN
        if isinstance(value, ClassRef):
            return value.model
        rows = bases.queryset(self.walk, view, at)
        return rows.model if isinstance(rows, Rows) else None

    def inherited(
        self, view: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """A method that the class leaves to Django; None where this is none of those known here."""
        kind = kind_of(view.cls)
        if kind is None or name not in INHERITED:
            return None
        if name == "get_queryset":
            return self.queryset(view, at)
        if name == "get_object":
            given = args[0] if args else keywords.get("queryset", UNKNOWN)
            rows = given if isinstance(given, Rows) else self.ask(view, "get_queryset", at)
            if isinstance(rows, Rows) and rows.model is not None:
                return Row(rows.model, rows.load, rows.origin)
            return UNKNOWN
        if name == "get_context_data":
            return self.context(view, kind, keywords, at)
        if name == "paginate_queryset" and args:
            size = self.walk.number(args[1]) if len(args) > 1 else 0
            rows = replace(args[0], limited=True, page=size) if isinstance(args[0], Rows) else args[0]
            page = replace(rows, paged=True) if isinstance(rows, Rows) else rows
            return Seq(UNKNOWN, (UNKNOWN, page, rows, UNKNOWN))
        if name == "get_form":
            return bases.called(self.walk, view, name, args, at) or UNKNOWN
        if name == "get_template_names":
            chosen = self.names(view, kind, at)
            return Seq(UNKNOWN, tuple(Const(item) for item in chosen[0])) if chosen else Seq(UNKNOWN, ())
        if name == "get" and kind.name in ("list", "detail"):
            attribute, method = ("object_list", "get_queryset") if kind.name == "list" else ("object", "get_object")
            view.attributes[attribute] = self.ask(view, method, at)
        return UNKNOWN

    def ask(self, view: Instance, name: str, at: At, keywords: dict[str, Value] | None = None) -> Value:
        """Call a method of the view, its own or Django's."""
        found = view.cls.find(name)
        if found is not None and isinstance(found.node, py.FunctionDef):
            return q.call(self.walk, calls.member(self.walk, view, found, at), (), keywords or {}, at, f"{name}()")
        return self.inherited(view, name, (), keywords or {}, at) or UNKNOWN

    def own(self, view: Instance, name: str) -> Member | None:
        """A method of the view that the repository defines."""
        found = view.cls.find(name)
        return found if found is not None and isinstance(found.node, py.FunctionDef) else None

    def requested(self, view: Instance, name: str, at: At) -> None:
        """Call a method of the view's own as a request does, where it has one."""
        found = self.own(view, name)
        if found is not None and isinstance(found.node, py.FunctionDef):
            args = (Other(name="@request"),) if len(found.node.params) > 1 else ()
            calls.apply(self.walk, calls.member(self.walk, view, found, at), args, from_url(found.node), at)

    def queryset(self, view: Instance, at: At) -> Value:
        """`get_queryset()` of Django's mixins."""
        value = bases.queryset(self.walk, view, at)
        if isinstance(value, (Rows, Manager)):
            return calls.base_rows(self.walk, value)
        if value is not None and value != Const(None):
            return value
        model = self.model(view, at)
        return bases.of_model(self.walk, view.cls, model) if model is not None else UNKNOWN

    def context(self, view: Instance, kind: Kind, keywords: dict[str, Value], at: At) -> Mapping:
        """`get_context_data()` of Django's mixins."""
        is_of_form = view.cls.find("form_class") is not None or self.own(view, "get_form") is not None
        items: dict[str, Value] = {"view": view, "form": self.ask(view, "get_form", at) if is_of_form else UNKNOWN}
        named = view.cls.find("context_object_name")
        given = calls.attribute(self.walk, view, "context_object_name", at) if named is not None else UNKNOWN
        name = given.value if isinstance(given, Const) and isinstance(given.value, str) else ""
        if kind.name == "list":
            rows = (
                keywords.get("object_list") or view.attributes.get("object_list") or self.ask(view, "get_queryset", at)
            )
            page = rows
            if isinstance(rows, Rows) and self.divides(view, at):
                rows = replace(rows, limited=True, page=self.size(view, at) or rows.page)
                page = replace(rows, paged=True)
            items |= {"object_list": rows, "page_obj": page, "paginator": UNKNOWN, "is_paginated": UNKNOWN}
            if isinstance(rows, Rows) and rows.model is not None:
                name = name or f"{rows.model.name.lower()}_list"
            if name:
                items[name] = rows
        elif kind.name == "detail":
            row = view.attributes.get("object") or self.ask(view, "get_object", at)
            items["object"] = row
            if isinstance(row, Row):
                items[name or row.model.name.lower()] = row
            elif name:
                items[name] = row
        extra = calls.attribute(self.walk, view, "extra_context", at) if view.cls.find("extra_context") else UNKNOWN
        if isinstance(extra, Mapping):
            items |= {str(key): value for key, value in extra.items}
        items |= keywords
        return Mapping(UNKNOWN, tuple(items.items()))

    def divides(self, view: Instance, at: At) -> bool:
        """Whether a list view shows its rows page by page, or may do so."""
        if any(view.cls.find(name) is not None for name in ("get_paginate_by", "paginate_queryset", "table_class")):
            return True
        if view.cls.is_open or view.cls.find("paginate_by") is None:
            return view.cls.is_open
        size = calls.attribute(self.walk, view, "paginate_by", at)
        return not (isinstance(size, Const) and size.value is None)

    def size(self, view: Instance, at: At) -> int:
        """The `paginate_by` of a list view, 0 where it has none or nobody knows."""
        if view.cls.find("get_paginate_by") is not None or view.cls.find("paginate_by") is None:
            return 0
        return self.walk.number(calls.attribute(self.walk, view, "paginate_by", at))

    def names(self, view: Instance, kind: Kind, at: At) -> Choices:
        """The template names of a view, the most specific first."""
        method = view.cls.find("get_template_names")
        if method is not None and isinstance(method.node, py.FunctionDef):
            return choices(self.ask(view, "get_template_names", at))
        found: list[str] = []
        chosen: Choices = ()
        if view.cls.find("template_name") is not None:
            chosen = choices(calls.attribute(self.walk, view, "template_name", at))
            found += chosen[0] if len(chosen) == 1 else ()
        model = self.model(view, at)
        if model is None and kind.name in ("list", "detail"):
            rows = view.attributes.get("object_list") or view.attributes.get("object")
            model = rows.model if isinstance(rows, (Rows, Row)) else None
        if model is not None and kind.suffix:
            suffix = kind.suffix
            if view.cls.find("template_name_suffix") is not None:
                value = calls.attribute(self.walk, view, "template_name_suffix", at)
                if isinstance(value, Const) and isinstance(value.value, str):
                    suffix = value.value
            found.append(f"{model.app}/{model.name.lower()}{suffix}.html")
        return chosen if len(chosen) > 1 else (tuple(found),)


def choices(value: Value) -> Choices:
    """The lists of names that a value stands for: one name, some of which the first counts, or what branches choose."""
    if isinstance(value, Const):
        return ((value.value,),) if isinstance(value.value, str) else ()
    if isinstance(value, Seq):
        items = [choices(item) for item in value.items or ()]
        if len(items) == 1:
            return items[0]
        first = tuple(found[0][0] for found in items if found)
        return (first,) if first else ()
    return tuple((name,) for name in templates(value))


__all__ = ["Choices", "Kind", "Other", "Views", "choices", "kind_of"]
