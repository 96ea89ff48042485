"""Relations that are loaded with the rows and that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.modules import dotted
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import Rows
from stackaudit.link.usage.bodies import Body
from stackaudit.link.usage.chains import calls_of
from stackaudit.link.usage.uses import is_lazy, uses_of
from stackaudit.model.source import Place
from stackaudit.model.verdict import Fail, Pass, Site, Step, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_LOADING = frozenset({"select_related", "prefetch_related"})
_OWN = frozenset({"pk", "id"})


def unused_eager_load(stack: Stack) -> Iterator[Verdict]:
    """One site for each `select_related` and `prefetch_related` whose rows never leave the function that asks."""
    signalled = stack.queries.walk.signalled
    asked = _asked(stack)
    for body in stack.usage:
        seen: set[py.Node] = set()
        going: list[py.For | py.Comprehension] = [*body.of_kind(py.For), *body.of_kind(py.Comprehension)]
        for node in going:
            if isinstance(node.target, py.Name):
                rows = body.value(node.iter)
                if isinstance(rows, Rows) and rows.model is not None and rows.kind == "rows":
                    for verdict, call in _judge(body, node.iter, rows.model, rows.model in signalled, asked):
                        if call not in seen:
                            seen.add(call)
                            yield verdict


def _asked(stack: Stack) -> dict[Place, set[str]]:
    """What the walk saw the rows of querysets being asked for, by the places of these.

    Rows are also asked through others: `profile.user.profile` is the profile again, and so is the author of each of
    `author.books.all()`.
    """
    asked: dict[Place, set[str]] = {}
    for event in stack.queries.events:
        if event.origin is not None and event.path:
            asked.setdefault(event.origin.place, set()).add(event.path[0])
    return asked


def _judge(
    body: Body, source: py.Expr, model: Model, signalled: bool, asked: dict[Place, set[str]]
) -> Iterator[tuple[Verdict, py.Call]]:
    calls = list(calls_of(body, source))
    loading = [call for name, call in calls if name in _LOADING]
    if not loading or any(name == "select_for_update" for name, _ in calls):
        return
    if not (is_lazy(body, source) or _is_streamed(body, source)) or _is_shared(body, source):
        return
    read = _read(body, source, model, signalled)
    if read is None:
        return
    read = read.union(*(asked.get(body.place(call), ()) for _, call in calls))
    for call in loading:
        paths = [_path(model, argument) for argument in call.args]
        if not paths or None in paths or call.keywords:
            continue
        unused = [path for path, names in (item for item in paths if item is not None) if not names & read]
        name = text_of(call.func).rpartition(".")[2]
        site = Site(body.place(call), f"{body.where}: {name}({', '.join(item[0] for item in paths if item)})")
        if unused:
            related = (Step(body.place(source), "goes through the rows"),)
            values = {"method": name, "paths": ", ".join(f"`{path}`" for path in unused), "where": body.where}
            yield Fail(site, values, "prefetch" if name == "prefetch_related" else "", related, fix=_less(values)), call
        else:
            yield Pass(site), call


def _less(values: dict[str, str]) -> str:
    taken = f"Take {values['paths']} out of the `{values['method']}()`"
    joins = values["method"] == "select_related"
    return f"{taken}: a key alone, as in `row.…_id`, needs no join." if joins else f"{taken}."


def _is_streamed(body: Body, source: py.Expr) -> bool:
    """`rows.iterator()`, which the walk knows as rows that are not kept."""
    if not isinstance(source, py.Call) or not isinstance(source.func, py.Attribute) or source.func.attr != "iterator":
        return False
    return is_lazy(body, source.func.value)


def _is_shared(body: Body, node: py.Expr, depth: int = 0) -> bool:
    """Whether a name on the way to the queryset stands for what is used in another way, too."""
    source = node
    while isinstance(node, (py.Attribute, py.Call, py.Subscript)):
        node = node.func if isinstance(node, py.Call) else node.value
    if not isinstance(node, py.Name) or depth > 8:
        return depth > 8
    made = body.bound(node)
    if made is None or not any(body.value(item) is not None for item in made):
        return False  # a parameter, a model, a row
    if (depth or node is not source) and len(body.maybe(node)) > 1:
        return True
    return any(_is_shared(body, item, depth + 1) for item in made)


def _path(model: Model, node: py.Expr) -> tuple[str, frozenset[str]] | None:
    """A path with the attributes of the row that read its first step; None where it is not written out."""
    names: set[str] = set()
    if isinstance(node, py.Call) and dotted(node.func).rpartition(".")[2] == "Prefetch" and node.args:
        given = next((item.value for item in node.keywords if item.name == "to_attr"), None)
        if given is not None:
            if not isinstance(given, py.Constant):
                return None
            names.add(str(given.value))
        node = node.args[0]
    if not isinstance(node, py.Constant) or not isinstance(node.value, str):
        return None
    relation = model.by_query_name(node.value.partition("__")[0])
    if relation is None:
        return None
    return node.value, frozenset(names | {relation.name})


def _read(body: Body, source: py.Expr, model: Model, signalled: bool) -> set[str] | None:
    """The attributes that are read of the rows; None where a row or the queryset goes where that cannot be seen."""
    read: set[str] = set()
    whole = source
    if isinstance(source, py.Call) and isinstance(source.func, py.Attribute) and _is_streamed(body, source):
        whole = source.func.value
    if not isinstance(whole, py.Name):
        loops = [body.parents[source]]
    else:
        uses = uses_of(body, whole, certain=False)
        if any(use.how not in ("through", "length", "truth", "compared") and use.method != "iterator" for use in uses):
            return None
        looping = [use for use in uses if use.how in ("through", "asked")]
        loops = [body.parents[use.by if use.method == "iterator" else use.node] for use in looping]
    for loop in loops:
        if not isinstance(loop, (py.For, py.Comprehension)) or not isinstance(loop.target, py.Name):
            return None
        for load in body.loads.get(loop.target.id, ()):
            attribute = body.parents[load]
            if body.scope(load) is not body.node or not isinstance(attribute, py.Attribute):
                return None
            if not _is_plain(body, model, attribute, signalled):
                return None
            read.add(attribute.attr)
    return read


def _is_plain(body: Body, model: Model, node: py.Attribute, signalled: bool) -> bool:
    """Whether an attribute of a row is a column or a relation, or a method of Django's that reads no relation."""
    name = node.attr
    if name in ("save", "delete"):
        return not signalled and not model.is_open and (model.cls is None or model.cls.find(name) is None)
    return (
        name in _OWN
        or model.column(name) is not None
        or model.relation(name) is not None
        or model.attname(name) is not None
    )
