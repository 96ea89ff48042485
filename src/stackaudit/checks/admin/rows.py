"""Queries that a changelist runs for each of its rows."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.admin import Admin
from stackaudit.link.admin.walk import Changelists
from stackaudit.link.models.model import Model
from stackaudit.link.pages.events import Repeat, grouped, inner_place, is_indirect
from stackaudit.link.queries.annotations import used
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.lookups import arguments
from stackaudit.link.stack import Stack
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Unsure, Verdict

PAGE = 100
INLINE = 10
_FORMS = ("formfield_for_foreignkey", "formfield_for_dbfield", "get_changelist_form", "get_changelist_formset")


def list_display_n_plus_one(stack: Stack) -> Iterator[Verdict]:
    """Columns that read related rows, against what the changelist's queryset loads."""
    lists = stack.admin
    for item in lists.lists:
        if item.why:
            yield Unsure(Site(item.admin.place, f"{item.admin.name}: changelist"), item.why)
    by_admin: dict[Admin, list[Event]] = {}
    for event in stack.readers.told(lists.events, lists.walk):
        by_admin.setdefault(lists.column(event).admin, []).append(event)
    for admin, events in by_admin.items():
        repeats = grouped(events, lambda event: True)
        merged = Repeat([event for repeat in repeats for event in repeat.events])
        yield _verdict(lists, admin, merged, stack.models.user)
    for admin in lists.admins:
        yield from _editable(admin)


def _place(lists: Changelists, event: Event) -> Place:
    """The line of the column's own method where it has one, else the column."""
    return inner_place(event) if is_indirect(event) and lists.column(event).name != "__str__" else event.place


def _verdict(lists: Changelists, admin: Admin, repeat: Repeat, user: Model | None) -> Verdict:
    event = repeat.first
    column = lists.column(event)
    site = Site(_place(lists, event), f"{admin.name}.{column.name}")
    if event.outcome == "pass":
        return Pass(site)
    if event.outcome == "unknown":
        return Unsure(site, event.why)
    columns = list(dict.fromkeys(lists.column(item).name for item in repeat.failing))
    is_inline = any(admin is inline for inline in lists.inlines)
    cause = "guarded" if all(item.guarded for item in repeat.failing) else ""
    if is_inline:
        cause = "inline-own" if repeat.few(user) == "own" else "inline-guarded" if cause else "inline"
        cause = "inline-parent" if all(map(_is_of_parent, repeat.failing)) else cause
    cause = cause or ("text" if column.name == "__str__" and len(columns) == 1 else "")
    told = _inline_fix(admin, repeat) if is_inline else _fix(lists, admin, repeat)
    return Fail(
        site,
        {
            "column": ", ".join(columns),
            "relation": repeat.relations or event.method,
            "model": admin.model.name if admin.model else "the model",
        },
        cause=cause,
        related=repeat.related(),
        flow=event.flow,
        fix=" ".join([*filter(None, [told]), *repeat.otherwise()]),
        cost=repeat.cost(INLINE, f"{INLINE} rows in the inline") if is_inline else _cost(admin, repeat),
    )


def _is_of_parent(event: Event) -> bool:
    """Whether a row of an inline asks for the very row that the form is about."""
    target = event.relation.target if event.relation is not None and len(event.path) == 1 else None
    return event.owner is not None and target is not None and target in event.owner.family()


def _inline_fix(admin: Admin, repeat: Repeat) -> str:
    calls = repeat.loads() + repeat.annotates()
    if not calls:
        return ""
    told = f"Return `super().get_queryset(request){calls}` from get_queryset() of {admin.cls.label}{_shown(repeat)}."
    member = admin.cls.find("get_queryset")
    if member is not None and member.owner is admin.cls:
        told = f"Add `{calls}` to what get_queryset() of {admin.cls.label} returns{_shown(repeat)}."
    return " ".join(filter(None, [told, _asked_by_widgets(admin, repeat)]))


def _asked_by_widgets(admin: Admin, repeat: Repeat) -> str:
    """What the queryset cannot help: these widgets fetch the row that they show themselves, whatever was loaded.

    Measured with ten rows: 29 queries, 14 with `select_related()`, 4 with the field in `readonly_fields`.
    """
    read = {event.path[0] for event in repeat.failing if event.path}
    told = []
    for name in ("raw_id_fields", "autocomplete_fields"):
        option = admin.option(name)
        shown = [item.text for item in option.items if item.text in read] if option is not None else []
        if shown:
            fields = in_words([f"`{item}`" for item in shown], most=3)
            told.append(f"The widget of `{name}` still asks once for each row, to show {fields}.")
    return " ".join([*told, "A field in `readonly_fields` does not."]) if told else ""


def _shown(repeat: Repeat) -> str:
    """Where the numbers are to be read that the rows bring."""
    return f" {used(repeat.owned)}" if repeat.owned else ""


def _fix(lists: Changelists, admin: Admin, repeat: Repeat) -> str:
    """What to set; "" where nothing that is read of a row can be loaded with it.

    `list_select_related` takes the place of what Django joins by itself, so that it has to name that, too; and where
    the queryset joins anything, Django does not look at it.
    """
    if not repeat.loads() and not repeat.owned:
        return ""
    label = admin.cls.label
    loaded = repeat.fetches() + repeat.annotates()
    setting = ""
    if lists.joins_itself(admin):
        loaded = (f".select_related({arguments(repeat.read)})" if repeat.joins else "") + loaded
    elif repeat.joins:
        option = admin.option("list_select_related")
        kept = [tuple(item.text.split("__")) for item in option.items if item.text] if option is not None else []
        setting = f"`list_select_related = [{arguments(dict.fromkeys((*kept, *repeat.read)))}]`"
    if admin.is_shared and admin.model is not None:
        method = f"a get_queryset() that returns `super().get_queryset(request){loaded}`" if loaded else ""
        held = " and ".join(filter(None, [setting, method])) + _shown(repeat)
        return f"Register {admin.model.name} with a ModelAdmin of its own: a subclass of {label} with {held}."
    if lists.joins_itself(admin):
        return f"Add `{loaded}` to what get_queryset() of {label} returns{_shown(repeat)}."
    steps = [f"set {setting}"] if setting else []
    if loaded and admin.overrides("get_queryset"):
        steps.append(f"add `{loaded}` to what get_queryset() returns")
    elif loaded:
        steps.append(f"return `super().get_queryset(request){loaded}` from get_queryset()")
    told = " and ".join(steps) + _shown(repeat)
    if admin.has_options and admin.model is not None:
        made = f"In a ModelAdmin for {admin.model.name} with" if loaded else "Among"
        return f"{made} the options that `register({admin.model.name}, …)` is given {told}."
    if admin.is_default and admin.model is not None:
        return f"Register {admin.model.name} with a ModelAdmin of its own, and there {told}."
    return f"In {label} {told}."


def _page(admin: Admin) -> int:
    """How many rows a page of the changelist shows."""
    page = admin.constant("list_per_page")
    return page.value if page is not None and isinstance(page.value, int) else PAGE


def _cost(admin: Admin, repeat: Repeat) -> Cost:
    return repeat.cost(_page(admin), f"{_page(admin)} rows on a page of the changelist")


def _editable(admin: Admin) -> Iterator[Verdict]:
    """Relations that the changelist lets people edit: a form for each row, and each form fetches its own choices."""
    option = admin.option("list_editable")
    if option is None or admin.model is None or any(admin.overrides(name) for name in _FORMS):
        return
    for item in option.items:
        relation = admin.model.relation(item.text)
        if relation is not None and relation.relation in ("fk", "o2o") and relation.target is not None:
            rows = _page(admin)
            yield Fail(
                Site(item.place, f"{admin.name}: list_editable {item.text}"),
                {"column": item.text, "relation": item.text, "model": admin.model.name, "target": relation.target.name},
                cause="editable",
                cost=Cost(rows, rows, f"{rows} rows on a page of the changelist"),
            )
