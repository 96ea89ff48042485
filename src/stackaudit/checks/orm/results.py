"""Whether a turn of a loop needs the row that it writes: then writing it later takes more than a list."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.queries.events import Event
from stackaudit.link.sources import Sources, around, held

_OF_MANY = frozenset({"add", "remove", "set", "clear"})


def needed(sources: Sources, event: Event) -> bool:
    """Whether the turn goes on with the row that a write gives, in a way for which it has to be written."""
    if event.method not in ("create", "get_or_create", "update_or_create", "save"):
        return False
    node = sources.at(event.query)
    if not isinstance(node, py.Call):
        return False
    told = event.method in ("get_or_create", "update_or_create")
    found = _used(sources, event.query.path, node, told, event.method == "save")
    if found is None and event.below:
        outer = sources.at(event.place)
        return bool(_used(sources, event.place.path, outer, False, False)) if isinstance(outer, py.Call) else False
    return bool(found)


def _used(sources: Sources, path: str, call: py.Call, told: bool, saved: bool) -> bool | None:
    """Whether what a call gives has to be there for what follows; None where the function returns it."""
    tree = sources.tree(path)
    if saved:
        receiver = call.func.value if isinstance(call.func, py.Attribute) else None
        made = isinstance(receiver, py.Name) and _is_made(tree, call, receiver.id)
        return _follows(tree, call, {receiver.id}, told) if made and isinstance(receiver, py.Name) else False
    node: py.Node = call
    parent = tree.get(node)
    while isinstance(parent, (py.Await, py.Subscript, py.IfExp, py.Starred)):
        node, parent = parent, tree.get(parent)
    if isinstance(parent, py.Return):
        return None
    if isinstance(parent, py.Keyword) or (isinstance(parent, py.Call) and node is not parent.func):
        return not _only_keeps(tree, parent)
    if isinstance(parent, py.Attribute):
        return _goes_on(tree, parent)
    names: set[str] = set()
    if isinstance(parent, py.NamedExpr):
        names = {dotted(parent.target)}
    elif isinstance(parent, py.Assign):
        for target in parent.targets:
            names |= {dotted(item) for item in getattr(target, "elts", (target,)) if isinstance(item, py.Name)}
    return _follows(tree, call, names - {"_", "__"}, told)


def _is_made(tree: dict[py.Node, py.Node], call: py.Call, name: str) -> bool:
    """Whether the block that saves a row has made it: `book = Book(...)`."""
    return any(
        isinstance(node, py.Assign) and isinstance(node.value, py.Call) and node.end <= call.start
        and any(dotted(target) == name for target in node.targets)
        for node in held(around(tree, call))
    )  # fmt: skip


def _follows(tree: dict[py.Node, py.Node], call: py.Call, names: set[str], told: bool) -> bool | None:
    """Whether what stands after a call, in the loop or function around it, needs what the names hold."""
    returned = False
    waiting: list[py.Node] = [around(tree, call)]
    while waiting:
        node = waiting.pop()
        waiting += held(node)
        if not isinstance(node, py.Name) or node.id not in names or node.start < call.end:
            continue
        parent = tree.get(node)
        if isinstance(parent, py.Return):
            returned = True
        elif isinstance(parent, (py.Assign, py.NamedExpr)) and node is not parent.value:
            continue
        elif told or _goes_on(tree, parent):
            return True
    return None if returned else False


def _goes_on(tree: dict[py.Node, py.Node], parent: py.Node | None) -> bool:
    """Whether what holds a row uses its key, calls a method of it, or hands it to somebody."""
    if isinstance(parent, py.Attribute):
        call, above = tree.get(parent), tree.get(tree.get(parent, parent))
        is_method = isinstance(call, py.Call) and call.func is parent
        is_relation = isinstance(call, py.Attribute) and call.attr in _OF_MANY and isinstance(above, py.Call)
        return parent.attr in ("pk", "id") or is_method or is_relation
    return isinstance(parent, (py.Call, py.Keyword)) and not _only_keeps(tree, parent)


def _only_keeps(tree: dict[py.Node, py.Node], parent: py.Node) -> bool:
    """Whether a call only puts an argument into a list, or shows it."""
    call = tree.get(parent) if isinstance(parent, py.Keyword) else parent
    if not isinstance(call, py.Call):
        return False
    if isinstance(call.func, py.Attribute):
        return call.func.attr in ("append", "extend", "write", "info", "debug", "warning", "SUCCESS") or (
            call.func.attr == "add" and isinstance(call.func.value, py.Name)
        )
    return dotted(call.func) in ("print", "str", "repr", "bool")
