"""Templates by name, and the functions behind custom tags and filters.

The order of applications and DIRS is not always known, so a name may mean several files: all are candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.facts.files import FileFacts
from stackaudit.facts.template import Block, Node, Tag, Template
from stackaudit.link.models.model import keyword
from stackaudit.link.modules import Modules, SourceModule, callee, dotted
from stackaudit.link.nodes import is_true
from stackaudit.model.source import Region

FOLDERS = ("templates", "jinja2")
PARTIAL = "partialdef"
WIDTH = 1 << 20
"""The length that every line is given, so that a region becomes a pair of offsets."""

TagKind: TypeAlias = Literal["simple", "inclusion", "filter", "compiled"]


class TemplateFile:
    """One template, or one `part` of it; `module` stands for it where the walk wants a Python file."""

    def __init__(self, path: str, tree: Template, part: str = "") -> None:
        self.path = path
        self.tree = tree
        self.part = part

    @cached_property
    def module(self) -> SourceModule:
        """A module without statements whose offsets are those of `node`."""
        last = max((node.region.end_line for node in self.tree.nodes), default=1)
        lines = tuple(index * WIDTH for index in range(max(last, self._last(self.tree.nodes)) + 1))
        return SourceModule(self.path, self.path, py.Module((), lines))

    def _last(self, nodes: tuple[Node, ...]) -> int:
        return max((region.end_line for region in regions(nodes)), default=1)

    @cached_property
    def partials(self) -> dict[str, TemplateFile]:
        """What `{% partialdef name %}` defines, as templates: https://docs.djangoproject.com/en/6.0/ref/templates/language/#template-partials."""
        return {
            node.words[0]: TemplateFile(self.path, replace(self.tree, nodes=node.body), node.words[0])
            for node in flat(self.tree.nodes)
            if isinstance(node, Tag) and node.name == PARTIAL and node.words
        }

    @cached_property
    def blocks(self) -> dict[str, Block]:
        """The blocks of the file at any depth, by name."""
        return {node.name: node for node in flat(self.tree.nodes) if isinstance(node, Block)}


def marker(region: Region) -> py.Opaque:
    """A node that stands for `region` in the module of a template."""
    return py.Opaque(
        (region.line - 1) * WIDTH + region.column - 1, (region.end_line - 1) * WIDTH + region.end_column - 1, "template"
    )


def flat(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes and everything below them, in source order."""
    for node in nodes:
        yield node
        for name in node.__struct_fields__:
            value = getattr(node, name)
            if name in ("body", "empty"):
                yield from flat(value)
            elif name == "branches":
                for branch in value:
                    yield from flat(branch.body)


def parts(of: object) -> Iterator[object]:
    """A part of a template and everything in it, whatever its kind, in source order."""
    waiting = [of]
    while waiting:
        item = waiting.pop()
        yield item
        if isinstance(item, tuple):
            waiting.extend(reversed(item))
        elif isinstance(item, msgspec.Struct) and not isinstance(item, Region):
            waiting.extend(getattr(item, name) for name in reversed(item.__struct_fields__))


def regions(nodes: tuple[Node, ...]) -> Iterator[Region]:
    """The regions of the nodes and of everything below them."""
    for node in flat(nodes):
        yield node.region


@dataclass(frozen=True)
class Library:
    """One function of a tag library. `template` is the expression of an inclusion tag's template."""

    name: str
    kind: TagKind
    module: SourceModule
    function: py.FunctionDef
    takes_context: bool = False
    template: str = ""


class Templates:
    """The templates of a stack by the names that views use."""

    def __init__(self, files: list[FileFacts], modules: Modules) -> None:
        self.modules = modules
        self.by_path = {item.path: TemplateFile(item.path, item.facts) for item in files if item.facts is not None}
        self._by_name: dict[str, list[TemplateFile]] = {}
        self._by_last: dict[str, list[TemplateFile]] = {}
        for path, found in self.by_path.items():
            parts = path.split("/")
            self._by_last.setdefault(parts[-1], []).append(found)
            for index, part in enumerate(parts[:-1]):
                if part in FOLDERS:
                    self._by_name.setdefault("/".join(parts[index + 1 :]), []).append(found)

    def find(self, name: str) -> list[TemplateFile]:
        """The files that `name` may mean; where no templates folder holds it, the files whose path ends so.

        `name#part` means what a file defines by `{% partialdef part %}`.
        """
        name, hashed, part = name.lstrip("/").partition("#")
        if hashed:
            return [item.partials[part] for item in self.find(name) if part in item.partials]
        found = self._by_name.get(name)
        if found is None:
            last = name.rpartition("/")[2]
            found = [item for item in self._by_last.get(last, ()) if ("/" + item.path).endswith("/" + name)]
        return found

    @cached_property
    def libraries(self) -> dict[str, dict[str, Library]]:
        """Tags and filters by library; a filter's name begins with a bar."""
        found: dict[str, dict[str, Library]] = {}
        for module in self.modules:
            parts = module.path.split("/")
            if "templatetags" in parts[:-1] or "register" in module.names:
                entries = {item.name: item for item in _entries(module)}
                if entries:
                    found.setdefault(parts[-1].removesuffix(".py"), {}).update(entries)
        return found

    @cached_property
    def _anywhere(self) -> dict[str, list[Library]]:
        found: dict[str, list[Library]] = {}
        for entries in self.libraries.values():
            for name, item in entries.items():
                found.setdefault(name, []).append(item)
        return found

    def tag(self, name: str, file: TemplateFile) -> Library | None:
        """What a tag (or "|filter") means in `file`: from the libraries it loads, else the only one of that name."""
        for library in reversed(file.tree.libraries):
            found = self.libraries.get(library.rpartition(".")[2], {}).get(name)
            if found is not None:
                return found
        others = self._anywhere.get(name, [])
        return others[0] if len(others) == 1 else None


def _entries(module: SourceModule) -> Iterator[Library]:
    for bound in module.names.values():
        for binding in bound:
            if isinstance(binding.node, py.FunctionDef):
                yield from _decorated(module, binding.node)
    for stmt in module.facts.body:
        # register.filter("name", function), register.simple_tag(function, name="name")
        if isinstance(stmt, py.ExprStmt) and isinstance(stmt.value, py.Call):
            call = stmt.value
            method = dotted(call.func).rpartition(".")
            functions = [dotted(arg) for arg in call.args if isinstance(arg, py.Name)]
            if method[0].endswith("register") and functions and method[2] in ("filter", "simple_tag", "tag"):
                target = module.names.get(functions[-1])
                node = target[-1].node if target else None
                if isinstance(node, py.FunctionDef):
                    name = next((str(arg.value) for arg in call.args if isinstance(arg, py.Constant)), node.name)
                    yield _library(module, node, method[2], name, call)


def _decorated(module: SourceModule, node: py.FunctionDef) -> Iterator[Library]:
    for decorator in node.decorators:
        call = decorator if isinstance(decorator, py.Call) else None
        path = callee(decorator)
        base, _, method = path.rpartition(".")
        if base.endswith("register") and method in (
            "filter",
            "simple_tag",
            "assignment_tag",
            "inclusion_tag",
            "tag",
            "simple_block_tag",
        ):
            name = node.name
            if call is not None:
                given = keyword(call, "name")
                if given is None and method in ("filter", "tag") and call.args:
                    given = call.args[0]
                if isinstance(given, py.Constant) and isinstance(given.value, str):
                    name = given.value
            yield _library(module, node, method, name, call)


def _library(module: SourceModule, node: py.FunctionDef, method: str, name: str, call: py.Call | None) -> Library:
    context = keyword(call, "takes_context") if call is not None else None
    takes = is_true(context)
    template = ""
    if method == "inclusion_tag" and call is not None:
        given = call.args[0] if call.args else keyword(call, "filename")
        if isinstance(given, py.Constant) and isinstance(given.value, str):
            template = given.value
    if method == "filter":
        return Library("|" + name, "filter", module, node)
    kind: TagKind = "inclusion" if method == "inclusion_tag" else "compiled" if method == "tag" else "simple"
    return Library(name, kind, module, node, takes, template)
