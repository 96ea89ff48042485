"""Verdicts on levels that several servers share, because one file is included by each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Step, Unsure, Verdict


def once_for_each_place(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """The first verdict of each place; a failure goes before doubt, doubt before a pass."""
    best: dict[Place, Verdict] = {}
    for verdict in verdicts:
        before = best.get(verdict.site.place)
        if before is None or _weight(verdict) > _weight(before):
            best[verdict.site.place] = verdict
    yield from best.values()


def one_for_each_cause(verdicts: Iterable[Verdict], cause: Callable[[Fail], object]) -> Iterator[Verdict]:
    """Failures with the same `cause` as one failure that names the other places."""
    failures: dict[object, list[Fail]] = {}
    for verdict in verdicts:
        if isinstance(verdict, Fail):
            failures.setdefault(cause(verdict), []).append(verdict)
        else:
            yield verdict
    for first, *others in failures.values():
        also = tuple(Step(other.site.place, "the same holds here") for other in others)
        yield replace(first, related=(*first.related, *also))


def one_doubt_for_each_file(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """Of several doubts with one reason in one file the first: what a missing http block says is one question."""
    asked: set[tuple[str, str]] = set()
    for verdict in verdicts:
        key = (verdict.site.place.path, verdict.why) if isinstance(verdict, Unsure) else None
        if key is None or key not in asked:
            yield verdict
        if key is not None:
            asked.add(key)


def _weight(verdict: Verdict) -> int:
    return 2 if isinstance(verdict, Fail) else 1 if isinstance(verdict, Unsure) else 0
