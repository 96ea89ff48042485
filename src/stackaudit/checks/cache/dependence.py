"""Whether what is cached of a model can change with what a write changes."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import cache_calls
from stackaudit.link.indexes import indexes_of
from stackaudit.link.models.model import Model, Relation, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.narrowing import is_unique
from stackaudit.link.stack import Stack

CREATES = frozenset({"bulk_create", "abulk_create"})
_STORES = ("set", "add", "get_or_set", "set_many", "aset", "aadd", "aget_or_set", "aset_many")
_FEW = frozenset({"values", "values_list", "count", "exists", "aggregate", "acount", "aexists", "aaggregate"})
"""Methods of querysets that leave the rows behind."""
_MAKES = frozenset({"create", "acreate"})
_LONG = 3
"""How long a text is that tells keys apart."""


def changed(stack: Stack, event: Event) -> frozenset[str]:
    """The columns that a write changes in rows that are there; empty where they are not written out."""
    call = _call(stack, event)
    if call is None:
        return frozenset()
    if event.method in ("update", "aupdate"):
        names = [item.name for item in call.keywords]
        return frozenset(name for name in names if name) if None not in names else frozenset()
    if event.method in CREATES:
        listed = keyword(call, "update_fields")
    else:
        listed = keyword(call, "fields") or (call.args[1] if len(call.args) > 1 else None)
    items = listed.elts if isinstance(listed, (py.List, py.Tuple)) else ()
    words = [str(item.value) for item in items if isinstance(item, py.Constant)]
    return frozenset(words) if len(words) == len(items) else frozenset()


def updates(stack: Stack, event: Event) -> bool:
    """Whether a write changes rows that are there: `bulk_create()` does with `update_conflicts` only."""
    if event.method not in CREATES:
        return True
    call = _call(stack, event)
    given = keyword(call, "update_conflicts") if call is not None else None
    return isinstance(given, py.Constant) and given.value is True


def _call(stack: Stack, event: Event) -> py.Call | None:
    module = stack.modules.by_path.get(event.place.path)
    if module is None:
        return None
    for node in nodes(module.facts.body):
        if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == event.method:
            region = module.facts.region(node)
            if region.line <= event.place.region.line <= region.end_line:
                return node
    return None


def listed_by(stack: Stack, model: Model, call: py.Call, body: tuple[py.Stmt, ...]) -> frozenset[str] | None:
    """The columns of a receiver's `instance` that a key is made of, where several rows may share them: new rows count.

    Empty where the key is not made of `instance`. None where it names one row, or nothing tells that it does not: by
    the key, by what is unique, by the whole row, by what is no column.
    """
    given = _made_of(call, body)
    inner = {node.value for node in nodes(given) if isinstance(node, py.Attribute)}
    named: set[str] = set()
    for node in nodes(given):
        if isinstance(node, py.Attribute) and isinstance(node.value, py.Name) and node.value.id == "instance":
            named.add(node.attr)
        elif isinstance(node, py.Name) and node.id == "instance" and node not in inner:
            return None
    if not named:
        return frozenset()
    found = {name: model.relation(name) or model.attname(name) or model.column(name) for name in named}
    columns = frozenset(field.name for field in found.values() if field is not None)
    if None in found.values() or any(is_unique(model, name) for name in named):
        return None
    indexes, unread = indexes_of(stack.models, model)
    is_single = any(set(index.plain) <= columns for index in indexes if index.asked == "unique")
    return None if is_single or unread is not None else columns


def makes(stack: Stack, module: SourceModule, function: py.FunctionDef, model: Model, columns: frozenset[str]) -> bool:
    """Whether a function makes the row that a column leads to: nothing is cached yet of what belongs to it."""
    relations = [model.relation(name) for name in columns]
    targets = [item.target for item in relations if isinstance(item, Relation) and item.target is not None]
    for node in nodes(function.body):
        if not isinstance(node, py.Call):
            continue
        func = node.func
        manager = func.value if isinstance(func, py.Attribute) and func.attr in _MAKES else None
        made = manager.value if isinstance(manager, py.Attribute) else func
        if dotted(made) and stack.models.of_expr(module, made) in targets:
            return True
    return False


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
    for node in nodes(_made_of(call, body)):
        if isinstance(node, py.Constant) and isinstance(node.value, str) and len(node.value.strip("_:-. ")) >= _LONG:
            words.add(_word(node.value))
        elif isinstance(node, py.Call):
            words.add(dotted(node.func).rpartition(".")[2])
        elif isinstance(node, (py.Name, py.Attribute)):
            name = node.id if isinstance(node, py.Name) else node.attr
            words |= {name} if name.isupper() else set()
    return frozenset(words - {"", "str", "format", "join"})


def _made_of(call: py.Call, body: tuple[py.Stmt, ...]) -> tuple[py.Node, ...]:
    """What a call is given, and what the names among it were assigned."""
    given: tuple[py.Node, ...] = (*call.args, *(item.value for item in call.keywords))
    named = {node.id for node in nodes(given) if isinstance(node, py.Name)}
    made = tuple(
        node.value
        for node in nodes(body)
        if isinstance(node, py.Assign) and any(isinstance(to, py.Name) and to.id in named for to in node.targets)
    )
    return (*given, *made)


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
