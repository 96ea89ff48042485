"""Further queries of a turn that are to be asked before the loop in the way of the first one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackaudit.link.queries.events import Event
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place

_BEGINS = (
    re.compile(r"Ask once before the loop(?= by| with)"),
    re.compile(r"Collect the keys"),
    re.compile(r"\w[\w ]* in the queryset of the loop(?: and [^:]*)?(?=:)"),
)
"""How fixes begin that name the query, by where that is asked."""
_MOST = 2
"""So many that need other words are told one by one."""


def alike(event: Event, fix: str, others: Sequence[tuple[Event, str]]) -> str:
    """What to do with others of the same kind, each with the fix that it would get alone; "" for none.

    `fix` is that of the first one, `event`: of the others only what is not said there.
    """
    begin = _begin(fix)
    if not begin:
        return ""
    same = [other for other, its in others if _of(event, other, its) == fix]
    told = [f" Do the same for {in_words(_queries(event, same))}."] if same else []
    apart = [(other, its.removeprefix(begin)) for other, its in others if other not in same and begin == _begin(its)]
    return "".join([*told, *(_apart(event, fix, other, its) for other, its in apart[:_MOST])])


def number(shown: Place, query: Place) -> str:
    """The number of a line, with its file where that is not the one of the finding."""
    line = str(query.region.line)
    return line if shown.path == query.path else f"{line} of {query.path}"


def _queries(event: Event, others: Sequence[Event]) -> list[str]:
    """Queries by their lines, those of other models by these, too."""
    own = [number(event.place, other.query) for other in others if other.model is event.model]
    several = f"the quer{'ies' if len(own) > 1 else 'y'} on line{'s' if len(own) > 1 else ''} {in_words(own)}"
    named = ((other.model, number(event.place, other.query)) for other in others if other.model is not event.model)
    return [several] * bool(own) + [f"`{model.name if model else ''}` on line {line}" for model, line in named]


def _of(event: Event, other: Event, fix: str) -> str:
    """The fix of another query, with the model of the first one."""
    mine, its = (item.model.name if item.model is not None else "" for item in (event, other))
    return re.sub(rf"\b{its}\b", mine, fix) if mine and its else fix


def _apart(event: Event, fix: str, other: Event, its: str) -> str:
    first, *more = _sentences(its)
    said = set(_sentences(fix))
    link = "" if its[:1] in ":," else ","
    begin = f" Do the same for {_queries(event, [other])[0]}{link}{first}"
    return " ".join([begin, *(item for item in more if item not in said)])


def _begin(fix: str) -> str:
    """How a fix begins, "" for one that names no query."""
    return next((found[0] for begin in _BEGINS if (found := begin.match(fix)) is not None), "")


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z])", text)
