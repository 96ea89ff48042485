"""Applications: `Celery(...)`, what configures them, and which of them production runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackaudit.facts import python as py
from stackaudit.link.celery.names import SETTINGS
from stackaudit.link.fold import Scope, fold, fold_file
from stackaudit.link.folding.objects import FoldedDict, Maybe
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.processes import audience
from stackaudit.link.settings import Settings, world
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

CELERY = frozenset({"celery.Celery", "celery.app.Celery", "celery.app.base.Celery"})
_DJANGO = frozenset({"django.conf:settings", "django.conf.settings"})
_ARGUMENTS = {"broker": "broker_url", "backend": "result_backend"}


@dataclass
class App:
    """An application in the module `module`, bound to `name` at `place`.

    `told` are the settings that its `conf` or its arguments give, `source` where the others come from: Django's
    settings, the names of a module, or why nobody knows. `namespace` is the prefix of Django's settings ("CELERY").
    """

    module: SourceModule
    name: str
    place: Place
    told: dict[str, AnyValue] = field(default_factory=dict)
    source: Settings | Mapping[str, AnyValue] | Unknown | None = None
    namespace: str = ""

    def setting(self, name: str) -> AnyValue | None:
        """What somebody gives a setting, None where nobody does."""
        if name in self.told:
            return self.told[name]
        if isinstance(self.source, Unknown):
            return self.source
        old = SETTINGS[name][0]
        if isinstance(self.source, Settings):
            candidates = (f"{self.namespace}_{name.upper()}", old) if self.namespace else (old,)
            for candidate in candidates:
                if self.source.broken:
                    return Unknown(self.source.broken)
                if self.source.is_set(candidate) or self.source.names.open:
                    return self.source.get(candidate)
            return None
        for candidate in (name, old) if self.source is not None else ():
            value = self.source.get(candidate) if self.source is not None else None
            if isinstance(value, Maybe):
                return Unknown(value.why, value.places)
            if value is not None:
                return value
        why = getattr(self.source, "open", "")
        return Unknown(why) if why else None


def chosen(stack: Stack) -> App | None:
    """The application that the workers of production name with -A, else the one that is configured most."""
    found = list(apps(stack))
    if not found:
        return None
    named = {
        str(process.app.value).partition(":")[0]
        for process in stack.processes.all
        if process.kind in ("celery-worker", "celery-beat") and isinstance(process.app, Known)
    }
    for app in found:
        if any(_means(name, app) for name in named):
            return app
    return max(found, key=lambda app: (app.source is not None, len(app.told)))


def _means(named: str, app: App) -> bool:
    """Whether `-A named` finds the application: in the module itself, or in its `celery` module."""
    own = app.module.name
    return any(own == name or own.endswith(f".{name}") for name in (named, f"{named}.celery", named.rpartition(".")[0]))


def is_app(stack: Stack, module: SourceModule, name: str) -> bool:
    """Whether a dotted name of a module stands for an application of Celery."""
    symbol = stack.modules.resolve(module, name)
    if symbol is None or symbol.module is None or not isinstance(symbol.node, py.Call):
        return symbol is not None and symbol.kind == "external" and symbol.name.endswith("celery.current_app")
    return _makes(stack, symbol.module, symbol.node) or _factory(stack, symbol.module, symbol.node) is not None


def _factory(
    stack: Stack, module: SourceModule, call: py.Call
) -> tuple[SourceModule, py.FunctionDef, str, py.Call] | None:
    """The function that a call runs to make an application: its file, itself, the name and the `Celery(...)` in it."""
    made = stack.modules.resolve(module, dotted(call.func) or "?")
    if made is None or made.module is None or not isinstance(made.node, py.FunctionDef):
        return None
    for stmt in made.node.body:
        if isinstance(stmt, py.Assign) and isinstance(stmt.value, py.Call) and _makes(stack, made.module, stmt.value):
            return made.module, made.node, dotted(stmt.targets[0]), stmt.value
    return None


def _makes(stack: Stack, module: SourceModule, call: py.Call) -> bool:
    path = dotted(call.func)
    made = stack.modules.resolve(module, path) if path else None
    if made is None:
        return _imported_by_name(module, path)
    if made.kind == "class" and isinstance(made.node, py.ClassDef) and made.module is not None:
        bases = [stack.modules.resolve(made.module, dotted(base)) for base in made.node.bases if dotted(base)]
        return any(base is not None and base.name in CELERY for base in bases)
    return made.name in CELERY


def _imported_by_name(module: SourceModule, name: str) -> bool:
    """Whether `from celery import Celery` stands in a file that is called celery.py itself and may be taken for it."""
    return any(
        isinstance(binding.source, py.ImportFrom)
        and binding.alias is not None
        and not binding.source.level
        and f"{binding.source.module}.{binding.alias.name}" in CELERY
        for binding in module.names.get(name, ())
    )


def apps(stack: Stack) -> Iterator[App]:
    """Every application that a module makes at its top level."""
    if not stack.modules.imports("celery"):
        return
    for module in stack.modules:
        for name, bound in module.names.items():
            for binding in bound:
                if not isinstance(binding.node, py.Call):
                    continue
                if _makes(stack, module, binding.node):
                    yield _configured(stack, module, name, binding.node, module.facts.body)
                elif (made := _factory(stack, module, binding.node)) is not None:
                    app = _configured(stack, made[0], made[2], made[3], made[1].body)
                    app.module, app.name = module, name
                    yield app


def _configured(stack: Stack, module: SourceModule, name: str, call: py.Call, body: tuple[py.Stmt, ...]) -> App:
    app = App(module, name, module.place(call))
    scope = Scope(world(stack), module.path, module.facts, module.name)

    def value(expr: py.Expr) -> AnyValue:
        folded = fold(expr, scope)
        place = module.place(expr)
        if isinstance(folded, Unknown):
            return Unknown(folded.why, folded.places or (place,))
        return Known(folded.value, (place, *folded.places), folded.note)

    for keyword in call.keywords:
        if keyword.name in _ARGUMENTS:
            given = value(keyword.value)
            if not (isinstance(given, Known) and given.value is None):
                app.told[_ARGUMENTS[keyword.name]] = given
        elif keyword.name in ("config_source", "namespace"):
            _source(stack, app, keyword.value if keyword.name == "config_source" else None, ())
    for node in nodes(body):
        if isinstance(node, py.Assign):
            for target in node.targets:
                key = _key(app, target)
                if key:
                    app.told[key] = value(node.value)
        elif isinstance(node, py.Call):
            path = dotted(node.func)
            if path == f"{name}.config_from_object" and node.args:
                _source(stack, app, node.args[0], node.keywords)
            elif path == f"{name}.config_from_envvar":
                app.source = Unknown("an environment variable names the module that configures Celery")
            elif path == f"{name}.conf.update":
                _updated(app, node, value)
    return app


def _key(app: App, target: py.Expr) -> str:
    """The setting that an assignment to `app.conf.name` or `app.conf["name"]` gives."""
    conf = f"{app.name}.conf"
    if isinstance(target, py.Attribute) and dotted(target.value) == conf:
        return target.attr
    if isinstance(target, py.Subscript) and dotted(target.value) == conf and isinstance(target.index, py.Constant):
        return str(target.index.value)
    return ""


def _updated(app: App, call: py.Call, value: Any) -> None:
    for keyword in call.keywords:
        if keyword.name is not None:
            app.told[keyword.name] = value(keyword.value)
    for argument in call.args:
        given = value(argument)
        if isinstance(given, Known) and isinstance(given.value, dict):
            for key, item in given.value.items():
                app.told[str(key)] = item
        else:
            app.source = Unknown("app.conf is updated with something that is not known")


def _source(stack: Stack, app: App, expr: py.Expr | None, keywords: tuple[py.Keyword, ...]) -> None:
    for keyword in keywords:
        if keyword.name == "namespace" and isinstance(keyword.value, py.Constant) and keyword.value.value:
            app.namespace = str(keyword.value.value).rstrip("_")
    if expr is None:
        return
    text = expr.value if isinstance(expr, py.Constant) else None
    symbol = stack.modules.resolve(app.module, dotted(expr)) if dotted(expr) else None
    if text in _DJANGO or (symbol is not None and symbol.name in _DJANGO):
        app.source = _django(stack, app)
        return
    target = stack.modules.find(text, app.module.path) if isinstance(text, str) else symbol.module if symbol else None
    if target is not None and (symbol is None or symbol.kind == "module"):
        names: FoldedDict = fold_file(target.facts, target.path, world(stack), target.name)
        app.source = names
    else:
        app.source = Unknown("what configures Celery is not in the repository")


def _django(stack: Stack, app: App) -> Settings | Unknown:
    """Django's settings as the workers see them.

    A module of another package that the application's own file names is the workers' alone: a site may run its tasks
    with settings of their own.
    """
    if stack.settings is None:
        return Unknown("no settings module is named or recognised")
    named = _named_settings(app.module)
    own = stack.modules.find(named, app.module.path) if named else None
    if own is None or named.partition(".")[0] == stack.settings.module.partition(".")[0]:
        return stack.settings
    if audience.of_settings(named)[0] == "development" or stack.settings.path == own.path:
        return stack.settings
    return Settings(named, own.path, f"named by {app.module.path}", fold_file(own.facts, own.path, world(stack), named))


def _named_settings(module: SourceModule) -> str:
    """What `os.environ.setdefault("DJANGO_SETTINGS_MODULE", ...)` of a file names, "" where nothing does."""
    for node in nodes(module.facts.body):
        if isinstance(node, py.Call) and dotted(node.func).endswith("environ.setdefault") and len(node.args) == 2:
            name, value = node.args
            if isinstance(name, py.Constant) and name.value == "DJANGO_SETTINGS_MODULE":
                return str(value.value) if isinstance(value, py.Constant) else ""
    return ""
