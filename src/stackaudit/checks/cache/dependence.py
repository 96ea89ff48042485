"""Whether what is cached of a model can change with the columns that a write changes."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import cache_calls
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.events import Event
from stackaudit.link.stack import Stack

_STORES = ("set", "add", "get_or_set", "set_many", "aset", "aadd", "aget_or_set", "aset_many")
_FEW = frozenset({"values", "values_list", "count", "exists", "aggregate", "acount", "aexists", "aaggregate"})
"""Methods of querysets that leave the rows behind."""
_LONG = 3
"""How long a text is that tells keys apart."""


def changed(stack: Stack, event: Event) -> frozenset[str]:
    """The columns that `update()` or `bulk_update()` names; empty where they are not written out."""
    module = stack.modules.by_path.get(event.place.path)
    call = _call(module, event) if module is not None else None
    if call is None:
        return frozenset()
    if event.method in ("update", "aupdate"):
        names = [item.name for item in call.keywords]
        return frozenset(name for name in names if name) if None not in names else frozenset()
    given = next((item.value for item in call.keywords if item.name == "fields"), None)
    listed = given or (call.args[1] if len(call.args) > 1 else None)
    items = listed.elts if isinstance(listed, (py.List, py.Tuple)) else ()
    words = [str(item.value) for item in items if isinstance(item, py.Constant)]
    return frozenset(words) if len(words) == len(items) else frozenset()


def _call(module: SourceModule, event: Event) -> py.Call | None:
    for node in nodes(module.facts.body):
        if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == event.method:
            region = module.facts.region(node)
            if region.line <= event.place.region.line <= region.end_line:
                return node
    return None


def stale(stack: Stack, model: Model, columns: frozenset[str], keys: frozenset[str]) -> bool:
    """Whether a function that stores under one of the keys names a column, or stores whole rows of the model.

    `keys` are words of the keys that are forgotten (`key_words`); where no function has one of them, each may store it.
    """
    stored = [set(_words(body)) for body in _storing(stack)]
    for words in [words for words in stored if words & keys] or stored:
        if columns & words or {f"{column}_id" for column in columns} & words:
            return True
        if {column.removesuffix("_id") for column in columns} & words:
            return True
        if model.name in words and not words & _FEW:
            return True
    return False


def key_words(call: py.Call, body: tuple[py.Stmt, ...]) -> frozenset[str]:
    """What the key in a call is made of: its texts, the functions that make it, names of constants.

    `body` is the function around the call, which may make the key a line before.
    """
    words: set[str] = set()
    given: tuple[py.Node, ...] = (*call.args, *(item.value for item in call.keywords))
    named = {node.id for node in nodes(given) if isinstance(node, py.Name)}
    made = tuple(
        node.value
        for node in nodes(body)
        if isinstance(node, py.Assign) and any(isinstance(to, py.Name) and to.id in named for to in node.targets)
    )
    for node in nodes((*given, *made)):
        if isinstance(node, py.Constant) and isinstance(node.value, str) and len(node.value.strip("_:-. ")) >= _LONG:
            words.add(_word(node.value))
        elif isinstance(node, py.Call):
            words.add(dotted(node.func).rpartition(".")[2])
        elif isinstance(node, (py.Name, py.Attribute)):
            name = node.id if isinstance(node, py.Name) else node.attr
            words |= {name} if name.isupper() else set()
    return frozenset(words - {"", "str", "format", "join"})


def _word(text: str) -> str:
    return text.lstrip("-").partition("__")[0]


def _storing(stack: Stack) -> Iterator[tuple[py.Stmt, ...]]:
    """The bodies of the functions that store something in Django's cache."""
    shown: set[tuple[str, int]] = set()
    for call in cache_calls(stack, *_STORES):
        function = call.found.function
        key = (call.found.module.path, function.start if function is not None else -1)
        if function is not None and key not in shown:
            shown.add(key)
            yield function.body


def _words(body: tuple[py.Stmt, ...]) -> Iterator[str]:
    """The names, attributes, arguments and texts in some code; lookups by their first part."""
    for node in nodes(body):
        if isinstance(node, py.Name):
            yield node.id
        elif isinstance(node, py.Attribute):
            yield node.attr
        elif isinstance(node, py.Constant) and isinstance(node.value, str):
            yield _word(node.value)
        elif isinstance(node, py.Call):
            yield from (item.name.partition("__")[0] for item in node.keywords if item.name)
