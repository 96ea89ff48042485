"""Whole tables that background work loads at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.modules import decorators
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.values import Rows
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.chains import calls_of
from stackaudit.link.usage.uses import is_lazy, uses_of
from stackaudit.model.verdict import Fail, Pass, Site, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_BACKGROUND = ("management/commands/", "/tasks.py", "/tasks/", "/cron")
_TASKS = frozenset({"task", "shared_task", "periodic_task", "job", "db_task", "db_periodic_task"})


def iterate_without_iterator(stack: Stack) -> Iterator[Verdict]:
    """One site for each loop of background work over all rows of a table that grows, and each `iterator()` that fails.

    `iterator()` after `prefetch_related()` raises ValueError without a chunk size, from Django 5.0 on.
    """
    grown = stack.growing
    django = stack.queries.walk.django
    for body in stack.usage:
        background = _is_background(body)
        for node in body.of_kind(py.For):
            yield from _loop(body, node, grown, background, django, body.module.path in stack.management.by_hand)


def _is_background(body: Body) -> bool:
    if any(part in f"/{body.module.path}" for part in _BACKGROUND):
        return True
    return any(name.rpartition(".")[2] in _TASKS for name in decorators(body.node))


def _loop(
    body: Body, loop: py.For, grown: frozenset[object], background: bool, django: tuple[int, int], by_hand: bool
) -> Iterator[Verdict]:
    rows = body.value(loop.iter)
    if not isinstance(rows, Rows) or rows.model is None:
        return
    site = Site(body.place(loop.iter), f"{body.where}: {text_of(loop.iter, 60)}")
    if rows.streamed:
        calls = dict(calls_of(body, loop.iter))
        stream = calls.get("iterator") or calls.get("aiterator")
        if (
            django >= (5, 0)
            and stream is not None
            and not (stream.args or stream.keywords)
            and "prefetch_related" in calls
        ):
            yield Fail(site, {"rows": text_of(loop.iter, 60), "model": rows.model.name}, "prefetched")
        elif background:
            yield Pass(site)
        return
    everything = rows.via is None and not rows.limited and not rows.bounded and not rows.narrowed
    if not background or rows.model not in grown or rows.kind != "rows" or not is_lazy(body, loop.iter):
        return
    names = {name for name, _ in calls_of(body, loop.iter)}
    dropped = django < (4, 1) and "prefetch_related" in names  # until then iterator() prefetches nothing
    if not everything or dropped or names & {"exclude", "in_bulk"} or _is_kept(body, loop):
        yield Pass(site)
        return
    written = code_of(loop.iter, 80)
    fix = f"Write `{written}.iterator(chunk_size=2000)`" if written else "Append `.iterator(chunk_size=2000)` to it"
    fix += ". Behind PgBouncer in transaction mode set `DISABLE_SERVER_SIDE_CURSORS` as well."
    yield Fail(site, {"rows": text_of(loop.iter, 60), "model": rows.model.name}, "by-hand" if by_hand else "", fix=fix)


def _is_kept(body: Body, loop: py.For) -> bool:
    """Whether the rows are used a second time, so that they have to be kept."""
    uses = uses_of(body, loop.iter, certain=False)
    return sum(use.how in ("through", "length", "truth", "member", "escapes", "index") for use in uses) > 1
