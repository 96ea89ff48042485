"""Queries that a changelist runs for each of its rows."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.admin import Admin
from stackaudit.link.admin.walk import Changelists
from stackaudit.link.pages.events import Repeat, grouped, inner_place, is_indirect
from stackaudit.link.queries.events import Event
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

PAGE = 100


def list_display_n_plus_one(stack: Stack) -> Iterator[Verdict]:
    """Columns that read related rows, against what the changelist's queryset loads."""
    lists = stack.admin
    for item in lists.lists:
        if item.why:
            yield Unsure(Site(item.admin.place, f"{item.admin.name}: changelist"), item.why)
    by_admin: dict[Admin, list[Event]] = {}
    for event in lists.events:
        by_admin.setdefault(lists.column(event).admin, []).append(event)
    for admin, events in by_admin.items():
        repeats = grouped(events, lambda event: True)
        merged = Repeat([event for repeat in repeats for event in repeat.events])
        yield _verdict(lists, admin, merged)


def _place(lists: Changelists, event: Event) -> Place:
    """The line of the column's own method where it has one, else the column."""
    return inner_place(event) if is_indirect(event) and lists.column(event).name != "__str__" else event.place


def _verdict(lists: Changelists, admin: Admin, repeat: Repeat) -> Verdict:
    event = repeat.first
    column = lists.column(event)
    site = Site(_place(lists, event), f"{admin.name}.{column.name}")
    if event.outcome == "pass":
        return Pass(site)
    if event.outcome == "unknown":
        return Unsure(site, event.why)
    loads = repeat.loads()
    columns = list(dict.fromkeys(lists.column(item).name for item in repeat.failing))
    relation = ", ".join(".".join(path) for path in repeat.paths) or event.method
    page = admin.constant("list_per_page")
    rows = page.value if page is not None and isinstance(page.value, int) else PAGE
    joins = all(not item.relation.many for item in repeat.failing if item.relation is not None) and repeat.paths
    names = ", ".join(f'"{"__".join(path)}"' for path in repeat.paths)
    option = f"list_select_related = [{names}]" if joins and not repeat.many else ""
    cause = "guarded" if all(item.guarded for item in repeat.failing) else ""
    cause = cause or ("text" if column.name == "__str__" and len(columns) == 1 else "")
    return Fail(
        site,
        {"column": ", ".join(columns), "relation": relation, "model": admin.model.name if admin.model else "the model"},
        cause=cause,
        related=repeat.related(),
        flow=event.flow,
        fix=f"Set `{option}` in {admin.cls.label}." if option else f"Add `{loads}` in get_queryset()." if loads else "",
        cost=repeat.cost(rows, f"{rows} rows on a page of the changelist"),
    )
