"""The admin: which classes show which models, with what columns, filters and form fields.

`Admins(models)` holds an `Admin` for every registered class; inlines are found through the admin that lists them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from stackaudit.facts import python as py
from stackaudit.link.admin.options import Option, returned, written
from stackaudit.link.classes import Classes, SourceClass
from stackaudit.link.models import Models
from stackaudit.link.models.model import Model, Relation, keyword
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import is_false
from stackaudit.model.source import Place


class Admin:
    """One admin class for one model.

    `place` is where it is registered or defined; `is_default` says that the model was registered without a class, and
    `has_options` that options were given to `register()`: Django makes a class of them. `is_shared` says that other
    models are registered with the class, too, or with one that derives from it.
    """

    is_shared = False
    registered: Place | None = None
    """Where it is registered, of a class that is registered for several models: there they differ."""

    def __init__(
        self,
        cls: SourceClass,
        model: Model | None,
        classes: Classes,
        *,
        is_default: bool = False,
        has_options: bool = False,
    ) -> None:
        self.cls = cls
        self.model = model
        self.classes = classes
        self.is_default = is_default
        self.has_options = has_options

    @property
    def place(self) -> Place:
        """The head of the class; the model in the call that registers it, where several are registered with it."""
        if self.registered is not None:
            return self.registered
        node, module = self.cls.node, self.cls.module
        head = py.Name(node.start, min(node.start + len("class ") + len(node.name), node.end), node.name)
        return module.place(head)

    @property
    def name(self) -> str:
        """The logical name of the class; together with that of the model where several are registered with it."""
        return f"{self.cls.name}({self.model.name})" if self.registered and self.model else self.cls.name

    @property
    def is_made(self) -> bool:
        """Whether Django makes the class, so that none in the code has its name."""
        return self.is_default or self.has_options

    @property
    def label(self) -> str:
        """What people call it: the name of the class, with that of the model where several are registered with it."""
        return f"{self.cls.label} for {self.model.name}" if self.registered and self.model else self.cls.label

    def overrides(self, method: str) -> bool:
        """Whether the class or a base of the repository defines `method`."""
        return self.cls.find(method) is not None

    def constant(self, name: str) -> py.Constant | None:
        """The constant that an option is set to."""
        found = self.cls.find(name)
        return found.node if found is not None and isinstance(found.node, py.Constant) else None

    def option(self, name: str) -> Option | None:
        """The entries of a list-like option; None where no class sets it."""
        return written(self.classes, self.cls, name)

    def effective(self, name: str) -> Option | None:
        """The entries of an option as Django asks for them: what `get_<name>()` returns where a class defines that.

        Where not all of that can be told, what a class sets may be among it.
        """
        held, given = self.option(name), returned(self.classes, self.cls, name)
        if given is not None and given.open and held is not None:
            given.extend(held, conditional=True)
        return given if given is not None else held

    @cached_property
    def inlines(self) -> list[Admin]:
        """The inline classes that the admin shows, if only at times, each with its model."""
        option = self.effective("inlines")
        items = option.items if option is not None else ()
        shown = dict.fromkeys(self.classes.resolve(item.module, item.node) for item in items)
        return [Admin(cls, None, self.classes) for cls in shown if isinstance(cls, SourceClass)]


def rendered(model: Model, parent: Model | None) -> Iterator[Relation]:
    """The relations that Django renders as selects with all rows, unless an option of the admin says otherwise.

    `parent` is the model of the form that an inline stands in: the key to its row is hidden. A form shows what the
    model has of its concrete parents, too, but neither the link to the row of one, nor a table in between that is
    written out.
    """
    above = set(parent.family()) if parent is not None else set()
    for owner in dict.fromkeys(model.family()):
        for relation in owner.relations.values():
            if relation.relation not in ("fk", "o2o", "m2m") or relation.call is None or relation.own_form:
                continue
            if relation.relation != "m2m" and (relation.target in above or relation.name in owner.parent_links):
                continue
            is_apart = relation.keyword("through") is not None or relation.keyword("limit_choices_to") is not None
            if not is_apart and not is_false(relation.keyword("editable")):
                yield relation


class Admins:
    """Every registered admin class."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.classes = models.classes
        registered = {(admin.cls, id(admin.model)): (admin, place) for admin, place in self._registered()}
        self.all = [admin for admin, _ in registered.values()]
        models_of = Counter(admin.cls for admin in self.all)
        used = Counter(cls for admin in self.all for cls in admin.cls.mro if isinstance(cls, SourceClass))
        for admin, place in registered.values():
            admin.is_shared = used[admin.cls] > 1
            admin.registered = place if models_of[admin.cls] > 1 else None
        for admin in self.all:
            for inline in admin.inlines:
                member = inline.cls.find("model")
                if member is not None and isinstance(member.node, py.Node):
                    inline.model = self.models.of_expr(member.owner.module, member.node)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Admin]:
        return iter(self.all)

    def of(self, model: Model | None) -> Admin | None:
        """The first admin registered for `model`."""
        return next((admin for admin in self.all if admin.model is model), None) if model is not None else None

    def is_admin(self, cls: SourceClass | str | None) -> bool:
        """Whether a class is an admin by the names of what it derives from."""
        return isinstance(cls, SourceClass) and any(
            base.rpartition(".")[2].endswith(("Admin", "Inline")) for base in cls.externals
        )

    def _registered(self) -> Iterator[tuple[Admin, Place]]:
        """The admins, each with the place of its model in the call or decorator that registers it."""
        for module in self.models.modules:
            for stmt in module.facts.body:
                yield from self._in(module, stmt)

    def _made(
        self, module: SourceModule, call: py.Call, node: py.Expr, base: py.Expr | None
    ) -> Iterator[tuple[Admin, Place]]:
        """The ModelAdmin that Django makes for a model which is registered without a class, or with options."""
        model = self.models.of_expr(module, node)
        if model is not None:
            options = tuple(
                py.Assign(item.value.start, item.value.end, (py.Name(call.start, call.start, item.name),), item.value)
                for item in call.keywords
                if item.name is not None and item.name != "admin_class"
            )
            bases = (base,) if base is not None else ()
            written = py.ClassDef(node.start, node.end, f"{model.name}Admin", bases, (), (), options)
            cls = self.classes.build(module, written, f"{module.name}.{model.name}Admin")
            made = Admin(cls, model, self.classes, is_default=base is None, has_options=bool(options))
            yield made, module.place(node)

    def _decorating(self, module: SourceModule, stmt: py.ClassDef, node: py.Expr) -> Model | None:
        """The model that a decorator names; where the class takes the model's name, what was imported under it."""
        if not isinstance(node, py.Name) or node.id != stmt.name:
            return self.models.of_expr(module, node)
        for item in module.facts.body:
            for alias in item.names if isinstance(item, py.ImportFrom) and item.start < stmt.start else ():
                origin = self.models.modules.origin(module, item) if isinstance(item, py.ImportFrom) else ""
                if (alias.asname or alias.name) == node.id and isinstance(origin, SourceModule):
                    return self.models.of_expr(origin, py.Name(node.start, node.end, alias.name))
        return None

    def _in(self, module: SourceModule, stmt: py.Stmt) -> Iterator[tuple[Admin, Place]]:
        if isinstance(stmt, py.ClassDef):
            for decorator in stmt.decorators:
                if isinstance(decorator, py.Call) and dotted(decorator.func).rpartition(".")[2] == "register":
                    cls = self.classes.build(module, stmt)
                    if self.is_admin(cls):
                        for arg in decorator.args:
                            yield Admin(cls, self._decorating(module, stmt, arg), self.classes), module.place(arg)
        elif isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Call):
            call = stmt.value
            if not dotted(call.func).endswith("register") or not call.args:
                return
            second = call.args[1] if len(call.args) > 1 else keyword(call, "admin_class")
            named = self.classes.resolve(module, second)
            first = call.args[0]
            models = first.elts if isinstance(first, (py.List, py.Tuple)) else (first,)
            given = any(item.name is not None and item.name != "admin_class" for item in call.keywords)
            for model in models:
                if isinstance(named, SourceClass) and self.is_admin(named):
                    if given:
                        yield from self._made(module, call, model, second)
                    else:
                        yield Admin(named, self.models.of_expr(module, model), self.classes), module.place(model)
                elif second is None and dotted(call.func).endswith("site.register"):
                    yield from self._made(module, call, model, None)
        elif isinstance(stmt, (py.If, py.Try)):
            for inner in (*stmt.body, *stmt.orelse):
                yield from self._in(module, inner)
