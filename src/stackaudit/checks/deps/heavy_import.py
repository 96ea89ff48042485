"""deps/heavy-import: libraries that every web worker loads at its start though few requests need them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stackaudit.facts import python as py
from stackaudit.link.modules import Modules, SourceModule, dotted
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, plain
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

HEAVY: Mapping[str, int] = {
    "cv2": 0,
    "matplotlib": 57,
    "pandas": 94,
    "pyarrow": 45,
    "scipy": 92,
    "sklearn": 179,
    "spacy": 0,
    "sympy": 40,
    "tensorflow": 0,
    "torch": 0,
    "transformers": 0,
}
"""Module -> MiB of resident memory that importing it adds to a Python 3.11 (0: more than 40, not measured here).

Measured with pandas 3.1 (and pyarrow 26), scipy.stats 1.17, matplotlib.pyplot 3.11, scikit-learn 1.9, sympy 1.14.
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """An import statement of a heavy library; `lazy` tells that it stands in a function."""

    package: str
    module: SourceModule
    node: py.Node
    lazy: bool

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.module.place(self.node)


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


def heavy_import(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each library and file: lazy or outside the web workers passes."""
    found = list(_imports(stack))
    if not found or stack.settings is None:
        return
    closure = web_closure(stack.modules, stack.settings)
    shared = _preloads(stack)
    order = {path: number for number, path in enumerate(closure.reasons)}
    reached: dict[str, list[Imported]] = {}
    for item in found:
        site = Site(item.place, f"{item.module.name}: {item.package}")
        if item.lazy or shared:
            yield Pass(site)
        elif item.module.path in closure.reasons:
            reached.setdefault(item.package, []).append(item)
        elif closure.open:
            yield Unsure(site, f"{closure.open}, so whether a web worker imports this file is open")
        else:
            yield Pass(site)
    for library, items in reached.items():
        first, *others = sorted(items, key=lambda item: (order[item.module.path], item.node.start))
        yield Fail(
            Site(first.place, f"{first.module.name}: {library}"),
            {"library": library, "cost": _cost(library, stack)},
            related=tuple(Step(item.place, "and so does this") for item in others),
            flow=(*closure.way(first.module.path), Step(first.place, f"{library} is imported")),
        )


def _cost(library: str, stack: Stack) -> str:
    """What it costs, for a sentence."""
    each = HEAVY[library]
    if not each:
        return "more than 40 MiB in each of them"
    count = stack.processes.web_process_count
    if isinstance(count, Known) and count.value > 1:
        return f"about {each} MiB in each of them, {each * count.value} MiB in the {count.value} that run here"
    return f"about {each} MiB in each of them"


def _preloads(stack: Stack) -> bool:
    """Whether every production server imports the application once, before its workers part."""
    servers = stack.processes.production_servers
    values = [server.setting("preload_app") for server in servers]
    return bool(values) and all(isinstance(value, Known) and value.value is True for value in values)


def web_closure(modules: Modules, settings: Settings) -> Closure:
    """What the settings make a web worker import: URLs, applications, middleware, context processors, and theirs."""
    closure = Closure()
    queue: deque[SourceModule] = deque()

    def add(module: SourceModule | None, parent: str, step: Step | None) -> None:
        if module is not None and module.path not in closure.reasons:
            closure.reasons[module.path] = step
            closure.parents[module.path] = parent
            queue.append(module)

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


def _imports(stack: Stack) -> Iterator[Imported]:
    """The heavy imports of each file, each library once at the top level and once in functions."""
    seen: set[tuple[str, str, bool]] = set()
    for found in stack.mentions.imports:
        node = found.node
        if isinstance(node, py.ImportFrom) and node.level:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, py.Import) else [node.module]
        for name in names:
            library, lazy = name.partition(".")[0], found.function is not None
            key = (found.module.path, library, lazy)
            if library in HEAVY and key not in seen:
                seen.add(key)
                yield Imported(library, found.module, node, lazy)
