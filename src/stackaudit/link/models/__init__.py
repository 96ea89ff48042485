"""The models of a stack: columns, relations from both sides, managers, ordering.

`resolve(stack)` gives `Models`. A `Model` stands for a class that Django would register (or an abstract base). What the
repository cannot tell (attributes from another package's base class) is absent, and `Model.is_open` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link import mentions
from stackaudit.link.classes import Classes, SourceClass
from stackaudit.link.mentions import Mentions
from stackaudit.link.models.contrib import (
    ANY_PAGE,
    CONTRIB,
    MODEL_BASES,
    PAGE,
    PLAIN_BASES,
    ContribModel,
    canonical,
)
from stackaudit.link.models.fields import Builder
from stackaudit.link.models.model import Field, ManagerDef, Model, Relation
from stackaudit.link.models.packages import PACKAGED
from stackaudit.link.modules import SETTINGS, Modules, SourceModule, dotted
from stackaudit.model.values import Known

__all__ = ["Field", "ManagerDef", "Model", "Models", "Relation", "resolve"]

_WITH_DEFAULT = 3
"""The arguments of `getattr(settings, "SHOP_ORDER_MODEL", "shop.Order")`."""


class Models:
    """All models of a stack; `setting` gives the text of a setting by its name, "" where it is none or not known."""

    def __init__(
        self,
        modules: Modules,
        auth_user: str = "",
        installed: Iterable[str] = (),
        classes: Classes | None = None,
        setting: Callable[[str], str] = lambda name: "",
    ) -> None:
        self.modules = modules
        self.classes = classes or Classes(modules)
        self.by_label: dict[str, Model] = {}
        self._by_class: dict[SourceClass, Model | None] = {}
        self._by_name: dict[str, list[Model]] = {}
        self._contrib: dict[str, Model] = {}
        self._foreign: dict[str, Model] = {}
        self._labels = _app_labels(modules, self.classes, installed)
        self.auth_user = auth_user or _declared_user(modules) or "auth.User"
        self.setting = setting
        found = [model for module in modules for model in self._in(module)]
        for name, known in CONTRIB.items():
            if not known.abstract and known.label not in self.by_label:
                self._add_contrib(name, known)
        Builder(self).build(found)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.by_label.values())

    @cached_property
    def accessors(self) -> dict[str, Relation]:
        """Related managers by a name that nothing else in the models bears, so that the name alone tells the model."""
        seen: dict[str, Relation | None] = {}
        for model in self:
            for name, relation in model.relations.items():
                known = seen.get(name, relation)
                same = known is not None and known.call is relation.call
                seen[name] = relation if same and relation.many and "_" in name and model.cls is not None else None
            for name in (*model.columns, *(model.cls.members if model.cls is not None else ())):
                if name not in model.relations:
                    seen[name] = None
        borne = self._declared_elsewhere
        return {name: found for name, found in seen.items() if found is not None and name not in borne}

    @cached_property
    def _declared_elsewhere(self) -> frozenset[str]:
        """The names of annotated attributes of classes that are no models: of dataclasses and their like."""
        return frozenset(
            stmt.target.id
            for module in self.modules
            for bound in module.names.values()
            for binding in bound
            if isinstance(binding.node, py.ClassDef)
            for stmt in binding.node.body
            if isinstance(stmt, py.AnnAssign) and isinstance(stmt.target, py.Name)
            if self.of_class(self.classes.build(module, binding.node)) is None
        )

    @cached_property
    def mentions(self) -> Mentions:
        """What the code around the models calls, writes, imports and assigns, by name."""
        return mentions.resolve(self.modules)

    @property
    def assigned(self) -> frozenset[str]:
        """The names of attributes that some function sets on something other than `self`."""
        return self.mentions.assigned

    def _in(self, module: SourceModule) -> Iterator[Model]:
        for bound in module.names.values():
            for binding in bound:
                if isinstance(binding.node, py.ClassDef) and binding.node.bases:
                    cls = self.classes.build(module, binding.node)
                    model = self.of_class(cls)
                    if model is not None:
                        yield model

    def of_class(self, cls: SourceClass | str | None) -> Model | None:
        """The model that a class is, or None."""
        if isinstance(cls, str):
            return self._contrib.get(cls)
        if cls is None:
            return None
        if cls not in self._by_class:
            self._by_class[cls] = None
            if self._is_model(cls):
                self._by_class[cls] = self._make(cls)
        return self._by_class[cls]

    def of_expr(self, module: SourceModule, expr: py.Expr | None, app: str = "") -> Model | None:
        """The model that an expression names: a class, "app.Model", "Model", `get_user_model()`, a setting."""
        if isinstance(expr, py.Constant):
            return self.named(expr.value, app or self.app_of(module)) if isinstance(expr.value, str) else None
        if isinstance(expr, py.Call):
            called = dotted(expr.func)
            if called.rpartition(".")[2] == "get_user_model":
                return self.user
            if called.rpartition(".")[2] == "get_model" and expr.args:
                parts = [arg.value for arg in expr.args[:2] if isinstance(arg, py.Constant)]
                label = ".".join(str(part) for part in parts)
                return self.named(label, app) if parts else self.of_expr(module, expr.args[0])
            if called == "getattr" and len(expr.args) == _WITH_DEFAULT and isinstance(expr.args[1], py.Constant):
                return self._of_setting(str(expr.args[1].value)) or self.of_expr(module, expr.args[2])
            return None
        path = dotted(expr)
        if path.rpartition(".")[2] == "AUTH_USER_MODEL":
            return self.user
        if not path:
            return None
        symbol = self.modules.resolve(module, path)
        if symbol is None:
            return None
        if symbol.kind == "external" and symbol.name.startswith(SETTINGS):
            return self._of_setting(symbol.name.removeprefix(SETTINGS))
        if symbol.kind == "value" and symbol.module is not None and isinstance(symbol.node, (py.Call, py.Constant)):
            return self.of_expr(symbol.module, symbol.node)
        found = self.classes.of(symbol)
        return self.of_class(found) if found is not None else None

    def _of_setting(self, name: str) -> Model | None:
        """The model that a setting names: `WAGTAILIMAGES_IMAGE_MODEL = "images.Photo"`."""
        if name == "AUTH_USER_MODEL":
            return self.user
        label = self.setting(name)
        return self.named(label) if "." in label else None

    def named(self, label: str, app: str = "") -> Model | None:
        """The model of a string target."""
        if "." not in label:
            if f"{app}.{label}" in self.by_label:
                return self.by_label[f"{app}.{label}"]
            same = self._by_name.get(label.lower(), [])
            return same[0] if len(same) == 1 else None
        application, _, name = label.rpartition(".")
        for wanted in (label, f"{application.rpartition('.')[2]}.{name}"):
            if wanted in self.by_label:
                return self.by_label[wanted]
        lowered = f"{application}.{name}".lower()
        return next((model for model in self._by_name.get(name.lower(), ()) if model.label.lower() == lowered), None)

    @property
    def user(self) -> Model | None:
        """The model that AUTH_USER_MODEL names."""
        return self.named(self.auth_user)

    def app_of(self, module: SourceModule) -> str:
        """The label of the application that a module belongs to."""
        folder = module.folder
        while folder:
            if folder in self._labels:
                return self._labels[folder]
            folder = folder.rpartition("/")[0]
        name = module.name
        parts = name.split(".")
        if "models" in parts[1:]:
            return parts[parts.index("models", 1) - 1]
        return (parts[-2] if len(parts) > 1 else parts[0]) if not module.is_package else parts[-1]

    def foreign(self, name: str) -> Model:
        """A model of a package that is not in the repository, by its full name: nothing more is known of it."""
        name = PAGE if name in ANY_PAGE else name
        if name not in self._foreign:
            *path, label = name.split(".")
            app = path[path.index("models") - 1] if "models" in path[1:] else path[-1]
            self._foreign[name] = Model(f"{app}.{label}", label, app, is_open=True)
        return self._foreign[name]

    def _is_model(self, cls: SourceClass) -> bool:
        externals = [canonical(name) for name in cls.externals]
        if any(name in MODEL_BASES or name in CONTRIB or name in PACKAGED for name in externals):
            return True
        if not cls.is_open and all(name in PLAIN_BASES for name in externals):
            return False
        # A base class of some package that we do not know: fields in the body make it a model.
        return any(
            isinstance(binding.node, py.Call)
            and isinstance(kind := self.classes.resolve(base.module, binding.node.func), str)
            and canonical(kind).startswith(("django.db.models.", "django.contrib.contenttypes."))
            and kind.endswith(("Field", "ForeignKey"))
            for base in cls.mro
            if isinstance(base, SourceClass)
            for bound in base.members.values()
            for binding in bound
        )

    def _make(self, cls: SourceClass) -> Model:
        app = self._explicit_label(cls) or self.app_of(cls.module)
        model = Model(f"{app}.{cls.label}", cls.label, app, cls)
        model.abstract = self.meta(cls, "abstract", own=True) is True
        model.proxy = self.meta(cls, "proxy", own=True) is True
        model.is_open = cls.is_open or any(
            canonical(name) not in PLAIN_BASES and canonical(name) not in CONTRIB for name in cls.externals
        )
        if not model.abstract:
            self.by_label.setdefault(model.label, model)
            self._by_name.setdefault(model.name.lower(), []).append(model)
        return model

    def _explicit_label(self, cls: SourceClass) -> str:
        found = self.meta(cls, "app_label", own=True)
        return found if isinstance(found, str) else ""

    def meta(self, cls: SourceClass, option: str, own: bool = False) -> Any:
        """An option of `class Meta`: a constant, a list's truth for lists and tuples, None where it is not set.

        Options are inherited as Django does: from an abstract parent whose Meta is not replaced, or from `class
        Meta(Parent.Meta)`. `own` looks at the class's own Meta alone.
        """
        for base in (cls,) if own else cls.mro:
            if not isinstance(base, SourceClass):
                continue
            for binding in base.members.get("Meta", ()):
                if isinstance(binding.node, py.ClassDef):
                    inner = self.classes.build(base.module, binding.node, f"{base.name}.Meta")
                    found = inner.find(option)
                    if found is not None and (not own or found.owner is inner):
                        return _literal(found.node)
                    if not own:
                        return None
        return None

    def _add_contrib(self, name: str, known: ContribModel) -> None:
        app, _, label = known.label.partition(".")
        model = Model(known.label, label, app, ordered=known.ordered, is_open=True, unique=known.unique)
        self._contrib[name] = model
        self.by_label[known.label] = model
        self._by_name.setdefault(label.lower(), []).append(model)


def _literal(node: py.Node | None) -> Any:
    if isinstance(node, py.Constant):
        return node.value
    if isinstance(node, (py.Tuple, py.List)):
        return bool(node.elts)
    return node


def _app_labels(modules: Modules, classes: Classes, installed: Iterable[str]) -> dict[str, str]:
    """The folders of applications with their labels: from an AppConfig, or from INSTALLED_APPS."""
    labels: dict[str, str] = {}
    for module in modules:
        if not module.path.endswith(("apps.py", "apps/__init__.py", "__init__.py", "config.py")):
            continue
        for bound in module.names.values():
            node = bound[-1].node
            if isinstance(node, py.ClassDef) and any("Config" in dotted(base) for base in node.bases):
                members = classes.build(module, node).members
                name, label = (_literal(members[key][-1].node) if key in members else None for key in ("name", "label"))
                found = modules.find(name, module.path) if isinstance(name, str) else None
                folder = found.folder if found is not None and found.is_package else module.folder
                if isinstance(label, str):
                    labels[folder] = label
                elif isinstance(name, str):
                    labels.setdefault(folder, name.rpartition(".")[2])
    for name in installed:
        package = modules.find(name, "")
        if package is not None and package.is_package:
            labels.setdefault(package.folder, name.rpartition(".")[2])
    return labels


def _declared_user(modules: Modules) -> str:
    for module in modules:
        for binding in module.names.get("AUTH_USER_MODEL", ()):
            if isinstance(binding.node, py.Constant) and isinstance(binding.node.value, str):
                return binding.node.value
    return ""


def resolve(stack: Any) -> Models:
    """The models of a stack; AUTH_USER_MODEL, INSTALLED_APPS and other settings come from where they are known."""
    settings = stack.settings
    if settings is None:
        return Models(stack.modules)

    def text(name: str) -> str:
        value = settings.get(name)
        return value.value if isinstance(value, Known) and isinstance(value.value, str) else ""

    user = text("AUTH_USER_MODEL")
    apps = settings.get("INSTALLED_APPS")
    held = apps.value if isinstance(apps, Known) and isinstance(apps.value, (list, tuple)) else ()
    installed = [str(item.value) for item in held if isinstance(item, Known)]
    return Models(stack.modules, user if user != "auth.User" else "", installed, setting=text)
