"""What to write in place of a write that a loop repeats: the one statement, in the names of the code."""

from __future__ import annotations

from collections.abc import Sequence

from stackaudit.checks.orm.conditions import Condition, condition
from stackaudit.checks.orm.turns import Turns
from stackaudit.facts import python as py
from stackaudit.link.models.model import Model
from stackaudit.link.modules import dotted, target_names
from stackaudit.link.nodes import is_true
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.source import code_of
from stackaudit.link.queries.values import Manager, Rows
from stackaudit.link.sources import below

_LONG = ("BinaryField", "HStoreField", "JSONField", "TextField")
"""Columns whose values may be long."""
_FIXES = {
    "create": "Collect the objects in a list and pass it to `{objects}bulk_create()` after the loop.",
    "save": "Change the objects in the loop and write them after it with "
    "`{objects}bulk_update(objects, {fields}{batch})`{new}.",
    "delete": "Collect {keys} in the loop and delete after it with `{objects}filter(pk__in=keys).delete()`.",
    "update": "Write with one statement for all turns: `{objects}filter(…__in=…).update(…)`, or `bulk_update()` where "
    "the values differ.",
    "add": "Collect the objects and pass them all at once: `.add(*objects)`.",
    "remove": "Collect the objects and pass them all at once: `.remove(*objects)`.",
    "get_or_create": "Read what exists with one `{objects}filter(…__in=…)`, then `bulk_create()` the rest.",
    "update_or_create": "Use `{objects}bulk_create(objects, update_conflicts=True, update_fields={changed}, "
    "unique_fields={unique})`.",
}
_FIXES_OF_NEEDED = {
    "create": "Make all objects first and write them with one `{objects}bulk_create()`; go on with the list that it "
    "returns.",
    "save": "Make all objects first and write them with one `{objects}bulk_create()`; go on with the list that it "
    "returns.",
    "get_or_create": "Read what exists with one `{objects}filter(…__in=…)` before the loop, `bulk_create()` the rest, "
    "and let the loop take the objects from a dictionary.",
    "update_or_create": "Read what exists with one `{objects}filter(…__in=…)` before the loop: that tells what is new. "
    "Then write with `bulk_create(objects, update_conflicts=True, update_fields={changed}, unique_fields={unique})`.",
}


def in_one_statement(turns: Turns, event: Event, is_needed: bool) -> str:
    """The fix for one write; "" leaves it to the rule."""
    loop = turns.sources.loop(event.loop.place) if event.loop is not None else None
    call = turns.sources.at(event.query)
    made = ""
    if event.below == 0 and isinstance(loop, py.For) and isinstance(call, py.Call) and not is_needed:
        made = _Writing(turns, event, loop, call).text()
    if made:
        return made
    fields = _fields(loop, call) if event.below == 0 and isinstance(loop, py.For) else []
    changed, unique = _matched(call)
    rows = turns.rows(event)
    named = {
        "objects": f"{event.model.name}.objects." if event.model is not None else "",
        "fields": _listed(fields) or "[fields]",
        "batch": _batch(event.model, fields),
        "new": "" if isinstance(rows, (Rows, Manager)) else " (new objects: `bulk_create()`)",
        "changed": _listed(changed) or "…",
        "unique": _listed(unique) or "…",
        "keys": _keys(turns, event, loop, call) or "the keys",
    }
    fixes = _FIXES_OF_NEEDED if is_needed else _FIXES
    return fixes.get(event.method, "").format(**named)


def _keys(turns: Turns, event: Event, loop: py.Node | None, call: py.Node | None) -> str:
    """What holds the key of the row that a turn writes, where that is one behind the loop's own: `profile.user_id`."""
    if event.below or not isinstance(loop, py.For) or not isinstance(call, py.Call):
        return ""
    receiver = dotted(call.func.value) if isinstance(call.func, py.Attribute) else ""
    name, _, path = receiver.partition(".")
    rows = turns.rows(event)
    if not path or name not in target_names(loop.target) or rows is None:
        return ""
    model, relation = rows.model, None
    for part in path.split("."):
        relation = model.relation(part) if model is not None else None
        model = relation.target if relation is not None else None
    has_key = relation is not None and relation.relation in ("fk", "o2o") and not relation.to_field
    return f"`{receiver}_id`" if has_key else f"`{receiver}.pk`"


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"[{listed}]" if listed else ""


def _batch(model: Model | None, names: Sequence[str]) -> str:
    """What limits the rows of one statement, which holds all values of all of them, where one value may be long."""
    columns = [model.column(name) for name in names] if model is not None else []
    return ", batch_size=100" if any(item is not None and item.kind.endswith(_LONG) for item in columns) else ""


def _matched(call: py.Node | None) -> tuple[list[str], list[str]]:
    """The columns that `update_or_create()` changes, and those by which it finds a row; none where they are open."""
    given = call.keywords if isinstance(call, py.Call) and not call.args else ()
    defaults = next((item.value for item in given if item.name == "defaults"), None)
    keys = defaults.keys if isinstance(defaults, py.Dict) else ()
    changed = [key.value for key in keys if isinstance(key, py.Constant) and isinstance(key.value, str)]
    unique = [item.name for item in given if item.name and item.name not in ("defaults", "create_defaults")]
    if any(item.name is None for item in given) or any("__" in name for name in unique):
        unique = []
    return (changed if len(changed) == len(keys) else []), unique


class _Writing:
    """A write that stands in the body of its loop."""

    def __init__(self, turns: Turns, event: Event, loop: py.For, call: py.Call) -> None:
        self.turns, self.event, self.loop, self.call = turns, event, loop, call
        self.target = loop.target.id if isinstance(loop.target, py.Name) else ""
        self.receiver = dotted(call.func.value) if isinstance(call.func, py.Attribute) else ""

    def text(self) -> str:
        """The fix, "" where the loop does more than one statement could do, or where that is not sure."""
        method, is_whole = self.event.method, self._is_whole()
        if method == "delete" and is_whole and self.receiver == self.target:
            rows = self._rows()
            return f"Write `{rows}.delete()` in place of the loop." if rows else ""
        if method == "save" and self.receiver == self.target:
            return self._updated()
        if method in ("add", "remove") and is_whole and len(self.call.args) == 1:
            given, listed = self.call.args[0], code_of(self.loop.iter, 60)
            if isinstance(given, py.Name) and given.id == self.target and listed:
                return f"Write `{self.receiver}.{method}(*{listed})` in place of the loop."
        asked = condition(self.turns.sources, self.event, self.turns.many)
        if method in ("update", "delete") and asked.field and not asked.others and asked.ends <= _PLAIN:
            return (self._by_rows(asked) if is_whole else "") or self._of_all(method, asked)
        return ""

    def _by_rows(self, asked: Condition) -> str:
        """The fix where the turns differ only in the row that the loop hands out, in its key, or in an item of it."""
        among, made = self._among(asked), code_of(self.call, 200)
        value = code_of(asked.value) if asked.value is not None else ""
        before = [f"{name}={value}" for name in (asked.field, f"{asked.field}__exact") if f"{name}={value}" in made]
        names = [node for node in (self.call, *below(self.call)) if isinstance(node, py.Name)]
        if not among or len(before) != 1 or [node.id for node in names].count(self.target) != 1:
            return ""
        return f"Write `{made.replace(before[0], f'{asked.field}__in={among}', 1)}` in place of the loop."

    def _among(self, asked: Condition) -> str:
        """What holds the values of all turns, as code: a list, a queryset, or one column of it.

        A column that may be NULL finds nothing in a list, and MySQL neither takes a slice there nor a subquery on the
        table that is written.
        """
        rows, value, listed = self.turns.rows(self.event), asked.value, code_of(self.loop.iter, 60)
        is_row = isinstance(value, py.Name) and value.id == self.target
        if not isinstance(rows, (Rows, Manager)):
            return listed if is_row and not isinstance(self.turns.value(self.loop.iter), (Rows, Manager)) else ""
        is_cut = isinstance(rows, Rows) and rows.limited
        if rows.model is None or rows.model in _family(self.event.model) or is_cut or _wraps(self.loop.iter):
            return ""
        is_values = isinstance(rows, Rows) and rows.kind != "rows"
        if is_row:
            return "" if is_values and ".values_list(" not in listed else listed
        name = _part(value, self.target, is_values)
        column = rows.model.column(name)
        if name in ("pk", rows.model.pk):
            return f'{listed}.values("{name}")'
        return f'{listed}.values("{name}")' if column is not None and not is_true(column.keyword("null")) else ""

    def _of_all(self, method: str, asked: Condition) -> str:
        """The fix for what the turns find by a field."""
        if "__" in asked.field and asked.field.rpartition("__")[2] == "iexact":
            return ""
        name = self.event.model.name if self.event.model is not None else ""
        asks = (
            f"{name}.objects.filter({asked.field}__in=…)" if asked.alone and name else f"….filter({asked.field}__in=…)"
        )
        handed = set(target_names(self.loop.target))
        handed |= {bound for node in below(self.loop) if isinstance(node, py.Assign) for item in node.targets
                   for bound in target_names(item)}  # fmt: skip
        varies = any(
            isinstance(node, py.Name) and node.id in handed
            for item in self.call.keywords
            for node in (item.value, *below(item.value))
        )
        if method == "update" and varies:
            fields = ", ".join(f'"{item.name}"' for item in self.call.keywords)
            batch = _batch(self.event.model, [item.name for item in self.call.keywords if item.name])
            return (
                f"Load the rows of all turns with `{asks}`, set the values in the loop and write them after it with "
                f"`bulk_update(rows, [{fields}]{batch})`."
            )
        if method == "update":
            values = ", ".join(f"{item.name}={code_of(item.value, 40) or '…'}" for item in self.call.keywords)
            return (
                f"Collect the values of `{asked.field}` in the loop and write after it with `{asks}.update({values})`."
            )
        return f"Collect the values of `{asked.field}` in the loop and delete after it with `{asks}.delete()`."

    def _updated(self) -> str:
        """The fix for rows that all get the same values."""
        values: dict[str, str] = {}
        for stmt in self.loop.body:
            if isinstance(stmt, py.ExprStmt) and stmt.value is self.call and not self.call.args:
                continue
            target = stmt.targets[0] if isinstance(stmt, py.Assign) and len(stmt.targets) == 1 else None
            if (
                not isinstance(stmt, py.Assign)
                or not isinstance(target, py.Attribute)
                or dotted(target.value) != self.target
            ):
                return ""
            if not isinstance(stmt.value, py.Constant):
                return ""
            values[target.attr] = code_of(stmt.value)
        model, rows = self.event.model, self._rows()
        if not values or not rows or model is None or not all(model.column(name) for name in values):
            return ""
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        return f"Write `{rows}.update({given})` in place of the loop."

    def _is_whole(self) -> bool:
        """Whether the loop does nothing else."""
        body = self.loop.body
        return len(body) == 1 and isinstance(body[0], py.ExprStmt) and body[0].value is self.call

    def _rows(self) -> str:
        """The queryset that the loop goes through, as code, where it may be written to as a whole."""
        rows = self.turns.rows(self.event)
        if isinstance(rows, Rows) and (rows.limited or rows.kind != "rows" or rows.model is not self.event.model):
            return ""
        return code_of(self.loop.iter, 80) if isinstance(rows, (Rows, Manager)) and not _wraps(self.loop.iter) else ""


def _family(model: Model | None) -> tuple[Model, ...]:
    return tuple(model.family()) if model is not None else ()


def _part(value: py.Expr | None, target: str, is_values: bool) -> str:
    """The column that an attribute of the loop's row is, or an item of a row of `values()`; "" for anything else."""
    if is_values and isinstance(value, py.Subscript) and dotted(value.value) == target:
        return str(value.index.value) if isinstance(value.index, py.Constant) else ""
    is_column = not is_values and isinstance(value, py.Attribute) and dotted(value.value) == target
    return value.attr if is_column and isinstance(value, py.Attribute) else ""


_CHANGING = frozenset(
    {"add", "append", "clear", "discard", "extend", "insert", "pop", "remove", "setdefault", "update"}
)
"""Methods that change the list, set or dictionary in a column."""
_PLAIN = frozenset({"", "filter", "update", "delete"})


def _wraps(node: py.Expr) -> bool:
    """Whether an expression makes something else of a queryset: `list(books)`, `books[:10]`, `books.distinct()`."""
    changed = any(
        isinstance(part, py.Attribute) and part.attr in ("distinct", "iterator") for part in (node, *below(node))
    )
    return changed or isinstance(node, py.Subscript) or (isinstance(node, py.Call) and isinstance(node.func, py.Name))


def _fields(loop: py.For, call: py.Node | None) -> Sequence[str]:
    """The attributes that the turns of a loop set on the row that they save."""
    if not isinstance(call, py.Call) or not isinstance(call.func, py.Attribute):
        return []
    told = next((item.value for item in call.keywords if item.name == "update_fields"), None)
    if isinstance(told, (py.List, py.Tuple, py.Set)):
        names = [item.value for item in told.elts if isinstance(item, py.Constant)]
        return [name for name in names if isinstance(name, str)] if len(names) == len(told.elts) else []
    receiver = dotted(call.func.value)
    if receiver not in target_names(loop.target):
        return []
    found: dict[str, None] = {}
    for node in below(loop):
        if isinstance(node, py.Call) and node is not call and _touches(node, receiver):
            return []  # what a call changes in the row is not seen
        targets: tuple[py.Expr, ...] = node.targets if isinstance(node, py.Assign) else ()
        if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr in _CHANGING:
            targets = (node.func.value,)
        for target in targets:
            item = target.value if isinstance(target, py.Subscript) else target
            if isinstance(item, py.Attribute) and dotted(item.value) == receiver:
                found[item.attr] = None
    return list(found)


def _touches(call: py.Call, name: str) -> bool:
    """Whether a call may change what a name holds: it is a method of it, or is given it."""
    is_method = isinstance(call.func, py.Attribute) and dotted(call.func.value) == name
    given = (*call.args, *(item.value for item in call.keywords))
    return is_method or any(isinstance(arg, py.Name) and arg.id == name for arg in given)
