"""How many rows the turns of a loop ask for, what that costs, and how much less it matters where they are few.

One rule for loops of the code, of templates, of serializers and of the admin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import OWNED, Branch, Event
from stackaudit.model.source import Place
from stackaudit.model.verdict import Cost

Few: TypeAlias = Literal["", "detail", "own", "short"]
_Question: TypeAlias = tuple[tuple[str, ...], str, Place | None]
"""The path that is asked for, or the method of a query that is none, and the place where it is asked anew each time."""
ROWS = 100
"""So many rows a loop of the code goes through, where nothing tells."""
_SUMMED = 3
"""Of so many keys that may be NULL hardly a row has all set."""


def few(events: Sequence[Event], user: Model | None) -> Few:
    """How few rows are asked: "own" for those of one `user` that ask one thing each, "detail" for others, "" for many.

    Rows of a user and of one other thing are so few that they may ask several things. A user whose rows are divided
    into pages has many. "short" is a page or slice on which no more is asked than of that user's rows.
    """
    if not events or not all(event.is_short for event in events):
        return ""
    if all(event.second is not None for event in events):
        return "own"
    page, asked = _page(events), len(_at_once(events))
    if page:
        return "short" if page * asked <= OWNED else "detail"
    is_one = user is not None and all(event.owner is user for event in events)
    return "own" if is_one and asked == 1 else "detail"


def cost(events: Sequence[Event], rows: int, assumed: str, before: int = 0) -> Cost:
    """What it costs that rows ask the database; `rows` of them, as `assumed` says, where the code tells no number.

    `before` is how many queries run once. Of several keys that may be NULL every other one is taken to be: no query.
    """
    page, questions, behind = _page(events), _at_once(events), 0
    if page:
        rows, told = page, [f"{page} rows on a page"]
    elif events and all(event.is_short and event.owner is not None for event in outer(events)):
        first = outer(events)[0]
        rows, told = first.owned, [f"{first.owned} rows {first.owners}", "assumed"]
        behind = sum(not event.is_short for event in questions)
        told[0] += f" and {OWNED} behind each" if behind else ""
    else:
        told = [assumed, "assumed"]
    nullable = sum(_may_be_null(event) for event in questions)
    asked = max(len(questions), 1)
    if nullable >= _SUMMED:
        asked -= nullable // 2
        told = [told[0], f"every other one of {nullable} nullable keys set", "assumed"]
    return Cost((asked + behind * (OWNED - 1)) * rows + before, rows, ", ".join(told))


def outer(events: Sequence[Event]) -> list[Event]:
    """The events that no other one leads to: what those behind them ask for happens on the same turns."""
    paths = {event.path for event in events}
    return [event for event in events if not any(event.path[:length] in paths for length in range(1, len(event.path)))]


def _page(events: Sequence[Event]) -> int:
    """The size of the longest page or slice that is gone through, 0 for none."""
    return max((event.turns.page for event in events if event.turns is not None), default=0)


def _questions(events: Sequence[Event]) -> dict[_Question, Event]:
    """What each row is asked, each once, with the first event that asks it."""
    found: dict[_Question, Event] = {}
    for event in events:
        found.setdefault(_question(event), event)
    return found


def _question(event: Event) -> _Question:
    """What an event asks a row for: a row keeps the one that a relation leads to, and asks for many each time."""
    is_kept = event.kind not in ("reverse", "bypassed")
    return event.path, "" if event.path else event.method, event.place if event.path and not is_kept else None


def _at_once(events: Sequence[Event]) -> list[Event]:
    """The questions that one row may be asked, each by its first event: of the branches of a condition it takes one."""
    ways: dict[_Question, tuple[Branch, ...]] = {}
    for event in events:
        key, branch = _question(event), event.branch if event.guarded else ()
        ways[key] = branch if ways.get(key, branch) == branch else ()
    return _dearest([(ways[key], event) for key, event in _questions(events).items()])


def _dearest(ways: Sequence[tuple[tuple[Branch, ...], Event]]) -> list[Event]:
    """The most of some questions that are asked together, each behind its conditions."""
    conditions: dict[int, dict[int, list[tuple[tuple[Branch, ...], Event]]]] = {}
    asked = [event for branch, event in ways if not branch]
    for branch, event in ways:
        if branch:
            condition, number = branch[0]
            conditions.setdefault(condition, {}).setdefault(number, []).append((branch[1:], event))
    for branches in conditions.values():
        dearest = max((_dearest(inner) for inner in branches.values()), key=len)
        asked += dearest
    return asked


def _may_be_null(event: Event) -> bool:
    """Whether a key on the path of an event may be NULL, so that not every row asks."""
    model = event.origin.model if event.origin is not None else None
    for name in event.path[:-1]:
        relation = model.relation(name) if model is not None else None
        if relation is not None and relation.is_optional:
            return True
        model = relation.target if relation is not None else None
    return event.relation is not None and event.relation.is_optional
