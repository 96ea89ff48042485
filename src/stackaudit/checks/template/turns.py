"""Queries that have nothing to do with the turns of the loop they stand in."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.pages.events import PAGE
from stackaudit.link.pages.turns import Asked
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Cost, Fail, Pass, Site, Step, Unsure, Verdict


def loop_invariant_query(stack: Stack) -> Iterator[Verdict]:
    """One site for each query in a loop of a template that the loop does not change."""
    for asked in stack.pages.turned:
        site = Site(asked.place, f"{asked.place.path}: {asked.text}")
        if asked.outcome == "pass":
            yield Pass(site)
        elif asked.outcome == "unknown":
            yield Unsure(site, asked.why)
        else:
            yield _fail(site, asked)


def _fail(site: Site, asked: Asked) -> Fail:
    turns = asked.loop.page or PAGE
    said = f"{turns} turns of the loop" + ("" if asked.loop.page else ", assumed")
    others = sorted(place for place in asked.places if place != asked.place)
    related = (Step(asked.loop.place, "repeats it"), *(Step(place, "asks for the same") for place in others))
    *_, name = asked.text.removesuffix("()").removesuffix(".all").removesuffix("_set").split(".")
    return Fail(
        site,
        {"query": asked.text, "loop": asked.loop.text, "name": name if name.isidentifier() else "answer"},
        cause="guarded" if asked.guarded else "function" if asked.how == "()" else "",
        related=related,
        flow=asked.flow,
        cost=Cost(turns, turns, said),
        fix=_once(asked),
    )


def _once(asked: Asked) -> str:
    """How to ask once; "" where a name before the loop does. What `{% with %}` names is asked whatever follows."""
    if asked.guarded:
        return f"Have the view put the answer of `{asked.text}` into the context, under the same condition."
    if asked.how == "()" and asked.text.startswith("{%"):
        return f"Call `{asked.text}` once, before the loop, with `as` and a name, and use the name in the loop."
    if asked.how == "()":
        return f"Have the view put the answer of `{asked.text}` into the context, and use that in the loop."
    return ""
