"""Operations of django-ninja: what each returns is made into the schema of its `response`.

A list of rows is asked field by field, as is a list under a key of a dictionary (ninja 1.7:
`Operation._result_to_response`).
"""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.declared.lists import LISTED, Kind, Lists, head
from stackaudit.link.models.model import keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries import calls, schemas
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.values import Function, Mapping, Rows, Seq, Value
from stackaudit.model.source import Place

_ROUTES = frozenset({"get", "post", "put", "patch", "delete", "api_operation"})
_DONE = range(200, 300)


class Operations(Kind):
    """Every operation with what it lists."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists

    def run(self) -> None:
        """The operations of all routers."""
        for module in self.lists.models.modules:
            for node, owner in functions(self.lists.walk, module):
                for response in _responses(node):
                    self._operation(
                        module, node, Function(module, node, self.lists.view(owner) if owner else None, owner), response
                    )

    def _operation(self, module: SourceModule, node: py.FunctionDef, function: Function, response: py.Expr) -> None:
        walk = self.lists.walk
        schema = schemas.schema_of(walk, module, response)
        if schema is None:
            return
        walk.spent = 0
        with self.lists.survived():
            made = calls.call(walk, function, (), {}, (module, node), node.name, is_entry=True)
            place = module.place(head(node))
            for value in _returned(made):
                if isinstance(value, Mapping):
                    schemas.read(walk, schema, value, self._place)
                elif isinstance(rows := self.lists.rows(value), LISTED):
                    with self.lists.each(rows, place, f"{node.name}() lists {schema.label}", module.name) as row:
                        schemas.read(walk, schema, row, self._place)

    def _place(self, item: schemas.Field) -> Place:
        self.lists.places.setdefault(item.place, item.name)
        return item.place


def _responses(node: py.FunctionDef) -> Iterator[py.Expr]:
    """The schemas with which an operation answers where all went well."""
    for decorator in node.decorators:
        if not isinstance(decorator, py.Call) or dotted(decorator.func).rpartition(".")[2] not in _ROUTES:
            continue
        given = keyword(decorator, "response")
        if isinstance(given, py.Dict):
            for key, value in zip(given.keys, given.values, strict=True):
                if isinstance(key, py.Constant) and key.value in _DONE:
                    yield value
        elif given is not None:
            yield given


def _returned(made: Value) -> Iterator[Value]:
    """What an operation returns, without the status before it: `return 200, books`."""
    if isinstance(made, Seq) and made.items is not None and len(made.items) == 2:
        yield made.items[1]
    elif isinstance(made, Seq) and isinstance(made.element, (Rows, Mapping)):
        yield made.element
    else:
        yield made


__all__ = ["Operations"]
