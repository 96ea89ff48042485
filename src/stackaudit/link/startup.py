"""What a web worker imports when it starts, and what runs then."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import Modules, SourceModule, dotted
from stackaudit.link.processes.model import SYNC, Process
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value, plain
from stackaudit.model.verdict import Step

_DEEPEST = 3
"""How many calls below what runs at the start are followed."""


_Calls: TypeAlias = "dict[str, dict[py.FunctionDef | None, list[Found]]]"
"""The calls of the files, by the function that holds them; None holds those of the top level."""


@dataclass
class Closure:
    """The modules that a web worker imports at its start, with the import that first led to each.

    `open` says why there may be more than these; "" where the closure is whole.
    """

    reasons: dict[str, Step | None] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    open: str = ""

    def way(self, path: str) -> tuple[Step, ...]:
        """The imports from the worker's start to the module at `path`."""
        steps: list[Step] = []
        while path in self.reasons:
            step = self.reasons[path]
            if step is not None:
                steps.append(step)
            path = self.parents.get(path, "")
        return tuple(reversed(steps))


def web_closure(stack: Stack, settings: Settings) -> Closure:
    """What a web worker imports: the servers' applications, URLs, Django's applications, middleware, and theirs."""
    closure, modules = Closure(), stack.modules
    queue: deque[SourceModule] = deque()

    def add(module: SourceModule | None, parent: str, step: Step | None) -> None:
        if module is not None and module.path not in closure.reasons:
            closure.reasons[module.path] = step
            closure.parents[module.path] = parent
            queue.append(module)

    for server in stack.processes.production_servers:
        if isinstance(server.app, Known) and isinstance(server.app.value, str):
            step = Step(server.place, "starts it")
            add(modules.find(server.app.value.partition(":")[0], settings.path), "", step)
    for setting in ("ROOT_URLCONF", "WSGI_APPLICATION", "INSTALLED_APPS", "MIDDLEWARE"):
        value = settings.get(setting)
        step = Step(settings.place(setting), f"{setting} names it")
        if not isinstance(value, Known):
            closure.open = f"{setting} is not known"
            continue
        names = plain(value)
        for name in [names] if isinstance(names, str) else names or ():
            if not isinstance(name, str):
                closure.open = f"a part of {setting} is not known"
                continue
            for candidate in _named(setting, name):
                add(modules.find(candidate, settings.path), "", step)
    while queue:
        module = queue.popleft()
        for node, target in _targets(module, modules):
            add(target, module.path, Step(module.place(node), f"imports {target.name}"))
    return closure


def _named(setting: str, name: str) -> Iterator[str]:
    """The modules that a name in a setting makes Django import."""
    parts = name.split(".")
    if setting == "INSTALLED_APPS":
        if parts[-1][:1].isupper():
            yield ".".join(parts[:-1])
            parts = parts[:-2]
        package = ".".join(parts)
        yield from (package, f"{package}.apps", f"{package}.models", f"{package}.admin")
    else:
        yield name
        yield ".".join(parts[:-1])


def _targets(module: SourceModule, modules: Modules) -> Iterator[tuple[py.Node, SourceModule]]:
    """The repository's modules that importing `module` imports, with the statement or `include()` that does."""
    for node in _at_import(module.facts.body):
        if isinstance(node, py.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                for end in range(1, len(parts) + 1):
                    found = modules.find(".".join(parts[:end]), module.path)
                    if found is not None:
                        yield node, found
        elif isinstance(node, py.ImportFrom):
            origin = modules.origin(module, node)
            base = origin.name if isinstance(origin, SourceModule) else origin
            if isinstance(origin, SourceModule):
                yield node, origin
            for alias in node.names:
                found = modules.find(f"{base}.{alias.name}", module.path)
                if found is not None:
                    yield node, found
        elif isinstance(node, py.Call) and dotted(node.func).rpartition(".")[2] == "include" and node.args:
            target = node.args[0].elts[0] if isinstance(node.args[0], py.Tuple) and node.args[0].elts else node.args[0]
            if isinstance(target, py.Constant) and isinstance(target.value, str):
                found = modules.find(target.value, module.path)
                if found is not None:
                    yield node, found


def _at_import(body: Iterable[object]) -> Iterator[py.Node]:
    """Every node that runs when the file is imported: not the bodies of functions, not what only type checkers read."""
    stack = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack.extend(node)
        elif isinstance(node, py.If) and dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            stack.append(node.orelse)
        elif isinstance(node, (py.FunctionDef, py.Lambda)):
            continue
        elif isinstance(node, py.Node):
            yield node
            stack.extend(getattr(node, name) for name in node.__struct_fields__[2:])


@dataclass(frozen=True)
class Started:
    """A call that runs while the application is loaded, and the steps that lead to it."""

    found: Found
    flow: tuple[Step, ...]


def at_start(stack: Stack, closure: Closure) -> Iterator[Started]:
    """The calls that run while a web worker loads the application, through the functions that they call.

    They stand at the top level of the modules that it imports, and in `ready()` of applications.
    """
    calls: _Calls = {}
    for several in stack.mentions.calls.values():
        for found in several:
            calls.setdefault(found.module.path, {}).setdefault(found.function, []).append(found)
    for path in closure.reasons:
        way = closure.way(path)
        for function, held in calls.get(path, {}).items():
            if function is None or _is_ready(held):
                yield from _followed(stack, calls, held, way, {function})


def _is_ready(held: list[Found]) -> bool:
    """Whether a function is the `ready()` of an application."""
    function, owner = held[0].function, held[0].owner
    if function is None or owner is None or function.name != "ready":
        return False
    return any(dotted(base).endswith("AppConfig") for base in owner.bases)


def _followed(
    stack: Stack,
    calls: _Calls,
    held: list[Found],
    way: tuple[Step, ...],
    seen: set[py.FunctionDef | None],
) -> Iterator[Started]:
    for found in held:
        yield Started(found, way)
        target = _target(stack, found)
        if target is not None and target[1] not in seen and len(seen) <= _DEEPEST:
            module, function = target
            step = Step(found.module.place(found.node), f"calls {function.name}()")
            yield from _followed(
                stack, calls, calls.get(module.path, {}).get(function, []), (*way, step), {*seen, function}
            )


def _target(stack: Stack, found: Found) -> tuple[SourceModule, py.FunctionDef] | None:
    """The function of the repository that a call runs, None where it runs none or that cannot be told."""
    path = dotted(found.call.func)
    if path.startswith("self.") and found.owner is not None:
        own = (stmt for stmt in found.owner.body if isinstance(stmt, py.FunctionDef) and f"self.{stmt.name}" == path)
        method = next(own, None)
        return (found.module, method) if method is not None else None
    symbol = meaning(stack, found, found.call.func)
    if symbol is None or symbol.module is None or not isinstance(symbol.node, py.FunctionDef):
        return None
    return symbol.module, symbol.node


def shares_connection(stack: Stack, server: Process) -> Value[bool]:
    """Whether workers of gunicorn go on using the database connection that the master opened before they parted.

    Measured with PostgreSQL 15, psycopg 3.3, Django 5.2 and four workers of gunicorn 27 that preload an application
    whose `ready()` asks the database: with sync workers and CONN_MAX_AGE = 600 the answer of 135 out of 200 requests
    was that of another request; with CONN_MAX_AGE = 0 each request opens its own, and threads have connections of
    their own: none was wrong.
    """
    preload, kind = server.setting("preload_app"), server.worker_class
    for value in (preload, kind):
        if isinstance(value, Unknown):
            return value
    if not plain(preload) or plain(kind) not in SYNC:
        return Known(False)
    settings = stack.settings
    if settings is None:
        return Unknown("CONN_MAX_AGE is not known without settings")
    engine = settings.at("DATABASES", "default", "ENGINE", default="")
    if isinstance(engine, Known) and str(engine.value).endswith("sqlite3"):
        return Known(False)
    age = settings.at("DATABASES", "default", "CONN_MAX_AGE", default=0)
    return age if isinstance(age, Unknown) else Known(age.value != 0, age.places)
