"""Queries that one template runs twice for the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.pages.repeated import Asked, Path
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def repeated_related_query(stack: Stack) -> Iterator[Verdict]:
    """One site for each path to a queryset that a template evaluates more than once: its second evaluation."""
    seen: set[tuple[Place, str]] = set()
    turned = {place for asked in stack.pages.turned if asked.outcome == "fail" for place in asked.places}
    for path in stack.pages.repeated:
        late = path.again[0]
        if late.place in turned:
            continue  # each turn of a loop repeats it, which template/loop-invariant-query tells
        if (late.place, path.text) not in seen:
            seen.add((late.place, path.text))
            yield _verdict(path)


def _verdict(path: Path) -> Verdict:
    late = path.again[0]
    early = path.before(late)
    site = Site(late.place, f"{late.place.path}: {path.text}")
    if path.cached and not {early.how, late.how} & {"first", "last"}:
        return Pass(site)
    if path.unknown or path.cached:
        return Unsure(site, path.unknown or "whether the prefetched rows answer this depends on their ordering")
    steps = [Step(early.place, f"`{early.text}` runs a query")]
    steps += [Step(item.place, f"`{item.text}` runs another") for item in path.again]
    rows = next((item.text for item in (late, early) if not item.how), f"{path.text}.all")
    values = {
        "first": early.text,
        "again": late.text,
        "line": early.place.region.line,
        "rows": rows,
        "name": path.text.split(".")[-1].removesuffix("_set"),
        "method": late.how,
    }
    return Fail(
        site,
        values,
        cause=_cause(path, early, late),
        related=tuple(steps[:1] + steps[2:]),
        flow=tuple(steps),
    )


def _cause(path: Path, early: Asked, late: Asked) -> str:
    if "." not in path.text:
        return "context"
    if early.how == late.how:
        return "answer" if late.how else "" if path.plain else "filtered"
    return "asked"
