"""Loops that take a few turns whatever the tables hold."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from stackaudit.checks.orm.callers import Callers
from stackaudit.checks.orm.turns import Turns
from stackaudit.facts import python as py
from stackaudit.link.modules import decorators, dotted
from stackaudit.link.queries.events import Event
from stackaudit.link.sources import Sources, below
from stackaudit.model.source import Place

_FEW = re.compile(r"\b(?:admin(?:istrator)?s?|moderators?|superusers?|roles?)\b")
"""Loops over what is a handful on any site: those who run it, and roles."""
_CLEANED = re.compile(r"\b(?:cleaned|validated)_data\b")
_READ = re.compile(
    r"\b(?:csv|json|openpyxl|pandas|pd|tomllib|yaml)\."
    r"|\b(?:\w*reader|\w*Reader|StringIO|BytesIO|TextIOWrapper|chunks|load|loads|load_workbook|open|partition|read"
    r"|readlines|rsplit|split|splitlines)\("
    r"|_data(?:\[|\.get\()[\"']\w*(?:csv|file|upload)"
)
"""What takes apart a text that somebody has pasted, or a file: it has as many lines as it has."""
_FINDING = frozenset({"findall", "find_all", "finditer", "split"})
_FORM = re.compile(r"(?:^|\.)request\.(?:POST|GET)$")
_OF_DICTS = frozenset({"items", "keys", "lists", "values"})
_HANDING = frozenset({"dict", "enumerate", "frozenset", "iter", "list", "reversed", "set", "sorted", "tuple", "zip"})
_FEW_KEYS = 3
_SERIALIZERS = "rest_framework.serializers."
_OF_VALIDATE = 2
"""The parameters of `validate(self, attrs)`."""
_OF_ACTION = 3
"""An action of the admin is handed the admin, the request and the rows."""
_DEEPEST = 8


def is_short(listed: Container[Place], callers: Callers, turns: Turns, event: Event) -> bool:
    """Whether a loop goes through what is a handful: a list in one column, what a form brought, words of one text.

    `listed` are the loops that go through what one column holds.
    """
    if event.loop is None:
        return False
    return (
        event.loop.place in listed
        or turns.is_cut(event)
        or is_handful(event.loop.text)
        or _is_picked(turns.source(event))
        or _is_of_posted(turns, event)
        or is_of_pieces(callers, turns, event)
    )


def is_handful(text: str) -> bool:
    """Whether what the head of a loop names is a few on any site: who runs it, what somebody has picked in a form."""
    return _FEW.search(text) is not None or ("cleaned_data" in text and _is_picked(text))


def _is_picked(text: str) -> bool:
    """Whether a text speaks of what a form or a serializer has checked, and not of lines that it takes apart."""
    return _CLEANED.search(text) is not None and _READ.search(text) is None


def is_selected(turns: Turns, event: Event) -> bool:
    """Whether a loop goes through the rows that somebody has ticked in a changelist, as an action gets them.

    https://docs.djangoproject.com/en/stable/ref/contrib/admin/actions/
    """
    loop = turns.sources.loop(event.loop.place) if event.loop is not None else None
    function = turns.sources.function(event.loop.place) if event.loop is not None else None
    if event.loop is None or loop is None or function is None or len(function.params) != _OF_ACTION:
        return False
    is_action = any(name.endswith("action") for name in decorators(function))
    source: py.Expr = loop.iter
    while isinstance(source, py.Call) and isinstance(source.func, py.Attribute):
        source = source.func.value
    if not isinstance(source, py.Name) or source.id != function.params[-1].name:
        return False
    return is_action or (event.loop.place.path.endswith("admin.py") and source.id == "queryset")


def _is_of_posted(turns: Turns, event: Event) -> bool:
    """Whether a loop goes through one field of what a client has posted, in the `validate()` of a serializer.

    Related fields in it have asked for each element already.
    """
    function = turns.sources.function(event.loop.place) if event.loop is not None else None
    if event.loop is None or function is None or function.name != "validate" or len(function.params) != _OF_VALIDATE:
        return False
    module, tree = turns.sources.modules[event.loop.place.path], turns.sources.tree(event.loop.place.path)
    holder = tree.get(function)
    given = re.compile(rf"\b{function.params[-1].name}(?:\[|\.(?:get|pop)\()")
    return (
        isinstance(holder, py.ClassDef)
        and any(base.startswith(_SERIALIZERS) for base in turns.classes.build(module, holder).externals)
        and given.search(turns.source(event)) is not None
    )


def is_of_pieces(callers: Callers, turns: Turns, event: Event) -> bool:
    """Whether a loop goes through pieces of one text or form, or through what a key or two find."""
    loop = turns.sources.loop(event.loop.place) if event.loop is not None else None
    if event.loop is None or loop is None:
        return False
    return _Pieces(callers, turns).are_few(event.loop.place, loop.iter, 0)


class _Pieces:
    """Tells what is a piece of one text, of one form, or one key that callers give."""

    def __init__(self, callers: Callers, turns: Turns) -> None:
        self.callers, self.turns = callers, turns

    def are_few(self, place: Place, node: py.Node, depth: int) -> bool:
        """Whether an expression at a place holds few things."""
        if depth > _DEEPEST:
            return False
        if isinstance(node, py.Name):
            bound = list(_bound(self.turns.sources, place.path, node))
            wraps = bool(bound) and all(_wraps(value, node.id) for value in bound)
            if bound and not wraps:
                return all(self.are_few(place, value, depth + 1) for value in bound)
            given = self.callers.given(place, node.id)
            return bool(given) and all(
                _is_written(item) or (wraps and _is_key(item)) or self.are_few(at, item, depth + 1)
                for at, item in given
            )
        if isinstance(node, py.Comp):
            return self.are_few(place, node.generators[0].iter, depth + 1)
        if not isinstance(node, py.Call):
            return False
        func = node.func
        if isinstance(func, py.Name):
            if func.id in _HANDING and node.args:
                return self.are_few(place, node.args[0], depth + 1)
            if func.id in ("filter", "map") and len(node.args) > 1:
                return self.are_few(place, node.args[1], depth + 1)
            return self._is_searching(node)
        if not isinstance(func, py.Attribute):
            return False
        if func.attr in _OF_DICTS and (_FORM.search(dotted(func.value)) or self.are_few(place, func.value, depth + 1)):
            return True
        if func.attr == "filter":
            if any(self.are_few(place, key, depth + 1) for key in _keys(node)):
                return True
            asked = [part for arg in node.args for part in (arg, *below(arg)) if isinstance(part, py.Call)]
            keys = [key for call in asked if dotted(call.func).rpartition(".")[2] == "Q" for key in _keys(call)]
            return bool(keys) and all(self.are_few(place, key, depth + 1) for key in keys)
        return _finds(node) or self._is_searching(node)

    def _is_searching(self, call: py.Call) -> bool:
        """Whether a function of the repository gives what it has found in a text."""
        function = self.turns.callee(call)
        parts = below(function) if function is not None else ()
        sources = (item.iter for item in parts if isinstance(item, (py.For, py.Comprehension)))
        return any(isinstance(part, py.Call) and _finds(part) for item in sources for part in (item, *below(item)))


def _keys(call: py.Call) -> list[py.Expr]:
    """What the rows of a filter have to be among."""
    return [item.value for item in call.keywords if item.name and item.name.endswith("__in")]


def _wraps(node: py.Expr, name: str) -> bool:
    """Whether one value becomes a list of its own: `keys = [keys]`."""
    return isinstance(node, py.List) and len(node.elts) == 1 and dotted(node.elts[0]) == name


def _is_key(node: py.Expr) -> bool:
    return isinstance(node, py.Attribute) and (node.attr in ("id", "pk") or node.attr.endswith("_id"))


def _is_written(node: py.Expr) -> bool:
    """Whether an argument is a list with a few elements; one in a name may grow."""
    return (
        isinstance(node, py.List)
        and 0 < len(node.elts) <= _FEW_KEYS
        and not any(isinstance(item, py.Starred) for item in node.elts)
    )


def _finds(call: py.Call) -> bool:
    """Whether a call takes a text apart, or searches it; the lines of a text are as many as they are."""
    name = call.func.attr if isinstance(call.func, py.Attribute) else ""
    by = call.args[0] if call.args else None
    return name in _FINDING and not (isinstance(by, py.Constant) and isinstance(by.value, str) and "\n" in by.value)


def _bound(sources: Sources, path: str, name: py.Name) -> Iterator[py.Expr]:
    """What a name was bound to in its function before it is used."""
    yield from sources.assigned(sources.scope(path, name), name.id, name.start)
