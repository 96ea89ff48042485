"""What context processors ask the database on every page, and how to ask less."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.pages.processors import Processor, asked
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.sources import Sources, below
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict


def context_processor_query(stack: Stack) -> Iterator[Verdict]:
    """The project's context processors, and the queries that they run on every page."""
    for processor in asked(stack):
        site = Site(processor.place, processor.name)
        if not processor.queries:
            yield Pass(site)
            continue
        first = processor.queries[0]
        name = processor.name.rpartition(".")[2]
        others = tuple(Step(item.place, "asks the database too") for item in processor.queries[1:6])
        yield Fail(
            Site(first.place, processor.name),
            {"processor": name, "count": len(processor.queries)},
            related=others,
            fix=_less(stack.sources, processor, first),
            flow=(Step(processor.place, "runs for every page"), Step(first.place, "asks the database")),
        )


def _less(sources: Sources, processor: Processor, event: Event) -> str:
    """How to ask only when a page shows it, where the dictionary holds what asks; else how to keep the answer."""
    own = _own(sources, processor, event)
    statement = _statement(sources, processor, own) if own is not None else None
    if own is not None and isinstance(statement, py.Return):
        entry = _entry(sources.tree(processor.place.path), own, statement)
        if entry is not None:
            key, value = entry
            return f"Ask when a page shows it: `{code_of(key)}: {_lazy(value)}`."
    name, node = processor.name.rpartition(".")[2], sources.at(event.place)
    told = f"Keep what {f'`{text_of(node, 60)}`' if node is not None else 'it'} gives"
    if sources.function(event.place) is not processor.node:
        module = sources.modules[event.place.path].name
        function = sources.where(event.place).removeprefix(f"{module}.")
        told += f" in `{function}`, so that whoever else calls that has it, too" if function else " where it is asked"
    kept = f'{told}: `cache.get_or_set("{name}", …, 300)`, and delete the key where it is saved.'
    later = _later(sources, processor, statement) if isinstance(statement, py.Assign) else ""
    return f"{kept} {later}" if later else kept


def _own(sources: Sources, processor: Processor, event: Event) -> py.Node | None:
    """The expression of the processor itself that leads to a query; None where it is not to be seen."""
    places = (*(step.place for step in event.flow), event.place)
    place = next((place for place in places if sources.function(place) is processor.node), None)
    return sources.at(place) if place is not None else None


def _statement(sources: Sources, processor: Processor, node: py.Node) -> py.Stmt | None:
    """The statement of the processor in which an expression stands and that runs it once.

    None where a loop or a comprehension of the processor goes through it, or a `try` waits for its exceptions, which
    would come too late.
    """
    tree, found = sources.tree(processor.place.path), None
    while node is not processor.node:
        if isinstance(node, (py.Return, py.Assign)):
            found = node
        elif not isinstance(node, py.If) and found is not None:
            return None
        node = tree[node]
    return found


def _entry(tree: dict[py.Node, py.Node], node: py.Node, statement: py.Return) -> tuple[py.Expr, py.Expr] | None:
    """The entry of a returned dictionary that holds an expression: its key and value; None where it is in none."""
    returned = statement.value
    if not isinstance(returned, py.Dict):
        return None
    while tree[node] is not returned:
        node = tree[node]
        if node is statement or isinstance(node, py.Lambda):
            return None
    pairs = zip(returned.keys, returned.values, strict=True)
    return next(((key, value) for key, value in pairs if value is node and key is not None), None)


def _later(sources: Sources, processor: Processor, statement: py.Assign) -> str:
    """How to ask for what a name stands for when a page shows it.

    "" where the processor does more with the name than to hand over what it stands for, or a part of that: it would
    ask all the same.
    """
    tree, target = sources.tree(processor.place.path), statement.targets[0]
    if len(statement.targets) > 1 or not isinstance(target, py.Name):
        return ""
    named = [node for node in below(processor.node) if isinstance(node, py.Name) and node.id == target.id]
    entries = []
    for name in named:
        if name is target:
            continue
        holder: py.Node = name
        while not isinstance(holder, (py.Return, py.FunctionDef)):
            holder = tree[holder]
        entry = _entry(tree, name, holder) if isinstance(holder, py.Return) else None
        if entry is None:
            return ""
        entries.append(entry)
    parts = [(key, value) for key, value in dict.fromkeys(entries) if not isinstance(value, py.Name)]
    written = [f"`{target.id} = {_lazy(statement.value)}`"]
    written += [f"`{code_of(key)}: {_lazy(value)}`" for key, value in parts]
    if not entries:
        return ""
    return f"Or write {' and '.join(written)}, which {'ask' if parts else 'asks'} when a page shows it."


def _lazy(value: py.Expr) -> str:
    return f"SimpleLazyObject(lambda: {code_of(value, 80) or '…'})"
