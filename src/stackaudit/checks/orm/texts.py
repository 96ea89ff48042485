"""Models whose text asks the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.admin import Admin, rendered
from stackaudit.link.admin.filters import listing
from stackaudit.link.models.model import Model, Relation
from stackaudit.link.queries import calls
from stackaudit.link.queries.amounts import ROWS
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.values import Manager
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Step, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_LIGHT = ("raw_id_fields", "autocomplete_fields", "readonly_fields", "exclude")
_DECIDING = ("formfield_for_foreignkey", "formfield_for_manytomany", "formfield_for_dbfield", "get_form", "form",
             "get_fields", "fields", "fieldsets", "get_fieldsets", "get_readonly_fields", "get_formset",
             "has_change_permission", "get_autocomplete_fields", "get_exclude")  # fmt: skip
_TOLD = 3
"""So many selects are told one by one."""
_AREA = "text"


@dataclass(frozen=True)
class _Shown:
    """A form's select of the rows of a model, or (`path`) a filter of a changelist that lists them."""

    admin: Admin
    relation: Relation
    place: Place
    path: str = ""


def str_follows_relation(stack: Stack) -> Iterator[Verdict]:
    """One site for each `__str__` of a model whose rows fill a select or a filter of the admin."""
    shown: dict[Model, list[_Shown]] = {}
    for admin in stack.admin.admins:
        for item in _showing(admin):
            if item.relation.target is not None:
                shown.setdefault(item.relation.target, []).append(item)
    seen: set[Place] = set()
    for model, items in shown.items():
        member = model.cls.find("__str__") if model.cls is not None else None
        if member is None or not isinstance(member.node, py.FunctionDef):
            continue
        place = member.owner.module.place(py.Name(member.node.start, member.node.start + len("def __str__"), ""))
        if place not in seen:
            seen.add(place)
            yield _judge(stack, model, Site(place, f"{model.label}.__str__"), items)


def _showing(admin: Admin) -> Iterator[_Shown]:
    """What an admin shows: the selects of its form, those of its inlines, and the filters of its changelist."""
    for each in (admin, *(admin.inlines if admin.model is not None else ())):
        for relation in _selects(each, admin.model if each is not admin else None):
            if relation.owner is not None and relation.call is not None:
                yield _Shown(each, relation, relation.owner.module.place(relation.call))
    if _is_plain(admin):
        for item, relation in listing(admin):
            yield _Shown(admin, relation, item.place, item.text)


def _is_plain(admin: Admin) -> bool:
    """Whether nothing but Django's own classes and the repository's stand behind an admin."""
    bases = admin.cls.externals
    return not admin.cls.is_open and all(base.startswith(("django.contrib.", "builtins.")) for base in bases)


def _selects(admin: Admin, parent: Model | None) -> Iterator[Relation]:
    """The relations that a form surely renders as a select; the key of an inline to its `parent` is none of them."""
    if admin.model is None or not _is_plain(admin) or any(admin.overrides(name) for name in _DECIDING):
        return
    options = [admin.option(name) for name in _LIGHT]
    if any(option is not None and option.open for option in options):
        return
    light = {name for option in options if option is not None for name in option.names}
    yield from (item for item in rendered(admin.model, parent) if item.name not in light)


def _judge(stack: Stack, model: Model, site: Site, shown: list[_Shown]) -> Verdict:
    events = _asked(stack, model, site.place)
    failed = [event for event in events if event.outcome == "fail"]
    if failed:
        selects, filters = [item for item in shown if not item.path], [item for item in shown if item.path]
        paths = list(dict.fromkeys(".".join(event.path) for event in failed))
        values = {"model": model.name, "paths": ", ".join(f"`{path}`" for path in paths), "filters": _named(filters)}
        related = [
            *(Step(item.place, f"{item.admin.name} shows a select of them") for item in selects[:_TOLD]),
            *(Step(item.place, f"the changelist of {item.admin.name} lists them") for item in filters[:_TOLD]),
            *(Step(event.query, f"asks for `{'.'.join(event.path)}`") for event in failed[:5]),
        ]
        fix = f"Let the text use columns of {model.name} alone; or {_where(model, selects, filters, _loading(failed))}."
        cost = Cost(ROWS * len(paths) + 1, ROWS, f"{ROWS} rows in the {'select' if selects else 'filter'}")
        cause = ("both" if selects else "filter") if filters else ""
        return Fail(site, values, cause=cause, related=tuple(related), cost=cost, fix=fix)
    unknown = next((event for event in events if event.outcome == "unknown"), None)
    return Unsure(site, unknown.why) if unknown is not None else Pass(site)


def _named(filters: list[_Shown]) -> str:
    """Filters as a message names them, one by one where there is one."""
    if len(filters) == 1:
        return f"the filter by `{filters[0].path}` (`list_filter`) in the changelist of {_whose(filters[0].admin)}"
    return f"each filter by them (`list_filter`) in the changelists of {_of(filters)}"


def _where(model: Model, selects: list[_Shown], filters: list[_Shown], loading: str) -> str:
    """Where what a text reads is to be loaded, as it follows "or": where the only select is made, or for all.

    A filter takes its rows from the default manager, and the hooks of the form say nothing to it.
    """
    if filters or len(selects) > 1:
        return (
            f"let the default manager of {model.name} load what it reads, by `super().get_queryset(){loading}` in its "
            f"get_queryset(): {_all(selects, filters)}"
        )
    admin, relation = selects[0].admin, selects[0].relation
    hook = "formfield_for_manytomany" if relation.relation == "m2m" else "formfield_for_foreignkey"
    return (
        f"load what it reads where the select is made, in {hook}() of {_whose(admin)}: "
        f'`kwargs["queryset"] = {model.name}.{model.default_manager}{loading}` for `{relation.name}`'
    )


def _all(selects: list[_Shown], filters: list[_Shown]) -> str:
    """The sentence on all that shows the text of the rows."""
    filtering = f"the filter of the changelist (`list_filter`) of {_of(filters)}"
    if len(filters) > 1:
        filtering = f"{len(filters)} filters of changelists (`list_filter`: those of {_of(filters)})"
    if not selects:
        return f"{filtering} {'show' if len(filters) > 1 else 'shows'} it"
    if len(selects) > 1:
        held, named = f"{len(selects)} selects", f"(those of {_of(selects)})"
        return f"{held} {named} and {filtering} show it" if filters else f"{held} show it {named}"
    is_same = len(filters) == 1 and filters[0].admin is selects[0].admin
    return f"the select of the form{'' if is_same else f' of {_of(selects)}'} and {filtering} show it"


def _of(shown: list[_Shown]) -> str:
    """The admins that show it."""
    return in_words(list(dict.fromkeys(_whose(item.admin) for item in shown)), most=_TOLD)


def _whose(admin: Admin) -> str:
    """An admin by the name of its class, or by its model where Django makes the class."""
    return f"the ModelAdmin of {admin.model.name}" if admin.is_made and admin.model is not None else admin.label


def _loading(events: list[Event]) -> str:
    calls: dict[str, list[str]] = {}
    for event in events:
        one = event.relation is not None and not event.relation.many and event.relation.relation != "generic_fk"
        path = f'"{"__".join(event.path)}"'
        held = calls.setdefault("select_related" if one else "prefetch_related", [])
        if path not in held:
            held.append(path)
    return "".join(f".{name}({', '.join(paths)})" for name, paths in calls.items())


def _asked(stack: Stack, model: Model, place: Place) -> list[Event]:
    """What the text of each row of the model asks for, when all rows are shown by their text."""
    queries = stack.queries
    manager = Manager(model, model.managers.get(model.default_manager), model.default_manager)
    rows = calls.base_rows(queries.walk, manager)
    with queries.reporting(_AREA), queries.each(rows, place, f"each {model.name}") as row:
        queries.render(row, place)
    return [event for event in queries.events if event.area == _AREA and event.loop and event.loop.place == place]
