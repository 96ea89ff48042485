"""What helps rows for each of which a query runs that is no access to a relation."""

from __future__ import annotations

from collections.abc import Iterable

from stackaudit.link.queries import comparing, granted, kinds, packaged
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.origins import BUILT, MODEL, Handed
from stackaudit.link.queries.reading import PICKS, SAID, TextOf, manager, no_text, plain, shown
from stackaudit.link.queries.table import PERMISSIONS
from stackaudit.link.queries.values import KIND

_OWN, _OF_GROUPS = '"user_permissions__content_type"', '"groups__permissions__content_type"'
NAMES = {
    "get_group_permissions": _OF_GROUPS, "get_user_permissions": _OWN, "get_all_permissions": f"{_OWN}, {_OF_GROUPS}",
}  # fmt: skip
"""What the methods of users that give names of permissions read.

https://docs.djangoproject.com/en/stable/ref/contrib/auth/#django.contrib.auth.models.User.get_user_permissions
"""


def asked_for_each(events: Iterable[Event], text_of: TextOf = no_text, brought: str = "") -> str:
    """What helps rows for each of which a query runs that is no access to a relation; "" where nothing is known.

    `brought` is the queryset that brings the rows, as it is to be told, "" where that is open.
    """
    told: dict[str, None] = {}
    for event in events:
        asking = event.asking
        if event.path or asking is None:
            continue
        text = shown(asking, text_of).removeprefix("*")
        place = f"`{text}` in `{asking.where}`" if text else f"`{event.text or asking.where}`"
        tag = f", for `{asking.handed.tag}`," if asking.handed is not None and asking.handed.tag else ""
        once = _guard(event, text_of)
        if not once and asking.handed is not None:
            once = _handed(event, asking.handed, brought, text_of)
        told[f"{place}{tag} runs for each row: {once or _once(event, plain(asking.last), brought)}."] = None
    return " ".join(list(told)[:SAID])


def _guard(event: Event, text_of: TextOf) -> str:
    """What helps a filter of a template that asks about what the row does not have; "" for any other query."""
    lacked, shown_as = comparing.lacked(event), text_of(event.place)
    if lacked is None:
        return ""
    path = shown_as.partition("|")[0]
    guarded = f"write `{path} and {shown_as}` in `{event.place.path}`, or " if path != shown_as else ""
    return (
        f"`{lacked[0]}` has no `{lacked[1]}`, so it asks about None each time; {guarded}let the code there return "
        "False before it asks"
    )


def _handed(event: Event, handed: Handed, brought: str, text_of: TextOf) -> str:
    """What helps a template that goes through what a tag or a method gives it; "" where it asks for something else."""
    asking, model = event.asking, event.model
    if asking is None or plain(asking.last) not in ("", "…"):
        return ""
    instead = f"in place of `{text_of(event.query)}` in `{event.query.path}`"
    if handed.prefetch and handed.origin is not None:
        calls, origin = f".prefetch_related({handed.prefetch})", handed.origin
        where = f" in {origin.where}" if origin.where else ""
        bring = f"append `{calls}` to `{origin.text}`{where}"
        if origin.by == MODEL:
            bring = f"return `super().get_queryset(){calls}` from get_queryset() of {origin.where}"
        since = " (a Prefetch takes a slice since Django 4.2)" if "], to_attr" in calls else ""
        return f"{bring}, and go through that list {instead}{since}"
    rows = f"the {model.name} rows" if model is not None else "them"
    along = f"the rows of {brought}" if brought else "those of the loop"
    return f"let the view bring {rows} with {along}, under a name of their own, and go through that {instead}"


def _once(event: Event, last: str, brought: str) -> str:
    bring = f"let the rows of {brought} bring" if brought else "let the rows bring"
    asking = event.asking
    use = ", and let the code there use that where the row has it" if asking is not None and asking.text else ""
    if asking is not None and asking.handed is not None:
        use = f", and show that in `{event.query.path}`"
    model = event.model
    if event.method.startswith(KIND):
        return kinds.at_once([event.method])
    if event.method in packaged.ASKED and model is not None:
        return packaged.at_once(event.method, model)
    if event.method == granted.ASKED:
        return granted.AT_ONCE
    name = model.name if model is not None else ""
    rows = f"{manager(model)}.filter(…)" if model is not None else "…"
    over = f" over {name}" if name else ""
    freedom = asking.freedom if asking is not None else ""
    if last in ("aggregate", "count", "exists") and freedom == BUILT:
        return (
            "its filter is put together in Python, which no annotation repeats: fetch the rows "
            f"{f'of {name} ' if name else ''}that any of them needs with one query before, and answer from these"
        )
    if last == "count":
        once = ", or count once for all of them" if asking is None or asking.handed is None else ""
        return f"{bring} the number, `annotate(…=Subquery(…))`{over}{use}" + once
    if last == "exists" and (outer := comparing.outer(event)) and model is not None:
        return f"{bring} the answer, `annotate(…=Exists({manager(model)}.filter({outer})))`{use}"
    if last == "exists":
        return f"{bring} the answer, `annotate(…=Exists({rows}))` with the row as `OuterRef(…)`{use}"
    if last == "aggregate":
        return f"{bring} the value, `annotate(…=Subquery(…))`{over}{use}"
    if last in NAMES:
        return (
            f"{bring} what they have, `prefetch_related({NAMES[last]})`, and put the names together in Python (none "
            "for an inactive user, all for a superuser), for this method asks whatever was prefetched"
        )
    if last in PERMISSIONS and model is not None:
        return (
            f"ask once for those who have it, `{manager(model)}.with_perm(…)`, and test by key; or {bring} what they "
            f"have, `prefetch_related({NAMES['get_all_permissions']})`, and put the names together in Python, for "
            "this method asks whatever was prefetched"
        )
    wanted = f"{name} rows" if name else "rows"
    if freedom == BUILT or (freedom and last not in PICKS):
        which = "is put together in Python" if freedom == BUILT else "holds alternatives"
        return (
            f"its filter {which}, and a dictionary by one key would lack rows: fetch the {wanted} that any of them "
            "needs with one query before, and give each what meets its own conditions in Python"
        )
    if last in PICKS and asking is not None and asking.handed is not None:
        return f"{bring} what is shown by `annotate(…=Subquery(…))`{use}"
    if last in PICKS:
        return (
            f"fetch the {wanted} for all of them with one query before, and pick each from a dictionary, or "
            f"{bring} what is shown by `annotate(…=Subquery(…))`{use}"
        )
    return f"fetch the {wanted} for all of them with one query before, and group them in a dictionary of lists"
