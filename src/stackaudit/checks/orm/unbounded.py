"""Requests that load a whole table that grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.nodes import is_true
from stackaudit.link.queries import narrowing
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Manager, Rows
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.chains import calls_of
from stackaudit.link.usage.uses import querysets, uses_of
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_NO_PAGES = ("admin", "management/", "migrations/", "export", "feed", "sitemap", "report", "tasks", "command")
_FILES = ("csv", "attachment", "xlsx", "openpyxl", "xlwt", "Content-Disposition", "StreamingHttpResponse", "zipfile")


def unbounded_queryset(stack: Stack) -> Iterator[Verdict]:
    """One site for each queryset of a table that grows which a view goes through."""
    grown = stack.growing
    seen: set[Place] = set()
    for body in stack.usage:
        if _answers(body):
            for node, rows in _loaded(body):
                place = rows.origin.place if rows.origin is not None else body.place(node)
                if rows.model in grown and place not in seen:
                    seen.add(place)
                    yield _judge(Site(place, f"{body.where}: {text_of(node, 60)}"), rows, body.place(node))


def _answers(body: Body) -> bool:
    """Whether a function answers a request with a page or data, not with a file."""
    names = [param.name for param in body.node.params[:2]]
    if "request" not in names or any(part in body.module.path for part in _NO_PAGES):
        return False
    return not any(_names_file(node) for node in body.nodes) and not any(part in body.node.name for part in _NO_PAGES)


def _names_file(node: py.Node) -> bool:
    if isinstance(node, py.Constant):
        return isinstance(node.value, str) and any(part in node.value for part in _FILES)
    return isinstance(node, py.Name) and node.id in _FILES


def _loaded(body: Body) -> Iterator[tuple[py.Expr, Rows]]:
    """The querysets that a function goes through, or hands to a serializer."""
    for node, value in querysets(body):
        if isinstance(value, Manager) or not isinstance(value, Rows) or value.evaluated or value.via is not None:
            continue
        for use in uses_of(body, node):
            held = body.value(use.node)
            many = isinstance(use.by, py.Call) and any(
                item.name == "many" and is_true(item.value) for item in use.by.keywords
            )
            names = {name for name, _ in calls_of(body, use.node)}
            if names & {"values_list", "filter_queryset"}:
                break  # one column of each row, or what filters leave that are not seen here
            if isinstance(held, Rows) and (use.how == "through" or (use.how == "escapes" and many)):
                yield use.node, held
                break


def _judge(site: Site, rows: Rows, at: Place) -> Verdict:
    kept = narrowing.of(rows)
    if kept == "few":
        return Pass(site)
    assert rows.model is not None
    if kept == "unknown":
        return Unsure(site, f"how many rows of {rows.model.name} its filter leaves is not known")
    related = (Step(at, "goes through all of them"),) if at != site.place else ()
    return Fail(site, {"model": rows.model.name, "rows": site.name.partition(": ")[2]}, related=related)
