"""How querysets that Python makes get into the loops of templates: by a template tag, or by a method of the row.

Such a query compares a relation with the row of the loop as a rule, and a prefetch brings the same rows for all.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.facts import template as t
from stackaudit.link.models.model import Model
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import is_true
from stackaudit.link.pages.files import Library, TemplateFile, Templates, parts
from stackaudit.link.queries.events import Event, Record
from stackaudit.link.queries.origins import MODEL, Asking, Handed, Origin
from stackaudit.link.queries.source import code_of, text_of
from stackaudit.link.queries.table import method
from stackaudit.link.sources import Sources, below, returned
from stackaudit.model.source import Place, Region
from stackaudit.model.verdict import Step

_ROW = ""
"""What stands for the row itself, among the names of its columns."""
_FAILS = "…"
"""What no prefetch repeats."""
_SAME = t.Literal(Region(1, 1, 1, 1), None)
"""A name of the module is the same for all rows."""


class Handing:
    """What the templates of one stack are handed."""

    def __init__(self, sources: Sources, templates: Templates) -> None:
        self._sources, self._templates = sources, templates

    def told(self, event: Event, asking: Asking, record: Record) -> Asking:
        """The expression of Python that a template asks, whole, with the way that it came."""
        file = self._templates.by_path.get(event.query.path)
        node = self._whole(asking.place) if file is not None else None
        if file is None or node is None:
            return asking
        function, shown = self._sources.function(asking.place), _shown(file, event.query)
        tag = self._tag(file, event.query, shown, function)
        handed = Handed(_written(tag), Place(file.path, tag.region)) if tag is not None else Handed()
        loop = self._loop(event, record)
        if function is not None and returned(function) is node and loop is not None and event.model is not None:
            target, origin, model = loop
            library = self._templates.tag(tag.name, file) if tag is not None else None
            given = _by_tag(function, tag, library) if tag is not None and library is not None else {}
            if tag is None and shown is not None and shown.name == target and shown.parts[:1] == (function.name,):
                given = {param.name: t.Path(shown.region, target) for param in function.params[:1]}
            prefetch = _Query(given, target, model, event.model).prefetch(node)
            handed = replace(handed, prefetch=prefetch, origin=origin if prefetch else None)
        return replace(asking, text=text_of(node), handed=handed)

    def way(self, event: Event) -> tuple[Step, ...]:
        """The steps of an event with the tag that gives the queryset to the template, and where that is made."""
        asking = event.asking
        if asking is None or asking.handed is None:
            return event.flow
        handed, made = asking.handed, Step(asking.place, f"`{asking.text}` makes the queryset")
        tag = [Step(handed.place, f"`{handed.tag}`")] if handed.place is not None else []
        return (*event.flow[:-1], *tag, made, *event.flow[-1:])

    def _whole(self, place: Place) -> py.Expr | None:
        """The expression at a place, with the slice that is taken of it."""
        node = self._sources.at(place)
        tree = self._sources.tree(place.path) if node is not None else {}
        above = tree.get(node) if node is not None else None
        found = above if isinstance(above, py.Subscript) and isinstance(above.index, py.Slice) else node
        return found if isinstance(found, (py.Call, py.Subscript)) else None

    def _tag(
        self, file: TemplateFile, place: Place, shown: t.Path | None, function: py.FunctionDef | None
    ) -> t.Tag | None:
        """The last tag before a place that gives what a function returns the name which is read there."""
        found = None
        for part in parts(file.tree):
            if isinstance(part, t.Tag) and shown is not None and part.target == shown.name:
                library = self._templates.tag(part.name, file)
                is_before = part.region.line <= place.region.line
                if library is not None and library.function is function and is_before:
                    found = part
        return found

    def _loop(self, event: Event, record: Record) -> tuple[str, Origin, Model] | None:
        """The variable of a template's loop, with the queryset of its rows; None where several give them."""
        place = event.loop.place if event.loop is not None else None
        file = self._templates.by_path.get(place.path) if place is not None else None
        if place is None or file is None:
            return None
        targets = {
            part.targets for part in parts(file.tree) if isinstance(part, t.For) and part.iter.region == place.region
        }
        rows = [held for (at, _), held in record.shown.items() if at == place]
        names = targets.pop() if len(targets) == 1 else ()
        held, origin = (rows[0], rows[0].origin) if len(rows) == 1 else (None, None)
        if len(names) != 1 or held is None or origin is None or held.model is None or held.path or not origin.text:
            return None
        takes = origin.by in ("", MODEL) and not origin.way and not (origin.is_raw or origin.is_combined)
        return (names[0], origin, held.model) if takes else None


class _Query:
    """A query of Python for the rows of `model`, in a function that is `given` what stands for parameters.

    `target` is the variable that holds the row of the loop, `row` the model of that.
    """

    def __init__(self, given: dict[str, t.Expr], target: str, row: Model, model: Model) -> None:
        self._row, self._model = row, model
        self._columns = {name: column for name, expr in given.items() if (column := _column(expr, target)) is not None}
        self._given = given
        self._accessor = ""

    def prefetch(self, node: py.Expr) -> str:
        """What brings the rows for all rows of the loop: `Prefetch("books", queryset=…, to_attr="…")`; or ""."""
        cut = self._cut(node.index) if isinstance(node, py.Subscript) else ""
        node = node.value if isinstance(node, py.Subscript) else node
        made: list[str] = []
        while isinstance(node, py.Call) and isinstance(node.func, py.Attribute):
            made += [*self._call(node, node.func.attr)]
            node = node.func.value
        base = dotted(node)
        is_manager = base.rpartition(".")[0].rpartition(".")[2] == self._model.name
        if not is_manager or not self._accessor or cut is None or _FAILS in made or (cut and "distinct()" in made):
            return ""
        queryset = ".".join([base, *reversed(made)]) + ("" if made else ".all()") + cut
        return f'Prefetch("{self._accessor}", queryset={queryset}, to_attr="…")'

    def _call(self, call: py.Call, name: str) -> Iterator[str]:
        """A call of the chain as the prefetch repeats it, without what the relation itself compares."""
        known = method(name)
        if known is not None and (known.returns != "rows" or known.effect == "union"):
            yield _FAILS
            return
        args, keywords = [*call.args], [*call.keywords]
        if name == "filter":
            compared = [item for item in keywords if item.name and self._is_relation(item.name, item.value)]
            keywords = [item for item in keywords if item not in compared]
            if compared and not args and not keywords:
                return
        given = (*args, *(item.value for item in keywords))
        if any(self._is_of_row(part) for part in given):
            yield _FAILS
        elif name != "all":
            text = code_of(replace(call, func=py.Name(call.start, call.end, name), keywords=tuple(keywords)), 40)
            is_open = any(isinstance(part, py.Name) for arg in given for part in (arg, *below(arg)))
            yield text if text and not is_open else f"{name}(…)"

    def _is_relation(self, name: str, value: py.Expr) -> bool:
        """Whether a condition holds for the rows alone that a relation of the loop's row leads to."""
        column = self._column(value)
        if column is None:
            return False
        first, _, rest = name.removesuffix("__exact").partition("__")
        relation = self._model.relation(first)
        if relation is None:
            relation, rest = self._model.relation(first.removesuffix("_id")), rest or "pk"
        if relation is None or relation.relation != "fk" or relation.target is not self._row or not relation.remote:
            return False
        key = {_ROW, "pk", self._row.pk}
        field = self._row.column(column)
        is_same = (rest in key and column in key) or (
            rest == column and field is not None and is_true(field.keyword("unique"))
        )
        back = self._row.relation(relation.remote)
        if is_same and back is not None and back.target is self._model:
            self._accessor = relation.remote
            return True
        return False

    def _column(self, value: py.Expr) -> str | None:
        """The column of the loop's row that an expression gives, _ROW for the row; None for all else."""
        if isinstance(value, py.Attribute) and isinstance(value.value, py.Name):
            return value.attr if self._columns.get(value.value.id) == _ROW else None
        return self._columns.get(value.id) if isinstance(value, py.Name) else None

    def _is_of_row(self, node: py.Expr) -> bool:
        """Whether an expression may change with the row: it is written with what is not the same for all."""
        names = {part.id for part in (node, *below(node)) if isinstance(part, py.Name)}
        return any(not isinstance(self._given.get(name, _SAME), t.Literal) for name in names)

    def _cut(self, index: py.Expr) -> str | None:
        """A slice as one writes it for all rows; None where it goes by the row."""
        if not isinstance(index, py.Slice) or self._is_of_row(index):
            return None
        if index.lower is not None or index.step is not None:
            return f"[{text_of(index)}]"
        upper = self._given.get(index.upper.id) if isinstance(index.upper, py.Name) else None
        return f"[:{upper.value if isinstance(upper, t.Literal) else text_of(index.upper) if index.upper else ''}]"


def _shown(file: TemplateFile, place: Place) -> t.Path | None:
    """The path that stands at a place of a template."""
    found = (part for part in parts(file.tree) if isinstance(part, t.Path) and part.region == place.region)
    return next(found, None)


def _written(tag: t.Tag) -> str:
    return f"{{% {' '.join((tag.name, *tag.words))} %}}"


def _by_tag(function: py.FunctionDef, tag: t.Tag, library: Library) -> dict[str, t.Expr]:
    """What a tag gives for the parameters of its function, or their defaults where these are numbers or texts."""
    params = [*function.params[1:]] if library.takes_context else [*function.params]
    given: dict[str, t.Expr] = {
        param.name: t.Literal(tag.region, param.default.value)
        if isinstance(param.default, py.Constant) and isinstance(param.default.value, (int, str))
        else t.Path(tag.region, "")
        for param in function.params
    }
    given |= dict(zip((param.name for param in params), tag.args, strict=False))
    return given | {item.name: item.value for item in tag.keywords}


def _column(expr: t.Expr, target: str) -> str | None:
    """The column of the row that a template's expression gives, _ROW for the row; None for all else."""
    if not isinstance(expr, t.Path) or expr.name != target or len(expr.parts) > 1:
        return None
    return expr.parts[0] if expr.parts else _ROW
