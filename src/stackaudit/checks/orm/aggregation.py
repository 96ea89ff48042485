"""Rows that are loaded to make one number of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.checks.orm.callers import Callers
from stackaudit.checks.orm.lookups import query_in_loop
from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.queries import narrowing
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.values import Rows
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.chains import calls_of
from stackaudit.link.usage.uses import is_builtin, is_lazy, uses_of
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_AGGREGATES = {"sum": "Sum", "max": "Max", "min": "Min"}
_NUMBERS = frozenset({
    "IntegerField", "BigIntegerField", "SmallIntegerField", "PositiveIntegerField", "PositiveBigIntegerField",
    "PositiveSmallIntegerField", "FloatField", "DecimalField", "DurationField",
})  # fmt: skip
_COMPARABLE = _NUMBERS | {"DateField", "DateTimeField", "TimeField", "AutoField", "BigAutoField"}
_CLOSED = frozenset({"union", "intersection", "difference", "raw", "extra"})
"""Querysets that aggregate() does not work on."""


def python_aggregation(stack: Stack) -> Iterator[Verdict]:
    """One site for each `sum()`, `max()` or `min()` over one expression of the rows of a queryset."""
    callers = Callers(stack)
    told: set[Place] | None = None
    for body in stack.usage:
        for call in body.calls:
            if is_builtin(body, call.func, frozenset(_AGGREGATES)) and len(call.args) == 1:
                source = _source(body, call.args[0])
                if source is None:
                    continue
                for verdict in _judge(body, callers, call, *source, stack.queries.walk.django):
                    is_repeated = isinstance(verdict, Fail) and bool(body.loops(call))
                    if is_repeated and told is None:
                        told = _told_of_loops(stack)
                    if not (is_repeated and any(verdict.site.place.holds(place) for place in told or ())):
                        yield verdict


def _told_of_loops(stack: Stack) -> set[Place]:
    """Where the turns of loops ask for what one query before the loop could ask for: what is told there mends more."""
    return {
        place
        for verdict in query_in_loop(stack)
        if isinstance(verdict, Fail)
        for place in (verdict.site.place, *(step.place for step in verdict.related))
    }


def _source(body: Body, node: py.Expr) -> tuple[py.Expr, py.Expr | None, str] | None:
    """The queryset that is gone through, the expression made of each row (None: its only value), the row's name."""
    if isinstance(node, py.Comp) and node.kind in ("list", "generator") and len(node.generators) == 1:
        generator = node.generators[0]
        if isinstance(generator.target, py.Name) and node.element is not None and not generator.ifs:
            return generator.iter, node.element, generator.target.id
        return None
    if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "values_list":
        return node, None, ""
    return None


def _judge(
    body: Body, callers: Callers, call: py.Call, rows: py.Expr, element: py.Expr | None, name: str,
    django: tuple[int, int],
) -> Iterator[Verdict]:  # fmt: skip
    value = body.value(rows)
    if not isinstance(value, Rows) or value.model is None or not is_lazy(body, rows) or value.bounded:
        return
    if any(name in _CLOSED or (name == "distinct" and made.args) for name, made in calls_of(body, rows)):
        return
    if value.via is not None and value.via.row.loop is not None:
        return  # one query for each row is another rule's finding
    called = call.func.id if isinstance(call.func, py.Name) else ""
    site = Site(body.place(call), f"{body.where}: {text_of(call, 60)}")
    column = (
        _expression(value.model, element, name, called) if element is not None else _listed(value.model, rows, called)
    )
    if column is None:
        return
    if len([use for use in uses_of(body, rows, certain=False) if use.how not in ("derived", "nested")]) > 1 or _sliced(
        rows
    ):
        yield Pass(site)  # the rows are loaded anyway
    elif column == "":
        yield Unsure(site, "a part of the expression is no column, so the database may not be able to make it")
    elif value.cached:
        yield Pass(site)
    elif value.via is not None and (value.via.row.load.unknown or body.is_given(rows)):
        yield Unsure(site, "whether a caller has prefetched these rows is not known")
    elif value.kind == "rows" or element is None:
        few = value.via is not None or narrowing.of(value) == "few"
        cause = "by-hand" if callers.is_by_hand(site.place) else "few" if few else ""
        yield _fail(site, cause, call, rows, column, called, django)


def _sliced(node: py.Expr) -> bool:
    return isinstance(node, py.Subscript)


def _expression(model: Model, node: py.Expr, name: str, called: str) -> str | None:
    """The expression in terms of columns ("price", "price * quantity"); "" where a part of it is none.

    None where it has nothing to do with the row or the database cannot make it.
    """
    if isinstance(node, py.Attribute) and isinstance(node.value, py.Name) and node.value.id == name:
        field = model.column(node.attr)
        kinds = _NUMBERS if called == "sum" else _COMPARABLE
        if field is None:
            return "" if model.relation(node.attr) is None else None
        return f'F("{node.attr}")' if field.kind in kinds else None
    if isinstance(node, py.BinOp) and node.op in ("+", "-", "*"):
        left, right = (_expression(model, item, name, called) for item in (node.left, node.right))
        if left is None or right is None:
            return None
        return f"{left} {node.op} {right}" if left and right else ""
    if isinstance(node, py.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return str(node.value)
    return None


def _listed(model: Model, node: py.Expr, called: str) -> str | None:
    """The single column of `values_list("price", flat=True)`."""
    if not isinstance(node, py.Call) or len(node.args) != 1 or not isinstance(node.args[0], py.Constant):
        return None
    flat = any(item.name == "flat" for item in node.keywords)
    field = model.column(str(node.args[0].value))
    kinds = _NUMBERS if called == "sum" else _COMPARABLE
    return f'F("{field.name}")' if flat and field is not None and field.kind in kinds else None


def _fail(
    site: Site, cause: str, call: py.Call, rows: py.Expr, column: str, called: str, django: tuple[int, int]
) -> Fail:
    source = rows
    if isinstance(rows, py.Call) and isinstance(rows.func, py.Attribute) and rows.func.attr in ("all", "values_list"):
        source = rows.func.value
    function = _AGGREGATES[called]
    single = column.removeprefix('F("').removesuffix('")')
    inner = f'"{single}"' if single.isidentifier() else column
    default = ", default=0" if called == "sum" and django >= (4, 0) else ""
    otherwise = " or 0" if called == "sum" and not default else ""
    asking = f'.aggregate(value={function}({inner}{default}))["value"]{otherwise}'
    written = code_of(source, 60)
    fix = f"Write `{written}{asking}`." if written else f"Ask the queryset itself by `{asking}`."
    return Fail(
        site, {"expression": text_of(call, 80), "function": function, "rows": text_of(rows, 60)}, cause, fix=fix
    )
