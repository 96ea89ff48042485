"""Generators that hand out batches: slices, what `islice` takes, or the rows of some keys."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import nodes
from stackaudit.link.queries.walk import Walk


def hands_out(walk: Walk, node: py.FunctionDef) -> bool:
    """Whether everything that a generator yields is a slice of something longer."""
    if node not in walk.batches:
        walk.batches[node] = _hands_out(node)
    return walk.batches[node]


def _hands_out(node: py.FunctionDef) -> bool:
    found = list(nodes((node,)))
    sliced: dict[str, bool] = {}
    for item in found:
        if isinstance(item, py.NamedExpr) and isinstance(item.target, py.Name):
            sliced[item.target.id] = sliced.get(item.target.id, True) and _is_slice(item.value)
        elif isinstance(item, py.Assign):
            for name in (name for target in item.targets for name in target_names(target)):
                sliced[name] = sliced.get(name, True) and _is_slice(item.value)
    yields = [item for item in found if isinstance(item, py.Yield)]
    return bool(yields) and all(
        not item.delegates
        and item.value is not None
        and (_is_slice(item.value) or (isinstance(item.value, py.Name) and sliced.get(item.value.id, False)))
        for item in yields
    )


def _is_slice(expr: py.Expr) -> bool:
    """`items[start:stop]`, `islice(items, size)`, a list or tuple of such, or `rows.filter(pk__in=keys)`."""
    if isinstance(expr, py.Subscript):
        return isinstance(expr.index, py.Slice)
    if isinstance(expr, py.Call):
        name = dotted(expr.func).rpartition(".")[2]
        if name == "filter" and any(item.name and item.name.endswith("__in") for item in expr.keywords):
            return True
        return name == "islice" or (name in ("list", "tuple") and len(expr.args) == 1 and _is_slice(expr.args[0]))
    return False
