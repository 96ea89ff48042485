"""Permissions that a loop asks of each user, or for each object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from stackaudit.checks.orm.causes import grouped, verdict
from stackaudit.checks.orm.loops import Loops, cost, loop_of, loop_step, loop_text, words
from stackaudit.facts import python as py
from stackaudit.link.queries import granted
from stackaudit.link.queries.asked import NAMES
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.reading import manager, plain
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import PERMISSIONS
from stackaudit.link.sources import Sources
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import plain as plainly
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_TESTS = {"has_perm": "or", "has_perms": "and"}
"""The methods that test permissions by their names, and how a test of several names joins them where it is one."""
_ONE = frozenset({"get_group_permissions", "get_user_permissions"})
"""Methods that take one query; all others take two, one for the user's own permissions and one for his groups'."""
_OF_OBJECTS = {
    "by-hand": "object-permissions-by-hand", "few": "object-permissions-few", "detail": "object-permissions-few",
    "pair": "object-permissions-few",
}  # fmt: skip
_BACKEND = "ModelBackend"
_TOLD = 3
"""So many calls are told one by one."""
_STEPS = 20
_WHO = "superusers are among them, users who are not active are not"


def asks(event: Event) -> bool:
    """Whether an event asks for permissions."""
    return event.method in PERMISSIONS or event.method == granted.ASKED


def judged(stack: Stack, loops: Loops, events: Iterable[Event]) -> Iterator[Verdict]:
    """One site for each loop that asks users for permissions, and one for each that asks for objects."""
    found = list(events)
    of_users = (event for event in found if event.method in PERMISSIONS and not _is_of_object(stack.sources, event))
    for group in grouped(of_users, loop_of):
        yield verdict(group, partial(_judged, stack, loops))
    for group in grouped((event for event in found if event.method == granted.ASKED), loop_of):
        yield verdict(group, partial(_of_objects, loops))


def _of_objects(loops: Loops, site: Site, events: list[Event]) -> Fail | Pass:
    first = events[0]
    values = {**words(first), "loop": loop_text(first)}
    cause = _OF_OBJECTS.get(loops.cause(site, [first]), "object-permissions")
    told = cost([first])
    told = replace(told, queries=told.queries * granted.QUERIES)
    fix = granted.AT_ONCE
    return Fail(site, values, cause, loop_step(events), first.flow, f"{fix[0].upper()}{fix[1:]}.", told)


def _is_of_object(sources: Sources, event: Event) -> bool:
    """Whether the permissions for one object are asked for: Django's own backend knows of none, and asks nothing."""
    call = sources.at(event.query)
    given = len(call.args) + len(call.keywords) if isinstance(call, py.Call) else 0
    return given > (1 if plain(event.method).startswith("has_") else 0)


def _judged(stack: Stack, loops: Loops, site: Site, events: list[Event]) -> Fail | Pass:
    first = events[0]
    is_by_hand = first.loop is not None and loops.callers.is_by_hand(first.loop.place)
    number = 1 if all(plain(event.method) in _ONE for event in events) else 2
    values = {**words(first), "loop": loop_text(first), "asks": "one query" if number == 1 else "two queries"}
    cause = "permissions-by-hand" if is_by_hand else "permissions"
    told = cost([first])
    told = replace(told, queries=told.queries + (number - 1) * told.rows)  # the user keeps what the first one asked for
    return Fail(site, values, cause, _others(stack.sources, events), first.flow, _fix(stack, events), told)


def _others(sources: Sources, events: list[Event]) -> tuple[Step, ...]:
    """Where else the turns ask: what is asked first keeps the answers for the others, which ask once it does not."""
    first, steps = events[0], dict[Place, Step]()
    for event in events[1:]:
        asks = event.query if _home(sources, event) != _home(sources, first) else event.place
        node = sources.at(asks)
        for place, text in ((event.place, event.text), (asks, text_of(node) if node is not None else event.text)):
            if place not in (first.place, first.query):
                steps.setdefault(place, Step(place, f"`{text}`"))
    return tuple(steps.values())[:_STEPS]


def _home(sources: Sources, event: Event) -> str:
    """The function that asks, by its own name."""
    return (sources.where(event.query) if event.below else event.where).rpartition(".")[2]


def _fix(stack: Stack, events: list[Event]) -> str:
    """What to ask once before the loop in place of what its turns ask."""
    first = events[0]
    if first.model is None:
        return ""
    methods = {plain(event.method) for event in events}
    if not methods <= set(_TESTS):
        read = NAMES.get(plain(first.method), NAMES["get_all_permissions"]) if len(methods) == 1 else ""
        return (
            f"Prefetch what they have, `.prefetch_related({read or NAMES['get_all_permissions']})`, and put the names "
            f"together in Python (none for an inactive user, all for a superuser): `{first.method}()` asks whatever "
            "was prefetched."
        )
    calls = [call for event in events if isinstance(call := stack.sources.at(event.query), py.Call)]
    names, joint = [_named(call) for call in calls], _joint(stack.sources, events, calls)
    backend, warning = _backend(stack)
    asked = f"{manager(first.model)}.with_perm({{}}{backend})"
    known = list(dict.fromkeys(name for found in names if found is not None for name in found))
    before = _before(stack.sources, first)
    if None in names or len(calls) < len(events) or not known:
        rows = asked.format("…")
        return (
            f"Ask once before the loop for each permission, who has it, `{rows}`, and take their keys: {_WHO}.{warning}"
        )
    if len(known) == 1:
        rows = asked.format(json.dumps(known[0]))
        return f"Ask once {before} for those who have it, `{rows}`, and take their keys: {_WHO}.{warning}"
    keys, given = f'{asked.format("perm")}.values_list("pk", flat=True)', ", ".join(map(json.dumps, known))
    each = f"for perm in ({given})"
    homes = list(dict.fromkeys(_home(stack.sources, event) for event in events))
    where = f"{in_words([f'`{home}`' for home in homes])} {'asks' if len(homes) == 1 else 'ask'}"
    if joint == "or":
        made, join = f"able = {{pk {each} for pk in {keys}}}", "unite"
    elif joint == "and":
        made, join = f"able = set.intersection(*(set({keys}) {each}))", "intersect"
    else:
        return (
            f"Ask once {before} for each permission that {where}, who has it, and look the key of the "
            f"user up there: `able = {{perm: set({keys}) {each}}}`; {_WHO}.{warning}{_left(stack.sources, events)}"
        )
    return (
        f"Ask once {before} for each permission that {where}, and {join} the keys, for it asks them with "
        f"`{joint}`: `{made}`; {_WHO}.{warning}"
    )


def _before(sources: Sources, event: Event) -> str:
    """Before which loop to ask for what no turn changes: "before the loop", or the outermost one around it."""
    node: py.Node | None = sources.loop(event.loop.place) if event.loop is not None else None
    if event.loop is None or node is None:
        return "before the loop"
    tree, inner, outer = sources.tree(event.loop.place.path), node, None
    node = tree.get(node)
    while node is not None and not isinstance(node, (py.FunctionDef, py.ClassDef)):
        if isinstance(node, py.For) and inner in node.body:
            outer = node
        inner, node = node, tree.get(node)
    if outer is None:
        return "before the loop"
    return f"before the outermost loop, `for {text_of(outer.target, 30)} in {text_of(outer.iter, 50)}`,"


def _left(sources: Sources, events: list[Event]) -> str:
    """That functions which turns call have to look it up as well: the first who asks pays for all who ask a user."""
    asked: dict[str, dict[str, None]] = {}
    for event in events:
        if _home(sources, event) != _home(sources, events[0]) or event.below:
            call = sources.at(event.query)
            named = (_named(call) if isinstance(call, py.Call) else None) or []
            asked.setdefault(f"`{event.text}`", {}).update(dict.fromkeys(f"`{name}`" for name in named))
    if not asked or not any(not event.below for event in events):
        return ""
    told = in_words([f"{text} (for {in_words(list(names))})" for text, names in asked.items()], most=_TOLD)
    it = "it asks" if len(asked) == 1 else "they ask"
    return f" Let {told} look there, too: {it} the same two queries for each otherwise, and nothing is saved."


def _named(call: py.Call) -> list[str] | None:
    """The permissions that a test names, None where they are not written there."""
    given = [*call.args, *(item.value for item in call.keywords)]
    parts = given[0].elts if len(given) == 1 and isinstance(given[0], (py.List, py.Tuple, py.Set)) else given
    named = [part.value for part in parts if isinstance(part, py.Constant) and isinstance(part.value, str)]
    return named if len(named) == len(parts) and len(given) == 1 else None


def _joint(sources: Sources, events: list[Event], calls: list[py.Call]) -> str:
    """How one expression joins all that is asked, "or" or "and"; "" where it is not one, or not of one user."""
    users = {call.func.value for call in calls if isinstance(call.func, py.Attribute)}
    if len({event.query.path for event in events}) > 1 or len({text_of(user) for user in users}) > 1:
        return ""
    if len(calls) == 1:
        return _TESTS[plain(events[0].method)]
    if any(plain(event.method) == "has_perms" for event in events):
        return ""
    tree, tops = sources.tree(events[0].query.path), dict[py.Node, str]()
    for call in calls:
        node: py.Node = call
        above = tree.get(call)
        joint = above.op if isinstance(above, py.BoolOp) else ""
        while isinstance(above, py.BoolOp) and above.op == joint:
            node, above = above, tree.get(above)
        tops[node] = joint
    return next(iter(tops.values())) if len(tops) == 1 else ""


def _backend(stack: Stack) -> tuple[str, str]:
    """The argument that names the backend, where several are known to be there, and what to mind where that is open."""
    found = plainly(stack.queries.walk.setting("AUTHENTICATION_BACKENDS"))
    if not isinstance(found, (list, tuple)) or not all(isinstance(name, str) for name in found):
        return "", ' With several AUTHENTICATION_BACKENDS name the one that decides, `backend="…"` (else ValueError).'
    deciding = next((name for name in found if name.rpartition(".")[2] == _BACKEND), "…")
    return (f', backend="{deciding}"' if len(found) > 1 else ""), ""
