"""Lists that are written out in the code and whose items each stand for something else: names of attributes, getters.

`for name in ("author", "editor"): getattr(book, name)`, `for title, getter in COLUMNS: getter(book)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.builtin import ATTRGETTER
from stackaudit.link.queries.values import Const, Function, Other, Seq, Value

_MOST = 8
"""A list of so many items is gone through one by one."""
_BY_NAME = frozenset({"getattr", "attrgetter"})


def items(target: py.Expr, body: Iterable[py.Node], value: Value) -> tuple[Value, ...]:
    """The items of a list, where the turns of a loop differ by what they call or which attribute they read."""
    found = value.items if isinstance(value, Seq) else None
    if not found or len(found) > _MOST or not all(_is_plain(item) for item in found):
        return ()
    names = set(_names(target))
    return found if names and any(_uses(node, names) for node in nodes(tuple(body))) else ()


def _is_plain(item: Value) -> bool:
    """Whether an item is a text, something that is called, or a tuple of such."""
    if isinstance(item, Seq):
        return item.items is not None and all(_is_plain(part) for part in item.items)
    return isinstance(item, (Const, Function)) or (isinstance(item, Other) and item.name.startswith(ATTRGETTER))


def _names(target: py.Expr) -> Iterator[str]:
    if isinstance(target, py.Name):
        yield target.id
    elif isinstance(target, (py.Tuple, py.List)):
        for part in target.elts:
            yield from _names(part)


def _uses(node: py.Node, names: set[str]) -> bool:
    if type(node) is not py.Call:
        return False
    if type(node.func) is py.Name and node.func.id in names:
        return True
    called = dotted(node.func).rpartition(".")[2]
    return called in _BY_NAME and any(type(arg) is py.Name and arg.id in names for arg in node.args)
