"""Rows that never leave the loop over them: what is read of them is all that has to be loaded with them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.everykey import joined
from stackaudit.link.queries.lookups import Path, longest
from stackaudit.link.queries.origins import Asking, Origin
from stackaudit.link.queries.reading import LOADS, is_rewritten
from stackaudit.link.sources import Sources, below, held
from stackaudit.model.source import Place

_LOADING = frozenset({"select_related", "prefetch_related"})
_OWN = frozenset({"pk", "id"})
_DEEPEST = 3
"""So many methods of a row that call each other are read."""


class Staying:
    """What is read of rows whose queryset joins without saying what, or is made anew on each turn of a loop.

    `events` are all that one walk of the code with `sources` met.
    """

    def __init__(self, sources: Sources, events: Iterable[Event]) -> None:
        self._sources = sources
        self._read: dict[Place, list[Path]] = {}
        for event in events:
            if event.origin is not None and event.path and event.kind in ("forward", "reverse"):
                self._read.setdefault(event.origin.place, []).append(event.path)

    def told(self, events: list[Event]) -> list[Event]:
        """Events that say what their rows have to bring, where that is known.

        What rows lack that code asks for by calls of their own on each turn is told of the rows of the loop, whose
        prefetch brings it, unless others run that code, too.
        """
        known: dict[Place, Origin] = {}
        told = [self._named(event, known) for event in events]
        anew: dict[Place, list[Event]] = {}
        for event in told:
            asking = event.asking
            if event.outcome == "fail" and event.kind == "reverse" and asking is not None and asking.brings is not None:
                anew.setdefault(event.query, []).append(event)
        return [self._moved(event, anew) for event in told]

    def _named(self, event: Event, known: dict[Place, Origin]) -> Event:
        origin, asking = event.origin, event.asking
        if origin is not None and origin.bare and origin.model is not None:
            if origin.place not in known:
                known[origin.place] = replace(origin, read=self._kept(origin.place, origin.model, origin.link))
            event = replace(event, origin=known[origin.place])
        if asking is not None and event.kind in ("reverse", "bypassed") and is_rewritten(event):
            event = replace(event, asking=replace(asking, brings=self._brings(event, asking)))
        return event

    def _moved(self, event: Event, anew: dict[Place, list[Event]]) -> Event:
        """An event of rows that are asked for on each turn, as one of the rows of the loop."""
        origin = event.origin
        found = anew.get(origin.place, []) if origin is not None and event.kind in ("forward", "reverse") else []
        if event.outcome != "fail" or len({(item.origin, item.path) for item in found}) != 1:
            return event
        outer = found[0]
        if outer.asking is None or outer.asking.others or outer.origin is None:
            return event
        return replace(event, origin=outer.origin, path=(*outer.path, *event.path))

    def _brings(self, event: Event, asking: Asking) -> tuple[Path, ...] | None:
        """What the rows have to bring that are asked for by select_related() and prefetch_related() alone."""
        target = event.relation.target if event.relation is not None else None
        if target is None or asking.last or not asking.methods <= LOADS or not asking.methods & _LOADING:
            return None
        link = event.relation.remote if event.relation is not None else ""
        named, is_bare = self._written(asking, target)
        read = self._read.get(event.query, [])
        if named is None:
            return None
        kept = joined(target, link) if is_bare and self._kept(event.query, target, link) is None else []
        if kept is None:
            return None
        paths = [*(path for path in named if path != (link,)), *(path for path in read if path[0] != link), *kept]
        return tuple(longest(paths))

    def _written(self, asking: Asking, model: Model) -> tuple[list[Path] | None, bool]:
        """The relations that an expression names to be loaded, and whether it joins without naming any.

        None where it does so in another way than by their names, or is not the whole of what loads them.
        """
        node, named, is_bare = self._sources.at(asking.place), list[Path](), False
        missing = set(asking.methods)
        while isinstance(node, py.Call) and isinstance(node.func, py.Attribute):
            name = node.func.attr
            is_bare = is_bare or (name == "select_related" and not node.args)
            for given in node.args if name in _LOADING else ():
                way = _followed(model, given)
                if way is None:
                    return None, False
                named.append(way)
            if node.keywords or (name not in _LOADING and name != "all"):
                return None, False
            missing.discard(name)
            node = node.func.value
        return (named, is_bare) if not missing else (None, False)

    def _kept(self, place: Place, model: Model, link: str) -> tuple[Path, ...] | None:
        """The paths that are read of rows, but for the one back; None where rows leave the loop over them."""
        loop = self._sources.loop(place)
        if loop is None or self._sources.at(place) is not loop.iter or not isinstance(loop.target, py.Name):
            return None
        tree = self._sources.tree(place.path)
        holder: py.Node = loop if isinstance(loop, py.For) else tree[loop]
        scope = self._sources.scope(place.path, holder)
        for node in below(scope):
            if not isinstance(node, py.Name) or node.id != loop.target.id or node is loop.target:
                continue
            if not holder.start <= node.start < holder.end:
                if not _is_of_other(tree, node, scope):
                    return None
            elif not _is_read(tree, node, model, frozenset()):
                return None
        return tuple(path for path in longest(self._read.get(place, ())) if path[0] != link)


def _followed(model: Model, node: py.Expr) -> Path | None:
    """A path that is written out, by the names that Python has for its relations."""
    if not isinstance(node, py.Constant) or not isinstance(node.value, str):
        return None
    found: list[str] = []
    inner: Model | None = model
    for name in node.value.split("__"):
        relation = inner.by_query_name(name) if inner is not None else None
        if relation is None:
            return None
        found.append(relation.name)
        inner = relation.target
    return tuple(found)


def _is_of_other(tree: dict[py.Node, py.Node], node: py.Name, scope: py.Node) -> bool:
    """Whether a name stands for what another loop goes through."""
    above: py.Node | None = node
    while above is not None and above is not scope:
        loops = above.generators if isinstance(above, py.Comp) else (above,) if isinstance(above, py.For) else ()
        if any(isinstance(loop.target, py.Name) and loop.target.id == node.id for loop in loops):
            return True
        above = tree.get(above)
    return False


def _is_read(tree: dict[py.Node, py.Node], node: py.Expr, model: Model, within: frozenset[py.Node]) -> bool:
    """Whether no more becomes of a row than that its columns and relations are read; `within` are methods it runs."""
    above = tree.get(node)
    if not isinstance(above, py.Attribute):
        return _is_tested(above, node)
    name, cls = above.attr, model.cls
    if name in _OWN or model.column(name) is not None or model.attname(name) is not None:
        return True
    relation = model.relation(name)
    if relation is not None:
        return relation.many or (relation.target is not None and _is_read(tree, above, relation.target, within))
    member = cls.find(name) if cls is not None and not isinstance(cls, str) else None
    method = member.binding.node if member is not None else None
    if not isinstance(method, py.FunctionDef) or not method.params or len(within) == _DEEPEST:
        return False
    if method in within:
        return True
    inside = {item: node for node in (method, *below(method)) for item in held(node)}
    own = [item for item in below(method) if isinstance(item, py.Name) and item.id in ("super", method.params[0].name)]
    return all(item.id != "super" and _is_read(inside, item, model, within | {method}) for item in own)


def _is_tested(above: py.Node | None, node: py.Expr) -> bool:
    """Whether a value is only asked whether it is true, or what it equals."""
    if isinstance(above, (py.If, py.IfExp)):
        return above.test is node
    if isinstance(above, py.BoolOp):
        return above.op == "and" and above.left is node  # what is not true here is None
    return isinstance(above, py.Compare) or (isinstance(above, py.UnaryOp) and above.op == "not")
