"""What runs for every row that a query loads, as Django makes it: `__init__()` of a model, receivers of `post_init`.

Django hands a new row the rows that `select_related()` joined only after it was made, so whatever either of them asks
for is asked once for each row, whatever was loaded: 3 rows took 4 queries, 6 rows 7, with `select_related()` and
without it (Django 5.2; `tests/checks/test_orm_births.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries.loading import BORN, Load
from stackaudit.link.queries.origins import Loop
from stackaudit.link.queries.values import Row
from stackaudit.link.queries.walk import Walk

METHOD = "__init__"
"""`Event.method` of a query that runs for each row as it is made."""


def of_method(walk: Walk, owner: SourceClass | None, node: py.FunctionDef) -> Model | None:
    """The model whose rows a method makes."""
    return walk.models.of_class(owner) if owner is not None and node.name == METHOD else None


def is_receiver(node: py.FunctionDef) -> bool:
    """Whether a function receives `post_init`."""
    signals = (
        dotted(call.args[0]).rpartition(".")[2]
        for call in node.decorators
        if isinstance(call, py.Call) and call.args and dotted(call.func).rpartition(".")[2] == "receiver"
    )
    return "post_init" in signals


@contextmanager
def making(walk: Walk, module: SourceModule, node: py.FunctionDef, model: Model) -> Iterator[Row]:
    """A row that a query has just loaded; what is asked inside is asked for each."""
    depth = len(walk.frames) + 1  # below the function itself, so that its own lines are told
    loop = Loop(module.place(node), depth, "", f"each {model.name} that a query loads", walk.guard)
    walk.loops.append(loop)
    try:
        yield Row(model, Load(unknown=BORN), None, (), loop, frozenset({loop}))
    finally:
        walk.loops.remove(loop)
