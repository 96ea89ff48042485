"""YAML as nodes with their places, for files that start something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml

from stackaudit.facts.commands import Command, Step, Text, Variable, Word
from stackaudit.facts.files import UnreadableError
from stackaudit.lower import shell
from stackaudit.lower.located import Located, aligned, line_starts
from stackaudit.lower.masks import Mask, without_shifted
from stackaudit.lower.shellwords import filled, words
from stackaudit.model.source import Region

DEPTH = 40
NODES = 50_000


def documents(mask: Mask, text: str) -> tuple[list[yaml.Node], Nodes]:
    """The documents of a YAML file whose templates are masked, and their reader. Raises UnreadableError."""
    source = mask.text
    try:
        try:
            found = list(yaml.compose_all(source, Loader=Loader))
        except yaml.MarkedYAMLError:
            if not mask.spans:
                raise
            source = without_shifted(mask, text)
            found = list(yaml.compose_all(source, Loader=Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise UnreadableError(f"not YAML: {error.problem or error.context or 'broken'}", line) from None
    except yaml.YAMLError as error:
        raise UnreadableError(f"not YAML: {error}".partition("\n")[0]) from None
    except RecursionError:
        raise UnreadableError("nests too deeply") from None
    return found, Nodes(source)


class Loader(yaml.SafeLoader):
    """SafeLoader with bounds: composing never multiplies aliases, but nesting costs stack."""

    depth = 0
    count = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        """Composes one node; refuses endless nesting and endless lists."""
        self.depth += 1
        self.count += 1
        if self.depth > DEPTH or self.count > NODES:
            raise UnreadableError("nests too deeply" if self.depth > DEPTH else f"holds more than {NODES} values")
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self.depth -= 1
        return node


Items = dict[str, tuple[yaml.Node, yaml.Node]]


def _sources(value: yaml.Node) -> list[yaml.Node]:
    """The mappings behind a merge key: one, or a list of them."""
    return list(value.value[:100]) if isinstance(value, yaml.SequenceNode) else [value]


class Nodes:
    """Reads YAML nodes of one text as plain values with their places."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = line_starts(text)

    def region(self, node: yaml.Node) -> Region:
        """Where a node stands."""
        end = max(node.start_mark.index, node.end_mark.index)
        while end > node.start_mark.index + 1 and self.text[end - 1 : end].isspace():
            end -= 1
        return Located(self.text, self.starts).span(node.start_mark.index, end)

    def items(self, node: yaml.Node | None, depth: int = 0) -> Items:
        """The keys of a mapping with merge keys applied (`<<`: own keys win, then the first of several)."""
        own: Items = {}
        merged: Items = {}
        if not isinstance(node, yaml.MappingNode) or depth > 10:
            return own
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value == "<<":
                for source in _sources(value):
                    for name, pair in self.items(source, depth + 1).items():
                        merged.setdefault(name, pair)
            else:
                own[key.value] = (key, value)
        return {**merged, **own} if merged else own

    def merges(self, node: yaml.MappingNode) -> list[yaml.Node]:
        """What the merge keys of a mapping take in: with an alias, the very node of its anchor."""
        return [
            source
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode) and key.value == "<<"
            for source in _sources(value)
        ]

    def several(self, node: yaml.Node | None) -> list[yaml.Node]:
        """The items of a sequence, or the node alone."""
        if node is None or self.empty(node):
            return []
        return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]

    def empty(self, node: yaml.Node) -> bool:
        """Whether the node is a plain null."""
        return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"

    def scalar(self, node: yaml.Node | None) -> str:
        """The text of a scalar, "" for anything else."""
        if isinstance(node, yaml.ScalarNode) and not self.empty(node):
            return str(node.value)
        return ""

    def located(self, node: yaml.ScalarNode) -> Located:
        """A scalar's value, each character with its place."""
        start, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):
            start = self.text.find("\n", start) + 1 or start
        elif node.style in ("'", '"'):
            start += 1
        return aligned(node.value, self.text, self.starts, start, end)

    def word(self, node: yaml.Node) -> Word:
        """A scalar with compose's `$` and `${...}` as holes."""
        text = filled(self.scalar(node), "braces")
        return Word(text.text, text.holes, self.region(node))

    def variables(self, node: yaml.Node | None) -> tuple[Variable, ...]:
        """`environment`, `args`: a mapping, or a list of `NAME=value` and `NAME`."""
        found = []
        if isinstance(node, yaml.MappingNode):
            for name, (key, value) in self.items(node).items():
                text = None if self.empty(value) else self.text_of(value)
                found.append(Variable(name, text, self.region(key)))
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                name, sign, rest = self.scalar(item).partition("=")
                if name:
                    found.append(Variable(name, filled(rest, "braces") if sign else None, self.region(item)))
        return tuple(found)

    def text_of(self, node: yaml.Node) -> Text:
        """A scalar's text with holes; YAML's true and false in compose's spelling."""
        return filled(self.scalar(node), "braces")

    def command(self, node: yaml.Node | None, *, through_shell: bool = False) -> Command | None:
        """`command` or `entrypoint`: a list is an argument vector; a string is split into words, no shell runs it."""
        if node is None or self.empty(node):
            return None
        if isinstance(node, yaml.SequenceNode):
            found = []
            for item in node.value:
                if isinstance(item, yaml.ScalarNode):
                    text = filled(item.value, "braces")
                    found.append(Word(text.text, text.holes, self.region(item)))
            region = self.region(node)
            if not found:
                return Command((), False, region)
            step = Step(tuple(found), region)
            return Command((self.with_inner(step, node.value),), False, region)
        if not isinstance(node, yaml.ScalarNode):
            return None
        source = self.located(node)
        if through_shell:
            return shell.command(source)
        found = list(words(source, "braces"))
        region = self.region(node)
        if not found:
            return Command((), False, region)
        return Command((shell.with_inner(Step(tuple(found), region), Located(self.text, self.starts)),), False, region)

    def with_inner(self, step: Step, nodes: Sequence[yaml.Node]) -> Step:
        """The step of a list with the text that it hands to `sh -c`, read where it stands."""
        plain = shell.with_inner(step, Located(self.text, self.starts))
        if not plain.inner:
            return plain
        for node in nodes:
            flag = next((i for i, word in enumerate(step.words) if word.region == self.region(node)), -1)
            if flag > 0 and step.words[flag - 1].text.endswith("c") and isinstance(node, yaml.ScalarNode):
                located = self.located(node)
                text = located.text.replace("$$", " $") if "$$" in located.text else located.text
                inner = shell.parse(located.part(0, len(located.text), text))
                return Step(step.words, step.region, inner=inner)
        return plain


class Tree:
    """A mapping of a YAML file, or whatever stands in place of one, whose values are asked by paths of keys."""

    def __init__(self, reader: Nodes, node: yaml.Node | None) -> None:
        self.reader = reader
        self.node = node
        self.items = reader.items(node)

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def find(self, *path: str) -> tuple[yaml.Node, yaml.Node] | None:
        """The key and the value at a path."""
        items, found = self.items, None
        for key in path:
            found = items.get(key)
            if found is None:
                return None
            items = self.reader.items(found[1])
        return found

    def value(self, *path: str) -> yaml.Node | None:
        """The value at a path."""
        found = self.find(*path)
        return found[1] if found is not None else None

    def inside(self, *path: str) -> Tree:
        """The mapping at a path; one without keys where there is none."""
        return Tree(self.reader, self.value(*path))

    def several(self, *path: str) -> list[yaml.Node]:
        """The items of the list at a path, or what stands there alone."""
        return self.reader.several(self.value(*path))

    def each(self, *path: str) -> Iterator[Tree]:
        """The same as mappings."""
        return (Tree(self.reader, node) for node in self.several(*path))

    def text(self, *path: str) -> str:
        """The text of a scalar, "" for anything else."""
        return self.reader.scalar(self.value(*path))

    def word(self, *path: str) -> Word | None:
        """A scalar as it is written, in which a dollar is a dollar; None for anything else, and an empty one."""
        node = self.value(*path)
        return (
            Word(self.reader.scalar(node), (), self.reader.region(node)) if node and self.reader.scalar(node) else None
        )

    def command(self, *path: str) -> Command | None:
        """A command line that a shell reads."""
        return self.reader.command(self.value(*path), through_shell=True)
