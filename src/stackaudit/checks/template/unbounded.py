"""Pages that show a whole table that grows."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.queries import narrowing
from stackaudit.link.queries.values import Rows
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_NO_PAGES = ("admin", "management/", "migrations/", "export", "feed", "sitemap", "report", "tasks", "command")


def unbounded_list(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset of a table that grows which a template goes through."""
    seen: set[Place] = set()
    for (loop, _), rows in stack.pages.walk.record.shown.items():
        if rows.model in stack.growing and rows.via is None and rows.origin is not None:
            place = rows.origin.place
            if place not in seen and not any(part in place.path for part in _NO_PAGES):
                seen.add(place)
                yield _judge(rows, Site(place, f"{rows.origin.where}: {rows.origin.text[:60]}"), loop)


def _judge(rows: Rows, site: Site, loop: Place) -> Verdict:
    kept = narrowing.of(rows)
    if kept == "few":
        return Pass(site)
    assert rows.model is not None
    if kept == "unknown":
        return Unsure(site, f"how many rows of {rows.model.name} its filter leaves is not known")
    related = (Step(loop, "shows all of them"),)
    return Fail(site, {"model": rows.model.name, "rows": site.name.partition(": ")[2]}, related=related)
