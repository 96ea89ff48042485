"""deps/heavy-import: libraries that every web worker loads at its start though few requests need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule
from stackaudit.link.stack import Stack
from stackaudit.link.startup import web_closure
from stackaudit.model.source import Place
from stackaudit.model.values import Known
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


def heavy_import(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each library and file: lazy or outside the web workers passes."""
    found = list(_imports(stack))
    if not found or stack.settings is None:
        return
    closure = web_closure(stack, stack.settings)
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
