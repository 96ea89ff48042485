"""Templates that extend others, and the names that a template reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import template as t
from stackaudit.link.pages import components
from stackaudit.link.pages.files import TemplateFile, Templates, flat, parts
from stackaudit.model.source import Region

_LONGEST = 12
"""How many templates may extend each other; a longer chain is cut."""


@dataclass
class Chain:
    """A template and those it extends: for each block its definitions, the most derived first."""

    files: list[TemplateFile]
    blocks: dict[str, list[tuple[TemplateFile, t.Block]]]

    @property
    def root(self) -> TemplateFile:
        """The template that extends no other."""
        return self.files[-1]


def chain_of(templates: Templates, file: TemplateFile) -> Chain:
    """Follow `extends` to the root."""
    seen = [file]
    while True:
        parent = _parent(templates, seen[-1])
        if parent is None or parent in seen or len(seen) > _LONGEST:
            break
        seen.append(parent)
    blocks: dict[str, list[tuple[TemplateFile, t.Block]]] = {}
    for item in seen:
        for name, block in item.blocks.items():
            blocks.setdefault(name, []).append((item, block))
    return Chain(seen, blocks)


def _parent(templates: Templates, file: TemplateFile) -> TemplateFile | None:
    """The template that `file` extends, None where it extends none or one that cannot be told."""
    for node in file.tree.nodes:
        if isinstance(node, t.Extends):
            names = [node.template]
            if isinstance(node.template, t.Filtered):
                names = [arg for item in node.template.filters for arg in item.args]
            for name in names:
                if isinstance(name, t.Literal) and isinstance(name.value, str):
                    found = [item for item in templates.find(absolute(file, name.value)) if item is not file]
                    return found[0] if found else None
    return None


def block_of(file: TemplateFile, place: Region) -> str:
    """The innermost block around a place of a template that extends another; "" where it extends none.

    Outside of its blocks such a template renders nothing.
    """
    if not any(isinstance(node, t.Extends) for node in file.tree.nodes):
        return ""
    holding = [
        (len(lines), name)
        for name, block in file.blocks.items()
        if place.line in (lines := {node.region.line for node in flat(block.body)})
    ]
    return min(holding)[1] if holding else ""


def binder_of(file: TemplateFile, name: str, place: Region) -> t.For | t.With | None:
    """The innermost loop or `{% with %}` around a place that gives a name its meaning there; None where none does."""
    found: list[tuple[int, t.For | t.With]] = []
    for node in flat(file.tree.nodes):
        bound = node.targets if isinstance(node, t.For) else ()
        if isinstance(node, t.With):
            bound = tuple(item.name for item in node.bindings)
        if isinstance(node, (t.For, t.With)) and name in bound:
            lines = {inner.region.line for inner in flat(node.body)}
            found += [(len(lines), node)] if place.line in lines else []
    return min(found, key=lambda item: item[0])[1] if found else None


def absolute(file: TemplateFile, name: str) -> str:
    """The name of a template as `file` writes it: `./row.html` lies beside the file."""
    return file.path.rpartition("/")[0] + name[1:] if name.startswith("./") else name


class Reads:
    """The names that templates read of their contexts, through what they extend and include."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._single: dict[TemplateFile, frozenset[str] | None] = {}
        self._whole: dict[TemplateFile, frozenset[str] | None] = {}

    def of(self, file: TemplateFile) -> frozenset[str] | None:
        """A set that holds every name that rendering `file` may read, None where it may read any.

        Any name may be read by a tag that takes the context, a macro that is imported, and an include whose template is
        not known.
        """
        if file not in self._whole:
            self._whole[file] = self._through(file)
        return self._whole[file]

    def _through(self, file: TemplateFile) -> frozenset[str] | None:
        found: set[str] = set()
        waiting, seen = [file], {file.path}
        while waiting:
            for item in chain_of(self._templates, waiting.pop()).files:
                own = self._own(item)
                if own is None:
                    return None
                found |= own
                more = [inner for inner in self._included(item) if inner.path not in seen]
                seen.update(inner.path for inner in more)
                waiting += more
        return frozenset(found)

    def _own(self, file: TemplateFile) -> frozenset[str] | None:
        if file not in self._single:
            self._single[file] = None if self._reads_all(file) else frozenset(names_in(file.tree))
        return self._single[file]

    def _reads_all(self, file: TemplateFile) -> bool:
        for node in flat(file.tree.nodes):
            if isinstance(node, t.Component) and not components.named(node):
                return True
            if isinstance(node, t.Import) or (isinstance(node, t.Include) and not isinstance(node.template, t.Literal)):
                return True
            library = self._templates.tag(node.name, file) if isinstance(node, t.Tag) else None
            if library is not None and (library.takes_context or library.kind == "compiled"):
                return True
            if isinstance(node, t.Tag) and node.name == "partial" and file.part:
                return True  # another part of the file, which this one does not hold
        return False

    def _included(self, file: TemplateFile) -> Iterator[TemplateFile]:
        for node in flat(file.tree.nodes):
            if isinstance(node, t.Include) and isinstance(node.template, t.Literal):
                yield from self._templates.find(absolute(file, str(node.template.value)))[:1]
            elif isinstance(node, t.Component) and (
                found := components.file_of(self._templates, components.named(node))
            ):
                yield found[1]


def names_in(node: object) -> Iterator[str]:
    """The names of the variables and functions that a part of a template reads, through all that is in it."""
    return (item.name for item in parts(node) if isinstance(item, t.Path))
