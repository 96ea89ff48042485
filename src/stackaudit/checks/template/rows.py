"""Queries that a template runs for each row of a queryset of its view."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stackaudit.link.pages.events import PAGE, Repeat, grouped
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def n_plus_one(stack: Stack) -> Iterator[Verdict]:
    """What loops of templates read of each row, against what the view's queryset loads."""
    pages = stack.pages
    for repeat in grouped(pages.events, lambda event: True):
        yield _verdict(repeat, pages.text)


def _verdict(repeat: Repeat, text_of: Callable[[Place], str]) -> Verdict:
    event = repeat.first
    access = text_of(event.place) or event.text or ".".join(event.path) or event.method
    where = event.origin.where if event.origin is not None else ""
    loop = event.turns.text if event.turns is not None else ""
    site = Site(event.place, f"{where or event.where} > {event.place.path}: {access}")
    if event.outcome == "pass":
        return Pass(site)
    if event.outcome == "unknown":
        return Unsure(site, event.why)
    cause = "bypassed" if all(item.kind == "bypassed" for item in repeat.failing) else ""
    cause = cause or ("query" if all(item.kind == "query" for item in repeat.failing) else "")
    cause = cause or ("guarded" if all(item.guarded for item in repeat.failing) else "")
    if repeat.is_short and cause in ("", "guarded"):
        cause = f"{cause}-detail".removeprefix("-")
    origin = repeat.origin.text if repeat.origin is not None else ""
    return Fail(
        site,
        {
            "access": access,
            "loop": loop,
            "relation": repeat.relations or event.method,
            "queryset": f"`{origin}`" if origin else "the queryset",
            "where": where or "the view",
            "method": event.method,
        },
        cause=cause,
        related=repeat.related(),
        flow=event.flow,
        fix=repeat.advice(text_of),
        cost=repeat.cost(PAGE, "25 rows on a page"),
    )
