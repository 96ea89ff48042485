"""What base classes and fields of other packages give to rows: nodes of trees, Wagtail's pages, histories.

What each method asks was measured for every node of small trees with django-mptt 0.20, django-treebeard 5.3 and Wagtail
8.0 (`tests/link/queries/test_packaged.py`). Methods that ask nothing are not listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.models.contrib import PAGE, PAGES
from stackaudit.link.models.model import Model
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.queries import access, calls, kinds
from stackaudit.link.queries.loading import NEW, NOTHING, SPECIFIC
from stackaudit.link.queries.values import Manager, Method, Other, Related, Row, Rows, Value
from stackaudit.link.queries.walk import At, Walk
from stackaudit.model.prose import in_words

Gives: TypeAlias = Literal["rows", "row", "number"]
"""A lazy queryset of nodes, one node that a query brings, or anything else that a query brings."""

_OF_KINDS = frozenset({"instance_of", "not_instance_of"})
"""Methods of django-polymorphic's querysets that change what rows are found, or of which class, and nothing else.

https://django-polymorphic.readthedocs.io/en/stable/api/polymorphic.managers.html
"""
HISTORY = "simple_history.models.HistoricalRecords"
HISTORICAL = "Historical"
"""How the name of a model begins whose rows are the history of another one."""

_TREE: dict[str, Gives] = {
    "get_ancestors": "rows", "get_children": "rows", "get_descendants": "rows", "get_siblings": "rows",
    "get_root": "row", "get_next_sibling": "row",
}  # fmt: skip
_TREEBEARD: dict[str, Gives] = {
    **_TREE, "get_parent": "row", "get_first_child": "row", "get_last_child": "row", "get_first_sibling": "row",
    "get_last_sibling": "row", "get_prev_sibling": "row",
}  # fmt: skip
_PATHS: dict[str, Gives] = {**_TREEBEARD, "get_descendant_count": "number"}
_KEYS: dict[str, Gives] = {
    name: gives for name, gives in _TREEBEARD.items() if name not in ("get_ancestors", "get_descendants")
}
GIVEN: dict[str, dict[str, Gives]] = {
    "mptt.models.MPTTModel": {
        **_TREE, "get_family": "rows", "get_leafnodes": "rows", "get_previous_sibling": "row",
    },
    "treebeard.mp_tree.MP_Node": _PATHS,
    "treebeard.ns_tree.NS_Node": {**_TREEBEARD, "get_children_count": "number"},
    "treebeard.al_tree.AL_Node": {
        **_KEYS, "get_ancestors": "number", "get_descendants": "number", "get_children_count": "number",
        "get_descendant_count": "number", "get_depth": "number", "is_leaf": "number",
    },
    **dict.fromkeys(PAGES, _PATHS),
}  # fmt: skip
"""The methods of nodes that ask the database each time, by the base class that gives them."""
HISTORIES = "history"
METHODS = frozenset(name for given in GIVEN.values() for name in given) | {SPECIFIC}
_MOVES = frozenset({"move", "move_to", "insert_at", "add_child", "add_sibling", "add_root"})
"""What changes the tree: whoever asks on the turns that do so wants it as it is then."""
ASKED = METHODS | {HISTORIES}
"""What `Event.method` says of a query that one of these ran."""
_OF_CLASS = frozenset({"get_root_nodes", "get_tree"})
_OF_MANAGER = frozenset({"root_nodes", "get_queryset_ancestors", "get_queryset_descendants"})
_PAGES_OF = frozenset(
    {f"{no}{name}" for no in ("", "not_") for name in ("live", "in_menu", "page", "child_of", "descendant_of")}
    | {f"{no}{name}" for no in ("", "not_") for name in ("ancestor_of", "parent_of", "sibling_of", "public", "type")}
    | {"private", "in_site", "exact_type", "not_exact_type"}
)
"""Methods of Wagtail's querysets of pages that leave some of them out."""
_OF_PARENT = frozenset({"get_ancestors", "get_root", "get_parent"})
"""What asks nothing of a node that has no parent."""


def is_page(walk: Walk, model: Model | None) -> bool:
    """Whether the rows of a model are pages of Wagtail."""
    return model is not None and (is_any_page(walk, model) or (model.cls is not None and model.cls.is_a(*PAGES)))


def is_any_page(walk: Walk, model: Model | None) -> bool:
    """Whether rows are read from the table that all pages share, whatever the class of each of them is."""
    return model is not None and model.cls is None and model is walk.models.foreign(PAGE)


def gives(walk: Walk, row: Row, name: str) -> bool:
    """Whether a package gives the method `name` to a row, and it asks the database or changes the tree."""
    return _given(walk, row.model, name) is not None or (name in _MOVES and _is_node(walk, row.model))


def _is_node(walk: Walk, model: Model) -> bool:
    return is_any_page(walk, model) or (model.cls is not None and model.cls.is_a(*GIVEN))


def _given(walk: Walk, model: Model, name: str) -> Gives | None:
    if name not in METHODS:
        return None
    if model.cls is None:
        return _PATHS.get(name) if is_any_page(walk, model) else None
    return next((GIVEN[base][name] for base in model.cls.externals if name in GIVEN.get(base, ())), None)


def of_class(walk: Walk, model: Model, name: str) -> Method | None:
    """A method of the class of nodes that gives a queryset of them: `Folder.get_root_nodes()`."""
    if name not in _OF_CLASS or not _is_node(walk, model):
        return None
    return Method(Rows(_nodes(walk, model)), "all")


def of_rows(walk: Walk, rows: Manager | Rows | Related, model: Model | None, name: str) -> Method | None:
    """A method of querysets of nodes and pages that leaves some out, or goes to those around, and changes no more."""
    cls = model.cls if model is not None else None
    is_asked = (name in _PAGES_OF and is_page(walk, model)) or (
        cls is not None
        and (
            (name in _OF_MANAGER and cls.is_a("mptt.models.MPTTModel"))
            or (name in _OF_KINDS and cls.is_a(kinds.POLYMORPHIC))
        )
    )
    if is_asked:
        return Method(rows, "filter", rows.loops)
    if name == kinds.BELOW or (name == kinds.PLAIN and cls is not None and cls.is_a(kinds.POLYMORPHIC)):
        mixed = calls.base_rows(walk, rows)
        load = replace(mixed.load, attributes=mixed.load.attributes | {name})
        return Method(replace(mixed, load=load), "all", rows.loops)
    if name == SPECIFIC and is_page(walk, model):  # each class by a query of its own, which joins nothing
        pages = calls.base_rows(walk, rows)
        load = pages.load.without_joins()
        load = replace(load, attributes=load.attributes | {name})
        return Method(replace(pages, load=load), "all", rows.loops)
    return None


def is_left_open(row: Row, name: str) -> bool:
    """Whether a page comes as a row of its own class, and a class below the one that is known has another `name`."""
    if SPECIFIC not in row.load.attributes:
        return False
    return any(child.cls is not None and name in child.cls.members for child in row.model.derived())


def of_row(walk: Walk, row: Row, name: str, at: At) -> Value | None:
    """An attribute of a row that asks when it is read; None for all others."""
    if name == SPECIFIC and is_any_page(walk, row.model) and not row.load.unknown:
        access.ask(walk, Rows(row.model, loops=row.loops), at, name)
        return Other(row.loops)
    return None


def called(walk: Walk, row: Row, name: str, at: At) -> Value | None:
    """A method that a package gives to a node, called; None for all others."""
    if name in _MOVES and _is_node(walk, row.model):
        walk.record.change(walk.loops, _nodes(walk, row.model))
        return Other(row.loops)
    given = _given(walk, row.model, name)
    parent = row.load.to_one("parent")
    if given is None or row.load.unknown == NEW.unknown or (
        name in _OF_PARENT and parent is not None and parent.unknown == NEW.unknown
    ):  # fmt: skip
        return None
    model = _nodes(walk, row.model)
    bounded = "the ancestors of a node" if name == "get_ancestors" else ""
    asked = Rows(model, loops=row.loops, asked=name, bounded=bounded)
    if given == "rows":
        return replace(asked, origin=walk.origin(at, rows=asked))
    access.ask(walk, asked, at, name)
    if given == "row":
        return Row(model, NOTHING, walk.origin(at, name, asked), (), None, row.loops)
    return Other(row.loops)


def _nodes(walk: Walk, model: Model) -> Model:
    """The model whose rows are the nodes around a row: the one that begins the tree, of which it may be a child."""
    if model.cls is None or model.cls.is_a(*PAGES):
        return walk.models.foreign(PAGE)
    above = [parent for parent in model.parents if parent.cls is not None and parent.cls.externals]
    return _nodes(walk, above[0]) if above else model


def is_history(walk: Walk, module: SourceModule, node: py.Node | None) -> bool:
    """Whether a class says that the history of its rows is kept: `history = HistoricalRecords()`."""
    if not isinstance(node, py.Call) or dotted(node.func).rpartition(".")[2] != HISTORY.rpartition(".")[2]:
        return False
    return walk.classes.resolve(module, node.func) == HISTORY


def history(walk: Walk, row: Row) -> Rows:
    """`row.history` where the class says `history = HistoricalRecords()`: a manager of rows of its own for each row.

    https://django-simple-history.readthedocs.io/en/stable/querying_history.html
    """
    kept = walk.models.foreign(f"{row.model.app}.models.{HISTORICAL}{row.model.name}")
    return Rows(kept, loops=row.loops, asked=HISTORIES, owner=row.model if row.loop is None else None)


def histories(models: Sequence[Model]) -> str:
    """How the histories of all rows of a loop are asked for before it, by the models of the histories."""
    kept = in_words([model.name for model in models])
    if len(models) == 1:
        return (
            f"fetch the {kept} rows of all of them with one query before (`….history.filter(id__in=…)` of the class, "
            "not of a row), and sort them into a dictionary of lists by `id`"
        )
    return (
        f"fetch the {kept} rows with one query for each class before (`….history.filter(id__in=…)` of the class, not "
        "of a row), and sort them into dictionaries of lists by `id`"
    )


def at_once(method: str, model: Model) -> str:
    """How all rows of a loop are answered before it, for a method of ASKED and the model that it asks for."""
    if method == HISTORIES:
        return histories([model])
    if method == SPECIFIC:
        return "append `.specific()` to the queryset of the pages: it asks once for each type, not for each page"
    if model.cls is None or model.cls.is_a("treebeard.mp_tree.MP_Node"):
        if method in _OF_PARENT:
            return (
                f"fetch the {model.name} rows above all of them with one query before, by the beginnings of their "
                "paths (`path__in`; the parent's is `node.path[:-node.steplen]`), into a dictionary by `path`, and set "
                "what is shown of them on each row, where a property reads that first"
            )
        return (
            f"fetch the {model.name} rows below all of them with one query before, into a dictionary of lists by the "
            "path of the parent, `node.path[:-node.steplen]`"
        )
    if model.cls.is_a("treebeard.al_tree.AL_Node"):
        return (
            f"fetch the {model.name} rows with one query before, into a dictionary by `pk` and one of lists by "
            "`parent_id`, and go up and down in these"
        )
    own = "`tree_id`, with a smaller `lft` and a larger `rgt`"
    if not model.cls.is_a("mptt.models.MPTTModel"):
        return f"fetch the {model.name} rows with one query before: the ancestors of a node are those of its {own}"
    if method == "get_ancestors":
        return (
            f"fetch the ancestors of all of them with one query before, `{model.name}.objects.get_queryset_ancestors("
            f"queryset, include_self=True)`: those of a node are the ones of its {own.replace('rgt', 'rght')}"
        )
    if method == "get_root":
        return (
            f"fetch the roots with one query before, `{model.name}.objects.filter(level=0)`, into a dictionary by "
            "`tree_id`"
        )
    return (
        f"load the trees with one query and let mptt link them: of the nodes that `get_cached_trees({model.name}."
        "objects.all())` gives (`{% recursetree %}` in templates), `get_children()` asks nothing"
    )
