"""Whether the value that a function computes may be empty, zero, false or None."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import nodes

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

Empty: TypeAlias = Literal["may", "never", "unknown"]

_MAY = frozenset(
    {"len", "sum", "list", "dict", "set", "tuple", "sorted", "bool", "any", "all", "isinstance", "frozenset", "hasattr"}
)
_QUERYSET = frozenset({"count", "exists", "filter", "exclude", "values_list", "values", "first", "last", "distinct"} | {
    "order_by", "select_related", "prefetch_related", "annotate", "acount", "aexists", "afirst", "in_bulk",
})  # fmt: skip
"""Methods of querysets whose results may be empty, zero, false or None."""
_NEVER = frozenset({"aggregate", "render", "isoformat", "hexdigest", "as_view"})
_NEVER_CALLED = (
    "django.template.loader.render_to_string", "django.http.", "json.dumps", "pickle.dumps", "datetime.",
    "django.utils.timezone.now", "uuid.", "time.time", "django.urls.reverse", "django.shortcuts.render",
    "rest_framework.response.Response", "django.template.response.", "secrets.",
)  # fmt: skip
_LISTS = frozenset(
    {"list", "List", "dict", "Dict", "set", "Set", "tuple", "Sequence", "QuerySet", "int", "bool", "float", "Decimal"}
    | {"Mapping", "Iterable", "Optional"}
)
DEPTH = 3


def emptiness(stack: Stack, found: Found, expr: py.Expr, skip: py.Expr | None = None, depth: int = 0) -> Empty:
    """What the value of `expr` in the function of `found` may be; `skip` is left out where names are followed."""
    if depth > DEPTH:
        return "unknown"
    match expr:
        case py.Await():
            return emptiness(stack, found, expr.value, skip, depth)
        case py.Constant():
            return "never" if expr.value else "may"
        case py.List() | py.Set() | py.Tuple():
            return "never" if any(not isinstance(item, py.Starred) for item in expr.elts) else "may"
        case py.Dict():
            return "never" if any(key is not None for key in expr.keys) else "may"
        case py.Comp():
            return "unknown" if expr.kind == "generator" else "may"
        case py.Compare():
            return "may"
        case py.UnaryOp():
            return "may" if expr.op == "not" else "unknown"
        case py.JoinedStr():
            return "never" if any(isinstance(item, py.Constant) and item.value for item in expr.values) else "unknown"
        case py.IfExp():
            return _either(emptiness(stack, found, item, skip, depth + 1) for item in (expr.body, expr.orelse))
        case py.BoolOp() if expr.op == "or":
            return emptiness(stack, found, expr.right, skip, depth + 1)
        case py.Call():
            return _called(stack, found, expr, depth)
        case py.Name():
            return _named(stack, found, expr, skip, depth)
    return "unknown"


def _either(parts: Iterable[Empty]) -> Empty:
    told = list(parts)
    if "may" in told:
        return "may"
    return "never" if told and all(item == "never" for item in told) else "unknown"


def _named(stack: Stack, found: Found, expr: py.Name, skip: py.Expr | None, depth: int) -> Empty:
    """What is assigned to a local name; what is put into a list later leaves it empty where nothing is put."""
    if found.function is None:
        return "unknown"
    if _is_filled(found.function, expr.id):
        return "never"
    values = [value for value in _assigned(found.function, expr.id) if value is not skip]
    if any(value is None for value in values):
        return "unknown"
    return _either(emptiness(stack, found, value, skip, depth + 1) for value in values if value is not None)


def _is_filled(function: py.FunctionDef, name: str) -> bool:
    """Whether a name is given a key of its own (`totals["open"] = 0`): it is a dict that is not empty."""
    return any(
        isinstance(target, py.Subscript) and dotted(target.value) == name and isinstance(target.index, py.Constant)
        for node in nodes(function.body)
        if isinstance(node, py.Assign)
        for target in node.targets
    )


def _assigned(function: py.FunctionDef, name: str) -> Iterator[py.Expr | None]:
    """The expressions that a function assigns to a name; None for a way that is not followed (a loop, unpacking)."""
    for node in nodes(function.body):
        if isinstance(node, py.Assign):
            for target in node.targets:
                if isinstance(target, py.Name) and target.id == name:
                    yield node.value
                elif not isinstance(target, py.Name) and name in target_names(target):
                    yield None
        elif isinstance(node, py.AnnAssign) and isinstance(node.target, py.Name) and node.target.id == name:
            if node.value is not None:
                yield node.value
        elif isinstance(node, (py.For, py.AugAssign)) and name in target_names(node.target):
            yield None
        elif isinstance(node, py.NamedExpr) and name in target_names(node.target):
            yield node.value


def _called(stack: Stack, found: Found, expr: py.Call, depth: int) -> Empty:
    symbol = meaning(stack, found, expr.func)
    name = symbol.name if symbol is not None else ""
    if name.startswith("builtins."):
        return "may" if name.removeprefix("builtins.") in _MAY else "unknown"
    if name.startswith(_NEVER_CALLED):
        return "never"
    if symbol is not None and symbol.kind == "function" and isinstance(symbol.node, py.FunctionDef):
        if symbol.module is None:
            return "unknown"
        return _returned(stack, Found(symbol.module, expr, symbol.node, None), depth)
    if isinstance(expr.func, py.Attribute):
        own = _own_method(found, expr.func)
        if own is not None:
            return _returned(stack, Found(found.module, expr, own, found.owner), depth)
        if expr.func.attr in _QUERYSET and not name.startswith("builtins."):
            return "may"
        if expr.func.attr in _NEVER:
            return "never"
        if expr.func.attr == "all" and "objects" in dotted(expr.func.value).split("."):
            return "may"
    return "unknown"


def _own_method(found: Found, func: py.Attribute) -> py.FunctionDef | None:
    if found.owner is None or dotted(func.value) not in ("self", "cls"):
        return None
    return next(
        (item for item in found.owner.body if isinstance(item, py.FunctionDef) and item.name == func.attr), None
    )


def _returned(stack: Stack, found: Found, depth: int) -> Empty:
    """What a function of the project gives: its annotation tells, else what it returns."""
    function = found.function
    if function is None:
        return "unknown"
    annotation = function.returns.value if isinstance(function.returns, py.Subscript) else function.returns
    if annotation is not None and dotted(annotation).rpartition(".")[2] in _LISTS:
        return "may"
    values = [node.value for node in nodes(function.body) if isinstance(node, py.Return)]
    if not values or any(isinstance(node, py.Yield) for node in nodes(function.body)):
        return "unknown"
    return _either("may" if value is None else emptiness(stack, found, value, None, depth + 1) for value in values)
